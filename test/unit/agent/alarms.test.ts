/** The list of what somebody has to look into: since when, from whom, and when it is over. */
import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { Alarms } from '../../../agent/alarms.js';
import { FakeClock } from '../../support/fake-clock.js';

describe('alarms', () => {
  let clock: FakeClock;
  let lines: { msg: string; alarm: string; level: number; text?: string }[];
  let alarms: Alarms;
  const texts = () => alarms.list().map(({ text }) => text);

  beforeEach(() => {
    clock = new FakeClock(1000);
    lines = [];
    const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    alarms = new Alarms(clock, log);
  });

  test('an alarm is logged once, and keeps the time at which it began', () => {
    alarms.set('a', ['one']);
    clock.advance(500);
    alarms.set('a', ['one', 'two']);
    expect(alarms.list()).toEqual([
      { text: 'one', sinceMs: 1000 },
      { text: 'two', sinceMs: 1500 },
    ]);
    expect(lines.map(({ msg, alarm }) => [alarm, msg])).toEqual([
      ['a', 'one'],
      ['a', 'two'],
    ]);
  });

  test('one that is over is gone, and the log says so', () => {
    alarms.set('a', ['one']);
    alarms.set('b', ['other']);
    alarms.set('a', []);
    expect(texts()).toEqual(['other']);
    expect(lines.at(-1)).toMatchObject({ msg: 'alarm over', text: 'one' });
  });

  test('one that is held is shown on for so long, and no longer', () => {
    alarms.set('a', ['one'], 600);
    alarms.set('a', [], 600);
    clock.advance(599);
    expect(texts()).toEqual(['one']);
    clock.advance(1);
    expect(texts()).toEqual([]);
  });

  test('one that comes back while it is held is the same one, and stays', () => {
    alarms.set('a', ['one'], 600);
    alarms.set('a', [], 600);
    clock.advance(300);
    alarms.set('a', ['one'], 600);
    clock.advance(10_000);
    expect(alarms.list()).toEqual([{ text: 'one', sinceMs: 1000 }]);
    expect(lines.filter(({ msg }) => msg === 'one')).toHaveLength(2);
  });
});
