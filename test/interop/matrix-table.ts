/**
 * The matrix as a table for people. Pure.
 */

/** A case, and what came of it with each daemon, in the order of the columns. */
export interface Row {
  readonly name: string;
  readonly cells: readonly string[];
}

/** A Markdown table with columns of even width, as the formatter of the repository likes it. */
export function markdownTable(head: readonly string[], rows: readonly Row[]): string {
  const lines = [head, ...rows.map(({ name, cells }) => [name, ...cells])];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const format = (line: readonly string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [first = '', ...rest] = lines.map(format);
  return [first, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rest].join('\n');
}
