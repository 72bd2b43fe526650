/**
 * What a stranger sees of the speaker when something goes wrong inside it, or beyond what TCP shows: its own exception
 * (Cease 6/8), and a peer that never reads (8/0).
 *
 * The speaker is a program with settings that no resource has: a prefix that makes the code throw, and a short SendHoldTime.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { enterNamespace } from '../support/enter-namespace.js';
import { Namespace } from '../support/netns.js';
import { KEEPALIVE, quad, RawPeer, TYPE } from '../support/raw-peer.js';
import { buildSpeakerProgram, SpeakerProcess } from '../support/speaker-process.js';
import { until } from '../support/until.js';
import { toHex, updateFrame } from '../support/wire.js';
import { nlri24 } from './conformance/route.js';
import { attribute } from './conformance/update-rows.js';

const SPEAKER = { host: '192.0.2.1' };
const [FEEDER, WITNESS, POISONER, DEAF] = ['192.0.2.11', '192.0.2.12', '192.0.2.13', '192.0.2.14'] as const;
const [LOADER, BUSY] = ['192.0.2.15', '192.0.2.16'] as const;
const PEERS = [FEEDER, WITNESS, POISONER, DEAF, LOADER, BUSY];
const STRANGER = '192.0.2.99';
const POISON = '10.66.66';
const SHORT_HOLD_SECONDS = 3;

let folder: string;
let machines: readonly [Namespace, Namespace];
let speaker: SpeakerProcess;
let leave: () => void;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-faults-'));
  machines = Namespace.linked(
    'faults',
    [`${SPEAKER.host}/24`],
    [...PEERS, STRANGER].map((address) => `${address}/24`),
  );
  // Buffers that are full after some dozens of UPDATEs.
  for (const machine of machines) {
    machine.run(
      'sysctl',
      '-q',
      '-w',
      'net.ipv4.tcp_rmem=4096 16384 32768',
      'net.ipv4.tcp_wmem=4096 16384 32768',
    );
  }
  await buildSpeakerProgram(folder);
  speaker = new SpeakerProcess(machines[0], folder, 'speaker', {
    asn: 64512,
    identifier: SPEAKER.host,
    block: '10.244.1.0/24',
    transit: true,
    poison: `${POISON}.0/24`,
  });
  await speaker.start();
  await speaker.setPeers(
    ...PEERS.map((address) => ({
      address,
      asn: 65001,
      dial: 'never' as const,
      sendHoldTimeSeconds: SHORT_HOLD_SECONDS,
    })),
  );
  leave = enterNamespace(machines[1]);
});

afterAll(async () => {
  leave?.();
  for (const machine of machines ?? []) await machine.remove();
  rmSync(folder, { recursive: true });
});

const session = async (address: string, holdTime = 90) => {
  const peer = await RawPeer.connect(address, SPEAKER);
  const capabilities = '0104 0001 0001 0200 4104 0000fde9';
  return peer.establish({ asn: 65001, id: address, holdTime, capabilities });
};

function route(from: string, network: string, more = ''): Uint8Array {
  const attributes = `40 01 01 00 40 02 06 02 01 0000fde9 40 03 04 ${quad(from)} ${more}`;
  return updateFrame({ attributes, nlri: nlri24(network) });
}

describe.concurrent('a fault of ours', () => {
  test('RFC 4486 4: it ends the session that it happened in with 6/8, is logged with the message, and nobody else notices', async () => {
    const witness = await session(WITNESS);
    const poisoner = await session(POISONER);
    const message = route(POISONER, POISON);
    poisoner.send(message);
    expect(await poisoner.ending()).toBe('6/8');
    const line = speaker
      .log()
      .split('\n')
      .find((text) => text.includes('internal error in the path of this peer'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      level: 50,
      peer: POISONER,
      frame: toHex(message),
      err: { message: 'a fault on purpose' },
    });
    expect((await speaker.peer(POISONER)).lastError).toBe('internal error in the path of this peer');
    // The process lives, the others go on, and the same peer is welcome with something else.
    expect(await witness.settled()).toBe('up');
    expect(await speaker.peer(WITNESS)).toMatchObject({ state: 'Established', flaps: 0 });
    const back = await until('it is taken again', () => session(POISONER));
    back.send(route(POISONER, '10.66.67'));
    await speaker.route('10.66.67.0/24');
    for (const peer of [witness, back]) peer.end();
  });
});

describe.concurrent('RFC 9687 3: a peer that never reads', () => {
  test('is told 8/0 after the SendHoldTime, behind all that it has not read; the others got every route at once', async () => {
    const feeder = await session(FEEDER);
    const deaf = await session(DEAF, SHORT_HOLD_SECONDS);
    deaf.stopReading();
    const keepAlive = setInterval(() => deaf.send(KEEPALIVE), 500);
    const started = Date.now();
    for (let index = 0; index < 200; index += 1) {
      const own = attribute('e0', 99, index.toString(16).padStart(4, '0').repeat(1750));
      feeder.send(route(FEEDER, `10.77.${index}`, own));
    }
    await speaker.route('10.77.199.0/24');
    expect((await speaker.peer(DEAF)).state).toBe('Established');
    await speaker.error(DEAF, /does not read: the send hold timer expired/);
    expect(Date.now() - started).toBeGreaterThanOrEqual(SHORT_HOLD_SECONDS * 1000 - 10);
    clearInterval(keepAlive);
    deaf.readAgain();
    let updates = 0;
    for (;;) {
      const message = await deaf.next();
      if (message?.type === TYPE.UPDATE) updates += 1;
      else if (message?.type === TYPE.NOTIFICATION) {
        expect(toHex(message.body)).toBe('0800');
        break;
      } else expect(message?.type).toBe(TYPE.KEEPALIVE);
    }
    expect(await deaf.ending()).toBe('closed');
    expect(updates).toBeGreaterThan(0);
    expect(updates).toBeLessThan(200);
    expect(await feeder.settled()).toBe('up');
    expect(await speaker.peer(FEEDER)).toMatchObject({ state: 'Established', flaps: 0 });
    feeder.end();
  });
});

describe.concurrent('what many can cost', () => {
  test('strangers: sixteen may be silent at a time, further ones are closed at once; each is told 6/5 in the end', async () => {
    const strangers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.connect(STRANGER, SPEAKER)));
    const endings = await Promise.all(strangers.map((stranger) => stranger.ending()));
    expect(endings.filter((ending) => ending === 'closed')).toHaveLength(4);
    expect(endings.filter((ending) => ending === '6/5')).toHaveLength(16);
  });

  test('a table of 100 000 routes: the KEEPALIVEs of a session with a hold time of 3 s go on', async () => {
    const busy = await session(BUSY, SHORT_HOLD_SECONDS);
    const loader = await session(LOADER);
    const keepAlive = setInterval(() => busy.send(KEEPALIVE), 500);
    const octet = (value: number) => value.toString(16).padStart(2, '0');
    for (let block = 0; block < 100; block += 1) {
      // A thousand prefixes each: 20.B.N.0/30 and so on.
      const nlri = Array.from(
        { length: 1000 },
        (_, index) => `1e 14${octet(block)}${octet(index >> 6)}${octet((index & 63) << 2)}`,
      );
      const attributes = `40 01 01 00 40 02 06 02 01 0000fde9 40 03 04 ${quad(LOADER)} 80 04 04 ${octet(block).padStart(8, '0')}`;
      for (const half of [nlri.slice(0, 500), nlri.slice(500)]) {
        loader.send(updateFrame({ attributes, nlri: half.join('') }));
      }
    }
    loader.send(route(LOADER, '10.78.1'));
    let silentSince = Date.now();
    let longest = 0;
    let octets = 0;
    for (;;) {
      const message = await busy.next();
      if (message?.type === TYPE.KEEPALIVE) {
        longest = Math.max(longest, Date.now() - silentSince);
        silentSince = Date.now();
      } else if (message?.type === TYPE.UPDATE) {
        octets += message.body.length;
        if (toHex(message.body).endsWith('180a4e01')) break;
      } else throw new Error(`the session has ended with ${message && toHex(message.body)}`);
    }
    clearInterval(keepAlive);
    // Five octets a prefix, and none is left out.
    expect(octets).toBeGreaterThan(500_000);
    expect(longest).toBeLessThan(SHORT_HOLD_SECONDS * 1000);
    expect(await speaker.peer(BUSY)).toMatchObject({ state: 'Established', flaps: 0 });
    for (const peer of [busy, loader]) peer.end();
  });
});
