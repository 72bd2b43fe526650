/**
 * Calico's label selectors: text -> expression -> verdict over labels.
 *
 *   expression  = term ('||' term)*
 *   term        = factor ('&&' factor)*
 *   factor      = '!'* ( '(' expression ')' | 'all()' | 'global()' | 'has(' KEY ')' | KEY comparison )
 *   comparison  = ('==' | '!=' | 'contains' | 'starts with' | 'ends with') STRING | ('in' | 'not in') '{' STRING, ... '}'
 *
 * Owns: the language. Must not know: what carries the labels.
 * Source: Calico's documentation of selectors; the corner cases (an absent label satisfies `!=` and `not in`, a set may
 * be empty or end in a comma, an empty selector means all) are those of its parser.
 */

/** How a label's value is compared with one text. */
export type TextOperator = '==' | '!=' | 'contains' | 'starts with' | 'ends with';

/** A parsed selector. */
export type Selector =
  | { readonly type: 'all' }
  | { readonly type: 'global' }
  | { readonly type: 'has'; readonly key: string }
  | { readonly type: 'not'; readonly operand: Selector }
  | { readonly type: 'and' | 'or'; readonly operands: readonly Selector[] }
  | {
      readonly type: 'compare';
      readonly key: string;
      readonly operator: TextOperator;
      readonly value: string;
    }
  | {
      readonly type: 'in' | 'not in';
      readonly key: string;
      readonly values: ReadonlySet<string>;
    };

/** Labels of a resource. A Map, so that a key such as `__proto__` is a key like any other. */
export type Labels = ReadonlyMap<string, string>;

/** `column` is 1-based. */
export type SelectorResult =
  | { readonly selector: Selector }
  | { readonly problem: string; readonly column: number };

/** Deeper nesting is refused: the parser recurses, and nobody writes it by hand. */
const MAX_NESTING = 100;

/** The label that Calico gives to namespaced resources; `global()` selects those without it. */
const NAMESPACE_LABEL = 'projectcalico.org/namespace';

const ALL: Selector = { type: 'all' };

/** Reads a selector; the first error ends it, with the column where it was noticed. */
export function parseSelector(text: string): SelectorResult {
  try {
    return { selector: new SelectorParser(text).parse() };
  } catch (error) {
    if (error instanceof SelectorError) return { problem: error.message, column: error.column };
    throw error;
  }
}

/** True where `labels` satisfy `selector`. */
export function selects(selector: Selector, labels: Labels): boolean {
  switch (selector.type) {
    case 'all':
      return true;
    case 'global':
      return !labels.has(NAMESPACE_LABEL);
    case 'has':
      return labels.has(selector.key);
    case 'not':
      return !selects(selector.operand, labels);
    case 'and':
      return selector.operands.every((operand) => selects(operand, labels));
    case 'or':
      return selector.operands.some((operand) => selects(operand, labels));
    case 'compare':
      return compares(selector.operator, labels.get(selector.key), selector.value);
    case 'in':
    case 'not in': {
      const value = labels.get(selector.key);
      const isMember = value !== undefined && selector.values.has(value);
      return selector.type === 'in' ? isMember : !isMember;
    }
    default:
      return selector satisfies never;
  }
}

function compares(operator: TextOperator, actual: string | undefined, wanted: string): boolean {
  switch (operator) {
    case '==':
      return actual === wanted;
    case '!=':
      return actual !== wanted;
    case 'contains':
      return actual?.includes(wanted) ?? false;
    case 'starts with':
      return actual?.startsWith(wanted) ?? false;
    case 'ends with':
      return actual?.endsWith(wanted) ?? false;
    default:
      return operator satisfies never;
  }
}

/** Thrown inside the parser alone and caught at its door. */
class SelectorError extends Error {
  readonly column: number;

  constructor(message: string, offset: number) {
    super(message);
    this.column = offset + 1;
  }
}

const KEY = /[a-zA-Z0-9_./-]{1,512}/y;
const FUNCTION = /(all|global|has)\(/y;
const COMPARISON = /==|!=|contains\b|starts[ \t]+with\b|ends[ \t]+with\b|not[ \t]+in\b|in\b/y;
const SPACE = /\s*/y;

class SelectorParser {
  readonly #text: string;
  #offset = 0;
  #nesting = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Selector {
    this.#skipSpace();
    if (this.#atEnd()) return ALL;
    const selector = this.#expression();
    if (!this.#atEnd()) throw this.#expected('"&&", "||" or the end');
    return selector;
  }

  #expression(): Selector {
    return this.#chain('||', 'or', () => this.#chain('&&', 'and', () => this.#factor()));
  }

  #chain(separator: string, type: 'and' | 'or', operand: () => Selector): Selector {
    const first = operand();
    const operands = [first];
    while (this.#take(separator)) operands.push(operand());
    return operands.length === 1 ? first : { type, operands };
  }

  #factor(): Selector {
    let isNegated = false;
    while (this.#take('!')) isNegated = !isNegated;
    const operand = this.#operand();
    return isNegated ? { type: 'not', operand } : operand;
  }

  #operand(): Selector {
    if (this.#take('(')) {
      this.#nesting += 1;
      if (this.#nesting > MAX_NESTING) throw this.#error(`more than ${MAX_NESTING} nested parentheses`);
      const inner = this.#expression();
      this.#need(')');
      this.#nesting -= 1;
      return inner;
    }
    const call = this.#match(FUNCTION);
    if (call !== undefined) return this.#call(call.slice(0, -1));
    const key = this.#match(KEY);
    if (key === undefined) throw this.#expected('a label such as rack, or all(), has(...), "!" or "("');
    return this.#comparison(key);
  }

  #call(name: string): Selector {
    let result: Selector;
    if (name === 'has') {
      const key = this.#match(KEY);
      if (key === undefined) throw this.#expected('a label inside has(...)');
      result = { type: 'has', key };
    } else {
      result = name === 'all' ? ALL : { type: 'global' };
    }
    this.#need(')');
    return result;
  }

  #comparison(key: string): Selector {
    const operator = this.#match(COMPARISON)?.replace(/\s+/, ' ');
    switch (operator) {
      case '==':
      case '!=':
      case 'contains':
      case 'starts with':
      case 'ends with':
        return { type: 'compare', key, operator, value: this.#string() };
      case 'in':
      case 'not in':
        return { type: operator, key, values: this.#set() };
      default:
        throw this.#expected(
          `a comparison after the label ${key} (==, !=, in, not in, contains, starts with, ends with)`,
        );
    }
  }

  #set(): ReadonlySet<string> {
    const values = new Set<string>();
    this.#need('{');
    while (!this.#take('}')) {
      values.add(this.#string());
      if (this.#take(',')) continue;
      this.#need('}');
      break;
    }
    return values;
  }

  #string(): string {
    const mark = this.#text[this.#offset];
    if (mark !== "'" && mark !== '"') throw this.#expected("a text in quotes, such as 'a'");
    const end = this.#text.indexOf(mark, this.#offset + 1);
    if (end < 0) throw this.#error(`the quote ${mark} is not closed`);
    const value = this.#text.slice(this.#offset + 1, end);
    this.#advanceTo(end + 1);
    return value;
  }

  /** Takes `symbol` if it is next. */
  #take(symbol: string): boolean {
    if (!this.#text.startsWith(symbol, this.#offset)) return false;
    this.#advanceTo(this.#offset + symbol.length);
    return true;
  }

  #need(symbol: string): void {
    if (!this.#take(symbol)) throw this.#expected(`"${symbol}"`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#advanceTo(this.#offset + found.length);
    return found;
  }

  #advanceTo(offset: number): void {
    this.#offset = offset;
    this.#skipSpace();
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#offset;
    this.#offset += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #atEnd(): boolean {
    return this.#offset >= this.#text.length;
  }

  #expected(what: string): SelectorError {
    const found = this.#atEnd()
      ? 'it ends'
      : `it has ${JSON.stringify(this.#text.slice(this.#offset, this.#offset + 12))}`;
    return this.#error(`expected ${what}, but ${found}`);
  }

  #error(message: string): SelectorError {
    return new SelectorError(message, this.#offset);
  }
}
