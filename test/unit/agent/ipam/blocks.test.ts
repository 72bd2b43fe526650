/** Free blocks of pools of any size. */
import { describe, expect, test } from 'vitest';
import { candidates, countBlocks } from '../../../../agent/ipam/index.js';
import { formatPrefix, type Prefix, parsePrefix } from '../../../../bgp/net/index.js';

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`wrong test data: ${text}`);
  return parsed;
}

const pool = (cidr: string, blockSize: number) => ({ cidr: prefix(cidr), blockSize });

function first(
  cidr: string,
  blockSize: number,
  taken: readonly string[],
  limit = 3,
  previous: string[] = [],
) {
  return candidates(pool(cidr, blockSize), taken.map(prefix), {
    limit,
    previous: previous.map(prefix),
  }).map(formatPrefix);
}

describe('the first free blocks, in ascending order', () => {
  test.each<[what: string, cidr: string, size: number, taken: string[], free: string[]]>([
    ['nothing taken', '10.244.0.0/16', 24, [], ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24']],
    [
      'gaps',
      '10.244.0.0/16',
      24,
      ['10.244.0.0/24', '10.244.2.0/24'],
      ['10.244.1.0/24', '10.244.3.0/24', '10.244.4.0/24'],
    ],
    [
      'a larger one',
      '10.244.0.0/16',
      24,
      ['10.244.0.0/22'],
      ['10.244.4.0/24', '10.244.5.0/24', '10.244.6.0/24'],
    ],
    [
      'a smaller one',
      '10.244.0.0/16',
      24,
      ['10.244.0.9/32'],
      ['10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24'],
    ],
    [
      'of another pool',
      '10.244.0.0/16',
      24,
      ['10.0.0.0/24', 'fd00::/64'],
      ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24'],
    ],
    ['one around the pool', '10.244.0.0/16', 24, ['10.0.0.0/8'], []],
    [
      'in any order',
      '10.244.0.0/22',
      24,
      ['10.244.3.0/24', '10.244.0.0/24'],
      ['10.244.1.0/24', '10.244.2.0/24'],
    ],
    [
      'one in the other',
      '10.244.0.0/22',
      24,
      ['10.244.0.0/23', '10.244.0.0/24'],
      ['10.244.2.0/24', '10.244.3.0/24'],
    ],
    ['full', '10.244.0.0/23', 24, ['10.244.0.0/24', '10.244.1.0/24'], []],
    ['the pool is one block', '10.244.0.0/26', 26, [], ['10.244.0.0/26']],
    [
      'the end of the addresses',
      '255.255.255.0/24',
      26,
      ['255.255.255.0/25'],
      ['255.255.255.128/26', '255.255.255.192/26'],
    ],
    [
      'a pool of 2^18 blocks',
      '10.0.0.0/8',
      26,
      ['10.0.0.0/9', '10.192.0.0/10'],
      ['10.128.0.0/26', '10.128.0.64/26', '10.128.0.128/26'],
    ],
    [
      'a pool of 2^74 blocks',
      'fd00:10:244::/48',
      122,
      ['fd00:10:244::/49', 'fd00:10:244:8000::/122'],
      ['fd00:10:244:8000::40/122', 'fd00:10:244:8000::80/122', 'fd00:10:244:8000::c0/122'],
    ],
  ])('%s', (_what, cidr, size, taken, free) => {
    expect(first(cidr, size, taken)).toEqual(free);
  });
});

test('what a node had before comes first, where it is a free block of the pool', () => {
  const previous = ['10.244.9.0/24', '10.244.1.0/24', '10.244.7.0/26', '10.9.0.0/24', '10.244.5.0/24'];
  expect(first('10.244.0.0/16', 24, ['10.244.1.0/24'], 4, previous)).toEqual([
    '10.244.9.0/24',
    '10.244.5.0/24',
    '10.244.0.0/24',
    '10.244.2.0/24',
  ]);
  expect(first('10.244.0.0/16', 24, [], 1, previous)).toEqual(['10.244.9.0/24']);
});

test('counts: a block that is taken in part counts as taken', () => {
  expect(
    countBlocks(pool('10.244.0.0/16', 24), ['10.244.0.0/22', '10.244.9.9/32', '10.0.0.0/24'].map(prefix)),
  ).toEqual({
    total: 256n,
    taken: 5n,
    free: 251n,
  });
  expect(countBlocks(pool('fd00::/48', 122), [prefix('fd00::/122')]).free).toBe(2n ** 74n - 1n);
});
