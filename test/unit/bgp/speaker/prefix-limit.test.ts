/**
 * RFC 4271 section 6.7 and RFC 4486 section 4: a peer that announces more prefixes than it may.
 */
import { describe, expect, test } from 'vitest';
import type { PeerConfig, PeerStatus } from '../../../../bgp/speaker/index.js';
import { prefix } from '../../../support/addresses.js';
import { type Member, MemoryMesh, peerConfig } from '../../../support/memory-mesh.js';
import { MemoryPeer } from '../../../support/memory-peer.js';
import { acceptAll, announce } from '../../../support/rib.js';

const SECOND = 1000;

/** Speaker b announces `count` IPv4 prefixes to a, which has the limit. */
async function pair(maxPrefixes: PeerConfig['maxPrefixes'], count: number) {
  const mesh = new MemoryMesh();
  const a = await mesh.member({ address: '192.168.1.11', policy: acceptAll });
  const b = await mesh.member({ address: '192.168.1.12', policy: acceptAll });
  const toB = (limits: PeerConfig['maxPrefixes']) =>
    peerConfig(a, b, limits === undefined ? {} : { maxPrefixes: limits });
  const tell = (prefixes: number) =>
    b.speaker.setLocalRoutes(
      Array.from({ length: prefixes }, (_, index) => ({ prefix: prefix(`10.0.${index}.0/24`) })),
    );
  tell(count);
  a.speaker.setPeers([toB(maxPrefixes)]);
  b.speaker.setPeers([peerConfig(b, a)]);
  mesh.clock.advance(5 * SECOND);
  return { mesh, a, b, toB, tell };
}

function only(member: Member): PeerStatus {
  const [status] = member.speaker.peers();
  if (status === undefined) throw new Error('the member has no peer');
  return status;
}

test('RFC 4486 4: Cease 6/1 carries the family and the limit', async () => {
  const mesh = new MemoryMesh();
  const a = await mesh.member({ address: '192.168.1.11', policy: acceptAll });
  const far = { address: mesh.addressOf('192.168.1.66') };
  const limits = { limit: 2, action: 'stop' } as const;
  a.speaker.setPeers([peerConfig(a, far, { asn: 65066, dial: 'never', maxPrefixes: limits })]);
  const peer = new MemoryPeer(mesh, a.address, { address: '192.168.1.66', asn: 65066 });
  mesh.clock.advance(SECOND);
  const asPath = [{ kind: 'sequence' as const, asns: [65066] }];
  peer.send(announce(['10.0.0.0/24', '10.0.1.0/24'], '192.168.1.66', { asPath }));
  mesh.clock.advance(SECOND);
  expect(only(a).state).toBe('Established');
  peer.send(announce(['10.0.2.0/24'], '192.168.1.66', { asPath }));
  mesh.clock.advance(SECOND);
  expect(peer.notification).toEqual({
    type: 'NOTIFICATION',
    code: 6,
    subcode: 1,
    data: Uint8Array.of(0, 1, 1, 0, 0, 0, 2),
  });
  expect(peer.closed).toBe(true);
  expect(a.speaker.rib.size('ipv4')).toBe(0);
});

describe('the limit itself', () => {
  test('is not exceeded by as many', async () => {
    const { a } = await pair({ limit: 5, action: 'stop' }, 5);
    expect(only(a)).toMatchObject({ state: 'Established', flaps: 0 });
  });

  test('counts a prefix that is announced again once', async () => {
    const { mesh, a, b } = await pair({ limit: 5, action: 'stop' }, 5);
    for (let round = 0; round < 5; round += 1) {
      b.speaker.setLocalRoutes(
        Array.from({ length: 5 }, (_, index) => ({
          prefix: prefix(`10.0.${index}.0/24`),
          communities: [round + 1],
        })),
      );
      mesh.clock.advance(SECOND);
    }
    expect(only(a)).toMatchObject({ state: 'Established', flaps: 0 });
  });
});

describe('the action', () => {
  test('warn: one line until it is kept again, and the session goes on', async () => {
    const { mesh, a, tell } = await pair({ limit: 5, action: 'warn' }, 6);
    const lines = () => a.log.filter(({ msg }) => /prefixes, the limit is/.test(msg)).map(({ msg }) => msg);
    expect(lines()).toEqual(['the peer announces 6 ipv4 prefixes, the limit is 5']);
    tell(9);
    mesh.clock.advance(SECOND);
    expect(lines()).toHaveLength(1);
    tell(3);
    mesh.clock.advance(SECOND);
    tell(7);
    mesh.clock.advance(SECOND);
    expect(lines()).toHaveLength(2);
    expect(only(a)).toMatchObject({ state: 'Established', flaps: 0 });
  });

  test('restart: the routes go, and the session is tried again after a minute', async () => {
    const { mesh, a, b, tell } = await pair({ limit: 5, action: 'restart' }, 6);
    expect(only(a).flaps).toBe(1);
    expect(only(a).lastError?.text).toBe('the peer announces 6 ipv4 prefixes, the limit is 5');
    expect(a.log.find(({ msg }) => msg === 'session ended')?.['reason']).toMatch(/the limit is 5/);
    expect(only(b).lastError?.text).toMatch(/maximum number of prefixes reached \(ipv4, limit 5\)|rejected/);
    expect(a.speaker.rib.size('ipv4')).toBe(0);
    tell(5);
    mesh.clock.advance(35 * SECOND);
    expect(only(a).state).not.toBe('Established');
    mesh.clock.advance(60 * SECOND);
    expect(only(a).state).toBe('Established');
    expect(a.speaker.rib.size('ipv4')).toBe(5);
  });

  test('stop: the peer stays down and says why, until it is enabled', async () => {
    const { mesh, a, tell } = await pair({ limit: 5, action: 'stop' }, 6);
    mesh.clock.advance(600 * SECOND);
    expect(only(a)).toMatchObject({
      state: 'Idle',
      shutdown: { by: 'maxPrefixes', text: 'the peer announces 6 ipv4 prefixes, the limit is 5' },
    });
    tell(5);
    expect(a.speaker.enablePeer('192.168.1.12')).toBe('done');
    mesh.clock.advance(60 * SECOND);
    expect(only(a)).toMatchObject({ state: 'Established' });
    expect(only(a)).not.toHaveProperty('shutdown');
  });
});

describe('a live change of the limit', () => {
  test('lower than what is there: acts at once', async () => {
    const { mesh, a, toB } = await pair(undefined, 6);
    expect(only(a).flaps).toBe(0);
    a.speaker.setPeers([toB({ limit: 5, action: 'stop' })]);
    mesh.clock.advance(SECOND);
    expect(only(a).shutdown?.by).toBe('maxPrefixes');
  });

  test('higher: the session stays, and a peer that was stopped begins again', async () => {
    const { mesh, a, toB } = await pair({ limit: 6, action: 'stop' }, 6);
    a.speaker.setPeers([toB({ limit: 7, action: 'stop' })]);
    expect(only(a)).toMatchObject({ state: 'Established', flaps: 0 });
    a.speaker.setPeers([toB({ limit: 1, action: 'stop' })]);
    mesh.clock.advance(SECOND);
    expect(only(a).state).toBe('Idle');
    a.speaker.setPeers([toB({ limit: 10, action: 'stop' })]);
    mesh.clock.advance(60 * SECOND);
    expect(only(a).state).toBe('Established');
  });
});
