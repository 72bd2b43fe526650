/** Filters: against a plain reading of the rules, and what must hold of every verdict. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ipv4,
  type Prefix4,
  prefix4,
  prefixAddress,
  prefixLength,
  prefixOf,
} from '../../../bgp/net/index.js';
import {
  type FilterRule,
  filterPolicy,
  type PrefixMatch,
  type RouteOperation,
} from '../../../bgp/policy/index.js';
import type { Path, RoutePolicy } from '../../../bgp/rib/index.js';
import { address, attributes, prefix, router, sequence } from '../../support/rib.js';

const LEFT: RoutePolicy = {
  importRoute: () => ({ accept: false, reason: 'left' }),
  exportRoute: () => ({ accept: false, reason: 'left' }),
};
const tor = router(4);

/** Few addresses and lengths, so that prefixes contain each other often. */
const somePrefix: fc.Arbitrary<Prefix4> = fc
  .tuple(fc.nat(7), fc.nat(3))
  .map(([bits, length]) => prefix4(ipv4((bits << 29) >>> 0), length));
const match: fc.Arbitrary<PrefixMatch> = fc.record({
  cidr: somePrefix,
  operator: fc.constantFrom('Equal', 'NotEqual', 'In', 'NotIn'),
  lengthBits: fc.record({ min: fc.nat(3), max: fc.nat(3) }),
});
const community = fc.nat(3);
const operation: fc.Arbitrary<RouteOperation> = fc.oneof(
  fc.record({ type: fc.constantFrom('addCommunity' as const, 'removeCommunity' as const), community }),
  fc.record({
    type: fc.constant('prependAsPath' as const),
    asns: fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ type: fc.constantFrom('setLocalPref' as const, 'setMed' as const), value: fc.nat(3) }),
);
const rule: fc.Arbitrary<FilterRule> = fc.record(
  {
    name: fc.constant('rule'),
    family: fc.constant('ipv4' as const),
    action: fc.constantFrom('accept', 'reject'),
    prefix: match,
    source: fc.constant('peers' as const),
    peerType: fc.constantFrom('ibgp', 'ebgp'),
    interface: fc.constantFrom('eth0', 'eth1', 'eth*', '*1'),
    community,
    asPathPrefix: fc.array(fc.nat(2), { minLength: 1, maxLength: 2 }),
    operations: fc.array(operation, { maxLength: 3 }),
  },
  { requiredKeys: ['name', 'family', 'action', 'operations'] },
);
const route: fc.Arbitrary<Path> = fc
  .record({
    own: fc.boolean(),
    asns: fc.array(fc.nat(2), { maxLength: 3 }),
    communities: fc.uniqueArray(community, { maxLength: 3 }),
    nextHop: fc.constantFrom('192.168.0.2', '192.168.1.2', '192.168.2.2'),
  })
  .map(({ own, asns, communities, nextHop }) => ({
    ...(own ? {} : { peer: tor }),
    attributes: attributes({ asPath: sequence(...asns), ...(communities.length > 0 && { communities }) }),
    nextHop: { address: address(nextHop) },
  }));

/** eth0 and eth1, and nothing behind any other. */
const INTERFACES = new Map([0, 1].map((net) => [prefix(`192.168.${net}.0/24`), `eth${net}`]));

/** The bits of a prefix as text: containment is then a matter of letters. */
function bits(prefix: Prefix4): string {
  return Number(prefixAddress(prefix)).toString(2).padStart(32, '0').slice(0, prefixLength(prefix));
}

/** The conditions read out loud, one after the other. */
function isAbout(one: FilterRule, to: Prefix4, path: Path): boolean {
  if (one.prefix !== undefined) {
    const { operator, lengthBits } = one.prefix;
    const [mine, its] = [bits(one.prefix.cidr as Prefix4), bits(to)];
    const inRange = its.length >= lengthBits.min && its.length <= lengthBits.max;
    const table = {
      Equal: inRange && its === mine,
      NotEqual: !(inRange && its === mine),
      In: inRange && its.startsWith(mine),
      NotIn: !(inRange && its.startsWith(mine)),
    };
    if (!table[operator]) return false;
  }
  if (one.source === 'peers' && path.peer === undefined) return false;
  if (one.interface !== undefined) {
    const net = INTERFACES.get(prefixOf(path.nextHop.address, 24));
    if (path.peer === undefined || net === undefined) return false;
    const names = { eth0: ['eth0'], eth1: ['eth1'], 'eth*': ['eth0', 'eth1'], '*1': ['eth1'] };
    if (!names[one.interface as keyof typeof names].includes(net)) return false;
  }
  if (one.peerType === 'ibgp') return false;
  const { communities = [], asPath } = path.attributes;
  if (one.community !== undefined && !communities.includes(one.community as number)) return false;
  const asns = asPath.flatMap((segment) => segment.asns);
  return (one.asPathPrefix ?? []).every((asn, at) => asns[at] === asn);
}

function policyOf(rules: readonly FilterRule[], ownBlocks: readonly Prefix4[] = []): RoutePolicy {
  return filterPolicy({
    filters: new Map([[tor.id, { import: rules, export: rules }]]),
    interfaces: INTERFACES,
    otherwise: LEFT,
    ownBlocks,
  });
}

describe('a filter', () => {
  test('gives what the first rule that is about the route says, and else what the policy behind says', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 4 }), somePrefix, route, (rules, to, path) => {
        const first = rules.find((one) => isAbout(one, to, path));
        const policy = policyOf(rules);
        for (const verdict of [policy.importRoute(tor, to, path), policy.exportRoute(tor, to, path)]) {
          expect(verdict.accept).toBe(first?.action === 'accept');
          if (!verdict.accept) expect(verdict.reason).toBe(first === undefined ? 'left' : 'rule rejects it');
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('asked again, or for another prefix under the same rule, it gives the same path object', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 4 }),
        somePrefix,
        somePrefix,
        route,
        (operations, a, b, path) => {
          const policy = policyOf([{ name: 'rule', family: 'ipv4', action: 'accept', operations }]);
          const [first, second] = [policy.importRoute(tor, a, path), policy.importRoute(tor, b, path)];
          expect(first).toBe(second);
        },
      ),
    );
  });

  test('leaves the path that it is asked about as it is', () => {
    fc.assert(
      fc.property(rule, somePrefix, route, (one, to, path) => {
        const before = structuredClone(path);
        policyOf([one]).importRoute(tor, to, path);
        expect(path).toEqual(before);
      }),
    );
  });

  test('never lets in what lies in a block of this node', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 4 }),
        somePrefix,
        somePrefix,
        route,
        (rules, to, own, path) => {
          fc.pre(bits(to).startsWith(bits(own)));
          expect(policyOf(rules, [own]).importRoute(tor, to, path).accept).toBe(false);
        },
      ),
    );
  });

  test('with an operation list carries each community once, and exactly those that the list leaves', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), route, (operations, path) => {
        const policy = policyOf([{ name: 'rule', family: 'ipv4', action: 'accept', operations }]);
        const verdict = policy.importRoute(tor, prefix4(ipv4(0), 0), path);
        if (!verdict.accept) throw new Error(verdict.reason);
        const expected = new Set(path.attributes.communities);
        for (const each of operations) {
          if (each.type === 'addCommunity') expected.add(each.community as number);
          if (each.type === 'removeCommunity') expected.delete(each.community as number);
        }
        const { communities } = (verdict.path ?? path).attributes;
        expect([...(communities ?? [])].sort()).toEqual([...expected].sort());
        expect(communities).not.toEqual([]);
      }),
    );
  });
});
