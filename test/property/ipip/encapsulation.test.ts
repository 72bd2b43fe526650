/**
 * Any two nodes, whatever their kernels and operators say: after telling each other, by the communities that travel,
 * both take the same way, and a direct one only where it exists or was set.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Ipv4, ipv4, prefixOf } from '../../../bgp/net/index.js';
import { decodeFacts, encodeFacts } from '../../../bgp/rib/index.js';
import { NO_FACTS, ownFacts, wayBetween } from '../../../ipip/encapsulation.js';
import type { EncapsulationOverride } from '../../../ipip/index.js';
import { interfaceIndex, type Lookup } from '../../../ipip/kernel/kernel.js';

const ASN = 64512;
const ETH0 = interfaceIndex(2);
const GATEWAY = ipv4(1);

/** Few bits, so that prefixes often hold the other node. */
const anyAddress = fc.integer({ min: 0xc0a80100, max: 0xc0a8010f }).map(ipv4);

/** How a kernel reaches an address: on the link by a route of some length, or not. */
const anyLookup = (node: Ipv4): fc.Arbitrary<Lookup> =>
  fc.oneof(
    fc
      .integer({ min: 24, max: 32 })
      .map((length): Lookup => ({ kind: 'onlink', interfaceIndex: ETH0, prefix: prefixOf(node, length) })),
    fc.constant<Lookup>({
      kind: 'gateway',
      gateway: GATEWAY,
      interfaceIndex: ETH0,
      prefix: prefixOf(GATEWAY, 0),
    }),
    fc.constant<Lookup>({ kind: 'unreachable', reason: 'down' }),
  );

const anyOverride = fc.constantFrom<EncapsulationOverride | undefined>(
  undefined,
  undefined,
  'direct',
  'ipip',
);

interface Host {
  readonly lookups: ReadonlyMap<Ipv4, Lookup>;
  readonly overrides: ReadonlyMap<Ipv4, EncapsulationOverride>;
}

function anyHost(others: readonly Ipv4[]): fc.Arbitrary<Host> {
  return fc
    .tuple(fc.tuple(...others.map(anyLookup)), fc.tuple(...others.map(() => anyOverride)))
    .map(([lookups, overrides]) => ({
      lookups: new Map(others.map((other, index) => [other, lookups[index] as Lookup])),
      overrides: new Map(
        others.flatMap((other, index) => {
          const override = overrides[index];
          return override === undefined ? [] : [[other, override] as const];
        }),
      ),
    }));
}

const anyCluster = fc.uniqueArray(anyAddress, { minLength: 2, maxLength: 5 }).chain((nodes) =>
  fc.record({
    nodes: fc.constant(nodes),
    hosts: fc.tuple(...nodes.map((node) => anyHost(nodes.filter((other) => other !== node)))),
  }),
);

function carried(node: Ipv4, nodes: readonly Ipv4[], { lookups, overrides }: Host) {
  const others = nodes.filter((other) => other !== node);
  const facts = ownFacts({ nodes: others, lookups, tunnelIndex: undefined, overrides, before: NO_FACTS });
  const received = decodeFacts(ASN, { origin: 'IGP', asPath: [], ...encodeFacts(ASN, facts) });
  expect(received).toEqual(facts);
  return { address: node, facts };
}

test('both ends of every pair take the same way', () => {
  fc.assert(
    fc.property(anyCluster, ({ nodes, hosts }) => {
      const ends = nodes.map((node, index) => carried(node, nodes, hosts[index] as Host));
      for (const [index, own] of ends.entries()) {
        for (const [otherIndex, other] of ends.entries()) {
          if (index === otherIndex) continue;
          const { mode } = wayBetween(own, other);
          expect(wayBetween(other, own).mode).toBe(mode);
          const { lookups, overrides } = hosts[index] as Host;
          const override = overrides.get(other.address);
          if (override === 'ipip') expect(mode).toBe('ipip');
          if (mode === 'direct' && override === undefined) {
            expect(lookups.get(other.address)?.kind).not.toBe('gateway');
          }
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
