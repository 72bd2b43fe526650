/**
 * What is wrong in a configuration, as a value, and its one line of text.
 *
 * Owns: the shape of a configuration error and how it is printed. Must not know: what is being configured.
 */

/** One thing that is wrong (or, as a warning, without effect) in what an operator wrote. */
export interface ConfigError {
  /** The file as it was named to us; absent where the value came from a flag or the environment. */
  readonly file?: string;
  /** 1-based; absent where the file itself is the problem, 0 in what has no lines, such as a database. */
  readonly line?: number;
  /** Where in the document: `Node/node-a spec.bgp.ipv4Address`, or the flag or variable. Empty: the whole file. */
  readonly path: string;
  /** One sentence: what is wrong and what to write instead. Never holds a secret. */
  readonly message: string;
}

/** A place in a file, or in what has no lines. */
export interface Location {
  readonly file: string;
  /** 1-based; 0: there are no lines. */
  readonly line: number;
}

const LONGEST_QUOTE = 60;

/** `FILE:LINE: PATH: MESSAGE`, one line per error; the parts that are absent are left out. */
export function checkText(errors: readonly ConfigError[]): string {
  return errors.map(formatConfigError).join('\n');
}

/** One line of {@link checkText}. */
export function formatConfigError(error: ConfigError): string {
  const { file, line, path, message } = error;
  const place = file === undefined ? '' : formatLocation({ file, line: line ?? 0 });
  return [place, path, message].filter((part) => part !== '').join(': ');
}

/** `cluster.yaml:12`, to name the other party of a conflict; the line is left out where there are none. */
export function formatLocation({ file, line }: Location): string {
  return line === 0 ? file : `${file}:${line}`;
}

/** A value of the operator inside a sentence: scalars as JSON and cut to one line, collections by their kind. */
export function quote(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text;
}
