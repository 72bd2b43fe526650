/**
 * Faults of our own code in the path of one peer: that peer is reset with 6/8, the log has what the repair needs, nobody
 * else notices, and the process lives.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { formatPrefix } from '../../../../bgp/net/index.js';
import type { RoutePolicy } from '../../../../bgp/rib/index.js';
import { Connection } from '../../../../bgp/speaker/connection.js';
import { ORIGIN } from '../../../../bgp/wire/attributes/origin.js';
import { ByteReader } from '../../../../bgp/wire/bytes.js';
import { encodeMessage, type Message } from '../../../../bgp/wire/index.js';
import { address4, prefix } from '../../../support/addresses.js';
import { type Member, MemoryMesh, peerConfig } from '../../../support/memory-mesh.js';
import { MemoryPeer } from '../../../support/memory-peer.js';
import { EBGP, toHex } from '../../../support/wire.js';

const SECOND = 1000;
const [GOOD, BAD] = [
  { address: '192.168.1.13', asn: 65013 },
  { address: '192.168.1.66', asn: 65066 },
];
const FAULT = 'a fault on purpose';
const ACCEPT = { accept: true } as const;

afterEach(() => {
  vi.restoreAllMocks();
});

/** A speaker with two peers, whose policy has a fault for one of them where the test says so. */
async function speaker(policy: Partial<RoutePolicy> = {}) {
  const mesh = new MemoryMesh();
  const a = await mesh.member({
    address: '192.168.1.11',
    policy: { importRoute: () => ACCEPT, exportRoute: () => ACCEPT, ...policy },
  });
  a.speaker.setPeers(
    [GOOD, BAD].map(({ address, asn }) =>
      peerConfig(a, { address: address4(address) }, { asn, dial: 'never' }),
    ),
  );
  const [good, bad] = [new MemoryPeer(mesh, a.address, GOOD), new MemoryPeer(mesh, a.address, BAD)];
  mesh.clock.advance(5 * SECOND);
  return { mesh, a, good, bad };
}

function route(from: { readonly address: string; readonly asn: number }, network: string): Message {
  return {
    type: 'UPDATE',
    unreach: [],
    reach: [{ family: 'ipv4', nextHop: { address: address4(from.address) }, prefixes: [prefix(network)] }],
    attributes: { origin: 'IGP', asPath: [{ kind: 'sequence', asns: [from.asn] }] },
    faults: [],
  };
}

const ownFaults = ({ log }: Member) => log.filter(({ level }) => level === 50);
const known = ({ speaker: { rib } }: Member) =>
  [...rib.bestRoutes()].map((best) => formatPrefix(best.prefix));
const status = (a: Member, { address }: { readonly address: string }) =>
  a.speaker.peers().find(({ config }) => config.id === address);

/** The bad one was told 6/8, the good one has felt nothing and can still be talked to. */
function checkContained({ mesh, a, good, bad }: Awaited<ReturnType<typeof speaker>>): void {
  expect(bad.notification).toMatchObject({ code: 6, subcode: 8 });
  expect(bad.closed).toBe(true);
  expect(status(a, BAD)).toMatchObject({ flaps: 1 });
  expect(status(a, BAD)?.lastError?.text).toMatch(/internal error/);
  expect(status(a, GOOD)).toMatchObject({ state: 'Established', flaps: 0 });
  good.send(route(GOOD, '10.99.0.0/24'));
  mesh.clock.advance(SECOND);
  expect(known(a)).toContain('10.99.0.0/24');
}

describe('a fault of ours', () => {
  test('while a message is read: the line has the message in hex', async () => {
    const all = await speaker();
    const message = route(BAD, '10.1.0.0/24');
    vi.spyOn(ORIGIN, 'decode').mockImplementationOnce(() => {
      throw new Error(FAULT);
    });
    all.bad.send(message);
    all.mesh.clock.advance(SECOND);
    expect(ownFaults(all.a)).toMatchObject([
      { peer: BAD.address, err: { message: FAULT }, frame: toHex(encodeMessage(message, EBGP)) },
    ]);
    checkContained(all);
  });

  test('while a message is handled: the same, and what came before it is gone with the session', async () => {
    const all = await speaker({
      importRoute: (_peer, network) => {
        if (network === prefix('10.2.0.0/24')) throw new Error(FAULT);
        return ACCEPT;
      },
    });
    const message = route(BAD, '10.2.0.0/24');
    all.bad.send(route(BAD, '10.1.0.0/24'), message, route(BAD, '10.3.0.0/24'));
    all.mesh.clock.advance(SECOND);
    expect(ownFaults(all.a)).toMatchObject([
      { peer: BAD.address, err: { message: FAULT }, frame: toHex(encodeMessage(message, EBGP)) },
    ]);
    expect(known(all.a)).toEqual([]);
    checkContained(all);
  });

  test('while a peer is told of routes: that peer is reset, not the one that announced them', async () => {
    const all = await speaker();
    const { rib } = all.a.speaker;
    const nextMessage = rib.nextMessage.bind(rib);
    vi.spyOn(rib, 'nextMessage').mockImplementation((id, context) => {
      if (id === BAD.address) throw new Error(FAULT);
      return nextMessage(id, context);
    });
    all.good.send(route(GOOD, '10.1.0.0/24'));
    all.mesh.clock.advance(SECOND);
    expect(ownFaults(all.a)).toMatchObject([{ peer: BAD.address, err: { message: FAULT } }]);
    checkContained(all);
  });

  test('while it is decided what others are told: the session of the message is reset, and no other', async () => {
    const all = await speaker({
      exportRoute: (peer) => {
        if (peer.id === GOOD.address) throw new Error(FAULT);
        return ACCEPT;
      },
    });
    all.bad.send(route(BAD, '10.1.0.0/24'));
    all.mesh.clock.advance(SECOND);
    expect(ownFaults(all.a)).toMatchObject([{ peer: BAD.address, err: { message: FAULT } }]);
    checkContained(all);
  });

  test('while the session ends: what was still to be done for its end is done', async () => {
    const all = await speaker();
    all.bad.send(route(BAD, '10.1.0.0/24'));
    all.mesh.clock.advance(SECOND);
    expect(known(all.a)).toContain('10.1.0.0/24');
    vi.spyOn(Connection.prototype, 'send').mockImplementationOnce(() => {
      throw new Error(FAULT);
    });
    all.a.speaker.resetPeer(BAD.address, 'new optics');
    all.mesh.clock.advance(SECOND);
    expect(ownFaults(all.a)).toMatchObject([{ peer: BAD.address, err: { message: FAULT } }]);
    expect(known(all.a)).not.toContain('10.1.0.0/24');
    expect(all.bad.closed).toBe(true);
    all.mesh.clock.advance(10 * SECOND);
    new MemoryPeer(all.mesh, all.a.address, BAD);
    all.mesh.clock.advance(SECOND);
    for (const peer of [GOOD, BAD]) expect(status(all.a, peer)?.state).toBe('Established');
    expect(status(all.a, GOOD)?.flaps).toBe(0);
  });

  test('after a pause the peer is taken again; a fault that comes again is as rare as the pause', async () => {
    const all = await speaker();
    vi.spyOn(ORIGIN, 'decode').mockImplementation(() => {
      throw new Error(FAULT);
    });
    all.bad.send(route(BAD, '10.1.0.0/24'));
    for (let attempt = 0; attempt < 200; attempt += 1) {
      all.mesh.clock.advance(SECOND / 2);
      const peer = new MemoryPeer(all.mesh, all.a.address, BAD);
      all.mesh.clock.advance(SECOND / 2);
      peer.send(route(BAD, '10.1.0.0/24'));
    }
    const { length } = ownFaults(all.a);
    expect(length).toBeGreaterThan(2);
    expect(length).toBeLessThan(60);
  });
});

test('RFC 4486 4: a stranger with whose OPEN our code fails is refused with 6/5 like every other, and the line has the OPEN', async () => {
  const { mesh, a } = await speaker();
  vi.spyOn(ByteReader, 'over').mockImplementationOnce(() => {
    throw new Error(FAULT);
  });
  const stranger = new MemoryPeer(mesh, a.address, { address: '192.168.1.99', asn: 65099 });
  mesh.clock.advance(SECOND);
  expect(stranger.notification).toMatchObject({ code: 6, subcode: 5 });
  expect(ownFaults(a)).toMatchObject([{ err: { message: FAULT }, frame: expect.stringMatching(/^f{32}/) }]);
});
