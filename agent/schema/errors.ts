/**
 * What is wrong in a configuration, as a value, and its one line of text.
 *
 * Owns: the shape of a configuration error and how it is printed. Must not know: what is being configured.
 */

/** One thing that is wrong (or, as a warning, without effect) in what an operator wrote. */
export interface ConfigError {
  /** The file as it was named to us; absent where the value came from a flag or the environment. */
  readonly file?: string;
  /** 1-based; absent where the file itself is the problem. */
  readonly line?: number;
  /** Where in the document: `Node/node-a spec.bgp.ipv4Address`, or the flag or variable. Empty: the whole file. */
  readonly path: string;
  /** One sentence: what is wrong and what to write instead. Never holds a secret. */
  readonly message: string;
}

/** A place in a file. */
export interface Location {
  readonly file: string;
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
  const place = file === undefined ? '' : line === undefined ? file : `${file}:${line}`;
  return [place, path, message].filter((part) => part !== '').join(': ');
}

/** `cluster.yaml:12`, to name the other party of a conflict. */
export function formatLocation(location: Location): string {
  return `${location.file}:${location.line}`;
}

/** A value of the operator inside a sentence: scalars as JSON and cut to one line, collections by their kind. */
export function quote(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text;
}
