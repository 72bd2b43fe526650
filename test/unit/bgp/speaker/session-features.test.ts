/**
 * What two OPENs turn on, seen on the wire: long messages, marked refreshes, roles, IPv4 over IPv6 next hops.
 */
import { describe, expect, test } from 'vitest';
import { formatIpAddress, formatPrefix } from '../../../../bgp/net/index.js';
import type { PeerConfig, PeerStatus } from '../../../../bgp/speaker/index.js';
import type { Capability, Message, RouteRefreshMessage } from '../../../../bgp/wire/index.js';
import { address, prefix } from '../../../support/addresses.js';
import { type Member, MemoryMesh, peerConfig } from '../../../support/memory-mesh.js';
import { MemoryPeer } from '../../../support/memory-peer.js';
import { acceptAll, announce, sequence } from '../../../support/rib.js';

const SECOND = 1000;
const FAR = '192.168.1.66';
const IPV4: Capability = { kind: 'multiprotocol', family: 'ipv4' };

/** A speaker of AS 64512 and a peer by hand of AS 65066 with these capabilities. */
async function session(capabilities: readonly Capability[], changes: Partial<PeerConfig> = {}, routes = 0) {
  const mesh = new MemoryMesh();
  const a = await mesh.member({ address: '192.168.1.11', policy: acceptAll });
  a.speaker.setLocalRoutes(
    Array.from({ length: routes }, (_, index) => ({
      prefix: prefix(`10.${index >> 8}.${index & 255}.0/24`),
    })),
  );
  a.speaker.setPeers([
    peerConfig(a, { address: mesh.addressOf(FAR) }, { asn: 65066, dial: 'never', ...changes }),
  ]);
  const peer = new MemoryPeer(mesh, a.address, { address: FAR, asn: 65066, capabilities });
  mesh.clock.advance(2 * SECOND);
  return { mesh, a, peer };
}

function only(member: Member): PeerStatus {
  const [status] = member.speaker.peers();
  if (status === undefined) throw new Error('the member has no peer');
  return status;
}

/** What travels, in words, without KEEPALIVEs. */
function words(messages: readonly Message[]): readonly string[] {
  return messages.flatMap((message) => {
    if (message.type === 'ROUTE-REFRESH') return [['request', 'BoRR', 'EoRR'][message.subtype] ?? 'unknown'];
    if (message.type !== 'UPDATE') return message.type === 'KEEPALIVE' ? [] : [message.type];
    return [
      message.reach.length > 0
        ? 'announcement'
        : message.unreach[0]?.prefixes.length
          ? 'withdrawal'
          : 'End-of-RIB',
    ];
  });
}

describe('RFC 8654: extended messages', () => {
  test('with both sides: one long UPDATE where four short ones were needed', async () => {
    const { peer } = await session([IPV4, { kind: 'extendedMessage' }], {}, 4000);
    expect(Math.max(...peer.lengths)).toBeGreaterThan(16_000);
    const plain = await session([IPV4], {}, 4000);
    expect(Math.max(...plain.peer.lengths)).toBeLessThanOrEqual(4096);
  });

  test('a long UPDATE is taken, also in one chunk with the KEEPALIVE that brings the session up', async () => {
    const { mesh, a } = await session([]);
    const prefixes = Array.from({ length: 2000 }, (_, index) => `20.${index >> 8}.${index & 255}.0/24`);
    const long = announce(prefixes, FAR, { asPath: sequence(65066) });
    a.speaker.setPeers([]);
    a.speaker.setPeers([peerConfig(a, { address: mesh.addressOf(FAR) }, { asn: 65066, dial: 'never' })]);
    const again = new MemoryPeer(mesh, a.address, {
      address: FAR,
      asn: 65066,
      capabilities: [IPV4, { kind: 'extendedMessage' }],
      afterOpen: [{ type: 'KEEPALIVE' }, long],
    });
    mesh.clock.advance(2 * SECOND);
    expect(again.notification).toBeUndefined();
    expect(a.speaker.rib.size('ipv4')).toBe(2000);
  });

  test('from a peer that did not announce them: 1/2', async () => {
    const { mesh, peer } = await session([IPV4]);
    const prefixes = Array.from({ length: 2000 }, (_, index) => `20.${index >> 8}.${index & 255}.0/24`);
    peer.send(announce(prefixes, FAR, { asPath: sequence(65066) }));
    mesh.clock.advance(SECOND);
    expect(peer.notification).toMatchObject({ code: 1, subcode: 2 });
  });
});

describe('RFC 7313: enhanced route refresh', () => {
  const REQUEST: RouteRefreshMessage = { type: 'ROUTE-REFRESH', family: 'ipv4', subtype: 0 };
  const ENHANCED: readonly Capability[] = [IPV4, { kind: 'routeRefresh' }, { kind: 'enhancedRouteRefresh' }];
  const mark = (subtype: number): RouteRefreshMessage => ({ ...REQUEST, subtype });
  const route = (text: string) => announce([text], FAR, { asPath: sequence(65066) });

  test('4: the answer to a request stands between Begin-of-RR and End-of-RR', async () => {
    const { mesh, peer } = await session(ENHANCED, {}, 10);
    peer.messages.length = 0;
    peer.send(REQUEST);
    mesh.clock.advance(SECOND);
    expect(words(peer.messages)).toEqual(['BoRR', 'announcement', 'EoRR']);
  });

  test('4: not without the capability, whose octet is then reserved', async () => {
    const { mesh, peer } = await session([IPV4, { kind: 'routeRefresh' }], {}, 10);
    peer.messages.length = 0;
    peer.send(REQUEST);
    mesh.clock.advance(SECOND);
    expect(words(peer.messages)).toEqual(['announcement']);
    peer.send(mark(1));
    mesh.clock.advance(SECOND);
    expect(words(peer.messages)).toEqual(['announcement', 'announcement']);
  });

  test('4: what the peer does not tell again between its marks is gone; not before the end', async () => {
    const { mesh, a, peer } = await session(ENHANCED);
    peer.send(route('20.0.0.0/24'), route('20.0.1.0/24'), route('20.0.2.0/24'));
    mesh.clock.advance(SECOND);
    peer.send(mark(1), route('20.0.1.0/24'));
    mesh.clock.advance(SECOND);
    expect(a.speaker.rib.size('ipv4')).toBe(3);
    peer.send(mark(2));
    mesh.clock.advance(SECOND);
    expect([...a.speaker.rib.bestRoutes()].map((best) => best.prefix)).toEqual([prefix('20.0.1.0/24')]);
    expect(only(a)).toMatchObject({ state: 'Established', flaps: 0 });
  });

  test('5: an end without a begin, and a subtype that nobody knows, are ignored', async () => {
    const { mesh, a, peer } = await session(ENHANCED);
    peer.send(route('20.0.0.0/24'));
    peer.send(mark(2), mark(9));
    mesh.clock.advance(SECOND);
    expect(a.speaker.rib.size('ipv4')).toBe(1);
    expect(only(a).state).toBe('Established');
  });

  test('a storm of requests costs one answer more, and never more than one table in the queue', async () => {
    const { mesh, peer } = await session(ENHANCED, {}, 100);
    peer.messages.length = 0;
    peer.send(...Array.from({ length: 500 }, () => REQUEST));
    mesh.clock.advance(5 * SECOND);
    expect(words(peer.messages).filter((word) => word === 'BoRR').length).toBeLessThanOrEqual(2);
  });
});

describe('RFC 9234: roles and OTC', () => {
  test('4.1: the role is announced over eBGP; 4.2: one that does not go with it is refused with 2/11', async () => {
    const good = await session([IPV4, { kind: 'role', role: 'customer' }], { role: 'provider' });
    expect(only(good.a).state).toBe('Established');
    expect(only(good.a).ourCapabilities).toContainEqual({ kind: 'role', role: 'provider' });
    const bad = await session([IPV4, { kind: 'role', role: 'provider' }], { role: 'provider' });
    expect(bad.peer.notification).toMatchObject({ code: 2, subcode: 11 });
    expect(only(bad.a).lastError?.text).toMatch(/its role is provider, and ours is provider/);
  });

  test('5: to a customer routes go with OTC, from a customer they do not come with it', async () => {
    const { mesh, a, peer } = await session([IPV4], { role: 'provider' }, 1);
    const told = peer.messages.find((message) => message.type === 'UPDATE' && message.reach.length > 0);
    expect(told?.type === 'UPDATE' && told.attributes?.otc).toBe(64512);
    peer.send(announce(['20.0.0.0/24'], FAR, { asPath: sequence(65066), otc: 65066 }));
    peer.send(announce(['20.0.1.0/24'], FAR, { asPath: sequence(65066) }));
    mesh.clock.advance(SECOND);
    const accepted = Object.fromEntries(
      [...a.speaker.rib.received(FAR)].map((entry) => [
        formatPrefix(entry.prefix),
        entry.reason ?? 'accepted',
      ]),
    );
    expect(accepted).toEqual({
      '20.0.0.0/24': 'route leak: it carries OTC 65066, and we are its provider',
      '20.0.1.0/24': 'accepted',
    });
  });
});

test('RFC 8950: on a session over IPv6 an IPv4 route travels with an IPv6 next hop, both ways', async () => {
  const mesh = new MemoryMesh();
  const [a, b] = (await Promise.all(
    ['192.168.1.11', '192.168.1.12'].map((text, index) =>
      mesh.member({
        address: text,
        at: `fd00::${index + 1}`,
        blocks: [`10.244.${index + 1}.0/24`],
        policy: acceptAll,
      }),
    ),
  )) as [Member, Member];
  const over6 = (from: Member, to: string) =>
    peerConfig(from, { address: address(to) }, { dial: to === 'fd00::2' ? 'now' : 'never' });
  a.speaker.setPeers([over6(a, 'fd00::2')]);
  b.speaker.setPeers([over6(b, 'fd00::1')]);
  mesh.clock.advance(5 * SECOND);
  expect(only(a).session?.extendedNextHop).toEqual(['ipv4']);
  const learned = [a, b].map(({ speaker }) =>
    [...speaker.rib.bestRoutes()]
      .filter(({ path }) => path.peer !== undefined)
      .map(({ path }) => formatIpAddress(path.nextHop.address)),
  );
  expect(learned).toEqual([['fd00::2'], ['fd00::1']]);
});
