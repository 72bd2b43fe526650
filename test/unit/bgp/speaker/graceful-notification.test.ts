/**
 * RFC 8538 between two speakers: which ends of a session lose no route.
 */
import { describe, expect, test } from 'vitest';
import { formatPrefix } from '../../../../bgp/net/index.js';
import type { PeerStatus } from '../../../../bgp/speaker/index.js';
import { CEASE, findCapability, NOTIFICATION, notification } from '../../../../bgp/wire/index.js';
import { type Member, MemoryMesh, peerConfig } from '../../../support/memory-mesh.js';

const SECOND = 1000;

async function pair() {
  const mesh = new MemoryMesh();
  const a = await mesh.member({ address: '192.168.1.11', blocks: ['10.244.1.0/24'] });
  const b = await mesh.member({ address: '192.168.1.12', blocks: ['10.244.2.0/24'] });
  mesh.connect(a, b);
  mesh.clock.advance(5 * SECOND);
  return { mesh, a, b };
}

function only(member: Member): PeerStatus {
  const [status] = member.speaker.peers();
  if (status === undefined) throw new Error('the member has no peer');
  return status;
}

function learned(member: Member): readonly string[] {
  return [...member.speaker.rib.bestRoutes()]
    .filter(({ path }) => path.peer !== undefined)
    .map(({ prefix, path }) => `${formatPrefix(prefix)}${path.stale ? ' stale' : ''}`);
}

/** Prefixes that ever became unreachable. */
function lost(member: Member): readonly string[] {
  return member.changes.filter(({ best }) => best === undefined).map(({ prefix }) => formatPrefix(prefix));
}

test('RFC 8538 2: the N bit is announced', async () => {
  const { a } = await pair();
  expect(findCapability(only(a).ourCapabilities, 'gracefulRestart')?.notification).toBe(true);
});

describe('RFC 8538 3: the routes of both sides outlive', () => {
  test('an administrative reset, and the session is back', async () => {
    const { mesh, a, b } = await pair();
    a.speaker.resetPeer('192.168.1.12', 'new optics');
    mesh.clock.advance(2);
    expect(learned(a)).toEqual(['10.244.2.0/24 stale']);
    expect(learned(b)).toEqual(['10.244.1.0/24 stale']);
    expect(only(b).lastError?.text).toMatch(/administrative reset \("new optics"\)/);
    mesh.clock.advance(30 * SECOND);
    expect(only(a).state).toBe('Established');
    expect(learned(a)).toEqual(['10.244.2.0/24']);
    expect([...lost(a), ...lost(b)]).toEqual([]);
  });

  test('a change of settings that needs a new session', async () => {
    const { mesh, a, b } = await pair();
    a.speaker.setPeers([peerConfig(a, b, { holdTimeSeconds: 30 })]);
    mesh.clock.advance(30 * SECOND);
    expect(only(a).session?.holdTimeSeconds).toBe(30);
    expect(learned(a)).toEqual(['10.244.2.0/24']);
    expect([...lost(a), ...lost(b)]).toEqual([]);
  });

  test('the hold timer: routes stay as stale for the restart time, then they go', async () => {
    const { mesh, a, b } = await pair();
    mesh.network.silence(a.address, b.address);
    mesh.clock.advance(92 * SECOND);
    expect(learned(a)).toEqual(['10.244.2.0/24 stale']);
    mesh.clock.advance(120 * SECOND);
    expect(learned(a)).toEqual([]);
  });
});

describe('RFC 8538 4: a hard reset ends it for good, and the peer is told the reason inside it', () => {
  test('administrative shutdown', async () => {
    const { mesh, a, b } = await pair();
    a.speaker.shutdownPeer('192.168.1.12', 'rack is moved');
    mesh.clock.advance(10);
    expect(only(b).lastError?.text).toMatch(
      /hard reset \(Cease: administrative shutdown \("rack is moved"\)\)/,
    );
    expect([learned(a), learned(b)]).toEqual([[], []]);
  });

  test('peer de-configured', async () => {
    const { mesh, a, b } = await pair();
    a.speaker.setPeers([]);
    mesh.clock.advance(10);
    expect(only(b).lastError?.text).toMatch(/hard reset \(Cease: peer de-configured\)/);
    expect([learned(a), learned(b)]).toEqual([[], []]);
  });

  test('another AS at the same address is another router: its routes are not kept', async () => {
    const { mesh, a, b } = await pair();
    a.speaker.setPeers([peerConfig(a, b, { asn: 65099 })]);
    mesh.clock.advance(10);
    expect(learned(a)).toEqual([]);
  });
});

test('RFC 8538 3: a NOTIFICATION of an error keeps the routes too', async () => {
  const { mesh, a, b } = await pair();
  // What b does when its own code chokes on a message.
  await b.speaker.stop(notification(NOTIFICATION.CEASE, CEASE.OUT_OF_RESOURCES));
  mesh.clock.advance(10);
  expect(learned(a)).toEqual(['10.244.2.0/24 stale']);
});
