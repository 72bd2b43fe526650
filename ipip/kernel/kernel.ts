/**
 * The kernel as the data plane sees it: a port of few, plain operations. It decides nothing.
 *
 * Owns: the values that cross the port. Must not know: rtnetlink, sockets, plans.
 * Implementations: `rtnetlink.ts` (Linux) and `test/support/fake-kernel.ts`; one suite runs over both.
 */
import type { IpAddress, Ipv4, Prefix } from '../../bgp/net/index.js';
import type { KernelError } from './errors.js';

declare const interfaceIndexBrand: unique symbol;

/** The kernel's number of a network interface, from 1; unique for the life of its network namespace. */
export type InterfaceIndex = number & { readonly [interfaceIndexBrand]: true };

export function interfaceIndex(value: number): InterfaceIndex {
  return value as InterfaceIndex;
}

/** `RT_TABLE_MAIN` (linux/rtnetlink.h), the only table we read and write. */
export const MAIN_TABLE = 254;

/** `rtm_type`; `other` is one that neither an operator nor a routing program installs (broadcast, anycast ...). */
export type RouteType = 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw' | 'other';

/** One way out of a route. */
export interface KernelNextHop {
  readonly gateway?: IpAddress;
  readonly interfaceIndex?: InterfaceIndex;
  /** `RTNH_F_ONLINK`: the gateway is taken to be on this link, whatever the addresses say. */
  readonly onlink: boolean;
  /** Its share beside the other next hops, 2 to 256; absent: 1, as in routes of ours. */
  readonly weight?: number;
  /**
   * The kernel sends nothing this way: its device is down (`dead`), or, with the sysctl `ignore_routes_with_linkdown`,
   * has no carrier (`linkdown`). Of a route with other ways out the kernel keeps such a next hop, and takes it into use
   * again by itself.
   */
  readonly state?: 'dead' | 'linkdown';
}

/**
 * A route as the kernel keys it (prefix, table, tos, metric) with what it leads to. Both what is wanted and what is
 * there have this shape, so that they compare.
 */
export interface KernelRoute {
  readonly prefix: Prefix;
  readonly table: number;
  /** `rtm_tos`; routes of ours have 0. */
  readonly tos: number;
  /** `RTA_PRIORITY`; absent on the wire is 0. */
  readonly metric: number;
  /** `rtm_protocol`: who installed it. */
  readonly protocol: number;
  readonly type: RouteType;
  /**
   * `RTA_PREFSRC`: the source of this machine's own packets. The kernel takes only an address that it has; when that
   * address goes, it drops an IPv4 route without a word, and takes the source off an IPv6 route likewise.
   */
  readonly source?: IpAddress;
  /** `RTAX_MTU`, without a lock: path MTU discovery still lowers it. Absent: that of the device. */
  readonly mtuBytes?: number;
  /** Other metrics than the MTU, or a lock on it; routes of ours have none. */
  readonly hasOtherMetrics?: true;
  /** Empty for a blackhole and its like. */
  readonly nextHops: readonly KernelNextHop[];
}

/** The parameters of an ipip device; addresses 0 are `any`. */
export interface IpipParameters {
  readonly local: Ipv4;
  readonly remote: Ipv4;
  /** 0: inherited from the inner packet. */
  readonly ttl: number;
  readonly pathMtuDiscovery: boolean;
}

export interface KernelLink {
  readonly index: InterfaceIndex;
  readonly name: string;
  /** `IFLA_INFO_KIND`: `ipip`, `bridge`, `veth` ...; absent for a plain device. */
  readonly kind?: string;
  /** `IFF_UP`. */
  readonly up: boolean;
  /** `IFF_LOWER_UP`: there is a carrier. */
  readonly carrier: boolean;
  readonly mtuBytes: number;
  readonly ipip?: IpipParameters;
}

export interface KernelAddress {
  readonly index: InterfaceIndex;
  readonly address: IpAddress;
  readonly lengthBits: number;
  /** `IFA_F_SECONDARY`: not the first of its subnet, or an IPv6 temporary address. */
  readonly secondary?: true;
  /** Duplicate address detection is not over, or found a duplicate: not to be used. */
  readonly tentative?: true;
  /** Its scope is narrower than global: it is of use on its link only. */
  readonly narrow?: true;
}

/** `ndm_state` (linux/neighbour.h) in the words of iproute2. */
export type NeighbourState =
  | 'incomplete'
  | 'reachable'
  | 'stale'
  | 'delay'
  | 'probe'
  | 'failed'
  | 'noarp'
  | 'permanent'
  | 'none';

/** What the kernel knows of the link-layer address of a machine on one of its links (ARP, IPv6 neighbour discovery). */
export interface KernelNeighbour {
  readonly index: InterfaceIndex;
  readonly address: IpAddress;
  readonly state: NeighbourState;
}

/** How the kernel would reach an address now. */
export type Lookup =
  /** On the link itself, by the route of `prefix`. */
  | {
      readonly kind: 'onlink';
      readonly interfaceIndex: InterfaceIndex;
      readonly prefix: Prefix;
      /** The kernel takes it as a gateway only with `RTNH_F_ONLINK`: its route is none to a connected network. */
      readonly needsOnlink?: true;
    }
  /** Through a gateway. */
  | {
      readonly kind: 'gateway';
      readonly gateway: IpAddress;
      readonly interfaceIndex: InterfaceIndex;
      readonly prefix: Prefix;
    }
  /** The address is this machine's own. */
  | { readonly kind: 'local' }
  | { readonly kind: 'unreachable'; readonly reason: string };

/**
 * - `add`: fails with `KERNEL_EEXIST` where any route has the same key, whoever owns it.
 * - `replace`: in place, without a gap; fails with `KERNEL_ENOENT` where no route has the key. The kernel does not ask
 *   whose route it replaces: the caller must know that it is its own.
 * - `delete`: only a route with this key, protocol and these next hops; fails with `KERNEL_ESRCH` where there is none.
 */
export interface RouteOperation {
  readonly op: 'add' | 'replace' | 'delete';
  readonly route: KernelRoute;
}

/** What became of one operation. `route`: as the kernel echoed it, that is, read back. */
export type RouteResult =
  | { readonly route: KernelRoute; readonly error?: never }
  | { readonly error: KernelError; readonly route?: never };

/** Changes of devices and addresses; each names its device, which is ours. */
export type LinkOperation =
  | {
      readonly op: 'createIpip';
      readonly name: string;
      readonly parameters: IpipParameters;
      readonly mtuBytes: number;
    }
  | { readonly op: 'changeIpip'; readonly index: InterfaceIndex; readonly parameters: IpipParameters }
  | { readonly op: 'deleteLink'; readonly index: InterfaceIndex }
  | { readonly op: 'setMtu'; readonly index: InterfaceIndex; readonly mtuBytes: number }
  | { readonly op: 'setUp'; readonly index: InterfaceIndex }
  | { readonly op: 'addAddress'; readonly address: KernelAddress }
  | { readonly op: 'removeAddress'; readonly address: KernelAddress };

/** What changed by another program's doing, or by itself. */
export type KernelEvent =
  /** `replaced`: the new route took the place of another one with its key, which is not announced as gone. */
  | {
      readonly kind: 'route';
      readonly change: 'new' | 'gone';
      readonly route: KernelRoute;
      readonly replaced: boolean;
    }
  | { readonly kind: 'link'; readonly change: 'new' | 'gone'; readonly link: KernelLink }
  | { readonly kind: 'address' }
  /** `gone`: the kernel forgot it. */
  | {
      readonly kind: 'neighbour';
      readonly change: 'new' | 'gone';
      readonly neighbour: KernelNeighbour;
    }
  /** The kernel could not hold all events: anything may have changed. */
  | { readonly kind: 'lost' };

export type EventHandler = (events: readonly KernelEvent[]) => void;

export interface Kernel {
  /**
   * Opens what the port needs. With a handler it also watches; events of our own route operations are not
   * reported.
   * @throws KernelError
   */
  open(onEvents?: EventHandler): Promise<void>;
  /** @throws KernelError `KERNEL_EPERM` where this process may not change routes (CAP_NET_ADMIN). */
  checkPermission(): Promise<void>;
  links(): Promise<readonly KernelLink[]>;
  addresses(): Promise<readonly KernelAddress[]>;
  /** Both families, of every device. */
  neighbours(): Promise<readonly KernelNeighbour[]>;
  /** Both families of the main table, or only the routes of one protocol. */
  routes(protocol?: number): Promise<readonly KernelRoute[]>;
  /** One answer per address, in order. */
  lookup(addresses: readonly IpAddress[]): Promise<readonly Lookup[]>;
  /**
   * One result per operation, in order; one that fails does not stop the others.
   * @throws KernelError `KERNEL_ENOBUFS` where answers were lost and the tables must be read again.
   */
  apply(operations: readonly RouteOperation[]): Promise<readonly RouteResult[]>;
  /** @throws KernelError */
  applyLink(operation: LinkOperation): Promise<void>;
  /** Closes the sockets; changes nothing in the kernel. */
  close(): Promise<void>;
}

/** Kernel settings under /proc/sys, by their sysctl name with slashes: `net/ipv4/ip_forward`. */
export interface Sysctl {
  /** @returns undefined where there is no such setting. */
  read(name: string): string | undefined;
  /** The names below a folder of settings, such as the devices in `net/ipv4/conf`; empty where there is none. */
  list(folder: string): readonly string[];
  /** @throws KernelError where it cannot be written, such as on a read-only /proc/sys. */
  write(name: string, value: string): void;
}
