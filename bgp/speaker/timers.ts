/**
 * The running timers of one peer, by name; starting one again replaces it.
 */
import type { CancelTimer, Clock } from './clock.js';

export class Timers<Name extends string> {
  readonly #clock: Clock;
  readonly #running = new Map<Name, CancelTimer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(name: Name, delayMs: number, callback: () => void): void {
    this.stop(name);
    this.#running.set(
      name,
      this.#clock.setTimer(delayMs, () => {
        this.#running.delete(name);
        callback();
      }),
    );
  }

  stop(name: Name): void {
    this.#running.get(name)?.();
    this.#running.delete(name);
  }
}
