/**
 * When the routes of an earlier run may go.
 *
 * Owns: the verdict. Must not know: timers, the kernel. Pure: the time is given.
 *
 * A route that nobody announced again goes as soon as the peer it leads to has sent its whole table; all go when every
 * peer has, or some time after start. While no peer is up nothing goes: an agent that reaches nobody must not take the
 * cluster's routes away. If the first peer comes after that time, it gets as long as one that was there at start.
 */
import type { IpAddress } from '../bgp/net/index.js';
import type { RouteEntry } from './route-entry.js';
import type { PeerProgress } from './types.js';

export interface SweepVerdict {
  readonly entries: readonly RouteEntry[];
  readonly why: 'endOfRib' | 'allComplete' | 'timeout';
}

export class Sweep {
  readonly #afterMs: number;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #progress: PeerProgress = { anyUp: false, endOfRibFrom: new Set(), allComplete: false };
  #isDone = false;

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  /** True once everything was let go: from then on a route that nobody wants is nobody's. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** @returns in how many milliseconds to ask for a verdict */
  begin(nowMs: number): number {
    this.#deadlineMs = nowMs + this.#afterMs;
    return this.#afterMs;
  }

  /** @returns in how many milliseconds to ask again, where the deadline moved */
  update(progress: PeerProgress, nowMs: number): number | undefined {
    const isFirst = !this.#progress.anyUp && progress.anyUp;
    this.#progress = progress;
    return isFirst && nowMs >= this.#deadlineMs && !this.#isDone ? this.begin(nowMs) : undefined;
  }

  /** What goes now, of what is left. */
  verdict(leftovers: Iterable<RouteEntry>, nowMs: number): SweepVerdict {
    const { anyUp, allComplete, endOfRibFrom } = this.#progress;
    if (!anyUp || this.#isDone) return { entries: [], why: 'endOfRib' };
    if (allComplete || nowMs >= this.#deadlineMs) {
      this.#isDone = true;
      return { entries: [...leftovers], why: allComplete ? 'allComplete' : 'timeout' };
    }
    return { entries: [...leftovers].filter((entry) => isComplete(entry, endOfRibFrom)), why: 'endOfRib' };
  }
}

/** True where every gateway of the route belongs to a peer whose table is complete. */
function isComplete(entry: RouteEntry, endOfRibFrom: ReadonlySet<IpAddress>): boolean {
  const hops = entry.installed?.nextHops ?? [];
  return hops.length > 0 && hops.every((hop) => hop.gateway !== undefined && endOfRibFrom.has(hop.gateway));
}
