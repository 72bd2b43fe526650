/**
 * Which routes a question is about: filters, order, pages, and the longest match for one address.
 *
 * Owns: the meaning of the parameters of `GET /routes`. Pure. The same code answers the server's requests and the
 * command that reads the kernel when no agent runs.
 */
import { requestErrors } from './errors.js';
import { comparePrefixes, contains, isNetwork, type Prefix, parseAddress, parsePrefix } from './prefix.js';
import type { RouteMode, RouteRow, RouteState } from './schemas/index.js';

export const DEFAULT_PAGE_SIZE = 1000;
export const MAX_PAGE_SIZE = 10_000;

export interface RouteQuery {
  /** Rows equal to or inside it. */
  readonly prefix?: string;
  readonly state?: RouteState;
  readonly mode?: RouteMode;
  /** Rows learned from the peer of this name. */
  readonly peer?: string;
  /** 1 to `MAX_PAGE_SIZE`. */
  readonly limit?: number;
  /** The `next` of the page before: its last prefix. Rows may come and go between two pages without any being skipped. */
  readonly cursor?: string;
}

/** What a row must have to be selected. */
type Selectable = Pick<RouteRow, 'prefix' | 'state' | 'mode' | 'learnedFrom'>;

/**
 * One page of the rows that match, in the order of their prefixes.
 * @throws {ApiError} where `prefix` or `cursor` is not a prefix
 */
export function selectRoutes<Row extends Selectable>(
  rows: readonly Row[],
  query: RouteQuery,
): { routes: readonly Row[]; total: number; next: string | null } {
  const inside = query.prefix === undefined ? undefined : readPrefix('prefix', query.prefix);
  const after = query.cursor === undefined ? undefined : readPrefix('cursor', query.cursor);
  const limit = query.limit ?? DEFAULT_PAGE_SIZE;

  const matching = inOrder(
    rows.filter(
      (row) =>
        (query.state === undefined || row.state === query.state) &&
        (query.mode === undefined || row.mode === query.mode) &&
        (query.peer === undefined || row.learnedFrom?.peer === query.peer),
    ),
  ).filter(({ prefix }) => inside === undefined || contains(inside, prefix));
  const first =
    after === undefined ? 0 : matching.findIndex(({ prefix }) => comparePrefixes(prefix, after) > 0);
  const page = first === -1 ? [] : matching.slice(first, first + limit);
  const last = page.at(-1);
  return {
    routes: page.map(({ row }) => row),
    total: matching.length,
    next: last !== undefined && last !== matching.at(-1) ? last.row.prefix : null,
  };
}

/**
 * The row that decides for a destination: the longest match for an address, the very row for a prefix.
 * @throws {ApiError} where the destination is neither
 */
export function findRoute<Row extends Selectable>(
  rows: readonly Row[],
  destination: string,
): Row | undefined {
  const address = parseAddress(destination);
  if (address) {
    let longest: { row: Row; lengthBits: number } | undefined;
    for (const row of rows) {
      const prefix = ownPrefix(row);
      if (prefix.lengthBits <= (longest?.lengthBits ?? -1) || !contains(prefix, address)) continue;
      longest = { row, lengthBits: prefix.lengthBits };
    }
    return longest?.row;
  }
  const wanted = readPrefix('destination', destination);
  return rows.find((row) => comparePrefixes(ownPrefix(row), wanted) === 0);
}

function inOrder<Row extends Selectable>(rows: readonly Row[]): { row: Row; prefix: Prefix }[] {
  return rows
    .map((row) => ({ row, prefix: ownPrefix(row) }))
    .sort((a, b) => comparePrefixes(a.prefix, b.prefix));
}

/** The agent wrote this text, so anything unreadable is a bug and not an input. */
function ownPrefix(row: Selectable): Prefix {
  const prefix = parsePrefix(row.prefix);
  if (!prefix) throw new TypeError(`a route has the prefix "${row.prefix}"`);
  return prefix;
}

const PREFIX_FORM = {
  prefix: 'a prefix such as 10.244.3.0/24 (for one address, ask /routes/ADDRESS)',
  cursor: 'the `next` of the page before, such as 10.244.3.0/24',
  destination: 'an address, or a prefix such as 10.244.3.0/24',
} as const;

function readPrefix(parameter: keyof typeof PREFIX_FORM, text: string): Prefix {
  const prefix = parsePrefix(text);
  if (!prefix) throw requestErrors.badParameter(parameter, text, PREFIX_FORM[parameter]);
  if (!isNetwork(prefix)) {
    throw requestErrors.badParameter(parameter, text, 'a prefix without bits after its length');
  }
  return prefix;
}
