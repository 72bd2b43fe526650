/**
 * What an administrator does to a peer, and which changes of its settings leave the session alone.
 */
import { describe, expect, test } from 'vitest';
import type { PeerConfig, PeerStatus } from '../../../../bgp/speaker/index.js';
import { shutdownText } from '../../../../bgp/wire/index.js';
import { type Member, MemoryMesh, peerConfig } from '../../../support/memory-mesh.js';
import { MemoryPeer } from '../../../support/memory-peer.js';

const SECOND = 1000;
const B = '192.168.1.12';

async function pair() {
  const mesh = new MemoryMesh();
  const a = await mesh.member({ address: '192.168.1.11', blocks: ['10.244.1.0/24'] });
  const b = await mesh.member({ address: B, blocks: ['10.244.2.0/24'] });
  mesh.connect(a, b);
  mesh.clock.advance(5 * SECOND);
  return { mesh, a, b };
}

function only(member: Member): PeerStatus {
  const [status] = member.speaker.peers();
  if (status === undefined) throw new Error('the member has no peer');
  return status;
}

describe('RFC 9003 2: administrative shutdown', () => {
  test('Cease 6/2 with the text, cut between characters at 255 octets', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const far = { address: mesh.addressOf('192.168.1.66') };
    a.speaker.setPeers([peerConfig(a, far, { asn: 65066, dial: 'never' })]);
    const peer = new MemoryPeer(mesh, a.address, { address: '192.168.1.66', asn: 65066 });
    mesh.clock.advance(SECOND);
    a.speaker.shutdownPeer('192.168.1.66', 'ü'.repeat(200));
    mesh.clock.advance(SECOND);
    const told = peer.notification;
    expect(told).toMatchObject({ code: 6, subcode: 2 });
    expect(told && shutdownText(told)).toBe('ü'.repeat(127));
    expect(peer.closed).toBe(true);
  });

  test('the peer stays down, whoever dials and whatever setPeers says, until it is enabled', async () => {
    const { mesh, a, b } = await pair();
    expect(a.speaker.shutdownPeer(B, 'maintenance')).toBe('done');
    mesh.clock.advance(300 * SECOND);
    a.speaker.setPeers([peerConfig(a, b, { holdTimeSeconds: 30 })]);
    mesh.clock.advance(300 * SECOND);
    expect(only(a)).toMatchObject({
      state: 'Idle',
      shutdown: { by: 'administrator', text: 'maintenance' },
    });
    expect(only(b).lastError?.text).toMatch(/connection rejected/);
    expect(a.speaker.enablePeer(B)).toBe('done');
    mesh.clock.advance(60 * SECOND);
    expect(only(a).state).toBe('Established');
    expect(only(a)).not.toHaveProperty('shutdown');
  });

  test('a peer that is down already is held down, and its stale routes go', async () => {
    const { mesh, a, b } = await pair();
    await b.speaker.stop();
    mesh.clock.advance(SECOND);
    expect(a.speaker.rib.size('ipv4')).toBe(2);
    a.speaker.shutdownPeer(B);
    expect(a.speaker.rib.size('ipv4')).toBe(1);
    expect(only(a)).toMatchObject({ state: 'Idle', shutdown: { text: '' } });
    expect(only(a)).not.toHaveProperty('staleUntilMs');
  });

  test('recovery after a restart does not wait for it', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11', restarted: true });
    const b = await mesh.member({ address: B });
    a.speaker.setPeers([peerConfig(a, b)]);
    a.speaker.shutdownPeer(B);
    expect(a.speaker.recovering).toBe(false);
  });
});

describe('RFC 4486 4: administrative reset', () => {
  test('the session is back at once', async () => {
    const { mesh, a, b } = await pair();
    expect(a.speaker.resetPeer(B, 'new policy')).toBe('done');
    mesh.clock.advance(10);
    expect(only(b).lastError?.text).toMatch(/administrative reset \("new policy"\)/);
    mesh.clock.advance(30 * SECOND);
    expect(only(a)).toMatchObject({ state: 'Established', flaps: 1 });
  });

  test('of a peer that is shut down is refused', async () => {
    const { a } = await pair();
    a.speaker.shutdownPeer(B);
    expect(a.speaker.resetPeer(B)).toBe('shutdown');
    expect(only(a).state).toBe('Idle');
  });
});

test('a peer that does not exist is said to be unknown', async () => {
  const { a } = await pair();
  expect([a.speaker.shutdownPeer('x'), a.speaker.resetPeer('x'), a.speaker.enablePeer('x')]).toEqual([
    'unknown',
    'unknown',
    'unknown',
  ]);
});

describe('a change of settings', () => {
  test.each<[string, Partial<PeerConfig>]>([
    ['maxPrefixes', { maxPrefixes: { limit: 100, action: 'stop' } }],
    ['nextHop', { nextHop: 'self' }],
    ['allowedOwnAs', { allowedOwnAs: 1 }],
    ['routeReflectorClient', { routeReflectorClient: true }],
    ['sendHoldTimeSeconds', { sendHoldTimeSeconds: 600 }],
    ['connectRetrySeconds', { connectRetrySeconds: 9 }],
    ['place', { place: 'outside' }],
    ['dial', { dial: 'never' }],
  ])('%s needs no reset', async (name, changes) => {
    const { mesh, a, b } = await pair();
    a.speaker.setPeers([peerConfig(a, b, changes)]);
    mesh.clock.advance(5 * SECOND);
    expect(only(a)).toMatchObject({ state: 'Established', flaps: 0, config: changes });
    expect(a.log.findLast(({ changed }) => changed !== undefined)).toMatchObject({
      changed: [name],
      msg: expect.stringMatching(/without a reset/),
    });
  });

  test.each<[string, Partial<PeerConfig>]>([
    ['holdTimeSeconds', { holdTimeSeconds: 30 }],
    ['restartTimeSeconds', { restartTimeSeconds: 60 }],
    ['families', { families: ['ipv4'] }],
    ['role', { role: 'peer' }],
    ['localAs', { localAs: 64999 }],
  ])('%s is in the OPEN: the session is reset, and the log says so before', async (name, changes) => {
    const { mesh, a, b } = await pair();
    a.speaker.setPeers([peerConfig(a, b, changes)]);
    mesh.clock.advance(5 * SECOND);
    const messages = a.log.map(({ msg }) => msg);
    const said = messages.indexOf('peer configuration changed: its session is reset');
    expect(a.log[said]).toMatchObject({ changed: [name] });
    expect(said).toBeLessThan(messages.lastIndexOf('session ended'));
  });

  test('of who dials begins anew where there is no session', async () => {
    const mesh = new MemoryMesh();
    const a = await mesh.member({ address: '192.168.1.11' });
    const b = await mesh.member({ address: B });
    a.speaker.setPeers([peerConfig(a, b, { dial: 'never' })]);
    b.speaker.setPeers([peerConfig(b, a, { dial: 'never' })]);
    mesh.clock.advance(60 * SECOND);
    expect(only(a).state).toBe('Active');
    a.speaker.setPeers([peerConfig(a, b, { dial: 'now' })]);
    mesh.clock.advance(SECOND);
    expect(only(a).state).toBe('Established');
  });

  test('the password is never shown', async () => {
    const { a, b } = await pair();
    a.speaker.setPeers([peerConfig(a, b, { password: 'secret-of-the-test' })]);
    expect(
      JSON.stringify(a.speaker.peers(), (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
    ).not.toContain('secret-of-the-test');
    expect(JSON.stringify(a.log)).not.toContain('secret-of-the-test');
  });
});
