import { describe, expect, test } from 'vitest';
import { FlowAccount, longestLoss } from '../../traffic/account.js';

/** A flow of `sent` packets of which those in `arrivals` came, number -> time. */
function reportOf(sent: number, arrivals: readonly (readonly [sequence: number, atMs: number])[]) {
  const account = new FlowAccount('a to b', 100);
  for (const [sequence, atMs] of arrivals) account.arrived(sequence, atMs);
  return account.report(sent);
}

describe('the balance of a flow of numbered packets', () => {
  test('all arrived: nothing lost, the silence is the longest pause between two', () => {
    const report = reportOf(3, [
      [0, 1000],
      [1, 1001],
      [2, 1009],
    ]);
    expect(report).toMatchObject({ sent: 3, received: 3, lost: 0, outages: [], longestSilenceMs: 8 });
    expect(longestLoss(report)).toBe(0);
  });

  test('a gap in the middle is an outage between its neighbours', () => {
    const report = reportOf(6, [
      [0, 1000],
      [1, 1001],
      [4, 1004],
      [5, 1005],
    ]);
    expect(report.outages).toEqual([{ firstLost: 2, lost: 2, sinceMs: 1001, untilMs: 1004 }]);
    expect(report).toMatchObject({ lost: 2, longestSilenceMs: 3 });
  });

  test('lost at the beginning and at the end: nothing arrived before or after', () => {
    const report = reportOf(5, [[2, 1002]]);
    expect(report.outages).toEqual([
      { firstLost: 0, lost: 2, sinceMs: undefined, untilMs: 1002 },
      { firstLost: 3, lost: 2, sinceMs: 1002, untilMs: undefined },
    ]);
    expect(longestLoss(report)).toBe(2);
  });

  test('none arrived', () => {
    expect(reportOf(4, [])).toMatchObject({
      lost: 4,
      outages: [{ firstLost: 0, lost: 4, sinceMs: undefined, untilMs: undefined }],
    });
  });

  test('twice is no second packet, and late is not lost', () => {
    const report = reportOf(3, [
      [0, 1000],
      [2, 1001],
      [1, 1002],
      [1, 1003],
    ]);
    expect(report).toMatchObject({ received: 3, lost: 0, duplicates: 1, late: 1, outages: [] });
  });

  test('a number that was never given out is a fault of the instrument', () => {
    expect(() => reportOf(3, [[100, 1000]])).toThrow(RangeError);
  });
});
