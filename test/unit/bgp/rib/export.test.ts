import { describe, expect, test } from 'vitest';
import { ipv6 } from '../../../../bgp/net/index.js';
import { exportPath, whyForbidden } from '../../../../bgp/rib/export.js';
import type { NextHopMode, Path, RibPeer } from '../../../../bgp/rib/index.js';
import { COMMUNITY, type PathAttributes } from '../../../../bgp/wire/index.js';
import { address, attributes, identifier, node, prefix, router, sequence } from '../../../support/rib.js';

const CLUSTER_ID = identifier('192.168.1.1');
const SELF = address('192.168.1.1');

const own: Path = { attributes: attributes(), nextHop: { address: address('0.0.0.0') } };

function from(peer: RibPeer, nextHop: string, changes: Partial<PathAttributes> = {}): Path {
  return { peer, nextHop: { address: address(nextHop) }, attributes: attributes(changes) };
}

function told(peer: RibPeer, best: Path, mode: NextHopMode = 'auto', path = best) {
  return exportPath(peer, 'ipv4', best, path, mode, CLUSTER_ID);
}

describe('what may not be told at all', () => {
  const client = node(3, { routeReflectorClient: true });
  const community = (value: number) => from(node(2), '192.168.1.2', { communities: [7, value] });

  test.each<[string, RibPeer, Path, string | undefined]>([
    ['own routes to anyone', node(2), own, undefined],
    [
      'back to where it came from',
      router(4),
      from(router(4), '192.168.1.9'),
      'it was learned from this peer',
    ],
    [
      'iBGP to iBGP (RFC 4271 §9.2)',
      node(3),
      from(node(2), '192.168.1.2'),
      'it was learned over iBGP and neither side is a reflection client',
    ],
    ['RFC 4456 §6 from a non-client to a client', client, from(node(2), '192.168.1.2'), undefined],
    ['RFC 4456 §6 from a client to a non-client', node(2), from(client, '192.168.1.3'), undefined],
    [
      'RFC 4456 §6 from a client to another client',
      node(5, { routeReflectorClient: true }),
      from(client, '192.168.1.3'),
      undefined,
    ],
    [
      'RFC 4456 §6 from a client back to it',
      client,
      from(client, '192.168.1.3'),
      'it was learned from this peer',
    ],
    ['eBGP to iBGP', node(2), from(router(4), '192.168.1.4'), undefined],
    ['iBGP to eBGP', router(4), from(node(2), '192.168.1.2'), undefined],
    [
      'RFC 1997 NO_ADVERTISE to eBGP',
      router(4),
      community(COMMUNITY.NO_ADVERTISE),
      'it carries NO_ADVERTISE',
    ],
    ['RFC 1997 NO_ADVERTISE to iBGP', client, community(COMMUNITY.NO_ADVERTISE), 'it carries NO_ADVERTISE'],
    ['RFC 1997 NO_EXPORT to eBGP', router(4), community(COMMUNITY.NO_EXPORT), 'it carries NO_EXPORT'],
    ['RFC 1997 NO_EXPORT to iBGP', client, community(COMMUNITY.NO_EXPORT), undefined],
    [
      'RFC 1997 NO_EXPORT_SUBCONFED to eBGP',
      router(4),
      community(COMMUNITY.NO_EXPORT_SUBCONFED),
      'it carries NO_EXPORT_SUBCONFED',
    ],
    [
      'RFC 1997 an own route with NO_EXPORT: the community is for who receives it',
      router(4),
      { ...own, attributes: attributes({ communities: [COMMUNITY.NO_EXPORT] }) },
      undefined,
    ],
  ])('%s', (_name, peer, best, reason) => {
    expect(whyForbidden(peer, best)).toBe(reason);
  });
});

describe('RFC 4271 §5.1.3 NEXT_HOP', () => {
  const tor = router(4);
  const far = router(4, { address: address('172.16.0.4'), sharedSubnet: prefix('172.16.0.0/24') });

  test.each<[string, RibPeer, Path, NextHopMode, string]>([
    ['own routes: our address on the session', node(2), own, 'auto', '192.168.1.1'],
    ['own routes, whatever the policy says', tor, own, 'keep', '192.168.1.1'],
    ['eBGP: our own', far, from(node(2), '192.168.1.2'), 'auto', '192.168.1.1'],
    [
      'eBGP: the third party that is on the subnet of the peer',
      tor,
      from(node(2), '192.168.1.2'),
      'auto',
      '192.168.1.2',
    ],
    ['eBGP: our own where the policy wants it', tor, from(node(2), '192.168.1.2'), 'self', '192.168.1.1'],
    ['eBGP: unchanged where the policy wants it', far, from(node(2), '192.168.1.2'), 'keep', '192.168.1.2'],
    ['never the address of the peer', tor, from(node(2), '192.168.1.4'), 'auto', '192.168.1.1'],
    [
      'never the address of the peer, even where the policy keeps it',
      tor,
      from(node(2), '192.168.1.4'),
      'keep',
      '192.168.1.1',
    ],
    [
      'eBGP to iBGP: our own, since the nodes may not reach the outside one',
      node(2),
      from(tor, '192.168.1.9'),
      'auto',
      '192.168.1.1',
    ],
    [
      'eBGP to iBGP: unchanged where the policy wants it',
      node(2),
      from(tor, '192.168.1.9'),
      'keep',
      '192.168.1.9',
    ],
    [
      'RFC 4456 §10 reflected: unchanged',
      node(3, { routeReflectorClient: true }),
      from(node(2), '192.168.1.2'),
      'auto',
      '192.168.1.2',
    ],
    [
      'reflected: our own where the policy wants it',
      node(3, { routeReflectorClient: true }),
      from(node(2), '192.168.1.2'),
      'self',
      '192.168.1.1',
    ],
  ])('%s', (_name, peer, best, mode, expected) => {
    expect(told(peer, best, mode)).toMatchObject({ nextHop: { address: address(expected) } });
  });

  test('a reflected route whose next hop is the peer is not for it', () => {
    const client = node(3, { routeReflectorClient: true });
    expect(told(client, from(node(2), '192.168.1.3'))).toEqual({
      refusal: 'its next hop is this peer itself',
    });
  });

  test('IPv6 routes on an IPv4 session get our IPv6 address, and are not told where there is none', () => {
    const own6: Path = { ...own, nextHop: { address: address('::') } };
    expect(exportPath(node(2), 'ipv6', own6, own6, 'auto', CLUSTER_ID)).toMatchObject({
      nextHop: { address: address('fd00::1') },
    });
    const { localAddress6: _, ...plain } = node(2);
    expect(exportPath(plain, 'ipv6', own6, own6, 'auto', CLUSTER_ID)).toEqual({
      refusal: 'there is no ipv6 address of ours to give as the next hop',
    });
  });

  test('RFC 2545 §3: a link-local next hop stays on its link', () => {
    const client = node(3, { routeReflectorClient: true });
    const linkLocal = ipv6((0xfe80n << 112n) | 2n);
    const both: Path = {
      ...from(node(2), 'fd00::2'),
      nextHop: { address: address('fd00::2'), linkLocal: linkLocal },
    };
    expect(exportPath(client, 'ipv6', both, both, 'auto', CLUSTER_ID)).toMatchObject({
      nextHop: { address: address('fd00::2') },
    });
    expect(exportPath(client, 'ipv6', both, both, 'auto', CLUSTER_ID)).not.toHaveProperty(
      'nextHop.linkLocal',
    );
    const only = from(node(2), 'fe80::2');
    expect(exportPath(client, 'ipv6', only, only, 'keep', CLUSTER_ID)).toMatchObject({
      nextHop: { address: address('fd00::1') },
    });
  });
});

describe('our own next hop on a session between link-local addresses', () => {
  const LINK_LOCAL = ipv6((0xfe80n << 112n) | 1n);
  const own6: Path = { ...own, nextHop: { address: address('::') } };
  const { localAddress6: _, ...bare } = node(2, { localAddress: LINK_LOCAL, device: 'eth0' });
  const nextHopOf = (peer: RibPeer, family: 'ipv4' | 'ipv6', path: Path) => {
    const exported = exportPath(peer, family, path, path, 'auto', CLUSTER_ID);
    return 'refusal' in exported ? exported.refusal : exported.nextHop;
  };

  test('RFC 2545 §3: the link-local one, and no global one that may be on no link', () => {
    expect(nextHopOf(bare, 'ipv6', own6)).toEqual({ address: LINK_LOCAL });
    expect(nextHopOf({ ...bare, localAddress6: address('fd00::1') }, 'ipv6', own6)).toEqual({
      address: LINK_LOCAL,
    });
  });

  test('RFC 8950 §3: for IPv4 as well, where the peer takes an IPv6 one', () => {
    expect(nextHopOf({ ...bare, extendedNextHop: ['ipv4'] }, 'ipv4', own)).toEqual({ address: LINK_LOCAL });
    expect(nextHopOf(bare, 'ipv4', own)).toBe('there is no ipv4 address of ours to give as the next hop');
  });
});

describe('attributes over eBGP', () => {
  const tor = router(4, { localAs: 64999 });

  test('an own route: our AS on the session and nothing else', () => {
    expect(told(tor, { ...own, attributes: attributes({ localPref: 200 }) })).toEqual({
      attributes: { origin: 'IGP', asPath: sequence(64999) },
      nextHop: { address: SELF },
    });
  });

  test('RFC 4271 §5.1.4, §5.1.5, RFC 4456: what is for inside one AS only is taken off', () => {
    const best = from(node(2), '192.168.1.2', {
      asPath: sequence(65007),
      localPref: 300,
      med: 5,
      originatorId: identifier('9.9.9.9'),
      clusterList: [identifier('9.9.9.9')],
      communities: [7],
      atomicAggregate: true,
      unknown: [{ code: 99, flags: 0xe0, value: new Uint8Array([1, 2]) }],
    });
    expect(told(tor, best)).toEqual({
      attributes: {
        origin: 'IGP',
        asPath: sequence(64999, 65007),
        communities: [7],
        atomicAggregate: true,
        unknown: [{ code: 99, flags: 0xe0, value: new Uint8Array([1, 2]) }],
      },
      nextHop: { address: address('192.168.1.2') },
    });
  });

  test('RFC 4271 §5.1.4: a MED of our own or of the policy goes out', () => {
    const mine = { ...own, attributes: attributes({ med: 7 }) };
    expect(told(tor, mine)).toMatchObject({ attributes: { med: 7 } });
    const best = from(node(2), '192.168.1.2', { med: 5 });
    const changed = { ...best, attributes: { ...best.attributes, med: 9 } };
    expect(told(tor, best, 'auto', changed)).toMatchObject({ attributes: { med: 9 } });
  });

  test('RFC 4271 §5.1.2 b: in front of an AS_SET, or of a full segment, a new segment is begun', () => {
    const set = [{ kind: 'set', asns: [1, 2] }] as const;
    expect(told(tor, from(node(2), '192.168.1.2', { asPath: set }))).toMatchObject({
      attributes: { asPath: [...sequence(64999), ...set] },
    });
    const full = sequence(...Array.from({ length: 255 }, (_, index) => index + 1));
    expect(told(tor, from(node(2), '192.168.1.2', { asPath: full }))).toMatchObject({
      attributes: { asPath: [...sequence(64999), ...full] },
    });
  });

  test('RFC 5065 §4.1: confederation segments are taken off', () => {
    const asPath = [{ kind: 'confedSequence', asns: [64601] }, ...sequence(65007)] as const;
    expect(told(tor, from(node(2), '192.168.1.2', { asPath }))).toMatchObject({
      attributes: { asPath: sequence(64999, 65007) },
    });
  });

  test('RFC 4360 §6: non-transitive extended communities are taken off', () => {
    const transitive = 0x0002_fc00_0000_0001n;
    const local = 0x4002_fc00_0000_0001n;
    const best = from(node(2), '192.168.1.2', { extendedCommunities: [local, transitive] });
    expect(told(tor, best)).toMatchObject({ attributes: { extendedCommunities: [transitive] } });
    const none = from(node(2), '192.168.1.2', { extendedCommunities: [local] });
    expect(told(tor, none)).not.toHaveProperty('attributes.extendedCommunities');
  });
});

describe('attributes over iBGP', () => {
  test('an own route: an empty AS_PATH and LOCAL_PREF 100, or the one configured', () => {
    expect(told(node(2), own)).toEqual({
      attributes: { origin: 'IGP', asPath: [], localPref: 100 },
      nextHop: { address: SELF },
    });
    expect(told(node(2), { ...own, attributes: attributes({ localPref: 200 }) })).toMatchObject({
      attributes: { localPref: 200 },
    });
  });

  test('learned over eBGP: AS_PATH and MED as they came, LOCAL_PREF added', () => {
    const best = from(router(4), '192.168.1.4', { asPath: sequence(65004), med: 5 });
    expect(told(node(2), best)).toEqual({
      attributes: { origin: 'IGP', asPath: sequence(65004), med: 5, localPref: 100 },
      nextHop: { address: SELF },
    });
  });

  test('RFC 4456 §8: a reflected route gets ORIGINATOR_ID and our cluster id, and keeps LOCAL_PREF', () => {
    const client = node(3, { routeReflectorClient: true });
    expect(told(client, from(node(2), '192.168.1.2', { localPref: 150 }))).toEqual({
      attributes: {
        origin: 'IGP',
        asPath: [],
        localPref: 150,
        originatorId: identifier('192.168.1.2'),
        clusterList: [CLUSTER_ID],
      },
      nextHop: { address: address('192.168.1.2') },
    });
  });

  test('RFC 4456 §8: reflected again, ORIGINATOR_ID stays and the cluster id goes in front', () => {
    const client = node(3, { routeReflectorClient: true });
    const marked = { originatorId: identifier('7.7.7.7'), clusterList: [identifier('8.8.8.8')] };
    expect(told(client, from(node(2), '192.168.1.2', marked))).toMatchObject({
      attributes: { originatorId: identifier('7.7.7.7'), clusterList: [CLUSTER_ID, identifier('8.8.8.8')] },
    });
  });
});
