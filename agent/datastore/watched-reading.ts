/**
 * Files that are read again whenever they change, whatever is read of them.
 *
 * Owns: when to read. Must not know: which files, what is in them, who uses it.
 *
 *   directory event --> settle (debounce) --> read --> same content as before? --> onChange
 *   slow poll ---------> read, differs? --^
 *
 * The poll is the safety net for what no event tells: file systems without inotify, watches that could not be had.
 */
import { DirectoryWatch } from './directory-watch.js';

/** How a change is waited for, and who is told of trouble. */
export interface WatchOptions {
  /** A change is read after so long without another: an editor or a copy writes in several steps. */
  readonly settleMs: number;
  /** A directory that never rests is read after so long all the same. */
  readonly settleLimitMs: number;
  readonly pollMs: number;
  /** A directory cannot be watched; its changes are seen by the poll alone. */
  readonly onWatchFailure: (directory: string, error: Error) => void;
}

export const defaultWatchOptions: WatchOptions = {
  settleMs: 100,
  settleLimitMs: 2_000,
  pollMs: 10_000,
  onWatchFailure: () => {},
};

/** What one reading found. */
export interface WatchedSnapshot {
  /** The directories of every name that leads to the files. */
  readonly directories: ReadonlySet<string>;
  /** Two readings with the same content are the same state. */
  readonly content: string;
  /** Everything could be read. */
  readonly isWhole: boolean;
}

/** One reading that is repeated. */
export class WatchedReading<S extends WatchedSnapshot> {
  readonly #read: () => Promise<S>;
  readonly #onChange: (snapshot: S) => void;
  readonly #options: WatchOptions;
  readonly #watch: DirectoryWatch;
  #isStopped = false;
  #settleTimer: NodeJS.Timeout | undefined;
  /** When the events began that the timer waits to end; milliseconds of the monotonic clock. */
  #unrestSince = 0;
  #pollTimer: NodeJS.Timeout | undefined;
  /** Readings run one after the other. */
  #reading: Promise<void> = Promise.resolve();
  #lastContent: string | undefined;

  /** @param read must not throw; what is wrong with the files is part of the snapshot. */
  constructor(read: () => Promise<S>, onChange: (snapshot: S) => void, options: Partial<WatchOptions> = {}) {
    this.#read = read;
    this.#onChange = onChange;
    this.#options = { ...defaultWatchOptions, ...options };
    this.#watch = new DirectoryWatch(() => this.#settle(), this.#options.onWatchFailure);
  }

  /**
   * Reads now, and watches from then on: `onChange` tells of what differs from this snapshot.
   * @param prepare what this reading needs first, such as another list of files; called while none is under way
   */
  read(prepare: () => void = () => {}): Promise<S> {
    const reading = this.#reading.then(async () => {
      prepare();
      const snapshot = await this.#readWatched();
      this.#lastContent = snapshot.content;
      if (!this.#isStopped) this.#startPoll();
      return snapshot;
    });
    // A failure is the caller's to see, through the promise of this method.
    this.#reading = reading.then(
      () => {},
      () => {},
    );
    return reading;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#settleTimer);
    clearInterval(this.#pollTimer);
    await this.#reading;
    this.#watch.close();
  }

  #startPoll(): void {
    if (this.#pollTimer !== undefined) return;
    this.#pollTimer = setInterval(() => this.#enqueue(() => this.#poll()), this.#options.pollMs);
    this.#pollTimer.unref();
  }

  /** Reads until no directory had to be watched anew: what changed before its watch began is in the last reading. */
  async #readWatched(): Promise<S> {
    for (;;) {
      const snapshot = await this.#read();
      if (this.#isStopped || !(await this.#watch.follow(snapshot.directories))) return snapshot;
    }
  }

  #settle(): void {
    if (this.#isStopped) return;
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
    this.#reading = this.#reading.then(() => (this.#isStopped ? undefined : step()));
  }

  /** A difference that the poll sees may be half written, so it has to settle like any other. */
  async #poll(): Promise<void> {
    const { content } = await this.#readWatched();
    if (content !== this.#lastContent) this.#settle();
  }

  async #refresh(): Promise<void> {
    const snapshot = await this.#readWatched();
    if (snapshot.content === this.#lastContent || this.#isStopped) return;
    // Files went away while they were read, and what they changed into is about to be read.
    if (!snapshot.isWhole && this.#settleTimer !== undefined) return;
    this.#lastContent = snapshot.content;
    this.#onChange(snapshot);
  }
}
