/** A membership in the words of the speaker: peers, policy and own routes. */
import { describe, expect, test } from 'vitest';
import { type Membership, planMembership } from '../../../agent/membership/index.js';
import {
  dynamicPeerRanges,
  localRoutesOf,
  nextHopFacts,
  nodeFactsOf,
  peerConfigs,
  policyGroundsOf,
  policyOf,
  routeChangeOf,
} from '../../../agent/plan.js';
import { Secrets } from '../../../agent/secrets.js';
import { formatPrefix, parseIpv6 } from '../../../bgp/net/index.js';
import { type EncapsulationFacts, encodeFacts, type Path, type RibPeer } from '../../../bgp/rib/index.js';
import type { PeerConfig } from '../../../bgp/speaker/index.js';
import { configuration, manifest, node, peer, pool, resources } from '../../support/manifests.js';
import {
  address,
  attributes,
  node as cluster,
  identifier,
  prefix,
  router,
  sequence,
} from '../../support/rib.js';

const policyFor = (...asked: Parameters<typeof policyGroundsOf>) => policyOf(policyGroundsOf(...asked));

const BASE = [
  pool(),
  node('a', '192.168.1.11/24', ['10.244.1.0/24'], { ipv6Address: 'fd00::11/64' }),
  node('b', '192.168.1.12/24', ['10.244.2.0/24']),
];

function plan(...documents: readonly string[]): Membership {
  const result = planMembership(resources(...BASE, ...documents), 'node-a');
  if ('problem' in result) throw new Error(result.problem);
  return result.membership;
}

const tor = (spec: object = {}) => peer('tor', { peerIP: '192.168.1.1', asNumber: 65001, ...spec });

async function configOf(id: string, ...documents: readonly string[]): Promise<PeerConfig | undefined> {
  const membership = plan(...documents);
  const passwords = membership.peers.flatMap(({ options }) => options.password ?? []);
  const read = await Secrets.read(passwords, { folder: '/', environment: { TOR: 'secret' } });
  expect(read.problems).toEqual([]);
  return peerConfigs(membership, read.secrets).find((config) => config.id === id);
}

describe('peers', () => {
  const DEFAULTS = {
    id: 'peer/tor',
    address: address('192.168.1.1'),
    port: 179,
    asn: 65001,
    localAs: 64512,
    place: 'outside',
    dial: 'now',
    source: address('192.168.1.11'),
    localAddress6: address('fd00::11'),
    holdTimeSeconds: 90,
    connectRetrySeconds: 5,
    restartTimeSeconds: 120,
    families: ['ipv4', 'ipv6'],
  };

  test('of which nothing special is said', async () => {
    expect(await configOf('peer/tor', tor())).toEqual(DEFAULTS);
  });

  test.each<[object, object]>([
    [{ password: { env: 'TOR' } }, { password: 'secret' }],
    [{ maxRestartTime: '5m0s' }, { restartTimeSeconds: 300 }],
    [{ holdTime: '30s' }, { holdTimeSeconds: 30 }],
    [{ keepaliveTime: '10s' }, { holdTimeSeconds: 30 }],
    [{ ttlSecurity: 2 }, { ttlSecurityHops: 2 }],
    [{ numAllowedLocalASNumbers: 1 }, { allowedOwnAs: 1 }],
    [{ localASNumber: 65099 }, { localAs: 65099 }],
    [{ passive: true }, { dial: 'never' }],
    [{ maxPrefixes: { limit: 9, action: 'Warn' } }, { maxPrefixes: { limit: 9, action: 'warn' } }],
    [{ role: 'RSClient' }, { role: 'rs-client' }],
    [{ nextHopMode: 'Self' }, { nextHop: 'self' }],
    [{ nextHopMode: 'Keep' }, { nextHop: 'keep' }],
    [{ nextHopMode: 'Auto' }, {}],
    [{ keepOriginalNextHop: true }, { nextHop: 'keep' }],
    [{ keepOriginalNextHop: false }, {}],
    [{ peerIP: '192.168.1.1:1790' }, { port: 1790 }],
  ])('%j', async (spec, expected) => {
    expect(await configOf('peer/tor', tor(spec))).toEqual({ ...DEFAULTS, ...expected });
  });
});

describe('the policy rests on', () => {
  const edge = manifest('BGPFilter', 'edge', { importV4: [{ action: 'Accept' }] });
  const grounds = (...documents: readonly string[]) => policyGroundsOf(plan(...documents));

  test('no peer of its own: that nodes and routers come asks for no other policy', () => {
    expect(grounds(node('c', '192.168.1.13/24', ['10.244.3.0/24']), tor(), edge)).toEqual(grounds(edge));
  });

  test.each<[string, readonly string[]]>([
    ['a filter of a peer', [edge, tor({ filters: ['edge'] })]],
    ['a pool', [pool('more', '10.245.0.0/16')]],
    ['an advertisement', [configuration({ serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] })]],
  ])('%s', (_what, documents) => {
    expect(grounds(...documents)).not.toEqual(grounds());
  });

  test('the rules of the filter, not its name alone', () => {
    const other = manifest('BGPFilter', 'edge', { importV4: [{ action: 'Reject' }] });
    const peering = tor({ filters: ['edge'] });
    expect(grounds(other, peering)).not.toEqual(grounds(edge, peering));
  });
});

describe('ranges of peers', () => {
  test('have the settings of a peer without its name, and any AS where none is said', () => {
    const range = peer('leafs', { peerRange: '192.168.1.128/25', holdTime: '30s', nextHopMode: 'Self' });
    expect(dynamicPeerRanges(plan(range), Secrets.none)).toEqual([
      {
        name: 'leafs',
        prefix: prefix('192.168.1.128/25'),
        asn: 'external',
        limit: 100,
        template: {
          port: 179,
          localAs: 64512,
          place: 'outside',
          localAddress6: address('fd00::11'),
          holdTimeSeconds: 30,
          connectRetrySeconds: 5,
          restartTimeSeconds: 120,
          families: ['ipv4', 'ipv6'],
          nextHop: 'self',
        },
      },
    ]);
  });

  test('have their filters, whatever the address of the peer', () => {
    const edge = manifest('BGPFilter', 'edge', { importV4: [{ action: 'Accept' }] });
    const range = peer('leafs', { peerRange: '192.168.1.128/25', filters: ['edge'] });
    const policy = policyFor(plan(edge, range));
    const accepts = (id: string) => {
      const from = router(1, { id });
      const route = { peer: from, attributes: attributes(), nextHop: { address: address('192.168.1.1') } };
      return policy.importRoute(from, prefix('203.0.113.0/24'), route).accept;
    };
    expect(accepts('dynamic/leafs/192.168.1.130')).toBe(true);
    expect(accepts('dynamic/leafs/fd00::130')).toBe(true);
    expect(accepts('dynamic/other/192.168.1.130')).toBe(false);
  });
});

describe('peers behind gateways', () => {
  test('are facts of the data plane, and nothing of the session', async () => {
    const behind = tor({ reachableBy: '192.168.1.254' });
    expect(nodeFactsOf(plan(behind)).gateways).toEqual([
      { peer: 'peer/tor', address: address('192.168.1.1'), gateway: address('192.168.1.254') },
    ]);
    expect(nodeFactsOf(plan(tor())).gateways).toEqual([]);
    expect(await configOf('peer/tor', behind)).toEqual(await configOf('peer/tor', tor()));
  });
});

describe('policy', () => {
  const filter = (spec: object) => manifest('BGPFilter', 'edge', spec);
  const outside = router(1, { id: 'peer/tor' });
  const route = { peer: outside, attributes: attributes(), nextHop: { address: address('192.168.1.1') } };

  test('a rule with an interface asks the table', () => {
    const edge = filter({ importV4: [{ action: 'Accept', interface: 'eth*' }] });
    const membership = plan(edge, tor({ filters: ['edge'] }));
    const takes = (device: string) =>
      policyFor(membership, new Map([[prefix('192.168.1.0/24'), device]])).importRoute(
        outside,
        prefix('203.0.113.0/24'),
        route,
      ).accept;
    expect(takes('eth0')).toBe(true);
    expect(takes('wan0')).toBe(false);
  });

  test('without filters is the pool policy', () => {
    const policy = policyFor(plan(tor()));
    expect(policy.importRoute(outside, prefix('10.244.9.0/24'), route)).toEqual({ accept: true });
    expect(policy.importRoute(outside, prefix('203.0.113.0/24'), route)).toMatchObject({ accept: false });
  });

  test('a filter widens and narrows it, and a refusal names filter, list and rule', () => {
    const policy = policyFor(
      plan(
        filter({
          importV4: [
            { action: 'Accept', cidr: '203.0.113.0/24', matchOperator: 'Equal' },
            { action: 'Reject', cidr: '10.244.9.0/24', matchOperator: 'Equal' },
          ],
        }),
        tor({ filters: ['edge'] }),
      ),
    );
    expect(policy.importRoute(outside, prefix('203.0.113.0/24'), route)).toEqual({ accept: true });
    expect(policy.importRoute(outside, prefix('10.244.9.0/24'), route)).toEqual({
      accept: false,
      reason: 'BGPFilter/edge spec.importV4[1] rejects it',
    });
    expect(policy.importRoute(outside, prefix('10.244.8.0/24'), route)).toEqual({ accept: true });
    expect(policy.importRoute(outside, prefix('192.0.2.0/24'), route)).toMatchObject({ accept: false });
  });

  test('each list is for its direction and family', () => {
    const lists = { exportV4: [{ action: 'Accept' }], importV6: [{ action: 'Accept' }] };
    const policy = policyFor(plan(filter(lists), tor({ filters: ['edge'] })));
    const other = { ...route, peer: router(2) };
    expect(policy.exportRoute(outside, prefix('203.0.113.0/24'), other)).toEqual({ accept: true });
    expect(policy.exportRoute(outside, prefix('2001:db8::/32'), other)).toMatchObject({ accept: false });
    expect(policy.importRoute(outside, prefix('2001:db8::/32'), route)).toEqual({ accept: true });
    expect(policy.importRoute(outside, prefix('203.0.113.0/24'), route)).toMatchObject({ accept: false });
  });

  test('what a rule asks and does arrives whole', () => {
    const rule = {
      action: 'Accept',
      source: 'RemotePeers',
      peerType: 'eBGP',
      communities: { values: ['65000:7'] },
      asPathPrefix: [65001, '65002'],
      operations: [{ addCommunity: { value: '65000:1:2' } }, { setMED: { value: 5 } }],
    };
    const policy = policyFor(plan(filter({ importV4: [rule] }), tor({ filters: ['edge'] })));
    const asPath = [{ kind: 'sequence' as const, asns: [65001, 65002] }];
    const matching = { ...route, attributes: attributes({ asPath, communities: [65000 * 65536 + 7] }) };
    expect(policy.importRoute(outside, prefix('203.0.113.0/24'), matching)).toMatchObject({
      path: {
        attributes: {
          med: 5,
          largeCommunities: [{ globalAdministrator: 65000, localData1: 1, localData2: 2 }],
        },
      },
    });
    for (const attributesOf of [{ asPath }, { communities: [65000 * 65536 + 7] }]) {
      const lacking = { ...route, attributes: attributes(attributesOf) };
      expect(policy.importRoute(outside, prefix('203.0.113.0/24'), lacking)).toMatchObject({ accept: false });
    }
    const ibgp = { ...outside, type: 'ibgp' as const };
    expect(policy.importRoute(ibgp, prefix('203.0.113.0/24'), matching)).toMatchObject({ accept: false });
  });

  test('service ranges go to every peer and are taken from none', () => {
    const policy = policyFor(plan(tor(), configuration({ serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] })));
    const own = { attributes: attributes(), nextHop: { address: address('0.0.0.0') } };
    for (const to of [outside, cluster(12, { id: 'mesh/node-b' })]) {
      expect(policy.exportRoute(to, prefix('10.96.0.0/12'), own)).toEqual({ accept: true });
      expect(policy.importRoute(to, prefix('10.96.0.0/12'), route)).toMatchObject({ accept: false });
    }
  });
});

describe('own routes', () => {
  const told = (spec: object) =>
    localRoutesOf(plan(configuration(spec))).map(({ prefix: to, ...rest }) => ({
      to: formatPrefix(to),
      ...rest,
    }));

  test('are the blocks', () => {
    expect(told({})).toEqual([{ to: '10.244.1.0/24' }]);
  });

  test('and the ranges of services, each once', () => {
    const spec = {
      serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
      serviceExternalIPs: [{ cidr: '203.0.113.0/24' }, { cidr: '10.96.0.0/12' }],
      serviceLoadBalancerIPs: [{ cidr: 'fd00:5::/112' }],
    };
    expect(told(spec).map(({ to }) => to)).toEqual([
      '10.244.1.0/24',
      '10.96.0.0/12',
      '203.0.113.0/24',
      'fd00:5::/112',
    ]);
  });

  test('carry the communities of every range that they are in, by name or value, each once', () => {
    const spec = {
      serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
      communities: [{ name: 'pods', value: '65000:1' }],
      prefixAdvertisements: [
        { cidr: '10.0.0.0/8', communities: ['65000:9', '65000:1:2'] },
        { cidr: '10.244.0.0/16', communities: ['pods', '65000:9', '65000:1:2'] },
        { cidr: '10.244.1.0/25', communities: ['65000:8'] },
      ],
    };
    const large = { globalAdministrator: 65000, localData1: 1, localData2: 2 };
    const community = (number: number) => 65000 * 65536 + number;
    expect(told(spec)).toEqual([
      { to: '10.244.1.0/24', communities: [community(9), community(1)], largeCommunities: [large] },
      { to: '10.96.0.0/12', communities: [community(9)], largeCommunities: [large] },
    ]);
  });
});

describe('what nodes say of themselves (RFC 9012)', () => {
  const FACTS: EncapsulationFacts = { onlink: [prefix('192.168.1.0/24')], overrides: new Map() };
  const said = encodeFacts(64512, FACTS);

  test('goes with the IPv4 blocks, before the communities that are configured, and with nothing else', () => {
    const membership: Membership = {
      ...plan(
        configuration({
          serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
          prefixAdvertisements: [{ cidr: '10.0.0.0/8', communities: ['65000:1:2'] }],
        }),
      ),
      blocks: [prefix('10.244.1.0/24'), prefix('fd00:244:1::/64')],
    };
    const large = { globalAdministrator: 65000, localData1: 1, localData2: 2 };
    expect(localRoutesOf(membership, FACTS)).toEqual([
      {
        prefix: prefix('10.244.1.0/24'),
        extendedCommunities: said.extendedCommunities,
        largeCommunities: [...said.largeCommunities, large],
      },
      { prefix: prefix('fd00:244:1::/64') },
      { prefix: prefix('10.96.0.0/12'), largeCommunities: [large] },
    ]);
  });

  describe('is taken of a node of the cluster alone', () => {
    const read = (peer: RibPeer, nextHop: string, asPath: Path['attributes']['asPath'], asn = 64512) =>
      nextHopFacts(plan(node('c', '192.168.2.13/24', [], { asNumber: 64999 })))({
        peer,
        nextHop: { address: address(nextHop) },
        attributes: attributes({ asPath, ...encodeFacts(asn, FACTS) }),
      });

    test.each<[string, RibPeer, string, Path['attributes']['asPath'], number, boolean]>([
      ['from a node', cluster(12), '192.168.1.12', [], 64512, true],
      ['by a reflector', cluster(99), '192.168.1.12', [], 64512, true],
      ['from a node with an AS of its own', cluster(13), '192.168.2.13', sequence(64999), 64999, true],
      ['by a node with an AS of its own', cluster(13), '192.168.1.12', sequence(64999, 64512), 64512, true],
      ['of a next hop that is no node', cluster(12), '192.168.1.13', [], 64512, false],
      ['of this node itself', cluster(12), '192.168.1.11', [], 64512, false],
      ['by a router of another AS', router(1), '192.168.1.12', sequence(65001, 64512), 64512, false],
    ])('%s', (_name, peer, nextHop, asPath, asn, isTaken) => {
      expect(read(peer, nextHop, asPath, asn)).toEqual(isTaken ? FACTS : undefined);
    });

    test('in another AS than that of the node, the large communities are not its own', () => {
      expect(read(cluster(12), '192.168.1.12', [], 64999)).toEqual({ onlink: [], overrides: new Map() });
    });
  });

  test('reaches the data plane with the next hop, and so does what is set for a peer', () => {
    const membership = plan(
      peer('b', { nodeSelector: 'all()', peerSelector: "rack == 'b'", encapsulation: 'ipip' }),
      tor({ encapsulation: 'direct' }),
    );
    const path: Path = {
      peer: cluster(12, { id: 'peer/b/node-b' }),
      nextHop: { address: address('192.168.1.12') },
      attributes: attributes(said),
    };
    const to = prefix('10.244.2.0/24');
    expect(routeChangeOf({ prefix: to, best: path }, nextHopFacts(membership)).route?.nextHops).toEqual([
      { address: address('192.168.1.12'), peer: 'peer/b/node-b', facts: FACTS },
    ]);
    expect(nodeFactsOf(membership)).toMatchObject({
      nodes: [identifier('192.168.1.12')],
      overrides: new Map([
        [address('192.168.1.12'), 'ipip'],
        [address('192.168.1.1'), 'direct'],
      ]),
    });
  });
});

describe('what the data plane is told of a prefix', () => {
  const A = prefix('10.244.9.0/24');
  const noFacts = () => undefined;
  const pathOf = (number: number) => ({
    peer: cluster(number),
    attributes: attributes(),
    nextHop: { address: address(`192.168.1.${number}`) },
  });
  const learnedFrom = { peer: 'node-2', asn: 64512, type: 'ibgp' };
  const hop = (number: number) => ({ address: address(`192.168.1.${number}`), peer: `node-${number}` });

  test('the next hop of the best path, and who told of it', () => {
    expect(routeChangeOf({ prefix: A, best: pathOf(2) }, noFacts)).toEqual({
      prefix: A,
      route: { prefix: A, nextHops: [hop(2)], learnedFrom },
    });
  });

  test('the next hops of all paths that share the traffic; it is learned from the peer of the best one', () => {
    const multipath = [pathOf(2), pathOf(3), pathOf(4)];
    expect(routeChangeOf({ prefix: A, best: pathOf(2), multipath }, noFacts)).toEqual({
      prefix: A,
      route: { prefix: A, nextHops: [hop(2), hop(3), hop(4)], learnedFrom },
    });
  });

  test("this node's own route, and no route, are no reachability", () => {
    const { peer: _peer, ...own } = pathOf(2);
    expect(routeChangeOf({ prefix: A, best: own }, noFacts)).toEqual({ prefix: A });
    expect(routeChangeOf({ prefix: A }, noFacts)).toEqual({ prefix: A });
  });
});

describe('RFC 2545 §3: the link of a next hop', () => {
  const LINK_LOCAL = parseIpv6('fe80::12');
  const nextHopsOf = (peer: RibPeer, nextHop: Path['nextHop']) => {
    const best: Path = { peer, nextHop, attributes: attributes() };
    return routeChangeOf({ prefix: prefix('fd00:244:2::/64'), best }, () => undefined).route?.nextHops;
  };

  test('goes with what is link-local, and with nothing else', () => {
    if (LINK_LOCAL === undefined) throw new Error('fe80::12 is an address');
    const peer = cluster(12, { device: 'eth0' });
    expect(nextHopsOf(peer, { address: LINK_LOCAL })).toEqual([
      { address: LINK_LOCAL, device: 'eth0', peer: 'node-12' },
    ]);
    const global = address('fd00::12');
    expect(nextHopsOf(peer, { address: global, linkLocal: LINK_LOCAL })).toEqual([
      { address: global, linkLocal: LINK_LOCAL, device: 'eth0', peer: 'node-12' },
    ]);
    expect(nextHopsOf(peer, { address: global })).toEqual([{ address: global, peer: 'node-12' }]);
  });

  test('is unknown where the session has none', () => {
    if (LINK_LOCAL === undefined) throw new Error('fe80::12 is an address');
    expect(nextHopsOf(cluster(12), { address: LINK_LOCAL })).toEqual([
      { address: LINK_LOCAL, peer: 'node-12' },
    ]);
  });
});

test('RFC 4007 §11: a link-local peer is dialled over its device, from no address of the node', () => {
  const documents = ['eth0', 'eth1'].map((zone) =>
    peer(`tor-${zone}`, { peerIP: `fe80::1%${zone}`, asNumber: 65001 }),
  );
  const configs = peerConfigs(plan(...documents), Secrets.none).filter(({ zone }) => zone !== undefined);
  expect(configs).toMatchObject([
    { id: 'peer/tor-eth0', address: parseIpv6('fe80::1'), zone: 'eth0' },
    { id: 'peer/tor-eth1', address: parseIpv6('fe80::1'), zone: 'eth1' },
  ]);
  for (const config of configs) expect(config).not.toHaveProperty('source');
});
