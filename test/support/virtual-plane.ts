/**
 * A data plane in virtual time on a kernel that fails once: what its suites wait for comes after as much time as it needs.
 */

import { FakeClock } from './fake-clock.js';
import { type Fault, FaultyKernel } from './faulty-kernel.js';
import type { Machine } from './machine.js';
import { Plane } from './plane.js';

/** Longer than any pause between two tries of a route, of the tunnel or of a reading, and shorter than the 90 s of a
 * read-back: what is put right is put right for a reason. */
const PATIENCE_MS = 20_000;
/** Only the read-back finds what nobody announced. */
const PATIENCE_AFTER_SILENCE_MS = 91_000;
/** The suites ask for the sweep of an earlier run's routes by what the peers say, not by time. */
const SWEEP_AFTER_MS = 24 * 3_600_000;
const MAX_TIMERS = 500;

export class VirtualPlane extends Plane {
  readonly #clock: FakeClock;
  readonly #kernel: FaultyKernel;
  readonly #patienceMs: number;
  /** The consequences of the fault have been waited for. */
  #isOver = false;

  constructor(machine: Machine, fault: Fault) {
    const clock = new FakeClock(1_800_000_000_000);
    const kernel = new FaultyKernel(machine.kernel, fault);
    super(machine, { clock, kernel, settings: { sweepAfterMs: SWEEP_AFTER_MS } });
    this.#clock = clock;
    this.#kernel = kernel;
    this.#patienceMs = fault.errno === 'SILENCE' ? PATIENCE_AFTER_SILENCE_MS : PATIENCE_MS;
  }

  override async start(): Promise<void> {
    await this.#outlast(super.start());
  }

  override async settled(): Promise<void> {
    await this.#outlast(super.settled());
    if (!this.#kernel.isSpent || this.#isOver) return;
    this.#isOver = true;
    await this.#pass(this.#patienceMs);
    await this.#outlast(super.settled());
  }

  override async changed(isSo: () => boolean): Promise<void> {
    await this.until('what the test waits for', isSo);
    await this.settled();
  }

  override async until(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
    await this.settled();
    const endMs = this.#clock.now() + this.#patienceMs;
    while (!(await ask())) {
      if ((this.#clock.nextMs ?? endMs) >= endMs) throw new Error(`${what} does not come`);
      this.#nextTimer();
      await this.settled();
    }
  }

  async #pass(ms: number): Promise<void> {
    const endMs = this.#clock.now() + ms;
    while ((this.#clock.nextMs ?? endMs) < endMs) {
      this.#nextTimer();
      await turn();
    }
    this.#clock.advance(endMs - this.#clock.now());
    await turn();
  }

  /** Where the promise waits for time to pass, it passes. */
  async #outlast(waited: Promise<void>): Promise<void> {
    const state = { isOver: false };
    const over = waited.finally(() => {
      state.isOver = true;
    });
    over.catch(() => {}); // it is thrown below
    for (let timers = 0; ; timers++) {
      await turn();
      if (state.isOver) break;
      if (timers === MAX_TIMERS) throw new Error('it does not settle');
      this.#nextTimer();
    }
    await over;
  }

  #nextTimer(): void {
    this.#clock.advance((this.#clock.nextMs ?? this.#clock.now()) - this.#clock.now());
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
