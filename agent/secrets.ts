/**
 * The secrets that the resources name, read from where they are kept.
 *
 * Owns: the files and variables, and the sentence where one cannot be used. Must not know: whose secret it is. A value
 * is in no sentence, and is a private field: it is neither printed nor serialized with the object around it.
 */
import { readFile } from 'node:fs/promises';
import type { SecretSource } from './resources/index.js';

/** TCP_MD5SIG_MAXKEYLEN of linux/tcp.h. */
const MAX_OCTETS = 80;

/** Passwords, by the place that they were read from. */
export class Secrets {
  readonly #values: ReadonlyMap<string, string>;

  private constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** None at all. */
  static readonly none = new Secrets(new Map());

  /** Reads them all. @returns every problem at once where there is one. */
  static async read(
    sources: Iterable<SecretSource>,
    environment: Readonly<Record<string, string | undefined>>,
  ): Promise<{ readonly secrets: Secrets } | { readonly problems: readonly string[] }> {
    const bySource = new Map([...sources].map((source) => [placeOf(source), source]));
    const values = new Map<string, string>();
    const problems: string[] = [];
    for (const [place, source] of bySource) {
      const reading =
        source.type === 'env' ? fromEnvironment(source.name, environment) : await fromFile(source.path);
      const problem = 'problem' in reading ? reading.problem : problemOf(reading.value);
      if (problem !== undefined) problems.push(`the password in ${place} ${problem}`);
      else if ('value' in reading) values.set(place, reading.value);
    }
    return problems.length > 0 ? { problems } : { secrets: new Secrets(values) };
  }

  /** @throws where it was not among those that were read. */
  valueOf(source: SecretSource): string {
    const value = this.#values.get(placeOf(source));
    if (value === undefined) throw new Error(`the password in ${placeOf(source)} was not read`);
    return value;
  }
}

function placeOf(source: SecretSource): string {
  return source.type === 'file' ? source.path : `the variable ${source.name}`;
}

type Read = { readonly value: string } | { readonly problem: string };

function fromEnvironment(name: string, environment: Readonly<Record<string, string | undefined>>): Read {
  const value = environment[name];
  return value === undefined ? { problem: 'is not there: set the variable for the agent' } : { value };
}

/** What can be wrong with reading it, and what to do. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'is not there: create the file'],
  ['EACCES', 'may not be read by this user: change the permissions of the file'],
  ['EISDIR', 'is a folder: name a file in it'],
]);

async function fromFile(path: string): Promise<Read> {
  try {
    // An editor ends the last line; the line feed is no part of the password.
    return { value: (await readFile(path, 'utf8')).replace(/\r?\n$/, '') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    return { problem: REMEDIES.get(code) ?? `cannot be read (${code})` };
  }
}

function problemOf(value: string): string | undefined {
  if (value === '') return 'is empty';
  if (/[\r\n\0]/.test(value)) return 'has more than one line';
  const octets = Buffer.byteLength(value);
  return octets > MAX_OCTETS ? `has ${octets} octets; TCP MD5 takes ${MAX_OCTETS} at most` : undefined;
}
