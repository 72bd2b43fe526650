/**
 * The secrets that the resources name, read from where they are kept, and watched there.
 *
 * Owns: the files and variables, and the sentence where one cannot be used. Must not know: whose secret it is. A value
 * is in no sentence, and is a private field: it is neither printed nor serialized with the object around it.
 *
 * Source: a Secret of Kubernetes is mounted as a folder with a file for each key; on rotation the link `..data` in it is
 * turned to another folder (kubernetes.io, "Using Secrets as files").
 */
import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WatchedReading, type WatchedSnapshot, type WatchOptions } from './datastore/index.js';
import type { SecretSource } from './resources/index.js';

/** TCP_MD5SIG_MAXKEYLEN of linux/tcp.h. */
const MAX_OCTETS = 80;

/** Where to look. */
export interface SecretPlaces {
  /** Key KEY of Secret NAME is the file NAME/KEY in it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The secrets that could be read, and every problem with the others at once. */
export interface SecretsResult {
  readonly secrets: Secrets;
  readonly problems: readonly string[];
}

/** Passwords, by the place that they were read from. */
export class Secrets {
  readonly #values: ReadonlyMap<string, string>;

  private constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** None at all. */
  static readonly none = new Secrets(new Map());

  /** Reads them all. */
  static async read(sources: Iterable<SecretSource>, places: SecretPlaces): Promise<SecretsResult> {
    const bySource = new Map([...sources].map((source) => [keyOf(source), source]));
    const values = new Map<string, string>();
    const problems: string[] = [];
    for (const [key, source] of bySource) {
      const reading = await readOne(source, places);
      const problem = 'problem' in reading ? reading.problem : problemOf(reading.value);
      if (problem !== undefined) problems.push(`the password in ${placeOf(source, places)} ${problem}`);
      else if ('value' in reading) values.set(key, reading.value);
    }
    return { secrets: new Secrets(values), problems };
  }

  /** These, and of `others` those that are not among them. */
  over(others: Secrets): Secrets {
    return new Secrets(new Map([...others.#values, ...this.#values]));
  }

  /** @throws where it was not among those that were read. */
  valueOf(source: SecretSource): string {
    const value = this.#values.get(keyOf(source));
    if (value === undefined) throw new Error(`the password in ${keyOf(source)} was not read`);
    return value;
  }

  /** True where each of `sources` is the same in both. */
  agreesWith(other: Secrets, sources: readonly SecretSource[]): boolean {
    return sources.every((source) => this.#values.get(keyOf(source)) === other.#values.get(keyOf(source)));
  }

  /** Equal for equal values, and telling nothing of them. */
  get fingerprint(): string {
    return createHash('sha256')
      .update(JSON.stringify([...this.#values]))
      .digest('base64');
  }
}

type WatchedSecrets = WatchedSnapshot & { readonly result: SecretsResult };

/** Secrets whose places are watched. */
export class SecretWatch {
  readonly #places: SecretPlaces;
  readonly #watched: WatchedReading<WatchedSecrets>;
  #sources: readonly SecretSource[] = [];
  /** Those of the reading before. */
  #others: readonly SecretSource[] = [];

  /** `onChange`: something that was read is different now, or can no longer be read. */
  constructor(places: SecretPlaces, onChange: () => void, options: Partial<WatchOptions> = {}) {
    this.#places = places;
    this.#watched = new WatchedReading(() => this.#readAll(), onChange, options);
  }

  /**
   * Reads `sources` now. From then on a change of them is told; and of those of the reading before, which stay in use
   * where this one is of a configuration that is refused.
   */
  async read(sources: readonly SecretSource[]): Promise<SecretsResult> {
    const { result } = await this.#watched.read(() => {
      this.#others = this.#sources;
      this.#sources = sources;
    });
    return result;
  }

  stop(): Promise<void> {
    return this.#watched.stop();
  }

  async #readAll(): Promise<WatchedSecrets> {
    const result = await Secrets.read(this.#sources, this.#places);
    const others = await Secrets.read(this.#others, this.#places);
    const directories = new Set<string>();
    for (const source of [...this.#sources, ...this.#others]) {
      for (const directory of await directoriesOf(source, this.#places)) directories.add(directory);
    }
    return {
      result,
      directories,
      content: [result, others].map(contentOf).join('\n'),
      isWhole: result.problems.length === 0 && others.problems.length === 0,
    };
  }
}

function contentOf({ secrets, problems }: SecretsResult): string {
  return [secrets.fingerprint, ...problems].join('\n');
}

/** What changes when the file at `path` does: the directory of every name that leads to it, links followed. */
async function directoriesOf(source: SecretSource, places: SecretPlaces): Promise<readonly string[]> {
  const path = pathOf(source, places);
  if (path === undefined) return [];
  const folder = dirname(path);
  try {
    return [folder, dirname(await realpath(path))];
  } catch {
    // That it is not there, its reading says; once its directory is made, one above tells.
    return [folder, dirname(folder), dirname(dirname(folder))];
  }
}

function pathOf(source: SecretSource, { folder }: SecretPlaces): string | undefined {
  switch (source.type) {
    case 'file':
      return source.path;
    case 'secret':
      return join(folder, source.name, source.key);
    case 'env':
      return undefined;
  }
}

function keyOf(source: SecretSource): string {
  switch (source.type) {
    case 'file':
      return source.path;
    case 'secret':
      return `key ${source.key} of Secret ${source.name}`;
    case 'env':
      return `the variable ${source.name}`;
  }
}

function placeOf(source: SecretSource, places: SecretPlaces): string {
  const path = pathOf(source, places);
  if (path === undefined) return keyOf(source);
  return source.type === 'secret' ? `${path}, ${keyOf(source)},` : path;
}

type Read = { readonly value: string } | { readonly problem: string };

async function readOne(source: SecretSource, places: SecretPlaces): Promise<Read> {
  const path = pathOf(source, places);
  if (path !== undefined) return await fromFile(path);
  const value = source.type === 'env' ? places.environment[source.name] : undefined;
  return value === undefined ? { problem: 'is not there: set the variable for the agent' } : { value };
}

/** What can be wrong with reading it, and what to do. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'is not there: create the file'],
  ['ENOTDIR', 'is not there: its path leads through something that is no folder'],
  ['EACCES', 'may not be read by this user: change the permissions of the file'],
  ['EISDIR', 'is a folder: name a file in it'],
]);

async function fromFile(path: string): Promise<Read> {
  try {
    const found = await stat(path);
    // A pipe would block.
    if (!found.isFile() && !found.isDirectory()) return { problem: 'is no plain file' };
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
