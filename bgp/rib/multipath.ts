/**
 * Which of the paths to one prefix share its traffic (equal-cost multipath).
 *
 * Owns: the choice among the paths that the decision finds equal, and when two choices differ. Must not know: tables,
 * kernels.
 *
 * RFC 4271 chooses one path and says nothing of several; what may be combined is practice. We combine what the ladder of
 * section 9.1.2.2 up to e (own route, LOCAL_PREF, AS_PATH length, ORIGIN, MED within one neighbour AS, eBGP over iBGP, IGP
 * cost) leaves over beside the best path, as BIRD's `merge paths` does: the steps after it say which router is asked
 * first, not which way is better. The AS_PATHs need not be equal, only as long: two racks' routers have an AS each, and
 * both lead to the pod. Paths kept while their peer restarts take part like any other (RFC 4724 section 4.2).
 *
 * Peers are told of the best path alone. So a change among the others is one for the data plane only.
 */
import { type IpAddress, isLinkLocal } from '../net/index.js';
import { sameRoute } from './path.js';
import type { Path } from './types.js';

/** Two or more paths with a next hop each, the best one first. */
export type Multipath = readonly Path[];

/**
 * @param equalCost as in `Decision`
 * @param limit of next hops; where there are more, the tie-breaks choose, so that every arrival gives the same ones
 * @returns undefined where the best path carries the traffic alone, which is the usual case and must cost nothing
 */
export function multipathOf(equalCost: readonly Path[], limit: number): Multipath | undefined {
  if (equalCost.length === 1 || limit === 1) return undefined;
  // Several reflectors tell of the same next hop: that is one way, and no heavier for it.
  const nextHops = new Set<IpAddress | string>();
  const distinct = equalCost.filter((path) => {
    const { size } = nextHops;
    return nextHops.add(nextHopKey(path)).size > size;
  });
  // A copy of its very length: it is kept as long as the prefix.
  return distinct.length === 1 ? undefined : distinct.slice(0, limit);
}

/** A link-local address means another machine on every link, so on every session. */
function nextHopKey({ nextHop: { address }, peer }: Path): IpAddress | string {
  return isLinkLocal(address) ? `${address} ${peer?.id}` : address;
}

/** True where the data plane would see no difference, the best path aside. */
export function sameMultipath(a: Multipath | undefined, b: Multipath | undefined): boolean {
  if (a === b) return true;
  if (a?.length !== b?.length) return false;
  return a?.every((path, index) => sameRoute(path, b?.[index])) ?? false;
}
