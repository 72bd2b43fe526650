/**
 * What changed in one pass, folded into a handful of events: a hundred thousand routes that fail for one reason are
 * one line in the log.
 *
 * Owns: the grouping. Must not know: the kernel. Pure but for its own tallies.
 */
import type { Prefix } from '../bgp/net/index.js';
import type { DataplaneEvent } from './events.js';
import type { RouteEntry } from './route-entry.js';
import type { RouteState } from './types.js';

const MAX_EXAMPLES = 5;

interface Tally {
  count: number;
  readonly examples: Prefix[];
  readonly code: string | undefined;
}

export class Transitions {
  readonly #failed = new Map<string, Tally>();
  readonly #recovered = newTally();
  readonly #conflicts = newTally();
  readonly #shadowed = newTally();
  readonly #drifted = newTally();

  /** The entry's state, or the reason for it, was another one before. */
  note(before: RouteState, { prefix, state, reason, failure, installed }: RouteEntry): void {
    if (state === 'failed') {
      const tally = this.#failed.get(reason) ?? newTally(failure?.code);
      this.#failed.set(reason, tally);
      count(tally, prefix);
    } else if (before === 'failed' && installed !== undefined) {
      count(this.#recovered, prefix);
    }
    if (before === state) return;
    if (state === 'conflict') count(this.#conflicts, prefix);
    if (state === 'shadowed') count(this.#shadowed, prefix);
  }

  /** An own route that was missing or altered in the kernel. */
  drifted(prefix: Prefix): void {
    count(this.#drifted, prefix);
  }

  /** The events of the pass, in the order in which a reader wants them. */
  events(): readonly DataplaneEvent[] {
    const events: DataplaneEvent[] = [];
    const add = (kind: 'drift' | 'routesInConflict' | 'routesShadowed' | 'routesRecovered', tally: Tally) => {
      if (tally.count > 0) events.push({ kind, count: tally.count, examples: tally.examples });
    };
    add('drift', this.#drifted);
    for (const [reason, tally] of this.#failed) {
      events.push({
        kind: 'routesFailed',
        ...(tally.code === undefined ? {} : { code: tally.code }),
        reason,
        count: tally.count,
        examples: tally.examples,
      });
    }
    add('routesInConflict', this.#conflicts);
    add('routesShadowed', this.#shadowed);
    add('routesRecovered', this.#recovered);
    return events;
  }
}

function newTally(code?: string): Tally {
  return { count: 0, examples: [], code };
}

function count(tally: Tally, prefix: Prefix): void {
  tally.count++;
  if (tally.examples.length < MAX_EXAMPLES) tally.examples.push(prefix);
}
