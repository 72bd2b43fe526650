/** Filters around another policy: each condition, each operation, their order, and what is shared. */
import { describe, expect, test } from 'vitest';
import { type FilterRule, filterPolicy, type RouteOperation } from '../../../../bgp/policy/index.js';
import {
  type Path,
  type PolicyVerdict,
  Rib,
  type RibPeer,
  type RoutePolicy,
} from '../../../../bgp/rib/index.js';
import type { PathAttributes } from '../../../../bgp/wire/index.js';
import {
  address,
  announce,
  attributes,
  identifier,
  node,
  prefix,
  pullRoutes,
  router,
  sequence,
} from '../../../support/rib.js';

const NOBODY: RoutePolicy = {
  importRoute: () => ({ accept: false, reason: 'left to the other policy' }),
  exportRoute: () => ({ accept: false, reason: 'left to the other policy' }),
};
const tor = router(4);

function rule(changes: Partial<FilterRule> = {}): FilterRule {
  return { name: 'the rule', family: 'ipv4', action: 'accept', operations: [], ...changes };
}

/** The rules in both directions, for `tor` alone. */
function policyOf(
  rules: readonly FilterRule[],
  otherwise: RoutePolicy = NOBODY,
  ...ownBlocks: string[]
): RoutePolicy {
  const filters = new Map([[tor.id, { import: rules, export: rules }]]);
  return filterPolicy({ filters, otherwise, ownBlocks: ownBlocks.map(prefix) });
}

function path(changes: Partial<PathAttributes> = {}, peer: RibPeer | undefined = tor): Path {
  return {
    attributes: attributes(changes),
    nextHop: { address: address('192.168.1.2') },
    ...(peer === undefined ? {} : { peer }),
  };
}

const OWN: Path = { attributes: attributes(), nextHop: { address: address('0.0.0.0') } };

/** Whether the one rule is about the route, in either direction. */
function isMatch(one: FilterRule, to: string, route: Path = path()): boolean {
  const policy = policyOf([one]);
  const taken = policy.importRoute(tor, prefix(to), route).accept;
  expect(policy.exportRoute(tor, prefix(to), route).accept).toBe(taken);
  return taken;
}

describe('CIDR with matchOperator and prefixLength', () => {
  const lengths = (min: number, max: number) => ({ min, max });
  test.each<[string, string, 'Equal' | 'NotEqual' | 'In' | 'NotIn', [number, number], string, boolean]>([
    ['In: the prefix itself', '10.0.0.0/8', 'In', [8, 32], '10.0.0.0/8', true],
    ['In: inside', '10.0.0.0/8', 'In', [8, 32], '10.1.2.0/24', true],
    ['In: a host', '10.0.0.0/8', 'In', [8, 32], '10.1.2.3/32', true],
    ['In: beside', '10.0.0.0/8', 'In', [8, 32], '11.0.0.0/8', false],
    ['In: around', '10.0.0.0/8', 'In', [8, 32], '0.0.0.0/0', false],
    ['In: shortest length', '10.0.0.0/8', 'In', [16, 24], '10.1.0.0/16', true],
    ['In: too short', '10.0.0.0/8', 'In', [16, 24], '10.0.0.0/15', false],
    ['In: longest length', '10.0.0.0/8', 'In', [16, 24], '10.1.2.0/24', true],
    ['In: too long', '10.0.0.0/8', 'In', [16, 24], '10.1.2.0/25', false],
    ['NotIn: inside', '10.0.0.0/8', 'NotIn', [8, 32], '10.1.2.0/24', false],
    ['NotIn: beside', '10.0.0.0/8', 'NotIn', [8, 32], '11.0.0.0/8', true],
    ['NotIn: inside, but of another length', '10.0.0.0/8', 'NotIn', [16, 24], '10.1.2.0/25', true],
    ['Equal: the prefix itself', '10.0.0.0/8', 'Equal', [8, 32], '10.0.0.0/8', true],
    ['Equal: inside', '10.0.0.0/8', 'Equal', [8, 32], '10.0.0.0/9', false],
    ['Equal: of no length that is asked for', '10.0.0.0/8', 'Equal', [9, 32], '10.0.0.0/8', false],
    ['NotEqual: the prefix itself', '10.0.0.0/8', 'NotEqual', [8, 32], '10.0.0.0/8', false],
    ['NotEqual: inside', '10.0.0.0/8', 'NotEqual', [8, 32], '10.0.0.0/9', true],
    ['the default route is in 0.0.0.0/0', '0.0.0.0/0', 'In', [0, 32], '0.0.0.0/0', true],
    ['the default route by its length alone', '0.0.0.0/0', 'In', [0, 0], '10.0.0.0/8', false],
  ])('%s', (_name, cidr, operator, [min, max], to, expected) => {
    expect(
      isMatch(rule({ prefix: { cidr: prefix(cidr), operator, lengthBits: lengths(min, max) } }), to),
    ).toBe(expected);
  });

  test('the rules of one family say nothing of the other, not even by NotIn or without a CIDR', () => {
    expect(isMatch(rule(), 'fd00::/64')).toBe(false);
    expect(isMatch(rule({ family: 'ipv6' }), 'fd00::/64')).toBe(true);
    const notIn = { cidr: prefix('10.0.0.0/8'), operator: 'NotIn', lengthBits: lengths(8, 32) } as const;
    expect(isMatch(rule({ prefix: notIn }), 'fd00::/64')).toBe(false);
  });

  test('IPv6', () => {
    const inside = { cidr: prefix('fd00::/8'), operator: 'In', lengthBits: lengths(48, 64) } as const;
    expect(isMatch(rule({ family: 'ipv6', prefix: inside }), 'fd00:1::/64')).toBe(true);
    expect(isMatch(rule({ family: 'ipv6', prefix: inside }), 'fd00:1::/65')).toBe(false);
    expect(isMatch(rule({ family: 'ipv6', prefix: inside }), 'fe00:1::/64')).toBe(false);
  });
});

describe('the interface by which the next hop is reached', () => {
  const table = new Map([
    [prefix('0.0.0.0/0'), 'wan0'],
    [prefix('192.168.1.0/24'), 'eth0'],
    [prefix('192.168.1.9/32'), 'eth0.calico'],
    [prefix('192.168.3.0/24'), undefined],
    [prefix('fd00::/64'), 'eth6'],
  ]);
  const through = (pattern: string, nextHop: string, own = false) => {
    const rules = [rule({ interface: pattern })];
    const policy = filterPolicy({
      filters: new Map([[tor.id, { import: rules, export: rules }]]),
      interfaces: table,
      otherwise: NOBODY,
      ownBlocks: [],
    });
    const route: Path = { ...(own ? OWN : path()), nextHop: { address: address(nextHop) } };
    const taken = policy.importRoute(tor, prefix('203.0.113.0/24'), route).accept;
    expect(policy.exportRoute(tor, prefix('203.0.113.0/24'), route).accept).toBe(taken);
    return taken;
  };

  test.each<[string, string, boolean]>([
    ['eth0', '192.168.1.2', true],
    ['eth1', '192.168.1.2', false],
    ['eth', '192.168.1.2', false],
    ['th0', '192.168.1.2', false],
    ['eth*', '192.168.1.2', true],
    ['*', '192.168.1.2', true],
    ['*0', '192.168.1.2', true],
    ['e*0', '192.168.1.2', true],
    ['eth0*', '192.168.1.2', true],
    ['e*1*', '192.168.1.2', false],
    ['wan0', '203.0.113.1', true],
    ['eth0.calico', '192.168.1.9', true],
    ['*.calico', '192.168.1.9', true],
    ['eth0xcalico', '192.168.1.9', false],
    ['eth0', '192.168.1.9', false],
    ['*', '192.168.3.1', false],
    ['eth6', 'fd00::1', true],
    ['*', 'fd01::1', false],
  ])('%s, next hop %s: %s', (pattern, nextHop, expected) => {
    expect(through(pattern, nextHop)).toBe(expected);
  });

  test('a point in the pattern is a point', () => {
    expect(through('eth0?calico', '192.168.1.9')).toBe(false);
    expect(through('eth0.c*', '192.168.1.9')).toBe(true);
    expect(through('.*', '192.168.1.2')).toBe(false);
  });

  test("this node's own routes leave by none, whatever stands for their next hop", () => {
    expect(through('*', '192.168.1.2', true)).toBe(false);
  });

  test('without a table no rule with an interface matches', () => {
    expect(isMatch(rule({ interface: '*' }), '203.0.113.0/24')).toBe(false);
  });
});

describe('the other conditions', () => {
  const large = { globalAdministrator: 65000, localData1: 1, localData2: 2 };
  test.each<[string, Partial<FilterRule>, Path, boolean]>([
    ['source: learned', { source: 'peers' }, path(), true],
    ['source: own', { source: 'peers' }, OWN, false],
    ['no source: own', {}, OWN, true],
    ['peerType: the same', { peerType: 'ebgp' }, path(), true],
    ['peerType: the other', { peerType: 'ibgp' }, path(), false],
    ['community: carried', { community: 7 }, path({ communities: [6, 7] }), true],
    ['community: others are carried', { community: 7 }, path({ communities: [6] }), false],
    ['community: none is carried', { community: 7 }, path(), false],
    ['large community: carried', { community: large }, path({ largeCommunities: [{ ...large }] }), true],
    [
      'large community: one part differs',
      { community: large },
      path({ largeCommunities: [{ ...large, localData2: 3 }] }),
      false,
    ],
    ['a community is no large one', { community: 7 }, path({ largeCommunities: [large] }), false],
    ['AS path: begins so', { asPathPrefix: [1, 2] }, path({ asPath: sequence(1, 2, 3) }), true],
    ['AS path: is just that', { asPathPrefix: [1, 2] }, path({ asPath: sequence(1, 2) }), true],
    ['AS path: in another order', { asPathPrefix: [1, 2] }, path({ asPath: sequence(2, 1) }), false],
    ['AS path: shorter', { asPathPrefix: [1, 2] }, path({ asPath: sequence(1) }), false],
    ['AS path: later in it', { asPathPrefix: [2] }, path({ asPath: sequence(1, 2) }), false],
    ['AS path: empty', { asPathPrefix: [1] }, path(), false],
    [
      'AS path: over two sequences',
      { asPathPrefix: [1, 2] },
      path({ asPath: [...sequence(1), ...sequence(2)] }),
      true,
    ],
    [
      'AS path: not into a set, which has no order',
      { asPathPrefix: [1, 2] },
      path({ asPath: [...sequence(1), { kind: 'set', asns: [2] }] }),
      false,
    ],
    [
      'AS path: a set behind what is asked for',
      { asPathPrefix: [1] },
      path({ asPath: [...sequence(1), { kind: 'set', asns: [2] }] }),
      true,
    ],
    [
      'AS path: confederation segments do not count (RFC 5065)',
      { asPathPrefix: [1] },
      path({ asPath: [{ kind: 'confedSequence', asns: [9] }, ...sequence(1)] }),
      true,
    ],
    [
      'all of them must hold',
      { source: 'peers', peerType: 'ebgp', community: 7, asPathPrefix: [2] },
      path({ communities: [7], asPath: sequence(1) }),
      false,
    ],
  ])('%s', (_name, conditions, route, expected) => {
    expect(isMatch(rule(conditions), '10.1.0.0/16', route)).toBe(expected);
  });
});

describe('operations', () => {
  const large = { globalAdministrator: 65000, localData1: 1, localData2: 2 };
  function operated(operations: readonly RouteOperation[], before: Partial<PathAttributes>): PathAttributes {
    const route = path(before);
    const verdict = policyOf([rule({ operations })]).importRoute(tor, prefix('10.0.0.0/8'), route);
    if (!verdict.accept) throw new Error(verdict.reason);
    return (verdict.path ?? route).attributes;
  }

  test.each<[string, readonly RouteOperation[], Partial<PathAttributes>, Partial<PathAttributes>]>([
    ['adds a community', [{ type: 'addCommunity', community: 7 }], {}, { communities: [7] }],
    [
      'adds it behind others',
      [{ type: 'addCommunity', community: 7 }],
      { communities: [9] },
      { communities: [9, 7] },
    ],
    ['adds none twice', [{ type: 'addCommunity', community: 7 }], { communities: [7] }, { communities: [7] }],
    [
      'adds a large community',
      [{ type: 'addCommunity', community: large }],
      {},
      { largeCommunities: [large] },
    ],
    [
      'removes a community',
      [{ type: 'removeCommunity', community: 7 }],
      { communities: [7, 9] },
      { communities: [9] },
    ],
    [
      'removes the last one with its attribute',
      [{ type: 'removeCommunity', community: 7 }],
      { communities: [7] },
      {},
    ],
    [
      'removes a large community and leaves the others',
      [{ type: 'removeCommunity', community: large }],
      { communities: [7], largeCommunities: [large] },
      { communities: [7] },
    ],
    [
      'prepends in the order written',
      [{ type: 'prependAsPath', asns: [1, 2] }],
      { asPath: sequence(3) },
      { asPath: sequence(1, 2, 3) },
    ],
    ['prepends to an empty path', [{ type: 'prependAsPath', asns: [1] }], {}, { asPath: sequence(1) }],
    [
      'prepends to a full segment in a new one',
      [{ type: 'prependAsPath', asns: [1, 2] }],
      { asPath: sequence(...Array.from({ length: 254 }, () => 3)) },
      { asPath: [...sequence(1, 2), ...sequence(...Array.from({ length: 254 }, () => 3))] },
    ],
    ['sets LOCAL_PREF', [{ type: 'setLocalPref', value: 200 }], { localPref: 100 }, { localPref: 200 }],
    ['sets MED', [{ type: 'setMed', value: 0 }], { med: 5 }, { med: 0 }],
    [
      'one after the other',
      [
        { type: 'addCommunity', community: 7 },
        { type: 'removeCommunity', community: 7 },
        { type: 'prependAsPath', asns: [1] },
        { type: 'prependAsPath', asns: [2] },
      ],
      {},
      { asPath: sequence(2, 1) },
    ],
  ])('%s', (_name, operations, before, after) => {
    expect(operated(operations, before)).toEqual(attributes(after));
  });

  test('nothing but the attributes changes: peer, next hop and the stale mark stay', () => {
    const route: Path = { ...path(), stale: true };
    const policy = policyOf([rule({ operations: [{ type: 'setMed', value: 1 }] })]);
    const verdict = policy.importRoute(tor, prefix('10.0.0.0/8'), route);
    expect(verdict).toEqual({ accept: true, path: { ...route, attributes: attributes({ med: 1 }) } });
  });

  test('one path gives one result object for all its prefixes, and each rule its own', () => {
    const narrow = { cidr: prefix('10.0.0.0/9'), operator: 'In', lengthBits: { min: 9, max: 32 } } as const;
    const operations: RouteOperation[] = [{ type: 'setMed', value: 1 }];
    const policy = policyOf([
      rule({ prefix: narrow, operations }),
      rule({ operations: [{ type: 'setMed', value: 2 }] }),
    ]);
    const route = path();
    const results = ['10.1.0.0/16', '10.2.0.0/16', '10.200.0.0/16', '10.201.0.0/16'].map((to) =>
      changedPath(policy.importRoute(tor, prefix(to), route)),
    );
    expect(results[0]).toBe(results[1]);
    expect(results[2]).toBe(results[3]);
    expect(results[0]).not.toBe(results[2]);
  });

  test('what changes nothing is the received path itself', () => {
    const policy = policyOf([rule({ operations: [{ type: 'setMed', value: 1 }] })]);
    expect(policy.importRoute(tor, prefix('10.0.0.0/8'), path({ med: 1 }))).toEqual({ accept: true });
  });
});

function changedPath(verdict: PolicyVerdict): Path | undefined {
  return verdict.accept ? verdict.path : undefined;
}

describe('the order of rules and what is left over', () => {
  const to = prefix('10.0.0.0/8');

  test('the first match decides, and a refusal names its rule', () => {
    const deny = rule({ name: 'BGPFilter/f spec.importV4[0]', action: 'reject' });
    expect(policyOf([deny, rule()]).importRoute(tor, to, path())).toEqual({
      accept: false,
      reason: 'BGPFilter/f spec.importV4[0] rejects it',
    });
    expect(policyOf([rule(), deny]).importRoute(tor, to, path())).toEqual({ accept: true });
  });

  test('what no rule matches is left to the policy behind, in both directions', () => {
    const policy = policyOf([rule({ community: 7 })]);
    const left = { accept: false, reason: 'left to the other policy' };
    expect(policy.importRoute(tor, to, path())).toEqual(left);
    expect(policy.exportRoute(tor, to, path())).toEqual(left);
  });

  test('a peer without a filter is left to the policy behind', () => {
    expect(policyOf([rule()]).importRoute(router(5), to, path())).toMatchObject({ accept: false });
  });

  test('import rules are not asked on export, nor the other way round', () => {
    const filters = new Map([[tor.id, { import: [rule()], export: [] }]]);
    const policy = filterPolicy({ filters, otherwise: NOBODY, ownBlocks: [] });
    expect(policy.importRoute(tor, to, path())).toEqual({ accept: true });
    expect(policy.exportRoute(tor, to, path())).toMatchObject({ accept: false });
  });

  test('no filter lets a block of this node in; a prefix around it is another route', () => {
    const policy = policyOf([rule()], NOBODY, '10.244.1.0/24');
    const refused = { accept: false, reason: 'it is in 10.244.1.0/24, a block of this node' };
    expect(policy.importRoute(tor, prefix('10.244.1.0/24'), path())).toEqual(refused);
    expect(policy.importRoute(tor, prefix('10.244.1.128/25'), path())).toEqual(refused);
    expect(policy.importRoute(tor, prefix('10.244.0.0/16'), path())).toEqual({ accept: true });
    expect(policy.exportRoute(tor, prefix('10.244.1.0/24'), path())).toEqual({ accept: true });
  });
});

describe('in the tables', () => {
  const other = router(5);

  function tables(policy: RoutePolicy): Rib {
    const rib = new Rib({ localAs: 64512, bgpIdentifier: identifier('192.168.1.1'), policy });
    for (const peer of [tor, other, node(2)]) {
      rib.peerUp(peer);
      pullRoutes(rib, peer.id);
    }
    return rib;
  }

  function policyFor(rules: readonly FilterRule[], ...peers: readonly RibPeer[]): RoutePolicy {
    const filters = new Map(peers.map((peer) => [peer.id, { import: rules, export: rules }]));
    return filterPolicy({ filters, otherwise: NOBODY, ownBlocks: [] });
  }

  test('accept-all in and out makes a node a transit between two routers', () => {
    const rib = tables(policyFor([rule()], tor, other));
    rib.applyUpdate(tor.id, announce(['198.51.100.0/24'], '192.168.1.4', { asPath: sequence(65004) }));
    const told = pullRoutes(rib, other.id);
    expect(told).toMatchObject([
      { attributes: { asPath: sequence(64512, 65004) }, reach: [{ prefixes: [prefix('198.51.100.0/24')] }] },
    ]);
    expect(pullRoutes(rib, node(2).id)).toEqual([]);
  });

  test('a route that a filter takes in can be matched on the way out by what the filter added', () => {
    const tag = rule({ operations: [{ type: 'addCommunity', community: 7 }] });
    const filters = new Map([
      [tor.id, { import: [tag], export: [] }],
      [other.id, { import: [], export: [rule({ community: 7 })] }],
    ]);
    const rib = tables(filterPolicy({ filters, otherwise: NOBODY, ownBlocks: [] }));
    rib.applyUpdate(tor.id, announce(['198.51.100.0/24'], '192.168.1.4', { asPath: sequence(65004) }));
    expect(pullRoutes(rib, other.id)).toMatchObject([{ attributes: { communities: [7] } }]);
  });

  test('another policy withdraws what it no longer allows and announces what it does, and nothing else', () => {
    const only = (cidr: string) =>
      rule({ prefix: { cidr: prefix(cidr), operator: 'In', lengthBits: { min: 0, max: 32 } } });
    const rib = tables(policyFor([only('198.51.100.0/24'), only('203.0.113.0/24')], tor, other));
    const routes = ['198.51.100.0/24', '203.0.113.0/24', '192.0.2.0/24'];
    rib.applyUpdate(tor.id, announce(routes, '192.168.1.4', { asPath: sequence(65004) }));
    pullRoutes(rib, other.id);
    rib.setPolicy(policyFor([only('198.51.100.0/24'), only('192.0.2.0/24')], tor, other));
    const updates = pullRoutes(rib, other.id);
    expect(updates.flatMap(({ unreach }) => unreach.flatMap(({ prefixes }) => prefixes))).toEqual([
      prefix('203.0.113.0/24'),
    ]);
    expect(updates.flatMap(({ reach }) => reach.flatMap(({ prefixes }) => prefixes))).toEqual([
      prefix('192.0.2.0/24'),
    ]);
  });

  test('ten thousand prefixes of one path, changed by a rule, are one path in the tables', () => {
    const rib = tables(policyFor([rule({ operations: [{ type: 'setLocalPref', value: 200 }] })], tor));
    const prefixes = Array.from({ length: 10_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`);
    for (let from = 0; from < prefixes.length; from += 500) {
      rib.applyUpdate(
        tor.id,
        announce(prefixes.slice(from, from + 500), '192.168.1.4', { asPath: sequence(65004) }),
      );
    }
    const paths = new Set([...rib.bestRoutes()].map(({ path: best }) => best));
    expect(paths.size).toBe(1);
    expect([...paths][0]?.attributes.localPref).toBe(200);
  });
});
