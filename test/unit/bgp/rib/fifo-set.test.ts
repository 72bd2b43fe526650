import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FifoSet } from '../../../../bgp/rib/fifo-set.js';
import { liveHeapBytes } from '../../../support/heap.js';

function takeAll<T extends NonNullable<unknown>>(set: FifoSet<T>): T[] {
  return set.takeWhile(() => true);
}

describe('FifoSet', () => {
  test('gives entries in the order they came, each once', () => {
    const set = new FifoSet<string>();
    for (const entry of ['a', 'b', 'a', 'c']) set.add(entry);
    expect([set.size, set.first()]).toEqual([3, 'a']);
    set.delete('a');
    expect(set.first()).toBe('b');
    expect(takeAll(set)).toEqual(['b', 'c']);
    expect([set.size, set.first()]).toEqual([0, undefined]);
  });

  test('takes as long as the caller says yes and leaves the rest in place', () => {
    const set = new FifoSet<number>();
    for (const entry of [1, 2, 3, 4]) set.add(entry);
    expect(set.takeWhile((entry) => entry < 3)).toEqual([1, 2]);
    set.add(1);
    expect(takeAll(set)).toEqual([3, 4, 1]);
  });

  test('holds after any history exactly what a plain Set holds, and takes each entry once', () => {
    const move = fc.tuple(fc.constantFrom('add', 'delete', 'take'), fc.nat(20));
    fc.assert(
      fc.property(fc.array(move, { maxLength: 400 }), (moves) => {
        const [set, model] = [new FifoSet<number>(), new Set<number>()];
        for (const [kind, number] of moves) {
          if (kind === 'add') {
            set.add(number);
            model.add(number);
          } else if (kind === 'delete') {
            expect(set.delete(number)).toBe(model.delete(number));
          } else {
            let left = number % 4;
            const taken = set.takeWhile(() => left-- > 0);
            expect(taken).toHaveLength(Math.min(number % 4, model.size));
            for (const entry of taken) expect(model.delete(entry)).toBe(true);
          }
          expect(set.size).toBe(model.size);
          expect(set.first() === undefined).toBe(model.size === 0);
        }
        expect(new Set(takeAll(set))).toEqual(model);
      }),
    );
  });

  test('an entry that comes and goes a million times while nobody takes leaves no trace', () => {
    const set = new FifoSet<number>();
    set.add(0);
    const before = liveHeapBytes();
    for (let turn = 0; turn < 1_000_000; turn += 1) {
      set.add(1 + (turn % 2));
      set.delete(1 + (turn % 2));
    }
    // A million notes of 8 octets would be 8 MB.
    expect(liveHeapBytes() - before).toBeLessThan(2_000_000);
    expect(takeAll(set)).toEqual([0]);
  });
});
