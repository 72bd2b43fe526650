/** Selectors: what is written is what is meant, and no text does harm. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSelector, type Labels, parseSelector, selects } from '../../../agent/resources/index.js';

/** A selector as text beside its meaning, built together and independently of the parser. */
interface Meant {
  readonly text: string;
  readonly matches: (labels: Labels) => boolean;
}

const key = fc.constantFrom('rack', 'role', 'a.b/c-d_e', 'in', 'all', '__proto__');
const value = fc.constantFrom('', 'a', 'ab', 'b', 'abc');
const space = fc.constantFrom('', ' ', '\t', '  ');

const leaf: fc.Arbitrary<Meant> = fc.oneof(
  fc.constant<Meant>({ text: 'all()', matches: () => true }),
  key.map((name) => ({ text: `has(${name})`, matches: (labels: Labels) => labels.has(name) })),
  fc
    .record({
      name: key,
      text: value,
      operator: fc.constantFrom('==', '!=', 'contains', 'starts with', 'ends with'),
    })
    .map(({ name, text, operator }) => ({
      text: `${name} ${operator} '${text}'`,
      matches: (labels: Labels) => {
        const actual = labels.get(name);
        if (operator === '!=') return !(actual === text);
        if (actual === undefined) return false;
        if (operator === '==') return actual === text;
        if (operator === 'contains') return actual.indexOf(text) >= 0;
        if (operator === 'starts with') return actual.slice(0, text.length) === text;
        return text === '' || actual.slice(-text.length) === text;
      },
    })),
  fc
    .record({ name: key, texts: fc.array(value, { maxLength: 3 }), isNegated: fc.boolean() })
    .map(({ name, texts, isNegated }) => ({
      text: `${name} ${isNegated ? 'not in' : 'in'} {${texts.map((text) => `"${text}"`).join(', ')}}`,
      matches: (labels: Labels) => {
        const actual = labels.get(name);
        return (actual !== undefined && texts.some((text) => text === actual)) !== isNegated;
      },
    })),
);

const { meant } = fc.letrec<{ meant: Meant }>((tie) => ({
  meant: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    tie('meant').map(({ text, matches }) => ({
      text: `!(${text})`,
      matches: (labels: Labels) => !matches(labels),
    })),
    fc.record({ left: tie('meant'), right: tie('meant'), gap: space, isAnd: fc.boolean() }).map(
      ({ left, right, gap, isAnd }): Meant => ({
        text: `(${left.text}${gap})${isAnd ? '&&' : '||'}${gap}(${right.text})`,
        matches: (labels: Labels) =>
          isAnd
            ? left.matches(labels) && right.matches(labels)
            : left.matches(labels) || right.matches(labels),
      }),
    ),
  ),
}));

const labels: fc.Arbitrary<Labels> = fc.array(fc.tuple(key, value)).map((entries) => new Map(entries));

describe('selectors', () => {
  test('the verdict is that of the meaning', () => {
    fc.assert(
      fc.property(meant, labels, ({ text, matches }, given) => {
        const result = parseSelector(text);
        expect(result).toHaveProperty('selector');
        if ('selector' in result) expect(selects(result.selector, given)).toBe(matches(given));
      }),
    );
  });

  test('what is formatted is read as the same selector', () => {
    fc.assert(
      fc.property(meant, ({ text }) => {
        const result = parseSelector(text);
        if ('problem' in result) throw new Error(`${text}: ${result.problem}`);
        expect(parseSelector(formatSelector(result.selector))).toEqual(result);
      }),
    );
  });

  test('"&&" binds tighter than "||"', () => {
    fc.assert(
      fc.property(leaf, leaf, leaf, labels, (a, b, c, given) => {
        const result = parseSelector(`${a.text} || ${b.text} && ${c.text}`);
        const expected = a.matches(given) || (b.matches(given) && c.matches(given));
        expect('selector' in result && selects(result.selector, given)).toBe(expected);
      }),
    );
  });

  test('any text is a selector or an error inside the text', () => {
    const fragment = fc.constantFrom(
      'rack',
      '==',
      "'a'",
      '(',
      ')',
      '{',
      '}',
      '!',
      '&&',
      '||',
      'in',
      'not',
      'has(',
      ' ',
    );
    const anyText = fc.oneof(
      fc.string(),
      fc.array(fragment).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        const result = parseSelector(text);
        if ('selector' in result) return;
        expect(result.column).toBeGreaterThanOrEqual(1);
        expect(result.column).toBeLessThanOrEqual(text.length + 1);
      }),
    );
  });
});
