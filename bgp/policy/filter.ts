/**
 * Filters as values: what a rule asks of a route, and what it does with one that it matches.
 *
 * Owns: the words. Must not know: where filters are written. Source: BGPFilter of projectcalico.org/v3; `removeCommunity`,
 * `setLocalPref` and `setMed` are additions.
 */
import type { Family, Prefix } from '../net/index.js';
import type { PeerId } from '../rib/index.js';
import type { LargeCommunity } from '../wire/index.js';

/** Of RFC 1997, an unsigned 32-bit number, or of RFC 8092. */
export type Community = number | LargeCommunity;

/** A change of a route's attributes. AS numbers and values are unsigned 32-bit numbers. */
export type RouteOperation =
  | { readonly type: 'addCommunity' | 'removeCommunity'; readonly community: Community }
  /** The path begins with these, in this order. */
  | { readonly type: 'prependAsPath'; readonly asns: readonly number[] }
  | { readonly type: 'setLocalPref' | 'setMed'; readonly value: number };

/** Which prefixes a rule is about: those in `cidr` whose length is in the range; `Not` means all others. */
export interface PrefixMatch {
  readonly cidr: Prefix;
  /** `Equal` narrows `In` to `cidr` itself. */
  readonly operator: 'Equal' | 'NotEqual' | 'In' | 'NotIn';
  readonly lengthBits: { readonly min: number; readonly max: number };
}

/** One rule. It matches where everything that is present matches. */
export interface FilterRule {
  /** Where it is written, for the reason of a refusal. */
  readonly name: string;
  readonly action: 'accept' | 'reject';
  /** Only routes of this family. */
  readonly family: Family;
  readonly prefix?: PrefixMatch;
  /** `peers`: not this node's own routes. */
  readonly source?: 'peers';
  /** Of the session over which the route comes or goes. */
  readonly peerType?: 'ibgp' | 'ebgp';
  /** The next hop is reached by an interface of that name; `*` stands for any letters, and for none. */
  readonly interface?: string;
  /** The route carries it. */
  readonly community?: Community;
  /** AS_PATH begins with these. */
  readonly asPathPrefix?: readonly number[];
  /** What becomes of an accepted route, in this order. */
  readonly operations: readonly RouteOperation[];
}

/** The rules of one peer, over both families and all its filters in their order; the first that matches decides. */
export interface PeerFilters {
  readonly import: readonly FilterRule[];
  readonly export: readonly FilterRule[];
}

/** Peers that are not in it have no filter. */
export type FiltersByPeer = ReadonlyMap<PeerId, PeerFilters>;
