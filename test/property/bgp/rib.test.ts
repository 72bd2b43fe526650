/**
 * The Rib against a model: whatever happened in whatever order, peers and the data plane hold what a fresh Rib given
 * only the outcome would have told them.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide } from '../../../bgp/rib/decision.js';
import type { Path } from '../../../bgp/rib/index.js';
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
    neighbours: fc.constantFrom([], [65001], [65002], [65001, 65002], [65002, 65001], [65003, 65001]),
    med: fc.option(fc.nat(2), { nil: undefined }),
    localPref: fc.constantFrom(100, 100, 100, 200),
    origin: fc.constantFrom('IGP' as const, 'IGP' as const, 'EGP' as const),
    id: fc.constantFrom('1.1.1.1', '2.2.2.2', '3.3.3.3'),
    nextHop: fc.constantFrom('192.168.1.2', '192.168.1.3'),
  });
  const candidates = fc.array(candidate, { minLength: 1, maxLength: 7 }).map((traits) =>
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
          expect(new Set(second?.equalCost)).toEqual(new Set(first?.equalCost));
        },
      ),
      { numRuns: 2000 },
    );
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
