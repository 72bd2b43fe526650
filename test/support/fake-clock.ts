/**
 * A clock that only moves when the test says so.
 *
 * Owns: virtual time and the timers on it. It has the shape of the speaker's clock port, in milliseconds.
 */

interface Timer {
  readonly atMs: number;
  /** Of two that are due at one time the earlier one fires first. */
  readonly number: number;
  readonly callback: () => void;
  isOver: boolean;
}

export class FakeClock {
  #nowMs: number;
  /** A binary heap by time; what was stopped stays in it until it comes up, or until it is half of it. */
  #timers: Timer[] = [];
  #started = 0;
  #stopped = 0;

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
    const atMs = this.#nowMs + Math.max(delayMs, 0);
    const timer: Timer = { atMs, number: this.#started++, callback, isOver: false };
    this.#timers.push(timer);
    this.#rise(this.#timers.length - 1);
    return () => {
      if (timer.isOver) return;
      timer.isOver = true;
      this.#stopped += 1;
      if (this.#stopped * 2 > this.#timers.length) this.#compact();
    };
  }

  /** Lets time pass; timers fire in order of time, then of their start, also those that are set meanwhile. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let timer = this.#next(); timer !== undefined && timer.atMs <= untilMs; timer = this.#next()) {
      this.#takeFirst();
      timer.isOver = true;
      this.#nowMs = timer.atMs;
      timer.callback();
    }
    this.#nowMs = untilMs;
  }

  #next(): Timer | undefined {
    while (this.#timers[0]?.isOver === true) {
      this.#takeFirst();
      this.#stopped -= 1;
    }
    return this.#timers[0];
  }

  #takeFirst(): void {
    const last = this.#timers.pop();
    if (last === undefined || this.#timers.length === 0) return;
    this.#timers[0] = last;
    this.#sink(0);
  }

  #compact(): void {
    // An array in order is a heap.
    this.#timers = this.#timers.filter(({ isOver }) => !isOver).sort((a, b) => (isBefore(a, b) ? -1 : 1));
    this.#stopped = 0;
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#swapUnlessBefore(parent, at)) return;
      at = parent;
    }
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      const left = 2 * at + 1;
      const [one, other] = [this.#timers[left], this.#timers[left + 1]];
      if (one === undefined) return;
      const child = other !== undefined && isBefore(other, one) ? left + 1 : left;
      if (!this.#swapUnlessBefore(at, child)) return;
      at = child;
    }
  }

  /** @returns whether it had to */
  #swapUnlessBefore(parent: number, child: number): boolean {
    const [above, below] = [this.#timers[parent], this.#timers[child]];
    if (above === undefined || below === undefined || isBefore(above, below)) return false;
    this.#timers[parent] = below;
    this.#timers[child] = above;
    return true;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}
