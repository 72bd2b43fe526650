/**
 * Time and chance as a port, so that a whole mesh can run on a clock that a test holds.
 *
 * Owns: the conversion from RFC seconds to milliseconds is the caller's; this file knows milliseconds only.
 */

/** A running timer; calling it stops the timer. Calling it twice, or after it fired, does nothing. */
export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  setTimer(delayMs: number, callback: () => void): CancelTimer;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
