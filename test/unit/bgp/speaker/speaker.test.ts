/**
 * Speakers over memory and virtual time: everything but sockets is real.
 */
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatIpAddress, formatPrefix } from '../../../../bgp/net/index.js';
import type { PeerStatus } from '../../../../bgp/speaker/index.js';
import { CEASE, NOTIFICATION, notification } from '../../../../bgp/wire/index.js';
import { prefix } from '../../../support/addresses.js';
import { type Member, MemoryMesh, meshPolicy, peerConfig } from '../../../support/memory-mesh.js';

const SECOND = 1000;

function table(member: Member): Record<string, string> {
  return Object.fromEntries(
    [...member.speaker.rib.bestRoutes()].map(({ prefix, path }) => [
      formatPrefix(prefix),
      path.peer === undefined
        ? 'local'
        : `via ${formatIpAddress(path.nextHop.address)}${path.stale ? ' stale' : ''}`,
    ]),
  );
}

function peer(member: Member, other: Member): PeerStatus {
  const status = member.speaker.peers().find(({ config }) => config.address === other.address);
  if (status === undefined) throw new Error('no such peer');
  return status;
}

async function pair(options: { readonly restartTimeSeconds?: number } = {}, settleMs = 5 * SECOND) {
  const mesh = new MemoryMesh();
  const a = await mesh.member({ address: '192.168.1.11', blocks: ['10.244.1.0/24'] });
  const b = await mesh.member({ address: '192.168.1.12', blocks: ['10.244.2.0/24'] });
  a.speaker.setPeers([peerConfig(a, b, options)]);
  b.speaker.setPeers([peerConfig(b, a, options)]);
  mesh.clock.advance(settleMs);
  return { mesh, a, b };
}

describe('two speakers', () => {
  test('find each other and exchange their blocks with next hop self', async () => {
    const { a, b } = await pair();
    expect(peer(a, b).state).toBe('Established');
    expect(peer(b, a).state).toBe('Established');
    expect(table(a)).toEqual({ '10.244.1.0/24': 'local', '10.244.2.0/24': 'via 192.168.1.12' });
    expect(table(b)).toEqual({ '10.244.2.0/24': 'local', '10.244.1.0/24': 'via 192.168.1.11' });
  });

  test('the higher address dials, the lower one listens', async () => {
    const { a, b } = await pair();
    expect(peer(b, a).session?.direction).toBe('outgoing');
    expect(peer(a, b).session?.direction).toBe('incoming');
  });

  test('the lower address dials itself after 30 s without an attempt', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const b = await mesh.member({ address: '192.168.1.12' });
    a.speaker.setPeers([peerConfig(a, b)]);
    b.speaker.setPeers([peerConfig(b, a, { dial: 'never' })]);
    mesh.clock.advance(29 * SECOND);
    expect(peer(a, b).state).toBe('Active');
    mesh.clock.advance(5 * SECOND);
    expect(peer(a, b).state).toBe('Established');
    expect(peer(a, b).session?.direction).toBe('outgoing');
  });

  test('both dialling at once end with exactly one connection (RFC 4271 section 6.8)', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const b = await mesh.member({ address: '192.168.1.12' });
    a.speaker.setPeers([peerConfig(a, b, { dial: 'now' })]);
    b.speaker.setPeers([peerConfig(b, a, { dial: 'now' })]);
    mesh.clock.advance(20 * SECOND);
    expect(peer(a, b).state).toBe('Established');
    expect(mesh.network.connectionsBetween(a.address, b.address)).toBe(1);
    expect(peer(a, b).flaps + peer(b, a).flaps).toBe(0);
  });

  test('say End-of-RIB for each family (RFC 4724 section 2)', async () => {
    const { a, b } = await pair();
    expect(peer(a, b).endOfRibFrom).toEqual(['ipv4', 'ipv6']);
    expect(peer(b, a).endOfRibFrom).toEqual(['ipv4', 'ipv6']);
  });

  test('a block that goes is withdrawn, one that comes is announced', async () => {
    const { mesh, a, b } = await pair();
    const blocks = [prefix('10.244.7.0/24')];
    a.speaker.setPolicy(meshPolicy(blocks));
    a.speaker.setLocalRoutes(blocks.map((block) => ({ prefix: block })));
    mesh.clock.advance(SECOND);
    expect(table(b)).toEqual({ '10.244.2.0/24': 'local', '10.244.7.0/24': 'via 192.168.1.11' });
  });

  test('stay up for an hour by their keepalives', async () => {
    const { mesh, a, b } = await pair();
    mesh.clock.advance(3600 * SECOND);
    expect(peer(a, b).state).toBe('Established');
    expect(peer(a, b).flaps).toBe(0);
    expect(peer(a, b).counters.messagesIn).toBeGreaterThan(100);
  });
});

test('the owner is told of peers when a session or a table changes, not of every message', async () => {
  const { mesh, a, b } = await pair();
  expect(a.peersChanged).toBeGreaterThan(0);
  a.peersChanged = 0;
  mesh.clock.advance(3600 * SECOND);
  b.speaker.setLocalRoutes([]);
  mesh.clock.advance(SECOND);
  expect(table(a)).toEqual({ '10.244.1.0/24': 'local' });
  expect(a.peersChanged).toBe(0);
  await b.speaker.stop();
  mesh.clock.advance(SECOND);
  expect(a.peersChanged).toBe(1);
});

test('a speaker that has stopped tells nothing more', async () => {
  const { mesh, a } = await pair();
  const told = a.peersChanged;
  await a.speaker.stop();
  mesh.clock.advance(SECOND);
  expect(a.peersChanged).toBe(told);
});

describe('a session that ends', () => {
  test('by a Cease: routes go at once, and the API says so in words', async () => {
    const { mesh, a, b } = await pair();
    await b.speaker.stop(notification(NOTIFICATION.CEASE, CEASE.ADMINISTRATIVE_SHUTDOWN));
    mesh.clock.advance(SECOND);
    expect(table(a)).toEqual({ '10.244.1.0/24': 'local' });
    expect(peer(a, b).lastError?.text).toMatch(/administrative shutdown/i);
    expect(peer(a, b).lastError?.from).toBe('peer');
  });

  test('without a word: routes stay as stale and go after the restart time (RFC 4724 section 4.2)', async () => {
    const { mesh, a, b } = await pair({ restartTimeSeconds: 60 });
    await b.speaker.stop();
    mesh.clock.advance(59 * SECOND);
    expect(table(a)['10.244.2.0/24']).toBe('via 192.168.1.12 stale');
    expect(peer(a, b).staleUntilMs).toBeDefined();
    mesh.clock.advance(2 * SECOND);
    expect(table(a)).toEqual({ '10.244.1.0/24': 'local' });
    expect(peer(a, b).staleUntilMs).toBeUndefined();
  });

  test('and comes back within the restart time: nothing that is announced again ever leaves the table', async () => {
    const { mesh, a, b } = await pair();
    a.changes.length = 0;
    await b.speaker.stop();
    mesh.clock.advance(10 * SECOND);
    const again = await mesh.member({ address: '192.168.1.12', blocks: ['10.244.2.0/24'], restarted: true });
    again.speaker.setPeers([peerConfig(again, a)]);
    mesh.clock.advance(10 * SECOND);
    expect(table(a)['10.244.2.0/24']).toBe('via 192.168.1.12');
    expect(a.changes.filter(({ best }) => best === undefined)).toEqual([]);
  });

  test('and comes back with less: the rest is swept on End-of-RIB', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const b = await mesh.member({ address: '192.168.1.12', blocks: ['10.244.2.0/24', '10.244.3.0/24'] });
    mesh.connect(a, b);
    mesh.clock.advance(5 * SECOND);
    await b.speaker.stop();
    const again = await mesh.member({ address: '192.168.1.12', blocks: ['10.244.3.0/24'], restarted: true });
    again.speaker.setPeers([peerConfig(again, a)]);
    mesh.clock.advance(10 * SECOND);
    expect(table(a)).toEqual({ '10.244.3.0/24': 'via 192.168.1.12' });
  });

  test('and comes back without having kept forwarding: stale routes go at once', async () => {
    const { mesh, a, b } = await pair();
    await b.speaker.stop();
    const again = await mesh.member({ address: '192.168.1.12', restarted: false });
    again.speaker.setPeers([peerConfig(again, a)]);
    mesh.clock.advance(10 * SECOND);
    expect(peer(a, again).state).toBe('Established');
    expect(table(a)).toEqual({ '10.244.1.0/24': 'local' });
  });

  test('by the hold timer, when the network is cut without a reset (RFC 4271 section 6.5)', async () => {
    const { mesh, a, b } = await pair();
    mesh.network.silence(a.address, b.address);
    mesh.clock.advance(91 * SECOND);
    expect(peer(a, b).state).not.toBe('Established');
    expect(peer(a, b).lastError?.text).toMatch(/hold timer expired/i);
  });

  test('is tried again, and the same failure is logged once', async () => {
    const { mesh, a, b } = await pair();
    await a.speaker.stop();
    mesh.clock.advance(120 * SECOND);
    const lines = b.log.filter(({ msg }) => msg === 'no session yet');
    expect(lines.map(({ reason }) => reason)).toEqual([expect.stringMatching(/connection refused/)]);
  });
});

describe('a second connection of a peer whose session is up', () => {
  const dialAgain = async (afterMs: number) => {
    const { mesh, a, b } = await pair({}, afterMs);
    expect(peer(a, b).state).toBe('Established');
    mesh.network
      .transportOf(b.address)
      .dial(
        { remote: a.address, port: 179, timeoutMs: SECOND },
        { onConnected: (stream) => stream.attach(DEAF), onFailed: () => {} },
      );
    mesh.clock.advance(100);
    return peer(a, b);
  };
  const DEAF = { onData: () => {}, onDrain: () => {}, onClose: () => {} };

  test('right after the start was dialled before: refused, the session lives', async () => {
    expect(await dialAgain(SECOND)).toMatchObject({ state: 'Established', flaps: 0 });
  });

  test('later means that the peer has restarted: the new one is taken, routes stay (RFC 4724 section 5)', async () => {
    const status = await dialAgain(60 * SECOND);
    expect(status.state).not.toBe('Established');
    expect(status.flaps).toBe(1);
    expect(status.staleUntilMs).toBeDefined();
  });
});

describe('the restarting speaker (RFC 4724 section 4.1)', () => {
  test('announces its own routes at once and keeps the R bit until recovery is over', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11', blocks: ['10.244.1.0/24'], restarted: true });
    const b = await mesh.member({ address: '192.168.1.12' });
    const c = await mesh.member({ address: '192.168.1.13' });
    a.speaker.setPeers([peerConfig(a, b), peerConfig(a, c)]);
    b.speaker.setPeers([peerConfig(b, a)]);
    mesh.clock.advance(5 * SECOND);
    expect(table(b)).toEqual({ '10.244.1.0/24': 'via 192.168.1.11' });
    expect(a.speaker.recovering).toBe(true);
    expect(peer(b, a).session?.gracefulRestart?.restarting).toBe(true);
    c.speaker.setPeers([peerConfig(c, a)]);
    mesh.clock.advance(5 * SECOND);
    expect(peer(c, a).session?.gracefulRestart?.restarting).toBe(true);
    expect(a.speaker.recovering).toBe(false);
  });

  test('does not wait for a peer that is down: recovery ends after 60 s, and with it the R bit', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11', restarted: true });
    const b = await mesh.member({ address: '192.168.1.12' });
    a.speaker.setPeers([peerConfig(a, b)]);
    mesh.clock.advance(59 * SECOND);
    expect(a.speaker.recovering).toBe(true);
    mesh.clock.advance(2 * SECOND);
    expect(a.speaker.recovering).toBe(false);
    b.speaker.setPeers([peerConfig(b, a)]);
    mesh.clock.advance(10 * SECOND);
    // No R bit after the recovery, nor of a speaker that has not restarted.
    expect(peer(b, a).session?.gracefulRestart?.restarting).toBe(false);
    expect(peer(a, b).session?.gracefulRestart?.restarting).toBe(false);
  });
});

describe('configuration', () => {
  test('the wrong AS is told apart: NOTIFICATION 2/2 and a sentence with both numbers', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const b = await mesh.member({ address: '192.168.1.12', asn: 65001 });
    a.speaker.setPeers([peerConfig(a, b, { asn: 65002 })]);
    b.speaker.setPeers([peerConfig(b, a, { asn: 64512, localAs: 65001 })]);
    mesh.clock.advance(5 * SECOND);
    expect(peer(a, b).state).not.toBe('Established');
    expect(peer(a, b).lastError?.text).toMatch(/65001/);
    expect(peer(a, b).lastError?.text).toMatch(/65002/);
  });

  test('a removed peer is told so (Cease/3) and its routes go; the others stay up', async () => {
    const mesh = new MemoryMesh();
    const members = await Promise.all(
      ['192.168.1.11', '192.168.1.12', '192.168.1.13'].map((address, index) =>
        mesh.member({ address, blocks: [`10.244.${index + 1}.0/24`] }),
      ),
    );
    const [a, b, c] = members as [Member, Member, Member];
    mesh.connect(a, b, c);
    mesh.clock.advance(5 * SECOND);
    a.speaker.setPeers([peerConfig(a, c)]);
    // Before it dials again, and is a stranger then.
    mesh.clock.advance(10);
    expect(peer(b, a).lastError?.text).toMatch(/de-?configured/i);
    expect(table(a)).toEqual({ '10.244.1.0/24': 'local', '10.244.3.0/24': 'via 192.168.1.13' });
    expect(peer(a, c).flaps).toBe(0);
  });

  test('a peer whose settings changed is reset with the reason; an unchanged one is left alone', async () => {
    const { mesh, a, b } = await pair();
    a.speaker.setPeers([peerConfig(a, b)]);
    mesh.clock.advance(SECOND);
    expect(peer(a, b).state).toBe('Established');
    a.speaker.setPeers([peerConfig(a, b, { holdTimeSeconds: 30 })]);
    mesh.clock.advance(30 * SECOND);
    expect(peer(a, b).session?.holdTimeSeconds).toBe(30);
    expect(a.log.find(({ changed }) => changed !== undefined)?.['changed']).toEqual(['holdTimeSeconds']);
  });
});

describe('a stranger', () => {
  test('is refused with Cease/5 and one line that holds the BGPPeer which would let it in', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const b = await mesh.member({ address: '192.168.1.66', asn: 65001 });
    b.speaker.setPeers([peerConfig(b, a, { localAs: 65001 })]);
    mesh.clock.advance(30 * SECOND);
    expect(peer(b, a).lastError?.text).toMatch(/connection rejected/i);
    const lines = a.log.filter(({ msg }) => msg.startsWith('a stranger'));
    expect(lines).toHaveLength(1);
    expect(parse(String(lines[0]?.['letInWith']))).toMatchObject({
      kind: 'BGPPeer',
      spec: { peerIP: '192.168.1.66', asNumber: 65001 },
    });
  });
});
