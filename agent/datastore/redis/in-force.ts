/**
 * Which state of a store is in force: the one that was found last, unless that one has to wait.
 *
 * Owns: the waiting. Must not know: how a state is read or written, what it means.
 *
 *   found --> judge --> take, same ----------------------------> in force
 *                  \--> hold: after a grace period, if it is still so --^
 *                  \--> refill: written back after a while of chance, so that one agent of many does it
 */

import type { StoreState } from './entry.js';
import { judge, judgeFirst, type Verdict } from './judgement.js';

export interface InForceOptions {
  /** How long a mass removal waits. */
  readonly graceMs: number;
  /** Within which time a wiped store gets back what it had. */
  readonly refillSpreadMs: number;
}

export interface InForceUser {
  /** Another state is in force, or the same one has another place in the line of states. */
  readonly changed: (state: StoreState) => void;
  /** This one has to wait; what is missing in it can still be written again. */
  readonly heldBack: (found: StoreState) => void;
  readonly notesChanged: () => void;
  /** Has the store read again, if it can be: a wait is over. */
  readonly check: () => void;
  /** Writes back what the store has lost. A failure is tried again. */
  readonly refill: (held: StoreState, found: StoreState) => Promise<void>;
}

/** What is waited for. */
interface Wait {
  readonly type: 'hold' | 'refill';
  readonly note: string;
  readonly timer: NodeJS.Timeout;
  /** What is found from now on counts. */
  isOver: boolean;
}

export class InForce {
  readonly #options: InForceOptions;
  readonly #user: InForceUser;
  #held: StoreState | undefined;
  #found: StoreState | undefined;
  #isSnapshot = false;
  #wait: Wait | undefined;
  #isStopped = false;

  constructor(options: InForceOptions, user: InForceUser) {
    this.#options = options;
    this.#user = user;
  }

  get held(): StoreState | undefined {
    return this.#held;
  }

  /** What the store has, as last read. */
  get found(): StoreState | undefined {
    return this.#found;
  }

  get notes(): readonly string[] {
    return this.#wait === undefined ? [] : [this.#wait.note];
  }

  /** The state that holds until the store is read. */
  setSnapshot(snapshot: StoreState | undefined): void {
    this.#held = snapshot;
    this.#isSnapshot = snapshot !== undefined;
  }

  /** What the store was found to have. */
  offer(found: StoreState): void {
    if (this.#isStopped) return;
    this.#found = found;
    const verdict: Verdict =
      this.#held === undefined
        ? { type: 'take' }
        : this.#isSnapshot
          ? judgeFirst(this.#held, found)
          : judge(this.#held, found);
    this.#isSnapshot = false;
    switch (verdict.type) {
      case 'same':
      case 'take':
        this.#take(found);
        break;
      case 'refill':
        this.#await('refill', 'the store has lost what it had; what was last read is written back');
        break;
      case 'hold':
        if (this.#wait?.type === 'hold' && this.#wait.isOver) this.#take(found);
        else this.#hold(verdict.lost, found);
        break;
      default:
        verdict satisfies never;
    }
  }

  /** The store is away: a removal that waits has its whole time again when the store is back, as those have who write. */
  lost(): void {
    if (this.#wait?.type !== 'hold') return;
    clearTimeout(this.#wait.timer);
    this.#wait = undefined;
    this.#user.notesChanged();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#wait?.timer);
    this.#wait = undefined;
  }

  #take(state: StoreState): void {
    const isAnother = this.#held !== state;
    this.#held = state;
    if (this.#wait !== undefined) {
      clearTimeout(this.#wait.timer);
      this.#wait = undefined;
      this.#user.notesChanged();
    }
    if (isAnother) this.#user.changed(state);
  }

  #hold(lost: string, found: StoreState): void {
    const seconds = Math.round(this.#options.graceMs / 1000);
    const stays = `what was there stays in force for ${seconds} s, in case it comes back`;
    this.#await('hold', `the store has lost ${lost} at once; ${stays}`);
    this.#user.heldBack(found);
  }

  /** One wait at a time; more of the same kind do not prolong it. */
  #await(type: Wait['type'], note: string): void {
    if (this.#wait?.type === type) return;
    clearTimeout(this.#wait?.timer);
    const isHold = type === 'hold';
    const delayMs = isHold ? this.#options.graceMs : Math.random() * this.#options.refillSpreadMs;
    const end = isHold ? () => this.#endGrace() : () => void this.#refill();
    this.#wait = { type, note, timer: setTimeout(end, delayMs), isOver: false };
    this.#user.notesChanged();
  }

  /** Only what is found by now counts: while the store is away, nobody knows whether it is still so. */
  #endGrace(): void {
    if (this.#wait !== undefined) this.#wait.isOver = true;
    this.#user.check();
  }

  async #refill(): Promise<void> {
    if (this.#held === undefined || this.#found === undefined) return;
    await this.#user.refill(this.#held, this.#found);
    // Still so: it could not be written, or not be read since.
    if (this.#isStopped || this.#wait?.type !== 'refill') return;
    const { note } = this.#wait;
    this.#wait = undefined;
    this.#await('refill', note);
  }
}
