/**
 * The entries that the kernel refused, and when each is tried again.
 */
import type { RouteEntry } from './route-entry.js';

export class Retries {
  readonly #failing = new Set<RouteEntry>();

  /** Takes in an entry that failed, lets go of one that did not. */
  note(entry: RouteEntry): void {
    if (entry.failure === undefined) this.#failing.delete(entry);
    else this.#failing.add(entry);
  }

  /** When the first is due; undefined where none failed. */
  nextMs(): number | undefined {
    let next: number | undefined;
    for (const { failure } of this.#failing) {
      if (failure !== undefined) next = Math.min(next ?? failure.retryAtMs, failure.retryAtMs);
    }
    return next;
  }

  due(nowMs: number): readonly RouteEntry[] {
    return [...this.#failing].filter(({ failure }) => failure !== undefined && failure.retryAtMs <= nowMs);
  }
}
