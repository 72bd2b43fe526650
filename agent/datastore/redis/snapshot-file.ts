/**
 * The last good state of a store, in a file of this machine, so that an agent can start while the store is away.
 *
 * Owns: the file. Must not know: when a state is good.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Entry, idOf, makeEntry, type StoreState } from './entry.js';

/** Of states that follow each other quickly not every one is worth the disk's time. */
const PAUSE_MS = 1_000;

/** It is written by its owner alone, and says of a mesh what is nobody else's business. */
const FILE_MODE = 0o600;

interface SnapshotText {
  readonly store: string;
  readonly epoch: string;
  readonly revision: string;
  readonly resources: readonly Omit<Entry, 'document'>[];
}

export class SnapshotFile {
  readonly #path: string;
  readonly #store: string;
  readonly #onProblem: () => void;
  #problem: string | undefined;
  #newest: StoreState | undefined;
  #writing: Promise<void> | undefined;
  /** Ends the pause between two writings. */
  #hurry: () => void = () => {};
  #isHurried = false;

  /** @param store whose states these are: those of another one are not read */
  constructor(path: string, store: string, onProblem: () => void) {
    this.#path = path;
    this.#store = store;
    this.#onProblem = onProblem;
  }

  /** What is wrong with the file, a sentence. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** @returns undefined where there is none of this store */
  async read(): Promise<StoreState | undefined> {
    try {
      const text: unknown = JSON.parse(await readFile(this.#path, 'utf8'));
      if (!isSnapshot(text)) throw new SyntaxError('it holds something else');
      if (text.store !== this.#store) return undefined;
      const { epoch, revision, resources } = text;
      const entries = new Map(resources.map((fields) => [idOf(fields), makeEntry(this.#store, fields)]));
      return { epoch, revision, entries };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if ('code' in error && error.code === 'ENOENT') return undefined;
      if (!(error instanceof SyntaxError || 'code' in error)) throw error;
      this.#setProblem(
        `cannot be read (${error.message}): without Redis the next start has no state to go by`,
      );
      return undefined;
    }
  }

  /** Writes it some time soon; of several states that come while one is written, the last. */
  save(state: StoreState): void {
    this.#newest = state;
    this.#writing ??= this.#writeAll();
  }

  /** Until all is written that was to be saved; nothing is saved after it. */
  async close(): Promise<void> {
    this.#isHurried = true;
    this.#hurry();
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let state = this.#newest; state !== undefined; state = this.#newest) {
      this.#newest = undefined;
      try {
        await this.#write(state);
        this.#setProblem(undefined);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error)) throw error;
        this.#setProblem(`cannot be written (${error.message}); make room, or name another --state-dir`);
      }
      if (!this.#isHurried) await this.#pause();
    }
    this.#writing = undefined;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PAUSE_MS);
      timer.unref();
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** A crash leaves the old one or the new one. */
  async #write({ epoch, revision, entries }: StoreState): Promise<void> {
    const resources = Array.from(entries.values(), ({ document: _, ...fields }) => fields);
    const text: SnapshotText = { store: this.#store, epoch, revision, resources };
    await mkdir(dirname(this.#path), { recursive: true });
    const draft = `${this.#path}.draft`;
    const file = await open(draft, 'w', FILE_MODE);
    try {
      await file.writeFile(`${JSON.stringify(text)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
  }

  #setProblem(problem: string | undefined): void {
    const text = problem === undefined ? undefined : `the snapshot ${this.#path} ${problem}`;
    if (text === this.#problem) return;
    this.#problem = text;
    this.#onProblem();
  }
}

function isSnapshot(value: unknown): value is SnapshotText {
  if (typeof value !== 'object' || value === null) return false;
  const { store, epoch, revision, resources } = value as Partial<SnapshotText>;
  return (
    [store, epoch, revision].every((text) => typeof text === 'string') &&
    Array.isArray(resources) &&
    resources.every(
      (fields: Partial<Entry>) =>
        typeof fields.kind === 'string' &&
        typeof fields.name === 'string' &&
        typeof fields.version === 'string' &&
        typeof fields.created === 'number' &&
        typeof fields.manifest === 'object',
    )
  );
}
