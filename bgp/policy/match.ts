/**
 * Whether a rule is about a route.
 *
 * Owns: the meaning of each condition but `interface`. Must not know: what follows from a match.
 */
import { type Prefix, prefixContains, prefixFamily, prefixLength } from '../net/index.js';
import type { Path, RibPeer } from '../rib/index.js';
import type { AsPathSegment, PathAttributes } from '../wire/index.js';
import type { Community, FilterRule, PrefixMatch } from './filter.js';

/** @param peer the other end of the session: the sender of an import, the receiver of an export. */
export function matches(rule: FilterRule, peer: RibPeer, prefix: Prefix, path: Path): boolean {
  return (
    rule.family === prefixFamily(prefix) &&
    (rule.prefix === undefined || matchesPrefix(rule.prefix, prefix)) &&
    (rule.source === undefined || path.peer !== undefined) &&
    (rule.peerType === undefined || rule.peerType === peer.type) &&
    (rule.community === undefined || carries(path.attributes, rule.community)) &&
    (rule.asPathPrefix === undefined || beginsWith(path.attributes.asPath, rule.asPathPrefix))
  );
}

function matchesPrefix({ cidr, operator, lengthBits }: PrefixMatch, prefix: Prefix): boolean {
  const exact = operator === 'Equal' || operator === 'NotEqual';
  const length = prefixLength(prefix);
  const inside =
    length >= lengthBits.min &&
    length <= lengthBits.max &&
    (exact ? prefix === cidr : prefixContains(cidr, prefix));
  return inside === (operator === 'Equal' || operator === 'In');
}

export function carries(attributes: PathAttributes, community: Community): boolean {
  if (typeof community === 'number') return attributes.communities?.includes(community) ?? false;
  return attributes.largeCommunities?.some((one) => sameCommunity(one, community)) ?? false;
}

export function sameCommunity(a: Community, b: Community): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return (
    a.globalAdministrator === b.globalAdministrator &&
    a.localData1 === b.localData1 &&
    a.localData2 === b.localData2
  );
}

/** A set has no order, so that no path begins with what is in one. */
function beginsWith(segments: readonly AsPathSegment[], prefix: readonly number[]): boolean {
  let position = 0;
  for (const { kind, asns } of segments) {
    // RFC 5065: what happened inside a confederation is not part of the path seen from outside.
    if (kind === 'confedSequence' || kind === 'confedSet') continue;
    if (position === prefix.length || kind === 'set') break;
    for (const asn of asns) {
      if (position === prefix.length) break;
      if (asn !== prefix[position]) return false;
      position += 1;
    }
  }
  return position === prefix.length;
}
