/**
 * A clock that only moves when the test says so.
 *
 * Owns: virtual time and the timers on it. It has the shape of the speaker's clock port, in milliseconds.
 */

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class FakeClock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  /** `startMs`: what `now` says at first, milliseconds since the epoch. */
  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  /** When the next timer is due; undefined where none runs. */
  get nextMs(): number | undefined {
    return this.#next()?.atMs;
  }

  /** Returns the function that stops the timer; after it fired, that does nothing. */
  setTimer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(delayMs, 0), callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Lets time pass; timers fire in order of time, then of their start, also those that are set meanwhile. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let timer = this.#next(); timer !== undefined && timer.atMs <= untilMs; timer = this.#next()) {
      this.#timers.delete(timer);
      this.#nowMs = timer.atMs;
      timer.callback();
    }
    this.#nowMs = untilMs;
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.atMs < next.atMs) next = timer;
    return next;
  }
}
