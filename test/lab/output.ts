/**
 * How the lab talks: steps with their times, headings, tables. On a terminal a running step is shown and rewritten when
 * it ends; elsewhere every line is written once.
 */

/** Where text goes, and whether a person watches. */
export interface Output {
  readonly write: (text: string) => void;
  readonly terminal: boolean;
}

const STYLES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' } as const;
export type Style = keyof typeof STYLES;

/** `text` in a style, where that can be seen. */
export function styled(output: Output, style: Style, text: string): string {
  return output.terminal ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}

/** This process's output. Inside User-Mode Linux the terminal is that of the process outside, which says so. */
export function standardOutput(environment: NodeJS.ProcessEnv): Output {
  const told = environment['PODROUTE_LAB_TERMINAL'];
  const seen = process.stdout.isTTY === true && environment['NO_COLOR'] === undefined;
  return {
    write: (text) => process.stdout.write(text),
    terminal: told === undefined ? seen : told === '1',
  };
}

/**
 * Runs one step of the lab and shows it with its time; `summary` turns its result into a few words.
 *
 * @throws the reason of `signal`, instead of starting a step after it was aborted
 */
export async function step<Result>(
  output: Output,
  signal: AbortSignal,
  title: string,
  work: () => Promise<Result>,
  summary: (result: Result) => string = () => '',
): Promise<Result> {
  signal.throwIfAborted();
  const started = performance.now();
  if (output.terminal) output.write(`  ${styled(output, 'dim', `… ${title}`)}`);
  const finish = (mark: string, note: string) => {
    const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
    const line = `  ${mark} ${seconds} s  ${title}${note === '' ? '' : `: ${note}`}\n`;
    output.write(output.terminal ? `\r\x1b[K${line}` : line);
  };
  try {
    const result = await work();
    finish(styled(output, 'green', 'ok'), summary(result));
    return result;
  } catch (error) {
    finish(styled(output, 'red', '!!'), error instanceof Error ? (error.message.split('\n')[0] ?? '') : '');
    throw error;
  }
}

/** A heading with an empty line before it. */
export function heading(output: Output, text: string): void {
  output.write(`\n${styled(output, 'bold', text)}\n`);
}

/** Rows of equal length in columns; the first row is the header. */
export function table(output: Output, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_cell, column) =>
    Math.max(...rows.map((row) => visibleLength(row[column] ?? ''))),
  );
  rows.forEach((row, index) => {
    const cells = row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - visibleLength(cell)));
    const line = `  ${cells.join('  ').trimEnd()}`;
    output.write(`${index === 0 ? styled(output, 'dim', line) : line}\n`);
  });
}

function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences that `styled` writes.
  return text.replace(/\x1b\[\d+m/g, '').length;
}
