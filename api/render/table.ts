/**
 * Aligned text: tables, and lists of names and values.
 *
 * Owns: widths, cutting, and what may reach a terminal. Pure. Text from peers (the shutdown communication of RFC 9003)
 * passes through here, so control characters are made harmless.
 */

export interface Column<Row> {
  readonly title: string;
  /** Empty text is shown as `-`, so that every line has as many words as the header. */
  cell(row: Row): string;
}

export interface TextOptions {
  /** Columns of the terminal: lines are cut to fit. Absent: lines are as long as they are. */
  readonly width?: number;
  /** The present, in ms since 1970, to which times are related. */
  readonly now?: number;
}

const GAP = '  ';

/** A header and one line per row; every line ends in a newline. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width }: TextOptions = {},
): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map((column) => printable(column.cell(row)) || '-')),
  ];
  return align(lines, width);
}

/** One line per pair; a value of several lines continues below itself. */
export function renderPairs(
  pairs: readonly (readonly [name: string, value: string | readonly string[]])[],
  { width }: TextOptions = {},
): string {
  const lines = pairs.flatMap(([name, value]) =>
    [value].flat().map((text, index) => [index === 0 ? name : '', printable(text) || '-']),
  );
  return align(lines, width);
}

/** Columns start at the same place; the last one is cut where a width is given. */
function align(lines: readonly (readonly string[])[], width: number | undefined): string {
  const widths: number[] = [];
  for (const line of lines) {
    for (const [index, cell] of line.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return lines
    .map((line) => {
      const text = line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join(GAP)
        .trimEnd();
      return `${width !== undefined && text.length > width ? `${text.slice(0, Math.max(width - 1, 0))}…` : text}\n`;
    })
    .join('');
}

/** Control and formatting characters could move the cursor, or hide what follows. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}
