/**
 * The clock that the other tests rely on.
 */
import { expect, test } from 'vitest';
import { FakeClock } from '../../support/fake-clock.js';

test('timers fire in order of time, then of their start, each at its own moment', () => {
  const clock = new FakeClock(1000);
  const fired: [string, number][] = [];
  const set = (name: string, delayMs: number) =>
    clock.setTimer(delayMs, () => {
      fired.push([name, clock.now()]);
    });
  set('late', 20);
  set('first', 10);
  set('second', 10);
  expect(clock.nextMs).toBe(1010);
  clock.advance(9);
  expect(fired).toEqual([]);
  clock.advance(11);
  expect(fired).toEqual([
    ['first', 1010],
    ['second', 1010],
    ['late', 1020],
  ]);
  expect(clock.now()).toBe(1020);
  expect(clock.nextMs).toBeUndefined();
});

test('a timer that is set while time passes fires in the same advance if it is due', () => {
  const clock = new FakeClock();
  const fired: number[] = [];
  const tick = (): void => {
    fired.push(clock.now());
    clock.setTimer(10, tick);
  };
  clock.setTimer(10, tick);
  clock.advance(35);
  expect(fired).toEqual([10, 20, 30]);
});

test('a timer that is stopped does not fire, also when another one stops it at the same moment', () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  let stop = (): void => {};
  clock.setTimer(5, () => stop());
  stop = clock.setTimer(5, () => {
    fired.push('stopped');
  });
  const stopLater = clock.setTimer(6, () => {
    fired.push('fired');
  });
  clock.advance(10);
  stopLater();
  expect(fired).toEqual(['fired']);
});
