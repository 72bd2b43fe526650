/**
 * The difference, carried out: whatever a kernel holds, our routes become what is wanted and nobody else's changes.
 */
import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Prefix } from '../../../bgp/net/index.js';
import { diffPrefix, sameKey, sameTarget } from '../../../ipip/delta.js';
import { KernelError } from '../../../ipip/kernel/errors.js';
import {
  type InterfaceIndex,
  type KernelEvent,
  type KernelRoute,
  MAIN_TABLE,
} from '../../../ipip/kernel/kernel.js';
import { KernelMirror } from '../../../ipip/mirror.js';
import { address, prefix } from '../../support/addresses.js';
import { FakeKernel } from '../../support/fake-kernel.js';

const OURS = 179;
const METRIC = 2048;
const PREFIXES = ['10.244.1.0/24', '10.244.2.0/24', '10.244.2.0/25', 'fd00:1::/64'].map(prefix);
const GATEWAYS = ['192.168.1.12', '192.168.1.13', '192.168.1.14'].map(address);

function machine(): { readonly kernel: FakeKernel; readonly index: InterfaceIndex } {
  const kernel = new FakeKernel({ hasIpip: true });
  const index = kernel.addDevice('eth0');
  kernel.addAddress({ index, address: address('192.168.1.11'), lengthBits: 24 });
  return { kernel, index };
}

/** Some route of a prefix; next hops are onlink, so that either family takes them. */
const anyRoute = (index: InterfaceIndex, protocols: readonly number[]): fc.Arbitrary<KernelRoute> =>
  fc
    .record({
      prefix: fc.constantFrom(...PREFIXES),
      metric: fc.constantFrom(0, 512, METRIC, 4096),
      protocol: fc.constantFrom(...protocols),
      gateways: fc.uniqueArray(fc.constantFrom(...GATEWAYS), { maxLength: 2 }),
      tos: fc.constantFrom(0, 0, 0, 16),
      nowhere: fc.constantFrom('blackhole' as const, 'unreachable' as const),
    })
    .map(({ gateways, nowhere, ...key }) => ({
      ...key,
      table: MAIN_TABLE,
      type: gateways.length === 0 ? nowhere : 'unicast',
      nextHops: gateways.map((gateway) => ({ gateway, interfaceIndex: index, onlink: true })),
    }));

const { index } = machine();

const wishes = fc
  .array(anyRoute(index, [OURS]), { maxLength: 4 })
  .map((routes) => new Map(routes.map((route) => [route.prefix, { ...route, metric: METRIC, tos: 0 }])));

const foreignOf = (routes: readonly KernelRoute[]) => routes.filter((route) => route.protocol !== OURS);

function operationsFor(wish: ReadonlyMap<Prefix, KernelRoute>, kernel: FakeKernel) {
  return PREFIXES.flatMap((each) => {
    const actual = kernel.allRoutes().filter((route) => route.prefix === each);
    return diffPrefix(wish.get(each), actual, OURS).operations;
  });
}

/** Everything about a route in one line, without the order of its next hops. */
function inWords({ nextHops, ...rest }: KernelRoute): string {
  const words = (value: unknown) => inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  return `${words(rest)} ${nextHops.map(words).sort().join()}`;
}

test('applying the operations gives what is wanted, leaves foreign routes alone, and leaves nothing to do', async () => {
  const tally = { conflicts: 0, replaced: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRoute(index, [OURS, OURS, 2, 4]), { maxLength: 14 }),
      wishes,
      async (before, wish) => {
        const { kernel } = machine();
        for (const route of before) kernel.foreign('append', route);
        const foreign = foreignOf(kernel.allRoutes());

        const operations = operationsFor(wish, kernel);
        const results = await kernel.apply(operations);
        tally.replaced += operations.filter(({ op }) => op === 'replace').length;

        expect(results.flatMap((result) => result.error ?? [])).toEqual([]);
        expect(foreignOf(kernel.allRoutes())).toEqual(foreign);
        const ours = kernel.allRoutes().filter((route) => route.protocol === OURS);
        for (const wanted of wish.values()) {
          const isTaken = foreign.some((route) => sameKey(route, wanted));
          if (isTaken) tally.conflicts++;
          const found = ours.filter((route) => route.prefix === wanted.prefix);
          expect(found.length).toBe(isTaken ? 0 : 1);
          expect(found.every((route) => inWords(route) === inWords(wanted))).toBe(true);
        }
        expect(ours.filter((route) => !wish.has(route.prefix))).toEqual([]);
        expect(operationsFor(wish, kernel)).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
  // The cases that matter did occur.
  expect(tally.conflicts).toBeGreaterThan(20);
  expect(tally.replaced).toBeGreaterThan(20);
});

test('the mirror, told of every change, holds what the kernel holds', async () => {
  const change = fc.record({
    op: fc.constantFrom('add', 'append', 'replace', 'delete', 'delete'),
    route: anyRoute(index, [OURS, 2, 4]),
    pick: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (list) => {
      const { kernel } = machine();
      const mirror = new KernelMirror();
      mirror.load(await kernel.routes());
      await kernel.open((events: readonly KernelEvent[]) => {
        for (const event of events) if (event.kind === 'route') mirror.heard(event);
      });
      for (const { op, route, pick } of list) {
        const known = kernel.allRoutes();
        const isThere = known.some((other) => sameKey(other, route) && sameTarget(other, route));
        // The same route twice is one route to whoever hears of it.
        if (op === 'append' && isThere) continue;
        try {
          kernel.foreign(op, op === 'delete' ? (known[pick % known.length] ?? route) : route);
        } catch (error) {
          // Refused by the kernel: nothing happened, and nothing is heard.
          if (!(error instanceof KernelError)) throw error;
        }
      }
      await new Promise(setImmediate);
      const mirrored = [...mirror.entries()].flatMap(([, routes]) => routes);
      expect(mirrored.map(inWords).sort()).toEqual(kernel.allRoutes().map(inWords).sort());
    }),
    { numRuns: 300 },
  );
});
