/**
 * One pass after the other while there is work, and a pause after one that the kernel made fail.
 *
 * Owns: when a pass runs, and telling when all is done. Must not know: what a pass does.
 */
import type { DataplaneEvent } from './events.js';
import { retryDelayMs } from './installer.js';
import { KernelError } from './kernel/errors.js';
import { Timers } from './timers.js';
import type { Clock } from './types.js';

/** How often a start asks a kernel that cannot be read now, and how long it waits between. */
const START_ATTEMPTS = 5;
const START_PAUSE_MS = 200;

export interface PassLoopOptions {
  readonly clock: Clock;
  readonly hasWork: () => boolean;
  /** Work will come without anyone's doing: what was asked is not done before. */
  readonly isWorkComing: () => boolean;
  /** @throws KernelError where it could not do its work, which is there still */
  readonly pass: () => Promise<void>;
  readonly report: (event: DataplaneEvent) => void;
}

export class PassLoop {
  readonly #options: PassLoopOptions;
  readonly #timers: Timers<'recover'>;
  #phase: 'new' | 'running' | 'stopped' = 'new';
  #run: Promise<void> | undefined;
  /** Passes that failed in a row. */
  #failures = 0;
  #waiters: (() => void)[] = [];

  constructor(options: PassLoopOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  get isRunning(): boolean {
    return this.#phase === 'running';
  }

  /**
   * The first reading, before any pass: a table that changes while it is read, or a kernel short of memory, is no reason
   * not to start. @throws KernelError where the kernel goes on refusing
   */
  async first(read: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof KernelError) || attempt === START_ATTEMPTS) throw error;
        this.#failed(error);
      }
      await new Promise<void>((resolve) => this.#timers.set('recover', START_PAUSE_MS, resolve));
    }
  }

  /** From now on there are passes. */
  begin(): void {
    this.#phase = 'running';
  }

  /** There may be work. */
  wake(): void {
    if (this.#phase !== 'running' || this.#run !== undefined || this.#timers.has('recover')) return;
    if (this.#options.hasWork()) this.#run = this.#runPasses();
    else if (this.#isIdle()) this.#resolveWaiters();
  }

  /** Resolves when there is no work, and none is coming. */
  settled(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Begins no further pass; resolves when the running one has ended. */
  async stop(): Promise<void> {
    this.#phase = 'stopped';
    this.#timers.close();
    await this.#run;
    this.#resolveWaiters();
  }

  #isIdle(): boolean {
    if (this.#phase !== 'running') return this.#phase === 'stopped';
    return this.#run === undefined && !this.#options.hasWork() && !this.#options.isWorkComing();
  }

  #resolveWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  async #runPasses(): Promise<void> {
    // The caller's turn ends first: what it says in one breath is one pass.
    await Promise.resolve();
    try {
      while (this.#phase === 'running' && this.#options.hasWork()) await this.#options.pass();
      if (this.#failures > 0) this.#options.report({ kind: 'kernelReadable', failures: this.#failures });
      this.#failures = 0;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#failed(error);
      this.#timers.set('recover', retryDelayMs(this.#failures), () => this.wake());
    } finally {
      this.#run = undefined;
    }
    if (this.#isIdle()) this.#resolveWaiters();
  }

  /** Said once for all failures in a row. */
  #failed({ code, message }: KernelError): void {
    if (this.#failures === 0) this.#options.report({ kind: 'kernelUnreadable', code, reason: message });
    this.#failures++;
  }
}
