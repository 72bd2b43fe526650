/**
 * Routes of peers that are no more, while others come in their place: kept as those of a peer that restarts, until
 * somebody else has told of the prefix or the restart time is over.
 *
 * Owns: whose routes are kept, and until when. Must not know: which peers go, and why their routes may stay.
 * Source: RFC 4724 section 4.2, for sessions that end because a mesh becomes a reflection, or another one.
 */
import type { Logger } from 'pino';
import type { BestPathChange, PeerId, Rib } from '../rib/index.js';
import type { Clock } from './clock.js';
import { StaleRoutes } from './graceful-restart.js';

export class DepartedRoutes {
  readonly #rib: Rib;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onExpired: (changes: readonly BestPathChange[]) => void;
  readonly #kept = new Map<PeerId, StaleRoutes>();

  constructor(rib: Rib, clock: Clock, log: Logger, onExpired: (changes: readonly BestPathChange[]) => void) {
    this.#rib = rib;
    this.#clock = clock;
    this.#log = log;
    this.#onExpired = onExpired;
  }

  /** What the tables hold of a peer that is gone stays until then, as stale. */
  keep(id: PeerId, untilMs: number): void {
    const stale = new StaleRoutes(
      () => id,
      this.#rib,
      this.#clock,
      (changes) => {
        this.#kept.delete(id);
        if (changes.length > 0)
          this.#log.warn(
            { peer: id, routes: changes.length },
            'nobody took the place of a peer: its routes are removed',
          );
        this.#onExpired(changes);
      },
    );
    stale.inherit(untilMs);
    this.#kept.set(id, stale);
  }

  /** A peer of this id comes: what is left of the one before is its own. @returns until when it may be kept */
  take(id: PeerId): number | undefined {
    const stale = this.#kept.get(id);
    const untilMs = stale?.untilMs;
    stale?.forget();
    this.#kept.delete(id);
    return untilMs;
  }

  /** Lets go of what somebody else has told of by now. */
  sweepCovered(): readonly BestPathChange[] {
    const changes: BestPathChange[] = [];
    for (const id of [...this.#kept.keys()]) {
      changes.push(...this.#rib.sweepCovered(id));
      if (this.#rib.counters(id).stale === 0) this.take(id);
    }
    return changes;
  }

  close(): void {
    for (const id of [...this.#kept.keys()]) this.take(id);
  }
}
