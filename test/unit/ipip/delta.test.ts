/** The difference for one prefix: what is done, and what is left to others. */
import { describe, expect, test } from 'vitest';
import { diffPrefix, sameRoute } from '../../../ipip/delta.js';
import {
  interfaceIndex,
  type KernelNextHop,
  type KernelRoute,
  MAIN_TABLE,
} from '../../../ipip/kernel/kernel.js';
import { address, prefix } from '../../support/addresses.js';

const OURS = 179;

function route(change: Partial<KernelRoute> & { readonly via?: string } = {}): KernelRoute {
  const { via = '192.168.1.12', ...rest } = change;
  return {
    prefix: prefix('10.244.2.0/24'),
    table: MAIN_TABLE,
    tos: 0,
    metric: 2048,
    protocol: OURS,
    type: 'unicast',
    nextHops: [{ gateway: address(via), interfaceIndex: interfaceIndex(2), onlink: false }],
    ...rest,
  };
}

const wanted = route();
const other = route({ via: '192.168.1.13' });
const foreign = route({ protocol: 4, via: '192.168.1.1' });
const better = route({ protocol: 4, metric: 512 });
const best = route({ protocol: 2, metric: 0 });
const worse = route({ protocol: 4, metric: 4096 });
const oldMetric = route({ metric: 1000 });
const onlink = route({
  nextHops: [{ gateway: address('192.168.1.12'), interfaceIndex: interfaceIndex(2), onlink: true }],
});

const add = { op: 'add', route: wanted } as const;
const replace = { op: 'replace', route: wanted } as const;
const remove = (gone: KernelRoute) => ({ op: 'delete', route: gone }) as const;

describe('a wanted route', () => {
  test.each([
    ['nothing there: add', [], { operations: [add] }],
    ['ours, the same: nothing', [route()], { operations: [] }],
    ['ours, another next hop: replace in place', [other], { operations: [replace] }],
    ['ours, not onlink: replace in place', [onlink], { operations: [replace] }],
    [
      'ours, with a source address: replace in place',
      [route({ source: address('10.0.0.1') })],
      { operations: [replace] },
    ],
    [
      'ours, a blackhole: replace in place',
      [route({ type: 'blackhole', nextHops: [] })],
      { operations: [replace] },
    ],
    ['foreign at our key: conflict, untouched', [foreign], { operations: [], conflict: foreign }],
    [
      'foreign and ours at our key: ours goes',
      [foreign, route()],
      { operations: [remove(route())], conflict: foreign },
    ],
    ['foreign, better metric: ours beneath it', [better], { operations: [add], shadow: better }],
    ['foreign, better metrics: the best shadows', [best, better], { operations: [add], shadow: best }],
    ['foreign, worse metric: nothing to us', [worse], { operations: [add] }],
    ['foreign, another type of service: nothing to us', [{ ...foreign, tos: 16 }], { operations: [add] }],
    [
      'ours of an earlier metric: goes after the new one is there',
      [oldMetric],
      { operations: [add, remove(oldMetric)] },
    ],
    [
      'ours twice: one is replaced, the other goes',
      [other, onlink],
      { operations: [replace, remove(onlink)] },
    ],
    ['ours twice, one right: the other goes', [other, route()], { operations: [remove(other)] }],
  ])('%s', (_name, actual, expected) => {
    expect(diffPrefix(wanted, actual, OURS)).toEqual(expected);
  });
});

describe('nothing wanted', () => {
  test.each([
    ['nothing there', [], []],
    ['ours goes, whatever its metric', [route(), oldMetric], [remove(route()), remove(oldMetric)]],
    ['foreign stays', [foreign, better], []],
  ])('%s', (_name, actual, operations) => {
    expect(diffPrefix(undefined, actual, OURS)).toEqual({ operations });
  });
});

describe('several next hops', () => {
  const [a, b] = [...wanted.nextHops, ...other.nextHops] as [KernelNextHop, KernelNextHop];
  const shared = route({ nextHops: [a, b] });
  const done = { operations: [] };
  const replaced = { operations: [{ op: 'replace', route: shared }] };

  test.each<[string, readonly KernelNextHop[], object]>([
    ['in another order: nothing', [b, a], done],
    ['without carrier, which the kernel sees itself: nothing', [a, { ...b, state: 'linkdown' }], done],
    ['one is missing: replace in place', [a], replaced],
    ['one has the place of two: replace in place', [a, a], replaced],
    ['one too many: replace in place', [a, b, b], replaced],
    ['somebody gave one another weight: replace in place', [a, { ...b, weight: 9 }], replaced],
    ['the kernel holds one for dead: replace in place', [a, { ...b, state: 'dead' }], replaced],
  ])('%s', (_name, nextHops, expected) => {
    expect(diffPrefix(shared, [route({ nextHops })], OURS)).toEqual(expected);
  });

  test('a dead or weighted one is no other route for a deletion, which names neither', () => {
    const changed = route({
      nextHops: [
        { ...b, state: 'dead' },
        { ...a, weight: 9 },
      ],
    });
    expect(sameRoute(shared, changed)).toBe(true);
    expect(sameRoute(shared, route({ nextHops: [a, a] }))).toBe(false);
  });
});
