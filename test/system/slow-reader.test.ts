/**
 * RFC 9687 on a real socket: a peer that stops reading. The kernel's buffers fill, then ours; it is given up after the
 * SendHoldTime, at bounded cost, and nobody else notices.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { type PeerConfig, Speaker, systemClock, tcpTransport } from '../../bgp/speaker/index.js';
import { type CodecContext, encodeMessage, type Message } from '../../bgp/wire/index.js';
import { address, address4, prefix } from '../support/addresses.js';
import { acceptAll } from '../support/rib.js';
import { until } from '../support/until.js';

const HOLD_SECONDS = 6;
const SEND_HOLD_SECONDS = 6;
const ROUTES = 10_000;
/** A round is about 700 kB; the buffers of both ends hold some 10 MB. */
const MAX_ROUNDS = 200;
const CONTEXT: CodecContext = { as4: true, peerType: 'ebgp', maxMessageLength: 4096 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function config(ip: string, asn: number): PeerConfig {
  return {
    id: ip,
    address: address(ip),
    port: 179,
    asn,
    localAs: 64512,
    place: 'outside',
    dial: 'never',
    holdTimeSeconds: HOLD_SECONDS,
    sendHoldTimeSeconds: SEND_HOLD_SECONDS,
    connectRetrySeconds: 5,
    restartTimeSeconds: 0,
    families: ['ipv4'],
  };
}

/** A peer on its own loopback address that sends KEEPALIVEs, whether it reads or not. */
async function peerAt(ip: string, asn: number, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: ip });
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => {});
  const send = (message: Message) => socket.write(encodeMessage(message, CONTEXT));
  const capabilities = [{ kind: 'fourOctetAs', asn }] as const;
  send({ type: 'OPEN', asn, holdTimeSeconds: HOLD_SECONDS, bgpIdentifier: address4(ip), capabilities });
  const timer = setInterval(() => send({ type: 'KEEPALIVE' }), 500);
  cleanups.push(() => clearInterval(timer));
  send({ type: 'KEEPALIVE' });
  return socket;
}

test('RFC 9687 3: given up with 8/0 while the other peer gets every route', async () => {
  const speaker = new Speaker({
    localAs: 64512,
    bgpIdentifier: address4('127.0.0.1'),
    listen: { address: address('127.0.0.1'), port: 0 },
    policy: acceptAll,
    transport: tcpTransport,
    clock: systemClock,
    random: Math.random,
    log: pino({ level: 'silent' }),
    restarted: false,
    onBestPaths: () => {},
    onPeersChanged: () => {},
  });
  await speaker.start();
  cleanups.push(() => speaker.stop());
  const status = (ip: string) => speaker.peers().find(({ config }) => config.id === ip);
  speaker.setPeers([config('127.0.0.66', 65066), config('127.0.0.13', 65013)]);
  const port = speaker.port ?? 0;
  const deaf = await peerAt('127.0.0.66', 65066, port);
  const good = await peerAt('127.0.0.13', 65013, port);
  let read = 0;
  good.on('data', (chunk) => {
    read += chunk.length;
  });
  deaf.pause();
  await until('both sessions are up', () => speaker.peers().every(({ state }) => state === 'Established'));

  // Each route with attributes of its own, and all of them anew in each round, until the kernel takes no more.
  const pending = (ip: string) => speaker.rib.counters(ip).pendingAnnouncements;
  const isGivenUp = () => status('127.0.0.66')?.flaps === 1;
  for (let round = 1; !isGivenUp(); round += 1) {
    expect(round, 'rounds that the kernel buffers').toBeLessThan(MAX_ROUNDS);
    speaker.setLocalRoutes(
      Array.from({ length: ROUTES }, (_, index) => ({
        prefix: prefix(`10.${index >> 8}.${index & 255}.0/24`),
        communities: [round, index],
      })),
    );
    await until('the peer that reads has the round', () => pending('127.0.0.13') === 0);
    await until('the other one is given up, or the kernel took it all', () => {
      return isGivenUp() || pending('127.0.0.66') === 0;
    });
  }
  expect(status('127.0.0.66')?.lastError).toMatchObject({
    text: 'the peer does not read: the send hold timer expired',
    from: 'us',
  });
  await until(
    'the other peer has every route',
    () => speaker.rib.counters('127.0.0.13').advertised === ROUTES,
  );
  expect(status('127.0.0.13')).toMatchObject({ state: 'Established', flaps: 0 });
  expect(read).toBeGreaterThan(ROUTES * 50);
});
