/**
 * The difference between what a prefix shall have and what the kernel has: operations, and a verdict.
 *
 * Owns: the key of a route (the kernel's own: prefix, table, tos, metric), ownership, conflict and shadowing. Must not
 * know: how a target was chosen, how operations are carried out. Pure.
 *
 *            the key of our route                        other keys of the prefix
 *   +---------------------------------+        +-------------------------------------------+
 *   | empty          -> add           |        | foreign, better metric -> ours, shadowed  |
 *   | ours, same     -> nothing       |        | foreign, worse metric  -> nothing to us   |
 *   | ours, other    -> replace       |        | ours (another metric)  -> delete          |
 *   | foreign        -> conflict,     |        +-------------------------------------------+
 *   |   ours is not installed         |
 *   +---------------------------------+
 *
 * Why `replace` is planned over a route of ours only: the kernel replaces whatever has the key, whoever owns it, and
 * says nothing. Why additions come before deletions: packets always find one of the two.
 */
import type { KernelNextHop, KernelRoute, RouteOperation } from './kernel/kernel.js';

/** What became of the wish for one prefix, by what the kernel holds. */
export interface PrefixDelta {
  readonly operations: readonly RouteOperation[];
  /** A foreign route at our key: ours is not installed. */
  readonly conflict?: KernelRoute;
  /** The best foreign route of a better metric: it wins over ours. */
  readonly shadow?: KernelRoute;
}

/**
 * @param desired what we want of this prefix, with our own protocol; undefined: nothing
 * @param actual every route that the kernel holds for this prefix in our table, in its order
 * @param protocol the mark of our own routes
 */
export function diffPrefix(
  desired: KernelRoute | undefined,
  actual: readonly KernelRoute[],
  protocol: number,
): PrefixDelta {
  // Nearly every prefix is one of these two; they must cost little.
  if (actual.length === 0)
    return desired === undefined ? SETTLED : { operations: [{ op: 'add', route: desired }] };
  const own = actual.filter((route) => route.protocol === protocol);
  if (desired === undefined) return { operations: own.map(deletion) };

  const atKey = actual.filter((route) => sameKey(route, desired));
  const conflict = atKey.find((route) => route.protocol !== protocol);
  const shadow = bestShadow(desired, actual, protocol);
  const verdict = {
    ...(conflict === undefined ? {} : { conflict }),
    ...(shadow === undefined ? {} : { shadow }),
  };
  if (conflict !== undefined) return { operations: own.map(deletion), ...verdict };

  const kept = atKey.find((route) => sameTarget(route, desired));
  const operations: RouteOperation[] = [];
  // The kernel replaces the first route of the key; what else has the key is a duplicate and goes.
  const replaced = kept === undefined ? atKey[0] : undefined;
  if (kept === undefined) operations.push({ op: replaced === undefined ? 'add' : 'replace', route: desired });
  for (const route of own) if (route !== kept && route !== replaced) operations.push(deletion(route));
  return { operations, ...verdict };
}

const SETTLED: PrefixDelta = { operations: [] };

function deletion(route: KernelRoute): RouteOperation {
  return { op: 'delete', route };
}

/** The lowest metric wins; routes of a special type of service do not take part. */
function bestShadow(
  desired: KernelRoute,
  actual: readonly KernelRoute[],
  protocol: number,
): KernelRoute | undefined {
  let best: KernelRoute | undefined;
  for (const route of actual) {
    if (route.protocol === protocol || route.table !== desired.table || route.tos !== desired.tos) continue;
    if (route.metric < desired.metric && (best === undefined || route.metric < best.metric)) best = route;
  }
  return best;
}

/** The kernel's own key of a route. */
export function sameKey(a: KernelRoute, b: KernelRoute): boolean {
  return a.prefix === b.prefix && a.table === b.table && a.tos === b.tos && a.metric === b.metric;
}

/** What a route does with its packets: all of it but the key and the owner. */
export type KernelTarget = Pick<KernelRoute, 'type' | 'source' | 'mtuBytes' | 'hasOtherMetrics' | 'nextHops'>;

/** True where both lead to the same place in the same way; the order of equal-cost next hops does not count. */
export function sameTarget(a: KernelTarget, b: KernelTarget): boolean {
  return (
    a.type === b.type &&
    a.source === b.source &&
    a.mtuBytes === b.mtuBytes &&
    a.hasOtherMetrics === b.hasOtherMetrics &&
    sameSet(a.nextHops, b.nextHops, sharesAlike)
  );
}

/**
 * True for the same route of the same owner: what a deletion of `a` would delete. What the kernel makes of its next hops
 * for the time being, and their weights, do not count: a deletion does not name them.
 */
export function sameRoute(a: KernelRoute, b: KernelRoute): boolean {
  return (
    sameKey(a, b) &&
    a.protocol === b.protocol &&
    a.type === b.type &&
    a.source === b.source &&
    sameSet(a.nextHops, b.nextHops, sameNextHop)
  );
}

function sameNextHop(a: KernelNextHop, b: KernelNextHop): boolean {
  return a.gateway === b.gateway && a.interfaceIndex === b.interfaceIndex && a.onlink === b.onlink;
}

/** Two ways that get as much of the traffic: a dead one gets none. */
function sharesAlike(a: KernelNextHop, b: KernelNextHop): boolean {
  return sameNextHop(a, b) && a.weight === b.weight && (a.state === 'dead') === (b.state === 'dead');
}

/** True where every next hop of one list has its own counterpart in the other one. */
function sameSet(
  a: readonly KernelNextHop[],
  b: readonly KernelNextHop[],
  same: (one: KernelNextHop, other: KernelNextHop) => boolean,
): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // In one order as a rule: the kernel keeps ours.
  const isSame = (hop: KernelNextHop, other: KernelNextHop | undefined) =>
    other !== undefined && same(hop, other);
  if (a.every((hop, index) => isSame(hop, b[index]))) return true;
  if (a.length === 1) return false;
  const left = [...b];
  return a.every((hop) => {
    const at = left.findIndex((other) => same(hop, other));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}
