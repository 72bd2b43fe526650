/**
 * The words of the data plane's door: what it is told, and what it answers.
 *
 * Owns: the contract with the agent. Must not know: BGP sessions, resources, rtnetlink.
 */
import type { IpAddress, Ipv4, Ipv6, Prefix } from '../bgp/net/index.js';
import type { NeighbourState, RouteType } from './kernel/kernel.js';

/** When a pod prefix goes through IPIP: Calico's word for it (`IPPool.spec.ipipMode`). */
export type IpipMode = 'Always' | 'CrossSubnet' | 'Never';

/** Who announced a route to us. */
export interface RouteSource {
  /** The name of the peer, as the operator knows it. */
  readonly peer: string;
  readonly asn: number;
  readonly type: 'ibgp' | 'ebgp';
}

/** What is set for one peer in place of what the networks say. */
export type EncapsulationOverride = 'direct' | 'ipip';

/** What a node says of itself: how its kernel reaches the other nodes. */
export interface NextHopFacts {
  /** IPv4 prefixes by which it reaches nodes on a link of its own. */
  readonly onlink: readonly Prefix[];
  /** Nodes, by address, to which it goes in this way whatever the prefixes say. */
  readonly overrides: ReadonlyMap<Ipv4, EncapsulationOverride>;
}

/** One of the next hops of a learned route. */
export interface LearnedNextHop {
  readonly address: IpAddress;
  /** The name of the peer that told of it. */
  readonly peer?: string;
  /** What the node at this address says of itself. Absent: it says nothing, or it is no node of the cluster. */
  readonly facts?: NextHopFacts;
  /** The same machine's address on the link of `device` (RFC 2545 section 3): used where `address` is not on-link. */
  readonly linkLocal?: Ipv6;
  /** The device of the session that it was learned by: what a link-local address means depends on it. */
  readonly device?: string;
}

/** A prefix that a peer offers: the reachability that the Rib chose. */
export interface LearnedRoute {
  readonly prefix: Prefix;
  /** At least one; several share the traffic (equal-cost multipath), the one of the best path first. */
  readonly nextHops: readonly LearnedNextHop[];
  readonly learnedFrom: RouteSource;
  /** Kept from an earlier session of a peer that is restarting (RFC 4724). */
  readonly stale?: boolean;
}

/** One change of reachability. Without a route the prefix is unreachable now. */
export interface RouteChange {
  readonly prefix: Prefix;
  readonly route?: LearnedRoute;
}

export interface PoolFacts {
  readonly prefix: Prefix;
  readonly ipipMode: IpipMode;
}

/** What the cluster's resources say about this node. */
export interface NodeFacts {
  /** The address other nodes reach this one at: the outer source of IPIP. */
  readonly nodeAddress: Ipv4;
  /** Its IPv6 address, where it has one. */
  readonly nodeAddress6?: Ipv6;
  /** This node's own pod subnets. The first IPv4 one names the tunnel's address. */
  readonly blocks: readonly Prefix[];
  readonly pools: readonly PoolFacts[];
  /** Addresses of the other nodes: what this node says of itself is how it reaches these. */
  readonly nodes?: readonly Ipv4[];
  /** By the address of the peer. */
  readonly overrides?: ReadonlyMap<IpAddress, EncapsulationOverride>;
  /** Peers that are reached through a gateway; at most one for an address. */
  readonly gateways?: readonly PeerGateway[];
}

/** A peer whose address is reached through another router, by a route to it alone; both are of one family. */
export interface PeerGateway {
  /** The name of the peer, as the operator knows it. */
  readonly peer: string;
  readonly address: IpAddress;
  readonly gateway: IpAddress;
}

/** A pool and a route of this machine, by one device, that share addresses. */
export interface PoolConflict {
  readonly pool: Prefix;
  /** The first one in prefix order. */
  readonly route: Prefix;
  /** Absent: the route leads nowhere, such as a blackhole. */
  readonly device?: string;
}

/** What drives the sweep of an earlier run's routes. */
export interface PeerProgress {
  /** False: no session is up, and nothing is swept. */
  readonly anyUp: boolean;
  /** Next hops whose peer has sent its whole table (End-of-RIB). */
  readonly endOfRibFrom: ReadonlySet<IpAddress>;
  /** Every peer that is expected has sent its whole table. */
  readonly allComplete: boolean;
}

export interface DataplaneSettings {
  /** Name of our IPIP device, 1 to 15 bytes. */
  readonly tunnelDevice: string;
  /** `rtm_protocol` of our routes, 5 to 255: the mark of ownership. */
  readonly routeProtocol: number;
  /** Priority of our routes, 1 to 2^32 - 1; the same for every prefix, since the kernel keys a route by it. */
  readonly metric: number;
  /** After this time since start, what an earlier run left and nobody announced goes away. */
  readonly sweepAfterMs: number;
}

export const defaultDataplaneSettings: DataplaneSettings = {
  tunnelDevice: 'podroute0',
  routeProtocol: 179,
  metric: 2048,
  sweepAfterMs: 60_000,
};

/** Time as a port. The same shape as the speaker's clock, so that one object serves both. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** @returns a function that stops the timer; calling it late or twice does nothing. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

/**
 * How packets of a route leave: `direct` to a next hop on the same L2 network, `ipip` through the tunnel, `local` to a
 * subnet of this node, `blackhole` nowhere (own addresses that nobody has), `none`: no usable way, nothing installed.
 */
export type RouteMode = 'direct' | 'ipip' | 'local' | 'blackhole' | 'none';

/**
 * - `ok`: installed as planned.
 * - `pending`: not tried yet.
 * - `conflict`: another program holds the same prefix at our metric; ours is not installed.
 * - `shadowed`: installed, but a better-metric route of another program wins.
 * - `failed`: cannot be installed, or is installed and cannot carry packets; `reason` says why. It is tried again.
 * - `stale`: in use, but not confirmed since its peer (or this agent) restarted.
 * - `blackhole`: an own subnet with no connected route: its packets are dropped here.
 */
export type RouteState = 'ok' | 'pending' | 'conflict' | 'shadowed' | 'failed' | 'stale' | 'blackhole';

export interface NextHopStatus {
  readonly address: IpAddress;
  readonly device?: string;
  /** `none`: not in use, the reason of the route says why. */
  readonly mode: 'direct' | 'ipip' | 'none';
  /** The name of the peer that told of it; absent where no one did in this run. */
  readonly peer?: string;
  /**
   * What the kernel knows of the machine that takes the packets: the next hop itself where it is on a link, else the
   * gateway towards it. Absent: nothing, as before the first packet.
   */
  readonly neighbour?: NeighbourState;
}

/** Our route as the kernel holds it. */
export interface KernelRouteStatus {
  readonly type: RouteType;
  readonly table: number;
  readonly protocol: number;
  readonly metric: number;
  /** The source of this node's own packets; absent: the kernel chooses. */
  readonly source?: IpAddress;
  /** Absent: that of the device. */
  readonly mtuBytes?: number;
  readonly nextHops: readonly {
    readonly gateway?: IpAddress;
    readonly device?: string;
    readonly onlink: boolean;
    /** Absent: 1. */
    readonly weight?: number;
    /** What the kernel says of the way: its device is down, or has no carrier. Absent: nothing is wrong with it. */
    readonly state?: 'dead' | 'linkdown';
  }[];
}

/** One prefix, as it is; a snapshot. */
export interface RouteStatus {
  readonly prefix: Prefix;
  /** Absent for an own subnet and for what an earlier run left. */
  readonly learnedFrom?: RouteSource;
  readonly nextHops: readonly NextHopStatus[];
  readonly mode: RouteMode;
  /** A sentence: why direct, why through the tunnel, why failed. */
  readonly reason: string;
  /** Absent while our route is not in the kernel. */
  readonly kernel?: KernelRouteStatus;
  readonly state: RouteState;
  /** When this mode and state began, milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** The IPIP device, as it is. */
export interface TunnelStatus {
  readonly device: string;
  /**
   * - `unused`: no pool asks for IPIP, there is no device.
   * - `up`: as described.
   * - `pending`: not made yet.
   * - `failed`: cannot be made; `reason` says why.
   */
  readonly state: 'unused' | 'up' | 'pending' | 'failed';
  readonly reason: string;
  readonly local?: Ipv4;
  readonly address?: Ipv4;
  readonly mtuBytes?: number;
}

/** Running totals since start. */
export interface DataplaneCounters {
  /** Route operations that the kernel accepted. */
  readonly applied: number;
  /** Route operations that the kernel refused. */
  readonly failed: number;
  /** Own routes that a read-back found missing or altered. */
  readonly drift: number;
  /** Full read-backs of the kernel's tables. */
  readonly readBacks: number;
  /** Routes of an earlier run that were removed. */
  readonly swept: number;
}
