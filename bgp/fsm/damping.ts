/**
 * How long a peer that fails again and again is left alone.
 *
 * Owns: the number of failures in a row, shared by both connections of a peer. Must not know: why they failed.
 * Source: RFC 4271 section 8.1.1 (DampPeerOscillations, IdleHoldTime) and 8.2.2 (ConnectRetryCounter), which leave the
 * method to the implementation.
 *
 * The method: the idle hold doubles with every failure in a row, and Established forgets them all. It delays our own
 * dialling in full. A peer that connects to us is welcome during our idle hold, because the fault may be mended, until
 * it fails twice in a row; then it waits too, but never so long that a mended peer is kept out for half a minute.
 */
import type { FsmConfig } from './types.js';

/** The longest time for which an incoming connection of a failing peer is refused. */
const MAX_INCOMING_HOLD_SECONDS = 15;

export class Damping {
  readonly #initialSeconds: number;
  readonly #maxSeconds: number;
  #failures = 0;

  constructor({ initial, max }: FsmConfig['idleHoldSeconds']) {
    this.#initialSeconds = initial;
    this.#maxSeconds = max;
  }

  /** A connection or a session ended in error (RFC 4271 8.2.2 increments ConnectRetryCounter there). */
  failed(): void {
    this.#failures += 1;
  }

  /** Established, or started anew by hand. */
  reset(): void {
    this.#failures = 0;
  }

  /** How often in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** How long not to dial. */
  get outgoingHoldSeconds(): number {
    return this.#backOff(this.#failures);
  }

  /** How long not to accept; 0 after the first failure. */
  get incomingHoldSeconds(): number {
    if (this.#failures < 2) return 0;
    return Math.min(this.#backOff(this.#failures - 1), MAX_INCOMING_HOLD_SECONDS);
  }

  #backOff(failures: number): number {
    return Math.min(this.#initialSeconds * 2 ** Math.max(failures - 1, 0), this.#maxSeconds);
  }
}
