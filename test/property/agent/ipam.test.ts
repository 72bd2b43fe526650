/** Free blocks and concurrent claims, whatever the pool and whatever is taken. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BlockPool, candidates, countBlocks, isBlockOf } from '../../../agent/ipam/index.js';
import {
  comparePrefixes,
  familyBits,
  type IpAddress,
  ipv4,
  ipv6,
  type Prefix,
  prefixAddress,
  prefixesOverlap,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '../../../bgp/net/index.js';
import { claiming, join, takenIn, writes } from '../../support/ipam.js';
import { manifest, node, pool } from '../../support/manifests.js';
import { MemoryStore } from '../../support/memory-datastore.js';

/** A pool at the first address, with prefixes of all lengths in and around it that are taken. */
function space(at: (offset: bigint) => IpAddress, bits: number, lengths: { min: number; max: number }) {
  const offset = fc.bigInt(0n, (1n << BigInt(bits - lengths.min)) - 1n);
  const length = fc.integer({ min: lengths.min, max: bits });
  return fc
    .record({
      poolLength: fc.integer(lengths),
      depth: fc.integer({ min: 0, max: 12 }),
      taken: fc.array(fc.record({ offset, length }), { maxLength: 12 }),
    })
    .map(({ poolLength, depth, taken }) => {
      const blockPool: BlockPool = {
        cidr: prefixOf(at(0n), poolLength),
        blockSize: Math.min(poolLength + depth, bits),
      };
      return { pool: blockPool, taken: taken.map((one) => prefixOf(at(one.offset), one.length)) };
    });
}

const spaces = fc.oneof(
  space((offset) => ipv4(0x0a00_0000 + Number(offset)), 32, { min: 8, max: 28 }),
  space((offset) => ipv6((0xfd00n << 112n) + offset), 128, { min: 48, max: 120 }),
);

/** Every free block, by trying each: for pools that are small. */
function byTrying({ cidr, blockSize }: BlockPool, taken: readonly Prefix[]): readonly Prefix[] {
  const start = prefixAddress(cidr);
  const size = BigInt(familyBits(prefixFamily(cidr)) - blockSize);
  return Array.from({ length: 2 ** (blockSize - prefixLength(cidr)) }, (_, index) => {
    const address = BigInt(start) + (BigInt(index) << size);
    return prefixOf(typeof start === 'number' ? ipv4(Number(address)) : ipv6(address), blockSize);
  }).filter((block) => !taken.some((other) => prefixesOverlap(other, block)));
}

describe('candidates', () => {
  test('are free blocks of the pool in ascending order, as many as there are or as asked for', () => {
    fc.assert(
      fc.property(spaces, fc.integer({ min: 1, max: 40 }), ({ pool: blocks, taken }, limit) => {
        const found = candidates(blocks, taken, { limit });
        for (const block of found) {
          expect(isBlockOf(blocks, block)).toBe(true);
          expect(taken.some((other) => prefixesOverlap(other, block))).toBe(false);
        }
        expect(found).toEqual([...new Set(found)].sort(comparePrefixes));
        const { free } = countBlocks(blocks, taken);
        expect(BigInt(found.length)).toBe(free < BigInt(limit) ? free : BigInt(limit));
      }),
    );
  });

  test('in a small pool they are all that trying each block finds', () => {
    const small = spaces.filter(({ pool: { cidr, blockSize } }) => blockSize - prefixLength(cidr) <= 7);
    fc.assert(
      fc.property(small, ({ pool: blocks, taken }) => {
        const expected = byTrying(blocks, taken);
        expect(candidates(blocks, taken, { limit: 1000 })).toEqual(expected);
        expect(countBlocks(blocks, taken).free).toBe(BigInt(expected.length));
      }),
    );
  });

  test('previous ones come first and are free blocks too', () => {
    fc.assert(
      fc.property(spaces, fc.array(fc.nat(20), { maxLength: 5 }), ({ pool: blocks, taken }, picks) => {
        const free = candidates(blocks, [], { limit: 21 });
        const previous = picks.flatMap((pick) => free[pick] ?? []);
        const usable = [...new Set(previous)].filter(
          (block) => !taken.some((other) => prefixesOverlap(other, block)),
        );
        const found = candidates(blocks, taken, { limit: 30, previous });
        expect(found.slice(0, usable.length)).toEqual(usable);
        expect(new Set(found).size).toBe(found.length);
      }),
    );
  });
});

describe('many nodes that claim at one time', () => {
  test('no block is given twice, and a pool is exhausted exactly when it is full', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 0, max: 4 }),
        fc.array(fc.integer({ min: 0, max: 15 }), { maxLength: 3 }),
        async (nodes, depth, before) => {
          const store = new MemoryStore();
          const names = Array.from({ length: nodes }, (_, index) => `node-${index}`);
          const size = 2 ** depth;
          const gone = [...new Set(before.map((index) => index % size))];
          await store.client().commit(
            writes(
              pool('pods', `10.244.0.0/${24 - depth}`),
              ...names.map((_, index) => node(String(index), `192.168.1.${index + 1}/24`)),
              ...gone.map((index) =>
                manifest('BlockAffinity', `10-244-${index}-0-24`, {
                  cidr: `10.244.${index}.0/24`,
                  node: 'old',
                }),
              ),
            ),
          );
          const outcomes = await Promise.all(names.map((name) => join(claiming(store.client()), name)));
          const claimed = outcomes.flatMap((outcome) => ('cidr' in outcome ? [outcome.cidr] : []));
          expect(new Set(claimed).size).toBe(claimed.length);
          expect(claimed.length).toBe(Math.min(nodes, size - gone.length));
          const told = outcomes.flatMap((outcome) => ('problem' in outcome ? [outcome.problem] : []));
          expect(told.length).toBe(nodes - claimed.length);
          for (const problem of told) expect(problem).toContain('IPPool/pods');
          expect((await takenIn(store.client())).length).toBe(claimed.length + gone.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});
