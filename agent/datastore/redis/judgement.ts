/**
 * What a state that was found in a store means for the one that is in force.
 *
 * Owns: when a store counts as wiped, and which removals are too many to be believed at once. Must not know: connections,
 * clocks. Pure.
 */
import { areEqual, type Entry, numberOf, type StoreState } from './entry.js';

/**
 * `same`: nothing differs but the way to it. `take`: it comes into force. `refill`: the store has lost what it had, and is
 * to get it back. `hold`: it has to wait, and may be better by then.
 */
export type Verdict =
  | { readonly type: 'same' | 'take' | 'refill' }
  | { readonly type: 'hold'; readonly lost: string };

/** What nodes write of themselves; everything else is an operator's. */
const WRITTEN_BY_NODES: ReadonlySet<string> = new Set(['Node', 'BlockAffinity']);

/** What must not go all at once. */
const COUNTED = [
  ['Node', 'Nodes'],
  ['BlockAffinity', 'BlockAffinities'],
  ['IPPool', 'IPPools'],
] as const;

/** Fewer may go at once without a question, however few there are. */
const FEWEST_LOST = 2;

/** Of a state that was found, beside the one in force. */
export function judge(held: StoreState, found: StoreState): Verdict {
  if (areEqual(held, found)) return { type: 'same' };
  if (isWiped(held, found)) return { type: 'refill' };
  const lost = massRemoval(held, found);
  return lost === undefined ? { type: 'take' } : { type: 'hold', lost };
}

/**
 * Of the first state that is found beside a snapshot, which may be old: what the store came to in the meantime by its own
 * way is right, however little of the snapshot is left.
 */
export function judgeFirst(snapshot: StoreState, found: StoreState): Verdict {
  const verdict = judge(snapshot, found);
  const isLater = found.epoch === snapshot.epoch && numberOf(found.revision) >= numberOf(snapshot.revision);
  return verdict.type === 'hold' && isLater ? { type: 'take' } : verdict;
}

/**
 * A store without a first write, or with one that is not that of our state, in which there is nothing but what nodes
 * that came since have written of themselves; or one of which the resources alone are gone.
 */
function isWiped(held: StoreState, found: StoreState): boolean {
  if (held.entries.size === 0) return false;
  if (found.epoch === held.epoch) return found.revision === held.revision && found.entries.size === 0;
  return found.entries.size === 0 || (operatorsOf(held) > 0 && operatorsOf(found) === 0);
}

function operatorsOf({ entries }: StoreState): number {
  return [...entries.values()].filter(({ kind }) => !WRITTEN_BY_NODES.has(kind)).length;
}

/** @returns what is lost, in words; undefined: no more than may be */
function massRemoval(held: StoreState, found: StoreState): string | undefined {
  for (const [kind, plural] of COUNTED) {
    const had = [...held.entries].filter(([, entry]) => entry.kind === kind);
    const lost = had.filter(([id]) => !found.entries.has(id)).length;
    const isTooMuch = WRITTEN_BY_NODES.has(kind)
      ? lost >= FEWEST_LOST && lost * 2 > had.length
      : lost > 0 && lost === had.length;
    if (isTooMuch) return `${lost} of ${had.length} ${had.length === 1 ? kind : plural}`;
  }
  return undefined;
}

/** What a wiped store has to get back. */
export function missingIn(held: StoreState, found: StoreState): readonly Entry[] {
  return [...held.entries].filter(([id]) => !found.entries.has(id)).map(([, entry]) => entry);
}
