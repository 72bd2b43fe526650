/** The selector language of Calico: what each form selects, and where a wrong one is wrong. */
import { describe, expect, test } from 'vitest';
import { type Labels, parseSelector, selects } from '../../../../agent/resources/index.js';

const LABELS: Labels = new Map([
  ['rack', 'a'],
  ['role', 'edge-router'],
  ['kubernetes.io/hostname', 'node-a'],
  ['empty', ''],
  ['__proto__', 'own'],
]);

function verdict(text: string, labels: Labels = LABELS): boolean {
  const result = parseSelector(text);
  if ('problem' in result) throw new Error(`column ${result.column}: ${result.problem}`);
  return selects(result.selector, labels);
}

describe('what a selector matches', () => {
  test.each([
    ["rack == 'a'", true],
    ['rack == "a"', true],
    ["rack=='b'", false],
    ["absent == ''", false],
    ["empty == ''", true],
    ["rack != 'b'", true],
    ["rack != 'a'", false],
    ["absent != 'a'", true],
    ["rack in { 'a', 'b' }", true],
    ["rack in {'a',}", true],
    ['rack in {}', false],
    ["rack not in {'a'}", false],
    ["rack not  in {'b'}", true],
    ["absent not in {'a'}", true],
    ["absent in {'a'}", false],
    ["role contains 'rout'", true],
    ["role contains 'x'", false],
    ["absent contains ''", false],
    ["role starts with 'edge'", true],
    ["role starts with 'router'", false],
    ["role ends with 'router'", true],
    ["role ends with 'edge'", false],
    ['has(rack)', true],
    ['has( rack )', true],
    ['has(absent)', false],
    ['has(kubernetes.io/hostname)', true],
    ["kubernetes.io/hostname == 'node-a'", true],
    ['all()', true],
    ['', true],
    ['  \t', true],
    ['global()', true],
    ['!all()', false],
    ['!!all()', true],
    ["!has(absent) && rack == 'a'", true],
    ["rack == 'b' || has(role)", true],
    ["rack == 'b' && has(rack) || has(role)", true],
    ["rack == 'b' && (has(rack) || has(role))", false],
    ["!(rack == 'b' || rack == 'c')", true],
    ["has(__proto__) && __proto__ == 'own'", true],
    ['has(constructor)', false],
  ])('%s: %s', (text, expected) => {
    expect(verdict(text)).toBe(expected);
  });

  test('global() leaves out what lives in a namespace', () => {
    expect(verdict('global()', new Map([['projectcalico.org/namespace', 'default']]))).toBe(false);
  });

  test('a label may be called like a function or an operator', () => {
    const labels = new Map([
      ['all', 'x'],
      ['in', 'y'],
    ]);
    expect(verdict("all == 'x' && in in {'y'}", labels)).toBe(true);
  });
});

describe('where a wrong selector is wrong', () => {
  test.each([
    ["rack = 'a'", 6, 'a comparison after the label rack'],
    ['rack == a', 9, 'a text in quotes'],
    ["rack == 'a", 9, 'not closed'],
    ["rack == 'a' &&", 15, 'a label such as rack'],
    ["rack == 'a' & has(x)", 13, '"&&", "||" or the end'],
    ["(rack == 'a'", 13, '")"'],
    ["rack == 'a')", 12, '"&&", "||" or the end'],
    ['has()', 5, 'a label inside has'],
    ["rack in 'a'", 9, '"{"'],
    ["rack in {'a' 'b'}", 14, '"}"'],
    ["rack starts 'a'", 6, 'a comparison'],
    ['all(', 5, '")"'],
    ['rack', 5, 'a comparison'],
    ['== ', 1, 'a label such as rack'],
  ])('%s: column %i, expected %s', (text, column, expected) => {
    expect(parseSelector(text)).toEqual({ column, problem: expect.stringContaining(expected) });
  });

  test('nesting without end is an error, not a stack overflow', () => {
    const deep = 100_000;
    expect(parseSelector(`${'('.repeat(deep)}all()${')'.repeat(deep)}`)).toHaveProperty('problem');
    expect(parseSelector(`${'!'.repeat(deep)}all()`)).toHaveProperty('selector');
  });
});
