/**
 * The file store: one file or a folder of manifests, read again whenever it changes.
 *
 * Owns: when to read. Must not know: what the resources mean, who uses them.
 *
 *   directory event --> settle (debounce) --> read --> same texts as before? --> parse --> onChange
 *   slow poll ---------> read, differs? --^
 *
 * The poll is the safety net for what no event tells: file systems without inotify, watches that could not be had.
 */
import { parseResources, type ResourcesResult } from '../resources/index.js';
import { DirectoryWatch } from './directory-watch.js';
import { readManifests, type Snapshot } from './file-reader.js';
import type { Datastore, ResourcesListener } from './types.js';

/** How the file store waits and whom it tells of trouble. */
export interface FileDatastoreOptions {
  /** A change is read after so long without another: an editor or a copy writes in several steps. */
  readonly settleMs: number;
  /** A directory that never rests is read after so long all the same. */
  readonly settleLimitMs: number;
  readonly pollMs: number;
  /** A directory cannot be watched; its changes are seen by the poll alone. */
  readonly onWatchFailure: (directory: string, error: Error) => void;
}

export const defaultFileDatastoreOptions: FileDatastoreOptions = {
  settleMs: 100,
  settleLimitMs: 2_000,
  pollMs: 10_000,
  onWatchFailure: () => {},
};

/** A watched file or folder. */
export class FileDatastore implements Datastore {
  readonly name: string;
  readonly #path: string;
  readonly #options: FileDatastoreOptions;
  readonly #watch: DirectoryWatch;
  #onChange: ResourcesListener | undefined;
  #settleTimer: NodeJS.Timeout | undefined;
  /** When the events began that the timer waits to end; milliseconds of the monotonic clock. */
  #unrestSince = 0;
  #pollTimer: NodeJS.Timeout | undefined;
  /** Readings run one after the other. */
  #reading: Promise<void> = Promise.resolve();
  #lastContent: string | undefined;

  constructor(path: string, options: Partial<FileDatastoreOptions> = {}) {
    this.name = `file:${path}`;
    this.#path = path;
    this.#options = { ...defaultFileDatastoreOptions, ...options };
    this.#watch = new DirectoryWatch(() => this.#settle(), this.#options.onWatchFailure);
  }

  async start(onChange: ResourcesListener): Promise<ResourcesResult> {
    this.#onChange = onChange;
    const reading = this.#readWatched();
    // A failure is the caller's to see, through the promise of this method.
    this.#reading = reading.then(
      () => {},
      () => {},
    );
    const snapshot = await reading;
    this.#lastContent = contentOf(snapshot);
    if (this.#isRunning()) {
      this.#pollTimer = setInterval(() => this.#enqueue(() => this.#poll()), this.#options.pollMs);
      this.#pollTimer.unref();
    }
    return parseSnapshot(snapshot);
  }

  async stop(): Promise<void> {
    this.#onChange = undefined;
    clearTimeout(this.#settleTimer);
    clearInterval(this.#pollTimer);
    await this.#reading;
    this.#watch.close();
  }

  #isRunning(): boolean {
    return this.#onChange !== undefined;
  }

  /** Reads until no directory had to be watched anew: what changed before its watch began is in the last reading. */
  async #readWatched(): Promise<Snapshot> {
    for (;;) {
      const snapshot = await readManifests(this.#path);
      if (!(await this.#watch.follow(snapshot.directories))) return snapshot;
    }
  }

  #settle(): void {
    if (!this.#isRunning()) return;
    const now = performance.now();
    if (this.#settleTimer === undefined) this.#unrestSince = now;
    else if (now - this.#unrestSince > this.#options.settleLimitMs) return;
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => {
      this.#settleTimer = undefined;
      this.#enqueue(() => this.#refresh());
    }, this.#options.settleMs);
  }

  #enqueue(step: () => Promise<void>): void {
    this.#reading = this.#reading.then(() => (this.#isRunning() ? step() : undefined));
  }

  /** A difference that the poll sees may be half written, so it has to settle like any other. */
  async #poll(): Promise<void> {
    const snapshot = await this.#readWatched();
    if (contentOf(snapshot) !== this.#lastContent) this.#settle();
  }

  async #refresh(): Promise<void> {
    const snapshot = await this.#readWatched();
    const content = contentOf(snapshot);
    if (content === this.#lastContent || !this.#isRunning()) return;
    // Files went away while they were read, and what they changed into is about to be read.
    if (snapshot.errors.length > 0 && this.#settleTimer !== undefined) return;
    this.#lastContent = content;
    this.#onChange?.(parseSnapshot(snapshot));
  }
}

function parseSnapshot({ files, errors }: Snapshot): ResourcesResult {
  // The files that could be read are checked all the same: the operator sees every error at once.
  const result = parseResources(files);
  if (errors.length === 0) return result;
  return { errors: files.length > 0 && 'errors' in result ? [...errors, ...result.errors] : errors };
}

/** Two readings with the same content are the same state. */
function contentOf({ files, errors }: Snapshot): string {
  return JSON.stringify([files, errors]);
}
