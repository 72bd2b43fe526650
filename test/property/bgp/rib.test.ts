/**
 * The Rib against a model: whatever happened in whatever order, peers and the data plane hold what a fresh Rib given
 * only the outcome would have told them.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatPrefix } from '../../../bgp/net/index.js';
import { decide } from '../../../bgp/rib/decision.js';
import type { Path } from '../../../bgp/rib/index.js';
import { multipathOf } from '../../../bgp/rib/multipath.js';
import { attributesKey } from '../../../bgp/wire/index.js';
import {
  acceptAll,
  address,
  attributes,
  identifier,
  node,
  prefix,
  router,
  sequence,
} from '../../support/rib.js';
import {
  bestOf,
  contentOf,
  contents,
  MAX_PATHS,
  multipathsOf,
  newRib,
  PEERS,
  PREFIXES,
  step,
  World,
} from '../../support/rib-model.js';

describe('the Rib after any history', () => {
  test('has told every peer what a fresh Rib tells it of the outcome, and the data plane as well', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (history) => {
        const world = new World();
        for (const one of history) world.take(one);
        world.settle();
        const fresh = world.again();
        for (const { id } of PEERS) {
          expect(world.tables.get(id)?.routes).toEqual(fresh.tables.get(id)?.routes);
          expect(world.rib.hasPending(id)).toBe(false);
        }
        expect(contents(world.best)).toEqual(bestOf(world.rib));
        expect(bestOf(world.rib)).toEqual(bestOf(fresh.rib));
        const told = [...world.multipath].map(([to, paths]) => [formatPrefix(to), paths.map(contentOf)]);
        expect(Object.fromEntries(told)).toEqual(multipathsOf(world.rib));
        expect(multipathsOf(world.rib)).toEqual(multipathsOf(fresh.rib));
        for (const paths of world.multipath.values()) expect(paths.length).toBeLessThanOrEqual(MAX_PATHS);
      }),
      { numRuns: 1500 },
    );
  });

  test('shows in its views and counters what the peers announced and were told', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (history) => {
        const world = new World();
        for (const one of history) world.take(one);
        world.settle();
        for (const { id } of PEERS) {
          const table = world.tables.get(id)?.routes ?? new Map();
          const sent = [...world.rib.advertised(id)].flatMap((route) =>
            route.state === 'sent'
              ? [[route.prefix, attributesKey(route.attributes, route.nextHop)] as const]
              : [],
          );
          expect(new Map(sent)).toEqual(table);
          const received = [...world.rib.received(id)];
          expect(new Set(received.map((route) => route.prefix))).toEqual(new Set(world.of(id).keys()));
          expect(world.rib.counters(id)).toEqual({
            received: received.length,
            accepted: received.filter((route) => route.accepted).length,
            rejected: received.filter((route) => !route.accepted).length,
            stale: [...world.of(id).values()].filter(({ stale }) => stale).length,
            advertised: table.size,
            pendingAnnouncements: 0,
            pendingWithdrawals: 0,
            oversized: 0,
          });
        }
        for (const to of PREFIXES) {
          const views = world.rib.paths(to);
          const known = PEERS.filter(({ id }) => world.of(id).has(to)).length;
          expect(views).toHaveLength(known + (world.local.some((route) => route.prefix === to) ? 1 : 0));
          expect(views.find(({ state }) => state === 'best')?.path).toBe(world.rib.best(to));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the decision', () => {
  const candidate = fc.record({
    type: fc.constantFrom('ibgp' as const, 'ebgp' as const),
    neighbours: fc.constantFrom<readonly number[]>(
      [],
      [65001],
      [65002],
      [65001, 65002],
      [65002, 65001],
      [65003, 65001],
    ),
    med: fc.option(fc.nat(2), { nil: undefined }),
    localPref: fc.constantFrom(100, 100, 100, 200),
    origin: fc.constantFrom('IGP' as const, 'IGP' as const, 'EGP' as const),
    id: fc.constantFrom('1.1.1.1', '2.2.2.2', '3.3.3.3'),
    nextHop: fc.constantFrom('192.168.1.2', '192.168.1.3', '192.168.1.4'),
  });
  const pathsOf = (oneOf: typeof candidate) =>
    fc.array(oneOf, { minLength: 1, maxLength: 7 }).map((traits) =>
      traits.map(({ type, neighbours, med, id, nextHop, ...rest }, index): Path => {
        const make = type === 'ebgp' ? router : node;
        return {
          peer: make(index + 10, { identifier: identifier(id) }),
          attributes: attributes({
            ...rest,
            asPath: sequence(...neighbours),
            ...(med === undefined ? {} : { med }),
          }),
          nextHop: { address: address(nextHop) },
        };
      }),
    );
  const candidates = pathsOf(candidate);
  /** Paths of which most are equal. */
  const rivals = pathsOf(
    candidate.map((traits) => ({
      ...traits,
      type: 'ebgp' as const,
      neighbours: traits.neighbours.slice(0, 1),
      origin: 'IGP' as const,
    })),
  );
  const igpCost: Parameters<typeof decide>[1] = ({ address: hop }) =>
    hop === address('192.168.1.2') ? 1 : 2;

  test('and every word of its explanation are independent of the order of arrival', () => {
    fc.assert(
      fc.property(
        candidates.chain((paths) =>
          fc.tuple(
            fc.constant(paths),
            fc.shuffledSubarray(paths, { minLength: paths.length, maxLength: paths.length }),
          ),
        ),
        ([one, other]) => {
          const [first, second] = [one, other].map(
            ([head, ...tail]) => head && decide([head, ...tail], igpCost),
          );
          expect(second?.best).toBe(first?.best);
          expect(second?.reason).toBe(first?.reason);
          expect(new Map(second?.lost.map(({ path, reason }) => [path, reason]))).toEqual(
            new Map(first?.lost.map(({ path, reason }) => [path, reason])),
          );
          expect(second?.equalCost.map(({ peer }) => peer?.id)).toEqual(
            first?.equalCost.map(({ peer }) => peer?.id),
          );
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('lets several next hops share the traffic: the best first, none twice, no more than the limit', () => {
    const tally = { shared: 0, limited: 0, deduplicated: 0 };
    fc.assert(
      fc.property(rivals, fc.integer({ min: 1, max: 3 }), ([head, ...tail], limit) => {
        if (head === undefined) throw new Error('no candidate');
        const { best, equalCost } = decide([head, ...tail], () => 0);
        const multipath = multipathOf(equalCost, limit);
        const nextHops = new Set(equalCost.map(({ nextHop }) => nextHop.address));
        const expected = Math.min(limit, nextHops.size);
        expect(multipath?.length).toBe(expected === 1 ? undefined : expected);
        expect(new Set(multipath?.map(({ nextHop }) => nextHop.address)).size).toBe(multipath?.length ?? 0);
        expect(multipath?.[0] ?? best).toBe(best);
        expect(multipath?.every((path) => equalCost.includes(path)) ?? true).toBe(true);
        if (multipath !== undefined) tally.shared += 1;
        if (nextHops.size > limit) tally.limited += 1;
        if (nextHops.size < equalCost.length) tally.deduplicated += 1;
      }),
      { numRuns: 1000 },
    );
    // The cases that matter did occur.
    for (const count of Object.values(tally)) expect(count).toBeGreaterThan(20);
  });

  test('in the Rib is that of the paths that are left, whatever came and went before', () => {
    fc.assert(
      fc.property(
        candidates,
        fc.array(fc.tuple(fc.nat(6), fc.boolean()), { maxLength: 30 }),
        (paths, moves) => {
          const rib = newRib(acceptAll);
          const to = PREFIXES[0] ?? prefix('10.0.0.0/8');
          for (const { peer } of paths) if (peer !== undefined) rib.peerUp(peer);
          const present = new Set<Path>();
          for (const [number, comes] of [...moves, [0, true] as const]) {
            const path = paths[number % paths.length];
            if (path?.peer === undefined) continue;
            const reach = [{ family: 'ipv4' as const, nextHop: path.nextHop, prefixes: [to] }];
            const unreach = [{ family: 'ipv4' as const, prefixes: [to] }];
            if (comes) present.add(path);
            else present.delete(path);
            rib.applyUpdate(
              path.peer.id,
              comes
                ? { type: 'UPDATE', unreach: [], reach, attributes: path.attributes, faults: [] }
                : { type: 'UPDATE', unreach, reach: [], faults: [] },
            );
          }
          const [first, ...rest] = present;
          const expected = first && decide([first, ...rest], () => 0);
          expect(contentOf(rib.best(to))).toBe(contentOf(expected?.best));
          expect([...rib.bestRoutes()].map((route) => route.reason)).toEqual([expected?.reason]);
        },
      ),
    );
  });
});
