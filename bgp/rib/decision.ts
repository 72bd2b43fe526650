/**
 * The decision process: which of the usable paths to one prefix is the best, and why.
 *
 * Owns: the ladder of RFC 4271 section 9.1.2.2, written once as a table; the same walk over it chooses and explains.
 * Must not know: tables, policies, prefixes.
 *
 * Every step removes paths from the set that are worse than another one in it, as the RFC words it. So the outcome
 * does not depend on the order of arrival, though MED compares within one neighbour AS only and pairwise comparison
 * would have no total order. The last step never leaves two.
 */
import { compareAddresses, formatIpAddress, formatIpv4, type IpAddress } from '../net/index.js';
import type { NextHop, Origin } from '../wire/index.js';
import { asPathLength, localPref, med, neighbourAs, routerId } from './path.js';
import type { Path } from './types.js';

/** The interior cost to a next hop (RFC 4271 §9.1.2.2 e); lower is better. */
export type IgpCost = (nextHop: NextHop) => number;

export interface Decision {
  readonly best: Path;
  /** What the best path won by, in the words of the last step that removed a path. */
  readonly reason: string;
  /** What each other path lost by, in the order of the steps. */
  readonly lost: readonly { readonly path: Path; readonly reason: string }[];
  /**
   * The paths that only the tie-breaks tell apart: they could share the traffic. The best one first, the others in the
   * order in which the tie-breaks prefer them.
   */
  readonly equalCost: readonly Path[];
}

interface Step {
  /** Negative: `a` is preferred. Asked only for paths of one group. */
  compare(a: Path, b: Path, igpCost: IgpCost): number;
  /** Only paths with the same value are compared; absent: all are. */
  readonly group?: (path: Path) => number | undefined;
  /** Why `winner` is preferred to `loser`. */
  words(winner: Path, loser: Path, igpCost: IgpCost): string;
  /** From here on nothing but a choice among equals. */
  readonly tieBreak?: true;
}

const ORIGIN_RANK: Record<Origin, number> = { IGP: 0, EGP: 1, INCOMPLETE: 2 };

const STEPS: readonly Step[] = [
  {
    compare: (a, b) => flag(b.peer === undefined) - flag(a.peer === undefined),
    words: () => 'announced by this node itself',
  },
  {
    // RFC 4271 §9.1.1
    compare: (a, b) => localPref(b) - localPref(a),
    words: (w, l) => `higher LOCAL_PREF (${localPref(w)} over ${localPref(l)})`,
  },
  {
    // §9.1.2.2 a
    compare: (a, b) => asPathLength(a.attributes.asPath) - asPathLength(b.attributes.asPath),
    words: (w, l) =>
      `shorter AS_PATH (${asPathLength(w.attributes.asPath)} over ${asPathLength(l.attributes.asPath)})`,
  },
  {
    // §9.1.2.2 b
    compare: (a, b) => ORIGIN_RANK[a.attributes.origin] - ORIGIN_RANK[b.attributes.origin],
    words: (w, l) => `better ORIGIN (${w.attributes.origin} over ${l.attributes.origin})`,
  },
  {
    // §9.1.2.2 c
    group: neighbourAs,
    compare: (a, b) => med(a) - med(b),
    words: (w, l) => `lower MED from AS ${neighbourAs(w)} (${med(w)} over ${med(l)})`,
  },
  {
    // §9.1.2.2 d
    compare: (a, b) => flag(b.peer?.type === 'ebgp') - flag(a.peer?.type === 'ebgp'),
    words: () => 'eBGP over iBGP',
  },
  {
    // §9.1.2.2 e
    compare: (a, b, igpCost) => igpCost(a.nextHop) - igpCost(b.nextHop),
    words: (w, l, igpCost) => `lower IGP cost (${igpCost(w.nextHop)} over ${igpCost(l.nextHop)})`,
  },
  {
    // §9.1.2.2 f, RFC 4456 §9
    tieBreak: true,
    compare: (a, b) => (routerId(a) ?? 0) - (routerId(b) ?? 0),
    words: (w, l) => `lower BGP identifier (${idText(w)} over ${idText(l)})`,
  },
  {
    // RFC 4456 §9
    tieBreak: true,
    compare: (a, b) => clusterListLength(a) - clusterListLength(b),
    words: (w, l) => `shorter CLUSTER_LIST (${clusterListLength(w)} over ${clusterListLength(l)})`,
  },
  {
    // §9.1.2.2 g
    tieBreak: true,
    compare: (a, b) => compareOptional(a.peer?.address, b.peer?.address),
    words: (w, l) => `lower peer address (${addressText(w)} over ${addressText(l)})`,
  },
  {
    // Two sessions with one address, told apart by port: their names are unique.
    tieBreak: true,
    compare: (a, b) => compareText(a.peer?.id ?? '', b.peer?.id ?? ''),
    words: (w, l) => `first by name (${w.peer?.id} over ${l.peer?.id})`,
  },
];

const TIE_BREAKS = STEPS.filter(({ tieBreak }) => tieBreak);

/** @param candidates at most one path per peer and one of our own, in any order. */
export function decide(candidates: readonly [Path, ...Path[]], igpCost: IgpCost): Decision {
  let alive: readonly Path[] = candidates;
  let equalCost: readonly Path[] | undefined;
  let reason = 'the only path';
  const lost: { path: Path; reason: string }[] = [];
  for (const step of STEPS) {
    if (alive.length === 1) break;
    if (step.tieBreak) equalCost ??= alive;
    const { kept, removed } = eliminate(alive, step, igpCost);
    for (const { path, by } of removed) lost.push({ path, reason: step.words(by, path, igpCost) });
    const nearest = closest(removed, step, igpCost);
    if (nearest !== undefined) reason = step.words(nearest.by, nearest.path, igpCost);
    alive = kept;
  }
  const [best, rival] = alive;
  if (best === undefined || rival !== undefined) {
    throw new Error(`two paths to one prefix from the same peer ${best?.peer?.id ?? '(this node)'}`);
  }
  return { best, reason, lost, equalCost: byTieBreaks(equalCost ?? alive, igpCost) };
}

/** What one tie-break after the other prefers first; together they are a total order, and its first is the best. */
function byTieBreaks(paths: readonly Path[], igpCost: IgpCost): readonly Path[] {
  if (paths.length === 1) return paths;
  return paths.toSorted((a, b) => {
    for (const { compare } of TIE_BREAKS) {
      const order = compare(a, b, igpCost);
      if (order !== 0) return order;
    }
    return 0;
  });
}

interface Removed {
  readonly path: Path;
  /** The path of its group that it lost to. */
  readonly by: Path;
}

/** One step: keeps, of each group, the paths that no other one of the group is preferred to. */
function eliminate(
  paths: readonly Path[],
  step: Step,
  igpCost: IgpCost,
): { readonly kept: readonly Path[]; readonly removed: readonly Removed[] } {
  const leaders = new Map<number | undefined, Path>();
  for (const path of paths) {
    const group = step.group?.(path);
    const leader = leaders.get(group);
    if (leader === undefined || step.compare(path, leader, igpCost) < 0) leaders.set(group, path);
  }
  const kept: Path[] = [];
  const removed: Removed[] = [];
  for (const path of paths) {
    const leader = leaders.get(step.group?.(path)) ?? path;
    if (step.compare(leader, path, igpCost) < 0) removed.push({ path, by: leader });
    else kept.push(path);
  }
  return { kept, removed };
}

/** The removed path that came nearest, so that a reason names the same values whatever the order of arrival. */
function closest(removed: readonly Removed[], step: Step, igpCost: IgpCost): Removed | undefined {
  let nearest: Removed | undefined;
  for (const one of removed) {
    if (nearest === undefined || step.compare(one.path, nearest.path, igpCost) < 0) nearest = one;
  }
  return nearest;
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

function clusterListLength(path: Path): number {
  return path.attributes.clusterList?.length ?? 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareOptional(a: IpAddress | undefined, b: IpAddress | undefined): number {
  return a === undefined || b === undefined ? 0 : compareAddresses(a, b);
}

function idText(path: Path): string {
  const id = routerId(path);
  return id === undefined ? 'none' : formatIpv4(id);
}

function addressText(path: Path): string {
  return path.peer === undefined ? 'none' : formatIpAddress(path.peer.address);
}
