/**
 * The words of the routing tables.
 *
 * Owns: what a path is, what the Rib asks of a policy and what it answers. Must not know: sockets, clocks, kernels.
 * Source: RFC 4271 sections 3.2 and 9.
 */
import type { Family, IpAddress, Ipv4, Prefix } from '../net/index.js';
import type { BgpRole, LargeCommunity, NextHop, PathAttributes } from '../wire/index.js';

/** The name of a peer inside the speaker: stable over its sessions. */
export type PeerId = string;

/** What the tables and the policy must know of a peer while its session is up. */
export interface RibPeer {
  readonly id: PeerId;
  readonly type: 'ibgp' | 'ebgp';
  /** `cluster`: a node of our own mesh (or its reflector). `outside`: a router. */
  readonly place: 'cluster' | 'outside';
  readonly asn: number;
  readonly address: IpAddress;
  readonly identifier: Ipv4;
  /** Our address on this session, the value of "next hop self". */
  readonly localAddress: IpAddress;
  /** Our own IPv6 address towards this peer for next hop self of IPv6 routes over an IPv4 session. */
  readonly localAddress6?: IpAddress;
  readonly localAs: number;
  /** The device of the link that both ends of the session are on: what is link-local, is so there. */
  readonly device?: string;
  /** The connected prefix that both ends of the session are on, where they are (RFC 4271 section 5.1.3). */
  readonly sharedSubnet?: Prefix;
  readonly families: readonly Family[];
  /** RFC 4456: this peer is our reflection client. */
  readonly routeReflectorClient?: boolean;
  /** How often our own AS may stand in its AS_PATHs; absent: never. */
  readonly allowedOwnAs?: number;
  /** The next hop of what it is told, where the policy says none; absent: `auto`. */
  readonly nextHop?: NextHopMode;
  /** What we are to it (RFC 9234 section 4); over eBGP only. */
  readonly role?: BgpRole;
  /** Families whose prefixes may have a next hop of the other family on this session (RFC 8950). */
  readonly extendedNextHop?: readonly Family[];
  /** Both sides mark the begin and the end of a refresh (RFC 7313). */
  readonly enhancedRouteRefresh?: boolean;
}

/**
 * One path: what its attributes say and where it came from. Shared by all prefixes of one UPDATE and never mutated,
 * so a table holds one reference per prefix.
 */
export interface Path {
  /** Absent: this node's own route. */
  readonly peer?: RibPeer;
  readonly attributes: PathAttributes;
  readonly nextHop: NextHop;
  /** Kept from an earlier session of a peer that is restarting (RFC 4724). */
  readonly stale?: true;
}

/** A change of the best path of one prefix, of its stale mark, or of the paths that share the traffic with it. */
export interface BestPathChange {
  readonly prefix: Prefix;
  /** Absent: the prefix is unreachable now. */
  readonly best?: Path;
  readonly previous?: Path;
  /** The best path is what it was; only its stale mark or the paths beside it changed, of which no peer is told. */
  readonly isBestSame?: true;
  /** The paths that share the traffic, each with another next hop, `best` first; absent: `best` carries it alone. */
  readonly multipath?: readonly Path[];
  /** Why `best` won, in the words of the step that decided (RFC 4271 section 9.1.2.2). */
  readonly reason: string;
}

/**
 * What a policy says to one route. `path` has other attributes or another next hop than the path asked about, but the
 * same `peer`; the tables keep it, so a policy that changes many routes alike does well to return the same object.
 * `nextHop` is for export only and absent means that of the peer, else `auto`: self towards eBGP (or a third party on the shared subnet,
 * RFC 4271 section 5.1.3) and for what came from outside over eBGP; unchanged where a route is reflected.
 */
export type PolicyVerdict =
  | { readonly accept: true; readonly path?: Path; readonly nextHop?: NextHopMode }
  | { readonly accept: false; readonly reason: string };

/** `keep` never gives a peer its own address: then it is `self`. */
export type NextHopMode = 'self' | 'keep' | 'auto';

/**
 * The port that bgp/policy implements. Both are pure: the same arguments give the same verdict until the Rib is given
 * another policy. What the protocol itself forbids or changes (split horizon, loops, NO_EXPORT, AS_PATH, LOCAL_PREF,
 * MED, reflection) is done by the Rib, before `exportRoute` is asked or after it has answered.
 */
export interface RoutePolicy {
  /** May `path`, received from `peer`, be used for `prefix`? */
  importRoute(peer: RibPeer, prefix: Prefix, path: Path): PolicyVerdict;
  /** May `peer` be told of `path`, the best one to `prefix`? `path.peer` is where it came from. */
  exportRoute(peer: RibPeer, prefix: Prefix, path: Path): PolicyVerdict;
}

/** A prefix that this node announces of itself: a block of its own or a configured advertisement. */
export interface LocalRoute {
  readonly prefix: Prefix;
  /** LOCAL_PREF towards iBGP peers; 100 where absent. */
  readonly localPref?: number;
  readonly communities?: readonly number[];
  readonly extendedCommunities?: readonly bigint[];
  readonly largeCommunities?: readonly LargeCommunity[];
}

/** The best path to a prefix, as a row of a snapshot. */
export interface BestRoute {
  readonly prefix: Prefix;
  readonly path: Path;
  /** As in `BestPathChange`. */
  readonly multipath?: readonly Path[];
  /** As in `BestPathChange`. */
  readonly reason: string;
}

/** One of the known paths to a prefix and what became of it. */
export interface PathView {
  readonly path: Path;
  /** `unused`: received, but a loop, an unusable next hop or the policy keeps it out of the decision. */
  readonly state: 'best' | 'lost' | 'unused';
  /** Why it won, lost or is not used. */
  readonly reason: string;
  /** True where only the tie-breaks decide between it and the best: it could share the traffic. */
  readonly equalCost: boolean;
}

/** A row of one peer's Adj-RIB-In. */
export interface ReceivedRoute {
  readonly prefix: Prefix;
  /** As received, before the policy. */
  readonly path: Path;
  readonly accepted: boolean;
  /** Why it is not accepted. */
  readonly reason?: string;
}

/**
 * What one peer is told of a prefix. `sent`: it knows exactly this. `pending`: it will be told. `refused`: it is not
 * told, for the reason given; where it knows an earlier state, the withdrawal is in the queue.
 */
export type AdvertisedRoute =
  | {
      readonly prefix: Prefix;
      readonly state: 'sent' | 'pending';
      readonly attributes: PathAttributes;
      readonly nextHop: NextHop;
    }
  | { readonly prefix: Prefix; readonly state: 'refused'; readonly reason: string };

/** Sizes of one peer's tables, in prefixes of all its families. */
export interface PeerRouteCounters {
  readonly received: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Of the received ones: kept from an earlier session (RFC 4724). */
  readonly stale: number;
  /** What the peer holds of us. */
  readonly advertised: number;
  /** Announcements and withdrawals in the queue. */
  readonly pendingAnnouncements: number;
  readonly pendingWithdrawals: number;
  /** Routes whose attributes leave no room for a prefix in a message of this session. */
  readonly oversized: number;
}
