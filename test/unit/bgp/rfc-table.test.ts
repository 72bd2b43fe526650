/**
 * bgp/RFC.md says which test proves which row: each of those tests exists and is called so, and each file is there.
 */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../..', import.meta.url).pathname;
const TABLE = readFileSync(`${ROOT}bgp/RFC.md`, 'utf8').split('## Row by row')[1] ?? '';
/** Cells of each row, without the head and the line under it. */
const ROWS = TABLE.split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) => line.slice(2, -2).split(' | '));

test('the table has rows of five cells', () => {
  expect(ROWS.length).toBeGreaterThan(50);
  expect(ROWS.filter((cells) => cells.length !== 5)).toEqual([]);
});

test.each(ROWS.map((cells) => [`${cells[0]?.trim()}: ${cells[1]?.trim()}`, cells] as const))(
  '%s',
  (_name, [, , , files = '', tests = '']) => {
    for (const file of files.split(',')) expect(existsSync(`${ROOT}bgp/${file.trim()}`), file).toBe(true);
    const named = [...tests.matchAll(/`(\S+) › ([^`]+)`/g)];
    expect(named.length).toBeGreaterThan(0);
    for (const [, path = '', words = ''] of named) {
      expect(readFileSync(`${ROOT}test/${path}`, 'utf8').includes(words), `${path} › ${words}`).toBe(true);
    }
  },
);
