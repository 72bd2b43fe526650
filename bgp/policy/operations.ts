/**
 * What a rule makes of the attributes of a route.
 *
 * Owns: each operation on attributes. Must not know: which routes are changed.
 */
import type { AsPathSegment, PathAttributes } from '../wire/index.js';
import type { Community, RouteOperation } from './filter.js';
import { carries, sameCommunity } from './match.js';

/** Longest segment of an AS_PATH: its count is one octet (RFC 4271 section 4.3). */
const MAX_SEGMENT_ASNS = 255;

/** @returns `attributes` itself where the operations change nothing. */
export function operate(attributes: PathAttributes, operations: readonly RouteOperation[]): PathAttributes {
  return operations.reduce(operateOnce, attributes);
}

function operateOnce(attributes: PathAttributes, operation: RouteOperation): PathAttributes {
  switch (operation.type) {
    case 'addCommunity':
      return withCommunity(attributes, operation.community);
    case 'removeCommunity':
      return withoutCommunity(attributes, operation.community);
    case 'prependAsPath':
      return { ...attributes, asPath: prepend(attributes.asPath, operation.asns) };
    case 'setLocalPref':
      return attributes.localPref === operation.value
        ? attributes
        : { ...attributes, localPref: operation.value };
    case 'setMed':
      return attributes.med === operation.value ? attributes : { ...attributes, med: operation.value };
  }
}

function withCommunity(attributes: PathAttributes, community: Community): PathAttributes {
  if (carries(attributes, community)) return attributes;
  return typeof community === 'number'
    ? { ...attributes, communities: [...(attributes.communities ?? []), community] }
    : { ...attributes, largeCommunities: [...(attributes.largeCommunities ?? []), community] };
}

/** A list that becomes empty goes: the attribute itself is not sent then. */
function withoutCommunity(attributes: PathAttributes, community: Community): PathAttributes {
  if (!carries(attributes, community)) return attributes;
  const { communities = [], largeCommunities = [], ...rest } = attributes;
  const kept = communities.filter((one) => !sameCommunity(one, community));
  const keptLarge = largeCommunities.filter((one) => !sameCommunity(one, community));
  return {
    ...rest,
    ...(kept.length === 0 ? {} : { communities: kept }),
    ...(keptLarge.length === 0 ? {} : { largeCommunities: keptLarge }),
  };
}

/** RFC 4271 section 5.1.2: into the leading AS_SEQUENCE where there is room in it, else into a new one. */
function prepend(segments: readonly AsPathSegment[], asns: readonly number[]): readonly AsPathSegment[] {
  const [first, ...rest] = segments;
  if (first?.kind === 'sequence' && first.asns.length + asns.length <= MAX_SEGMENT_ASNS) {
    return [{ kind: 'sequence', asns: [...asns, ...first.asns] }, ...rest];
  }
  return [{ kind: 'sequence', asns }, ...segments];
}
