/**
 * Graceful restart, the helper's side: how long the routes of a peer that restarts are kept, and which.
 *
 * Owns: the stale time of one peer. Must not know: sessions, messages.
 * Source: RFC 4724 section 4.2.
 */
import type { Family } from '../net/index.js';
import type { BestPathChange, PeerId, Rib } from '../rib/index.js';
import type { GracefulRestartCapability } from '../wire/index.js';
import type { CancelTimer, Clock } from './clock.js';

export class StaleRoutes {
  /** It may get another name. */
  readonly #peer: () => PeerId;
  readonly #rib: Rib;
  readonly #clock: Clock;
  /** The time is over and the rest was swept. */
  readonly #onExpired: (changes: readonly BestPathChange[]) => void;
  #untilMs: number | undefined;
  #cancel: CancelTimer | undefined;

  constructor(
    peer: () => PeerId,
    rib: Rib,
    clock: Clock,
    onExpired: (changes: readonly BestPathChange[]) => void,
  ) {
    this.#peer = peer;
    this.#rib = rib;
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** When kept routes are removed at the latest; undefined where none are kept. */
  get untilMs(): number | undefined {
    return this.#untilMs;
  }

  /** The session is gone; routes are kept for `seconds` (0: removed now). */
  sessionLost(seconds: number): readonly BestPathChange[] {
    const keepStale = seconds > 0;
    this.forget();
    if (keepStale) this.#keepFor(seconds);
    return this.#rib.peerDown(this.#peer(), { keepStale });
  }

  /**
   * The session is back. Families that the peer kept forwarding stay until its End-of-RIB, again for its restart time
   * at most; the others are swept now.
   */
  sessionBack(
    families: readonly Family[],
    capability: GracefulRestartCapability | undefined,
  ): readonly BestPathChange[] {
    if (this.#untilMs === undefined) return [];
    const forwarding = new Set(
      capability?.families.filter((entry) => entry.forwarding).map(({ family }) => family),
    );
    const lost = families.filter((family) => !forwarding.has(family));
    this.forget();
    if (capability !== undefined && forwarding.size > 0) this.#keepFor(capability.restartTimeSeconds);
    return lost.flatMap((family) => [...this.#rib.sweepStale(this.#peer(), family)]);
  }

  /** The peer's table of this family is complete: what it did not announce again is gone. */
  endOfRib(family: Family, allComplete: boolean): readonly BestPathChange[] {
    if (allComplete) this.forget();
    return this.#rib.sweepStale(this.#peer(), family);
  }

  /** Takes over from an earlier configuration of the same peer: its routes stay until then. */
  inherit(untilMs: number): void {
    this.forget();
    this.#keepFor(Math.max(untilMs - this.#clock.now(), 0) / 1000);
  }

  /** No timer any more; the tables stay as they are. */
  forget(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#untilMs = undefined;
  }

  #keepFor(seconds: number): void {
    this.#untilMs = this.#clock.now() + seconds * 1000;
    this.#cancel = this.#clock.setTimer(seconds * 1000, () => {
      this.forget();
      this.#onExpired(this.#rib.sweepStale(this.#peer()));
    });
  }
}
