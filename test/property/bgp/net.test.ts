/**
 * Addresses and prefixes against two oracles: the `ip-address` package's own calculations, and plain bigint arithmetic.
 */
import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { describe, expect, test } from 'vitest';
import {
  compareAddresses,
  comparePrefixes,
  type Family,
  familyBits,
  formatIpAddress,
  formatPrefix,
  type IpAddress,
  ipv4,
  ipv6,
  type Prefix,
  parseIpAddress,
  parsePrefix,
  prefixAddress,
  prefixContains,
  prefixContainsAddress,
  prefixesOverlap,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '../../../bgp/net/index.js';

/** Edges and the middle: single bits, all ones below a bit, and anything. */
function values(bits: number): fc.Arbitrary<bigint> {
  const shift = fc.integer({ min: 0, max: bits - 1 });
  return fc.oneof(
    fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n }),
    shift.map((position) => 1n << BigInt(position)),
    shift.map((position) => (1n << BigInt(position + 1)) - 1n),
  );
}

const address: fc.Arbitrary<IpAddress> = fc.oneof(
  values(32).map((value) => ipv4(Number(value))),
  values(128).map(ipv6),
);

/** An address with a length of its family. */
const cidr = address.chain((of) =>
  fc.tuple(fc.constant(of), fc.integer({ min: 0, max: familyBits(familyOf(of)) })),
);

const prefix: fc.Arbitrary<Prefix> = cidr.map(([of, length]) => prefixOf(of, length));

/** Two prefixes that are related more often than chance would have it. */
const pair = fc.oneof(
  fc.tuple(prefix, prefix),
  cidr.chain(([of, length]) =>
    fc.tuple(
      fc.constant(prefixOf(of, length)),
      fc.integer({ min: 0, max: familyBits(familyOf(of)) }).map((other) => prefixOf(of, other)),
    ),
  ),
);

describe('text', () => {
  test('an address comes back from its text', () => {
    fc.assert(
      fc.property(address, (of) => {
        expect(parseIpAddress(formatIpAddress(of))).toBe(of);
      }),
    );
  });

  test('is what ip-address writes for the number, and reads as the same number', () => {
    fc.assert(
      fc.property(values(32), values(128), (v4, v6) => {
        expect(formatIpAddress(ipv4(Number(v4)))).toBe(Address4.fromBigInt(v4).correctForm());
        expect(new Address4(formatIpAddress(ipv4(Number(v4)))).bigInt()).toBe(v4);
        expect(new Address6(formatIpAddress(ipv6(v6))).bigInt()).toBe(v6);
      }),
    );
  });

  test('the long form of IPv6 reads as the same address', () => {
    fc.assert(
      fc.property(values(128), (value) => {
        expect(parseIpAddress(Address6.fromBigInt(value).canonicalForm())).toBe(value);
      }),
    );
  });

  test('a prefix comes back from its text, and its text with host bits is refused', () => {
    fc.assert(
      fc.property(cidr, ([of, length]) => {
        const packed = prefixOf(of, length);
        expect(parsePrefix(formatPrefix(packed))).toBe(packed);
        const written = parsePrefix(`${formatIpAddress(of)}/${length}`);
        expect(written).toBe(prefixAddress(packed) === of ? packed : undefined);
      }),
    );
  });

  test('any text is an address, a prefix, or undefined, and agrees with ip-address', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(text, (candidate) => {
        const parsed = parseIpAddress(candidate);
        if (parsed === undefined) return;
        const oracle = typeof parsed === 'number' ? new Address4(candidate) : new Address6(candidate);
        expect(BigInt(parsed)).toBe(oracle.bigInt());
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (valid) => {
        expect(parseIpAddress(valid)).toBeDefined();
      }),
    );
  });
});

describe('prefixes', () => {
  test('the network address is that of ip-address and of a shift', () => {
    fc.assert(
      fc.property(cidr, ([of, length]) => {
        const packed = prefixOf(of, length);
        const hostBits = BigInt(familyBits(familyOf(of)) - length);
        expect(BigInt(prefixAddress(packed))).toBe((BigInt(of) >> hostBits) << hostBits);
        const text = `${formatIpAddress(of)}/${length}`;
        const oracle = typeof of === 'number' ? new Address4(text) : new Address6(text);
        expect(BigInt(prefixAddress(packed))).toBe(oracle.startAddress().bigInt());
        expect(prefixLength(packed)).toBe(length);
        expect(prefixFamily(packed)).toBe(familyOf(of));
      }),
    );
  });

  test('one contains an address exactly from its first to its last', () => {
    fc.assert(
      fc.property(prefix, address, (of, candidate) => {
        const { first, last } = range(of);
        const inside =
          familyOf(candidate) === prefixFamily(of) && BigInt(candidate) >= first && BigInt(candidate) <= last;
        expect(prefixContainsAddress(of, candidate)).toBe(inside);
        for (const [edge, expected] of [
          [first - 1n, false],
          [first, true],
          [last, true],
          [last + 1n, false],
        ] as const) {
          const at = addressAt(prefixFamily(of), edge);
          if (at !== undefined) expect(prefixContainsAddress(of, at)).toBe(expected);
        }
      }),
    );
  });

  test('containment and overlap are those of the ranges', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [x, y] = [range(a), range(b)];
        const sameFamily = prefixFamily(a) === prefixFamily(b);
        expect(prefixContains(a, b)).toBe(sameFamily && x.first <= y.first && x.last >= y.last);
        expect(prefixesOverlap(a, b)).toBe(sameFamily && x.first <= y.last && y.first <= x.last);
      }),
      { numRuns: 500 },
    );
  });

  test('equal prefixes are equal primitives, and only they', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(a === b).toBe(formatPrefix(a) === formatPrefix(b));
        expect(comparePrefixes(a, b) === 0).toBe(a === b);
      }),
      { numRuns: 500 },
    );
  });
});

describe('order', () => {
  test('of addresses is total', () => {
    fc.assert(fc.property(address, address, address, (a, b, c) => checkOrder(compareAddresses, a, b, c)));
  });

  test('of prefixes is total', () => {
    fc.assert(
      fc.property(pair, prefix, ([a, b], c) => checkOrder(comparePrefixes, a, b, c)),
      { numRuns: 500 },
    );
  });
});

function checkOrder<T>(compare: (a: T, b: T) => number, a: T, b: T, c: T): void {
  expect(Math.sign(compare(a, b)) + Math.sign(compare(b, a))).toBe(0);
  const [first, second, third] = [a, b, c].sort(compare) as [T, T, T];
  expect(compare(first, second)).toBeLessThanOrEqual(0);
  expect(compare(second, third)).toBeLessThanOrEqual(0);
  expect(compare(first, third)).toBeLessThanOrEqual(0);
}

function familyOf(of: IpAddress): Family {
  return typeof of === 'number' ? 'ipv4' : 'ipv6';
}

/** First and last address, by arithmetic alone. */
function range(of: Prefix): { readonly first: bigint; readonly last: bigint } {
  const first = BigInt(prefixAddress(of));
  return { first, last: first + (1n << BigInt(familyBits(prefixFamily(of)) - prefixLength(of))) - 1n };
}

/** @returns undefined outside the family's addresses. */
function addressAt(family: Family, value: bigint): IpAddress | undefined {
  if (value < 0n || value >= 1n << BigInt(familyBits(family))) return undefined;
  return family === 'ipv4' ? ipv4(Number(value)) : ipv6(value);
}
