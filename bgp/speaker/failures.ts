/**
 * What went wrong with a peer: the last of it for the API, each kind of it once for the log.
 *
 * Owns: not saying the same thing again and again. Must not know: why it happened.
 */
import type { Logger } from 'pino';
import type { FailedBy } from '../fsm/index.js';
import type { Clock } from './clock.js';
import type { PeerError } from './types.js';

/** Ways to fail that get a line each until the session is up; a text of the peer's own is in some. */
const MAX_LOGGED_FAILURES = 32;

export class Failures {
  readonly #clock: Clock;
  readonly #log: () => Logger;
  readonly #logged = new Set<string>();
  #last: PeerError | undefined;

  constructor(clock: Clock, log: () => Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  get last(): PeerError | undefined {
    return this.#last;
  }

  note(text: string, from: FailedBy): void {
    this.#last = { text, atMs: this.#clock.now(), from };
  }

  /** However often it fails, each way to fail is one line; their end is the line "session established". */
  attempt(reason: string, by: FailedBy): void {
    this.note(reason, by);
    if (this.#logged.has(reason) || this.#logged.size >= MAX_LOGGED_FAILURES) return;
    this.#logged.add(reason);
    this.#log().info({ reason }, 'no session yet');
  }

  sessionUp(): void {
    this.#logged.clear();
  }
}
