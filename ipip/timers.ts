/**
 * One timer per purpose: setting it again replaces it, and all stop together.
 */
import type { Clock } from './types.js';

export class Timers<Name extends string> {
  readonly #clock: Clock;
  readonly #running = new Map<Name, () => void>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(name: Name): boolean {
    return this.#running.has(name);
  }

  set(name: Name, delayMs: number, callback: () => void): void {
    this.#running.get(name)?.();
    if (this.#closed) return;
    const cancel = this.#clock.setTimer(delayMs, () => {
      this.#running.delete(name);
      callback();
    });
    this.#running.set(name, cancel);
  }

  /** Stops all, for good. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#running.values()) cancel();
    this.#running.clear();
  }
}
