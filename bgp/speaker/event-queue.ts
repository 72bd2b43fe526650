/**
 * The events of one peer, first in, first out: what an action causes waits until the actions before it are done.
 *
 * Owns: the order. Must not know: what an event is answered with.
 */
import type { FsmEvent } from '../fsm/index.js';

export class EventQueue {
  readonly #answer: (event: FsmEvent) => void;
  readonly #waiting: FsmEvent[] = [];
  #draining = false;

  constructor(answer: (event: FsmEvent) => void) {
    this.#answer = answer;
  }

  /** Answers it at once, or, while another one is being answered, after that. */
  push(event: FsmEvent): void {
    this.#waiting.push(event);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        this.#answer(next);
      }
    } finally {
      this.#draining = false;
    }
  }

  /** Forgets what waits: an answer has failed. */
  clear(): void {
    this.#waiting.length = 0;
  }
}
