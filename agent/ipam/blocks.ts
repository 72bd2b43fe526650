/**
 * The blocks of a pool as numbers: which are free, how many, in which order.
 *
 * Owns: the arithmetic. Must not know: nodes, stores, why a prefix is taken.
 * A pool is never enumerated: a /48 in blocks of /122 has 2^74 of them. What is taken becomes sorted ranges of block
 * numbers, and what is free lies between them.
 */
import {
  familyBits,
  ipv4,
  ipv6,
  type Prefix,
  prefixAddress,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '../../bgp/net/index.js';
import type { IpPool } from '../resources/index.js';

/** What of a pool matters here. */
export type BlockPool = Pick<IpPool, 'cidr' | 'blockSize'>;

export interface BlockCounts {
  readonly total: bigint;
  /** Those that overlap something taken, if only in part. */
  readonly taken: bigint;
  readonly free: bigint;
}

export interface CandidateOptions {
  /** At most so many. */
  readonly limit: number;
  /** What a node had before: what of it is a free block of the pool comes first, in this order. */
  readonly previous?: readonly Prefix[];
}

/** Blocks from `first` to `last`, both included. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** Free blocks of the pool: previous ones, then the others in ascending order. */
export function candidates(
  pool: BlockPool,
  taken: readonly Prefix[],
  { limit, previous = [] }: CandidateOptions,
): readonly Prefix[] {
  const found = new Set(freeOf(pool, taken, previous).slice(0, limit));
  if (found.size === limit) return [...found];
  for (const block of freeBlocks(pool, taken)) {
    found.add(block);
    if (found.size >= limit) break;
  }
  return [...found];
}

export function countBlocks(pool: BlockPool, taken: readonly Prefix[]): BlockCounts {
  const total = blockCount(pool);
  const inUse = takenRanges(pool, taken).reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
  return { total, taken: inUse, free: total - inUse };
}

/** True where it is one of the blocks that the pool is cut into. */
export function isBlockOf({ cidr, blockSize }: BlockPool, prefix: Prefix): boolean {
  return prefixLength(prefix) === blockSize && prefixContains(cidr, prefix);
}

/** Those of them that are free blocks of the pool. */
export function freeOf(
  pool: BlockPool,
  taken: readonly Prefix[],
  wanted: readonly Prefix[],
): readonly Prefix[] {
  return wanted.filter(
    (block) => isBlockOf(pool, block) && !taken.some((other) => prefixesOverlap(other, block)),
  );
}

function* freeBlocks(pool: BlockPool, taken: readonly Prefix[]): Generator<Prefix> {
  let next = 0n;
  const end: Range = { first: blockCount(pool), last: blockCount(pool) };
  for (const { first, last } of [...takenRanges(pool, taken), end]) {
    for (; next < first; next += 1n) yield blockAt(pool, next);
    next = last + 1n;
  }
}

/** What is taken, as ranges that neither overlap nor touch, in ascending order. */
function takenRanges(pool: BlockPool, taken: readonly Prefix[]): readonly Range[] {
  const ranges = taken
    .filter((prefix) => prefixesOverlap(pool.cidr, prefix))
    .map((prefix) => rangeOf(pool, prefix))
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const merged: Range[] = [];
  for (const range of ranges) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + 1n) merged.push(range);
    else if (range.last > before.last) merged[merged.length - 1] = { first: before.first, last: range.last };
  }
  return merged;
}

/** The blocks that a prefix touches; it overlaps the pool. */
function rangeOf(pool: BlockPool, prefix: Prefix): Range {
  if (prefixContains(prefix, pool.cidr)) return { first: 0n, last: blockCount(pool) - 1n };
  const start = BigInt(prefixAddress(prefix)) - BigInt(prefixAddress(pool.cidr));
  const size = 1n << hostBits(prefix, prefixLength(prefix));
  const bits = hostBits(pool.cidr, pool.blockSize);
  return { first: start >> bits, last: (start + size - 1n) >> bits };
}

function blockCount({ cidr, blockSize }: BlockPool): bigint {
  return 1n << BigInt(blockSize - prefixLength(cidr));
}

function blockAt({ cidr, blockSize }: BlockPool, index: bigint): Prefix {
  const address = BigInt(prefixAddress(cidr)) + (index << hostBits(cidr, blockSize));
  return prefixOf(prefixFamily(cidr) === 'ipv4' ? ipv4(Number(address)) : ipv6(address), blockSize);
}

function hostBits(prefix: Prefix, lengthBits: number): bigint {
  return BigInt(familyBits(prefixFamily(prefix)) - lengthBits);
}
