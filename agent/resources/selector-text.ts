/**
 * A parsed selector as text again, for sentences about what it selects.
 *
 * Owns: the form. Must not know: what carries the labels. What it writes, the parser reads as the same selector.
 */
import type { Selector } from './selector.js';

export function formatSelector(selector: Selector): string {
  switch (selector.type) {
    case 'all':
    case 'global':
      return `${selector.type}()`;
    case 'has':
      return `has(${selector.key})`;
    case 'not':
      return `!${formatOperand(selector.operand)}`;
    case 'and':
    case 'or':
      return selector.operands.map(formatOperand).join(selector.type === 'and' ? ' && ' : ' || ');
    case 'compare':
      return `${selector.key} ${selector.operator} ${formatText(selector.value)}`;
    case 'in':
    case 'not in':
      return `${selector.key} ${selector.type} {${[...selector.values].map(formatText).join(', ')}}`;
    default:
      return selector satisfies never;
  }
}

/** In parentheses where it is made of several parts: `!rack == 'a'` is right, and nobody reads it so. */
function formatOperand(selector: Selector): string {
  const text = formatSelector(selector);
  const isOneWord = selector.type === 'all' || selector.type === 'global' || selector.type === 'has';
  const isComparison = selector.type === 'compare' || selector.type === 'in' || selector.type === 'not in';
  return isOneWord || isComparison ? text : `(${text})`;
}

/** The language has no escapes; a text that has one quote mark is written with the other. */
function formatText(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}
