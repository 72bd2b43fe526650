/**
 * What can be said of one path alone: what it is worth by the words of the RFC, and whether two are the same route.
 *
 * Owns: reading attributes. Must not know: tables and other paths of the prefix.
 * Source: RFC 4271 sections 5 and 9.1.2.2, RFC 4456, RFC 5065.
 */
import type { Ipv4 } from '../net/index.js';
import { type AsPathSegment, attributesKey } from '../wire/index.js';
import type { Path, RibPeer } from './types.js';

/** What LOCAL_PREF counts as where nobody set it, and what own routes carry towards iBGP peers. */
export const DEFAULT_LOCAL_PREF = 100;

/** The degree of preference (RFC 4271 §9.1.1). */
export function localPref(path: Path): number {
  return path.attributes.localPref ?? DEFAULT_LOCAL_PREF;
}

/** RFC 4271 §9.1.2.2 a: an AS_SET counts as 1; RFC 5065 §5.3: confederation segments do not count. */
export function asPathLength(segments: readonly AsPathSegment[]): number {
  let length = 0;
  for (const segment of segments) {
    if (segment.kind === 'sequence') length += segment.asns.length;
    else if (segment.kind === 'set') length += 1;
  }
  return length;
}

/** RFC 4271 §9.1.2.2 c: a missing MED is the lowest one. */
export function med(path: Path): number {
  return path.attributes.med ?? 0;
}

/**
 * neighborAS of RFC 4271 §9.1.2.2 c: the AS that the route entered ours from; our own where it began inside, or where
 * the path starts with an AS_SET.
 */
export function neighbourAs(path: Path): number | undefined {
  const first = path.attributes.asPath.find(({ kind }) => kind === 'sequence' || kind === 'set');
  if (first?.kind === 'sequence' && first.asns[0] !== undefined) return first.asns[0];
  return path.peer?.type === 'ebgp' ? path.peer.asn : path.peer?.localAs;
}

/** RFC 4456 §9: ORIGINATOR_ID stands in for the identifier of the peer. Own routes have none. */
export function routerId(path: Path): Ipv4 | undefined {
  return path.attributes.originatorId ?? path.peer?.identifier;
}

/** How often `asn` is in the path, confederation segments included. */
export function timesInAsPath(segments: readonly AsPathSegment[], asn: number): number {
  let times = 0;
  for (const { asns } of segments) for (const each of asns) if (each === asn) times += 1;
  return times;
}

/**
 * The identity of what a path says: equal keys, equal attributes and next hop. Kept beside the path, because it is
 * asked for once per prefix and made once per path.
 */
export function pathKey(path: Path): string {
  const known = keys.get(path);
  if (known !== undefined) return known;
  const key = attributesKey(path.attributes, path.nextHop);
  keys.set(path, key);
  return key;
}

const keys = new WeakMap<Path, string>();

/** The path of equal content that is in `shared` already, or this one. */
export function sharedPath(path: Path, shared: Map<string, Path>): Path {
  const key = pathKey(path);
  const known = shared.get(key);
  if (known !== undefined) return known;
  shared.set(key, path);
  return path;
}

/**
 * True where nobody who is told of routes would see a difference. Not the preference: two equally good paths are not
 * the same route, and a path whose next hop alone changed is another one. The stale mark is no difference.
 */
export function sameRoute(a: Path | undefined, b: Path | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return samePeer(a.peer, b.peer) && pathKey(a) === pathKey(b);
}

/** Equal in all that the decision or an export rule looks at; a peer that came back is the same peer. */
function samePeer(a: RibPeer | undefined, b: RibPeer | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return (
    a.id === b.id &&
    a.type === b.type &&
    a.place === b.place &&
    a.asn === b.asn &&
    a.address === b.address &&
    a.identifier === b.identifier &&
    a.localAs === b.localAs &&
    a.routeReflectorClient === b.routeReflectorClient
  );
}
