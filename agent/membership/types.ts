/**
 * What the cluster resources mean for one node: its own BGP values and its peers.
 *
 * Owns: the shape of the plan. Must not know: sockets, sessions, routes.
 */
import type { IpAddress, Ipv4, Ipv6, Prefix } from '../../bgp/net/index.js';
import type { BgpFilter, BgpPeer, IpPool, PeeringOptions, PrefixCommunities } from '../resources/index.js';

/** BGP as this node must run it. */
export interface Membership {
  readonly nodeName: string;
  readonly localAs: number;
  /** The node's IPv4 address: unique in the cluster, which is all that RFC 6286 asks of it. */
  readonly bgpIdentifier: Ipv4;
  readonly nodeAddress: Ipv4;
  /** The node network, as configured. */
  readonly nodeSubnet: Prefix;
  /** The next hop of our IPv6 blocks, where the node has an IPv6 address. */
  readonly nodeAddress6?: Ipv6;
  readonly listenPort: number;
  /** Absent: listen on every address. */
  readonly listenAddress?: Ipv4;
  /** Present: this node is a route reflector of that cluster (RFC 4456). */
  readonly clusterId?: Ipv4;
  /** The pod subnets of this node, in prefix order. */
  readonly blocks: readonly Prefix[];
  /** What this node announces beside its blocks, in prefix order. */
  readonly advertisements: readonly Prefix[];
  /** What the announced routes in a prefix carry. */
  readonly prefixCommunities: readonly PrefixCommunities[];
  /** All pools, disabled ones included, by name. */
  readonly pools: readonly IpPool[];
  /** The other nodes, by name. */
  readonly nodes: readonly ClusterNode[];
  /** Of all nodes, this one too, both families. */
  readonly nodeAddresses: readonly IpAddress[];
  /** By id. At most one per address. */
  readonly peers: readonly PeerSpec[];
  /** By id. */
  readonly dynamicPeers: readonly DynamicPeerSpec[];
}

/** Another node that takes part in BGP. */
export interface ClusterNode {
  readonly name: string;
  readonly address: Ipv4;
  readonly asn: number;
}

/** Routers that become peers when they connect. */
export interface DynamicPeerSpec
  extends Pick<PeerSpec, 'localAs' | 'sourceAddress' | 'nextHop' | 'filters' | 'options'> {
  /** `dynamic/BGPPEER`; each peer has its address behind it. */
  readonly id: string;
  readonly name: string;
  readonly range: Prefix;
  /** Absent: any but our own. */
  readonly asn?: number;
  readonly limit: number;
  /** We reflect the routes of those that speak iBGP (RFC 4456). */
  readonly routeReflectorClient: boolean;
}

/** One BGP peer of this node. */
export interface PeerSpec {
  /** `mesh/NODE`, `peer/BGPPEER`, or `peer/BGPPEER/NODE` where the BGPPeer selects nodes. Stable over changes. */
  readonly id: string;
  readonly address: IpAddress;
  /** The device that a link-local address is on the link of. */
  readonly zone?: string;
  readonly port: number;
  readonly asn: number;
  /** The AS number that the peer sees. */
  readonly localAs: number;
  readonly type: 'ibgp' | 'ebgp';
  /** `cluster`: a node of these resources. `outside`: a router. */
  readonly place: 'cluster' | 'outside';
  /** Who connects; see {@link dialTowards}. */
  readonly dial: 'now' | 'never' | { readonly afterSeconds: number };
  /** Our address on the session. Absent: the kernel chooses. */
  readonly sourceAddress?: IpAddress;
  /** The peer is reached through this router: the data plane has a route to its address alone. */
  readonly gateway?: IpAddress;
  /** We reflect the routes of this peer (RFC 4456). */
  readonly routeReflectorClient: boolean;
  readonly nextHop: BgpPeer['nextHop'];
  /** The way of packets to the peer; absent: what the networks say. */
  readonly encapsulation?: BgpPeer['encapsulation'];
  /** In the order in which they are asked. */
  readonly filters: readonly BgpFilter[];
  readonly options: PeeringOptions;
  /** The name of the peer, where it is a node of the cluster. */
  readonly node?: string;
  /** Where the peer comes from, for people. */
  readonly description: string;
}

/** A membership, or why there is none. */
export type MembershipResult = { readonly membership: Membership } | { readonly problem: string };

/** What differs between two plans. One that got another id is `changed`. */
export interface PeerChanges {
  readonly added: readonly PeerSpec[];
  readonly removed: readonly PeerSpec[];
  readonly changed: readonly PeerChange[];
}

/** A peer that is in both plans, but not the same. */
export interface PeerChange {
  readonly before: PeerSpec;
  readonly after: PeerSpec;
  /** Such as `AS number 65001 -> 65002`; what needs a reset comes first. */
  readonly reasons: readonly string[];
  /** The session cannot live on with the new values. */
  readonly needsReset: boolean;
}
