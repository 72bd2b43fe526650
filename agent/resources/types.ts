/**
 * The cluster resources as values: checked, parsed once, immutable.
 *
 * Owns: what the rest of the agent may know of a resource. Must not know: YAML, files, TypeBox.
 * Source: the resource kinds of apiVersion projectcalico.org/v3; our additions are marked.
 */
import type { IpAddress, Ipv4, Ipv6, Prefix } from '../../bgp/net/index.js';
import type { Community, RouteOperation } from '../../bgp/policy/index.js';
import type { ConfigError } from '../schema/index.js';
import type { Labels, Selector } from './selector.js';

/** An address with the length of the subnet it is in, as on an interface. */
export interface InterfaceAddress<A extends IpAddress = IpAddress> {
  readonly address: A;
  readonly lengthBits: number;
}

/** One machine of the cluster. */
export interface NodeResource {
  readonly name: string;
  readonly labels: Labels;
  /** Absent: this node takes no part in BGP. */
  readonly ipv4?: InterfaceAddress<Ipv4>;
  /** Present on every node with IPv6 blocks: the next hop of those. */
  readonly ipv6?: InterfaceAddress<Ipv6>;
  /** Absent: `BgpConfiguration.asNumber`. */
  readonly asNumber?: number;
  /** Present: this node is a route reflector of that cluster (RFC 4456) and takes no part in the mesh. */
  readonly routeReflectorClusterId?: Ipv4;
  /** Ours: the pod subnets that this node owns and announces, beside those of its BlockAffinities. */
  readonly podCIDRs: readonly Prefix[];
  /** Ours: what this node announces beside them, and others may announce too. */
  readonly anycastCIDRs: readonly Prefix[];
}

/** A pod subnet that a node has claimed from a pool. */
export interface BlockAffinity {
  readonly name: string;
  readonly cidr: Prefix;
  readonly node: string;
  /** `confirmed`: the node has it and announces it. The others are taken, and announced by nobody. */
  readonly state: 'confirmed' | 'pending' | 'pendingDeletion';
}

/** When a route into a pool goes through the IPIP tunnel. `CrossSubnet`: only where the next hop is behind a router. */
export type IpipMode = 'Always' | 'CrossSubnet' | 'Never';

/** A range that pod subnets come from. */
export interface IpPool {
  readonly name: string;
  readonly cidr: Prefix;
  readonly ipipMode: IpipMode;
  /** Prefix length of the blocks that nodes claim. */
  readonly blockSize: number;
  /** Nodes neither import from it nor claim blocks of it. */
  readonly disabled: boolean;
  readonly disableBGPExport: boolean;
  /** What leaves the pools gets the address of the node that it leaves. */
  readonly natOutgoing: boolean;
  /** The nodes that may own blocks of this pool. */
  readonly nodeSelector: Selector;
}

/** The settings that all nodes share; there is one, named `default`. */
export interface BgpConfiguration {
  readonly asNumber: number;
  readonly nodeToNodeMeshEnabled: boolean;
  readonly listenPort: number;
  /** `NodeIP`: listen on the node's address alone. */
  readonly bindMode: 'None' | 'NodeIP';
  /** Prefixes that every node announces beside its blocks: service ranges, by field, each once, in prefix order. */
  readonly advertisements: readonly Prefix[];
  /** What own routes in a prefix carry; all that match add up. */
  readonly prefixCommunities: readonly PrefixCommunities[];
  /** Of the sessions of the mesh. */
  readonly mesh: Pick<PeeringOptions, 'password' | 'restartTimeSeconds'>;
}

/** Communities of the announced routes that are in `cidr`. */
export interface PrefixCommunities {
  readonly cidr: Prefix;
  readonly communities: readonly Community[];
}

/** Where a secret is kept; the value itself is read by the agent, and is never part of the resources. */
export type SecretSource =
  | { readonly type: 'file'; readonly path: string }
  /** A key of a Secret of Kubernetes: a file in the folder of secrets, as a mounted Secret is. */
  | { readonly type: 'secret'; readonly name: string; readonly key: string }
  | { readonly type: 'env'; readonly name: string };

/** How a session is run; what is absent is the agent's default. */
export interface PeeringOptions {
  /** TCP MD5 (RFC 2385). */
  readonly password?: SecretSource;
  /** How long the peer shall keep our routes while we restart (RFC 4724). */
  readonly restartTimeSeconds?: number;
  readonly holdTimeSeconds?: number;
  /** RFC 5082: the peer is at most so many hops away. */
  readonly ttlSecurityHops?: number;
  /** How often our own AS may stand in a received path. */
  readonly allowedOwnAs?: number;
  /** Ours: the peer is waited for and never dialled. */
  readonly passive?: true;
  /** Ours: how many prefixes the peer may announce, and what happens beyond. */
  readonly maxPrefixes?: { readonly limit: number; readonly action: 'warn' | 'restart' | 'stop' };
  /** Ours: what this node is to the peer (RFC 9234). */
  readonly role?: 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer';
}

/** Whom a BGPPeer names: one router by address, nodes of the cluster by label, or routers that come from a range. */
export type PeerTarget =
  | {
      readonly type: 'address';
      readonly address: IpAddress;
      /** The device that a link-local address is on the link of. */
      readonly zone?: string;
      /** Absent: 179, or the listen port of the cluster where the address is a node's. */
      readonly port?: number;
      readonly asNumber: number;
      /** `reachableBy`: the router is reached through this one, of the same family. */
      readonly gateway?: IpAddress;
    }
  | {
      readonly type: 'nodes';
      readonly selector: Selector;
      /** They have this peering too, without a resource of their own. */
      readonly peerBack: boolean;
    }
  /** Ours: whoever connects from there. */
  | {
      readonly type: 'range';
      readonly range: Prefix;
      /** Absent: any but that of the node. */
      readonly asNumber?: number;
      /** Peers at one time. */
      readonly limit: number;
    };

/** A peering beyond the mesh. */
export interface BgpPeer {
  readonly name: string;
  /** The nodes that have this peer: one by name, or those that the selector matches (`all()` by default). */
  readonly nodes: { readonly name: string } | { readonly selector: Selector };
  readonly target: PeerTarget;
  /** `UseNodeIP`: connect from the node's address. `None`: the kernel chooses. */
  readonly sourceAddress: 'UseNodeIP' | 'None';
  /** The AS number that this peer sees; absent: that of the node. */
  readonly localAsNumber?: number;
  /** The next hop of what the peer is told. */
  readonly nextHop: 'self' | 'keep' | 'auto';
  /** Ours: the way of packets to the peer; absent: what the networks say. */
  readonly encapsulation?: 'direct' | 'ipip';
  /** Names of BGPFilters, in the order in which they are asked. */
  readonly filters: readonly string[];
  readonly options: PeeringOptions;
}

/** How a rule compares a route's prefix with its own. */
export type MatchOperator = 'Equal' | 'NotEqual' | 'In' | 'NotIn';

/** One rule of a filter; the first that matches decides. */
export interface BgpFilterRule {
  readonly action: 'Accept' | 'Reject';
  readonly match?: {
    readonly cidr: Prefix;
    readonly operator: MatchOperator;
    /** Prefix lengths of the routes that match. */
    readonly lengthBits: { readonly min: number; readonly max: number };
  };
  /** Only routes learned from peers, not this node's own. */
  readonly source?: 'RemotePeers';
  readonly peerType?: 'ibgp' | 'ebgp';
  /** Only routes whose next hop is reached by an interface of that name; `*` stands for any letters, and for none. */
  readonly interface?: string;
  /** Only routes that carry it. */
  readonly community?: Community;
  /** Only routes whose AS_PATH begins with these. */
  readonly asPathPrefix?: readonly number[];
  /** What becomes of an accepted route, in this order. */
  readonly operations: readonly RouteOperation[];
}

/** Rules by direction and family. A filter has an effect only through a peer that names it. */
export interface BgpFilter {
  readonly name: string;
  readonly importV4: readonly BgpFilterRule[];
  readonly exportV4: readonly BgpFilterRule[];
  readonly importV6: readonly BgpFilterRule[];
  readonly exportV6: readonly BgpFilterRule[];
}

/** Everything that the nodes of a cluster share; each list is ordered by name. */
export interface Resources {
  readonly nodes: readonly NodeResource[];
  readonly pools: readonly IpPool[];
  readonly configuration: BgpConfiguration;
  readonly peers: readonly BgpPeer[];
  readonly filters: readonly BgpFilter[];
  readonly blocks: readonly BlockAffinity[];
}

/**
 * Either all of it is right, or everything that is wrong with it. A warning names what is accepted without effect,
 * `leftOut` what nodes have written of themselves that cannot be, with the reason.
 */
export type ResourcesResult =
  | {
      readonly resources: Resources;
      readonly warnings: readonly ConfigError[];
      readonly leftOut: readonly ConfigError[];
    }
  | { readonly errors: readonly ConfigError[] };
