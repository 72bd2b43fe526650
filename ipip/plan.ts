/**
 * The plan of one route: direct, through the tunnel, or not at all, and the sentence that says why.
 *
 * Owns: the decision and its words. Must not know: what the kernel holds, how anything is installed. Pure.
 *
 * Direct or tunnel is the kernel's own answer about the next hop (no gateway, and not out of our tunnel), as in
 * flannel's DirectRouting, asked again whenever routes, links or addresses change. Comparing subnets, as Calico does,
 * fails on /32 node addresses and on several subnets per link. Towards a node that says how it reaches the others, both
 * ends decide alike: encapsulation.ts.
 */
import {
  type Family,
  formatIpAddress,
  formatPrefix,
  type IpAddress,
  type Ipv4,
  isIpv4,
  isLinkLocal,
  type Prefix,
  prefixContains,
  prefixContainsAddress,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '../bgp/net/index.js';
import { sameTarget } from './delta.js';
import { factsKey, type NodeEnd, SET_TO, type Way, wayBetween } from './encapsulation.js';
import { isReachedBy, planGatewayRoute } from './gateway-route.js';
import type { InterfaceIndex, KernelNextHop, Lookup } from './kernel/kernel.js';
import type { SourceAddresses, SourceChoice } from './source-address.js';
import type {
  EncapsulationOverride,
  IpipMode,
  LearnedNextHop,
  LearnedRoute,
  NextHopStatus,
  PeerGateway,
  PoolFacts,
  RouteMode,
} from './types.js';

/** The tunnel as far as a route must know it. */
export type TunnelUse =
  | {
      readonly state: 'ready';
      readonly device: string;
      readonly interfaceIndex: InterfaceIndex;
      readonly mtuBytes: number;
      /** Absent while the device has none. */
      readonly address?: Ipv4;
      /** Why what is sent into it is dropped. Its routes stay: without them the packets would leave some other way. */
      readonly problem?: string;
    }
  /** `reason`: why packets cannot go through it. */
  | { readonly state: 'absent'; readonly device: string; readonly reason: string };

/** What the plan rests on. */
export interface HostFacts {
  readonly pools: readonly PoolFacts[];
  /** Peers that are reached through a gateway. */
  readonly gateways?: readonly PeerGateway[] | undefined;
  readonly tunnel: TunnelUse;
  /** How the kernel reaches each next hop. */
  readonly lookups: ReadonlyMap<IpAddress, Lookup>;
  readonly deviceNames: ReadonlyMap<InterfaceIndex, string>;
  /** This node, as it presents itself to the others. */
  readonly own: NodeEnd;
  /** What the operator set, by address of the next hop. */
  readonly overrides: ReadonlyMap<IpAddress, EncapsulationOverride>;
  /** Devices that carry nothing now: the cable is out, the other end is down. */
  readonly withoutCarrier: ReadonlySet<InterfaceIndex>;
  /** Absent: no route names a source. */
  readonly sources?: SourceAddresses;
}

/** Where a route leads; absent in a plan where it cannot be installed. */
export type RouteTarget =
  | { readonly type: 'blackhole'; readonly nextHops: readonly [] }
  | {
      readonly type: 'unicast';
      readonly nextHops: readonly KernelNextHop[];
      readonly source?: IpAddress;
      readonly mtuBytes?: number;
    };

export interface RoutePlan {
  readonly mode: RouteMode;
  readonly nextHops: readonly NextHopStatus[];
  readonly reason: string;
  /** Whether it needs the tunnel, be there one or not. */
  readonly needsTunnel: boolean;
  readonly target?: RouteTarget;
  /** Why packets do not get through, although the target can be installed. */
  readonly problem?: string;
}

const BLACKHOLE: RouteTarget = { type: 'blackhole', nextHops: [] };

/** An own subnet: dropped here, beneath whatever better route leads to the pods. */
export const OWN_BLOCK_PLAN: RoutePlan = {
  mode: 'blackhole',
  nextHops: [],
  reason:
    'own subnet: packets for addresses that no pod here has are dropped instead of leaving by the default route',
  needsTunnel: false,
  target: BLACKHOLE,
};

/** The longest pool that holds the prefix. */
export function poolOf(prefix: Prefix, pools: readonly PoolFacts[]): PoolFacts | undefined {
  let best: PoolFacts | undefined;
  for (const pool of pools) {
    if (!prefixContains(pool.prefix, prefix)) continue;
    if (best === undefined || prefixLength(pool.prefix) > prefixLength(best.prefix)) best = pool;
  }
  return best;
}

/** What a plan depends on of one next hop. */
function nextHopKey({ address, linkLocal, device, facts }: LearnedNextHop): string {
  const key = facts === undefined ? String(address) : `${address}(${factsKey(facts)})`;
  return linkLocal === undefined && device === undefined ? key : `${key}/${linkLocal}%${device}`;
}

/** On a link without more ado. */
const PLAIN = { isOnlink: false, because: '' };

/** What one next hop comes to. */
interface HopPlan {
  readonly status: NextHopStatus;
  readonly reason: string;
  readonly kernel?: KernelNextHop;
  readonly source?: SourceChoice;
}

/**
 * Plans routes against one set of facts. Plans depend on next hops and pool mode alone, so routes that share both
 * share one plan object, however many prefixes there are.
 */
export class Planner {
  readonly #facts: HostFacts;
  readonly #covering: ReadonlySet<Prefix>;
  readonly #plans = new Map<string, RoutePlan>();

  /** @param covering `coveringPrefixes` of the next hops in `facts.lookups` */
  constructor(facts: HostFacts, covering: ReadonlySet<Prefix>) {
    this.#facts = facts;
    this.#covering = covering;
  }

  plan(route: LearnedRoute): RoutePlan {
    const carried = this.#carriedNextHop(route);
    if (carried !== undefined) return carried;
    const ipipMode = poolOf(route.prefix, this.#facts.pools)?.ipipMode;
    const family = prefixFamily(route.prefix);
    const key = `${family} ${ipipMode} ${route.nextHops.map(nextHopKey).join(' ')}`;
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      const hops = route.nextHops.map((hop) => this.#planHop(hop, family, ipipMode));
      const shared = this.#share(hops);
      plan = combine(shared, this.#facts.tunnel, this.#withoutCarrier(shared));
      this.#plans.set(key, plan);
    }
    return plan;
  }

  planGateway(peer: PeerGateway): RoutePlan {
    return planGatewayRoute(peer, this.#facts);
  }

  /**
   * A route that would carry packets for the very next hop it needs is refused: once installed, the next hop would be
   * looked up in it. For the tunnel this holds for the far end of any tunnel route, or encapsulated packets would enter
   * the tunnel again. A route that the next hop's own, longer match overrules does no harm.
   */
  #carriedNextHop(route: LearnedRoute): RoutePlan | undefined {
    if (!this.#covering.has(route.prefix)) return undefined;
    const nextHops = route.nextHops.map(({ address }) => address);
    const isIpip = nextHops.some((nextHop) => this.#facts.lookups.get(nextHop)?.kind === 'gateway');
    const candidates = isIpip ? this.#facts.lookups.keys() : nextHops;
    for (const nextHop of candidates) {
      if (!prefixContainsAddress(route.prefix, nextHop) || isLinkLocal(nextHop)) continue;
      const lookup = this.#facts.lookups.get(nextHop);
      const matched =
        lookup?.kind === 'onlink' || lookup?.kind === 'gateway' ? prefixLength(lookup.prefix) : 0;
      if (prefixLength(route.prefix) < matched) continue;
      return {
        mode: 'none',
        nextHops: nextHops.map((address) => ({ address, mode: 'none' })),
        reason: `the prefix holds the next hop ${formatIpAddress(nextHop)}: installed, the route would lead into itself`,
        needsTunnel: false,
      };
    }
    return undefined;
  }

  /**
   * Which of the next hops share the traffic: each once, and those without carrier only where no other one is left. The
   * kernel would go on sending to them (unless the sysctl `ignore_routes_with_linkdown` says otherwise), and their share
   * would be lost until the peer is given up. A lone route stays: without it the packets would leave some other way.
   */
  #share(hops: readonly HopPlan[]): readonly HopPlan[] {
    const distinct = hops.filter(
      ({ kernel }, index) =>
        kernel === undefined || hops.findIndex((other) => sameWay(kernel, other.kernel)) === index,
    );
    if (distinct.length === 1 || this.#facts.withoutCarrier.size === 0) return distinct;
    const carries = (hop: HopPlan) => hop.kernel !== undefined && this.#lostCarrierOf(hop) === undefined;
    if (!distinct.some(carries)) return distinct;
    return distinct.map((hop) => {
      const device = this.#lostCarrierOf(hop);
      if (device === undefined) return hop;
      const { kernel: _unused, ...rest } = hop;
      return {
        ...rest,
        status: { ...hop.status, mode: 'none' },
        reason: `${hop.reason}, left out while ${device} has no carrier`,
      };
    });
  }

  /** Why nothing gets through, where every way is on a device without carrier; its return needs nobody's doing. */
  #withoutCarrier(hops: readonly HopPlan[]): string | undefined {
    const usable = hops.filter((hop) => hop.kernel !== undefined);
    const devices = new Set(usable.map((hop) => this.#lostCarrierOf(hop)));
    return devices.size === 0 || devices.has(undefined)
      ? undefined
      : `${[...devices].join(' and ')} ${devices.size === 1 ? 'has' : 'have'} no carrier`;
  }

  /** The device that a usable next hop is on, or that its gateway is on, where it has no carrier. */
  #lostCarrierOf({ status: { address }, kernel }: HopPlan): string | undefined {
    if (kernel === undefined) return undefined;
    const { lookups, withoutCarrier, deviceNames } = this.#facts;
    const lookup = lookups.get(address);
    const isRouted = lookup?.kind === 'onlink' || lookup?.kind === 'gateway';
    const index = isRouted ? lookup.interfaceIndex : kernel.interfaceIndex;
    if (index === undefined || !withoutCarrier.has(index)) return undefined;
    return deviceNames.get(index) ?? `interface ${index}`;
  }

  /** RFC 2545 section 3: of a global and a link-local address of one machine, the one that is on a link of ours. */
  #planHop(nextHop: LearnedNextHop, family: Family, ipipMode: IpipMode | undefined): HopPlan {
    const { address, linkLocal, device } = nextHop;
    if (isLinkLocal(address)) return this.#planLinkLocal(address, family, device);
    const isOnlink = this.#facts.lookups.get(address)?.kind === 'onlink';
    if (isOnlink || linkLocal === undefined || device === undefined) {
      return this.#planAddress(nextHop, family, ipipMode);
    }
    const hop = this.#planLinkLocal(linkLocal, family, device);
    return { ...hop, reason: `${hop.reason}, the same machine as ${formatIpAddress(address)}` };
  }

  #planLinkLocal(address: IpAddress, family: Family, device: string | undefined): HopPlan {
    const text = formatIpAddress(address);
    if (device === undefined) return hopWithout(address, `next hop ${text} is link-local and names no link`);
    for (const [interfaceIndex, name] of this.#facts.deviceNames) {
      if (name === device) return this.#direct(address, family, interfaceIndex, PLAIN);
    }
    return hopWithout(
      address,
      `next hop ${text} is on the link of ${device}, which this machine does not have`,
    );
  }

  /** A next hop on the link of a device. */
  #direct(
    address: IpAddress,
    family: Family,
    index: InterfaceIndex,
    { isOnlink, because }: { readonly isOnlink: boolean; readonly because: string },
  ): HopPlan {
    const device = this.#facts.deviceNames.get(index) ?? `interface ${index}`;
    const source = this.#facts.sources?.direct(family, address, index);
    return {
      status: { address, device, mode: 'direct' },
      reason: `next hop ${formatIpAddress(address)} is on the same L2 network (${device})${because}`,
      kernel: { gateway: address, interfaceIndex: index, onlink: isOnlink },
      ...(source === undefined ? {} : { source }),
    };
  }

  #planAddress(nextHop: LearnedNextHop, family: Family, ipipMode: IpipMode | undefined): HopPlan {
    const { address } = nextHop;
    const text = formatIpAddress(address);
    const none = (reason: string) => hopWithout(address, reason);
    if (isIpv4(address) && family === 'ipv6') {
      return none(`next hop ${text} is an IPv4 address, which no IPv6 route can lead to`);
    }
    const lookup = this.#facts.lookups.get(address);
    switch (lookup?.kind) {
      case undefined:
        return none(`next hop ${text} has not been looked up yet`);
      case 'local':
        return none(`next hop ${text} is an address of this node`);
      case 'unreachable':
        return none(`next hop ${text} cannot be reached: ${lookup.reason}`);
      case 'onlink':
      case 'gateway':
        break;
      default:
        lookup satisfies never;
    }
    const { tunnel } = this.#facts;
    const device = this.#facts.deviceNames.get(lookup.interfaceIndex) ?? `interface ${lookup.interfaceIndex}`;
    if (tunnel.state === 'ready' && lookup.interfaceIndex === tunnel.interfaceIndex) {
      return none(
        `next hop ${text} is itself routed into ${tunnel.device} by ${formatPrefix(lookup.prefix)}`,
      );
    }
    const place =
      lookup.kind === 'onlink'
        ? `on the same L2 network (${device})`
        : `behind gateway ${formatIpAddress(lookup.gateway)} (${device})`;
    const choice = this.#choose(nextHop, lookup, family, ipipMode);
    const why = `next hop ${text} is ${place}${choice.because}`;
    if (choice.mode === 'none') {
      if (!isReachedBy(lookup, address, this.#facts.gateways)) return none(why);
      const { gateway, interfaceIndex } = lookup;
      const source = this.#facts.sources?.direct(family, gateway, interfaceIndex);
      return {
        status: { address, device, mode: 'direct' },
        reason: `next hop ${text} is ${place}, as its reachableBy says`,
        kernel: { gateway, interfaceIndex, onlink: false },
        ...(source === undefined ? {} : { source }),
      };
    }
    if (choice.mode === 'direct') {
      const isOnlink = lookup.kind === 'onlink' && lookup.needsOnlink === true;
      return this.#direct(address, family, lookup.interfaceIndex, { isOnlink, because: choice.because });
    }
    const status: NextHopStatus = { address, device: tunnel.device, mode: 'ipip' };
    if (tunnel.state === 'absent') {
      return { status, reason: `${why}, so it needs the tunnel: ${tunnel.reason}` };
    }
    const source = this.#facts.sources?.tunnel(tunnel.address);
    return {
      status,
      reason: why,
      kernel: { gateway: address, interfaceIndex: tunnel.interfaceIndex, onlink: true },
      ...(source === undefined ? {} : { source }),
    };
  }

  /** The way to a next hop that the kernel reaches. `because` ends the sentence that says where the next hop is. */
  #choose(
    { address, facts }: LearnedNextHop,
    { kind }: Lookup,
    family: Family,
    ipipMode: IpipMode | undefined,
  ): { readonly mode: NextHopStatus['mode']; readonly because: string } {
    const direct = (because: string, obstacle: string) =>
      kind === 'onlink'
        ? ({ mode: 'direct', because } as const)
        : ({ mode: 'none', because: `${because}${obstacle}` } as const);
    if (ipipMode === undefined) return direct('', ', and no pool with IPIP holds the prefix');
    if (ipipMode === 'Never') return direct('', ", and the pool's ipipMode is Never");
    if (family === 'ipv6') return direct('', ', and IPIP carries IPv4 only');
    if (!isIpv4(address)) return direct('', ', and IPIP needs an IPv4 next hop');
    if (ipipMode === 'Always') return { mode: 'ipip', because: ", and the pool's ipipMode is Always" };
    const way = this.#way(address, facts, kind);
    return way.mode === 'ipip' ? way : direct(way.because, ', which takes a next hop on an own link');
  }

  #way(address: IpAddress, facts: LearnedNextHop['facts'], kind: Lookup['kind']): Way {
    if (facts !== undefined && isIpv4(address)) return wayBetween(this.#facts.own, { address, facts });
    // It says nothing of itself: what is set here, or what the kernel says.
    const override = this.#facts.overrides.get(address);
    if (override !== undefined) return { mode: override, because: SET_TO[override] };
    return { mode: kind === 'onlink' ? 'direct' : 'ipip', because: '' };
  }
}

function sameWay(a: KernelNextHop, b: KernelNextHop | undefined): boolean {
  return a.gateway === b?.gateway && a.interfaceIndex === b?.interfaceIndex;
}

function hopWithout(address: IpAddress, reason: string): HopPlan {
  return { status: { address, mode: 'none' }, reason };
}

/**
 * Equal-cost next hops: those that can be used are, and the reasons of all are told.
 * @param obstacle why packets do not get through
 */
function combine(hops: readonly HopPlan[], tunnel: TunnelUse, obstacle: string | undefined): RoutePlan {
  const modes = hops.map((hop) => hop.status.mode);
  const usable = hops.filter((hop) => hop.kernel !== undefined);
  const usableModes = usable.map((hop) => hop.status.mode);
  const mode = (usableModes.length > 0 ? usableModes : modes).includes('ipip')
    ? 'ipip'
    : modes.includes('direct')
      ? 'direct'
      : 'none';
  const reasons = hops.length === 0 ? ['the route has no next hop'] : hops.map((hop) => hop.reason);
  // A note about the source is the same for every next hop that has one.
  for (const hop of usable) {
    const note = hop.source?.note;
    if (note !== undefined && !reasons.includes(note)) reasons.push(note);
  }
  const problem = obstacle ?? (mode === 'ipip' && tunnel.state === 'ready' ? tunnel.problem : undefined);
  return {
    mode,
    nextHops: hops.map((hop) => hop.status),
    reason: reasons.join('; '),
    needsTunnel: modes.includes('ipip'),
    ...(usable.length === 0 ? {} : { target: unicastTarget(usable, tunnel) }),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** One source and one MTU serve all next hops of a route: those of the tunnel serve a direct one as well. */
function unicastTarget(hops: readonly HopPlan[], tunnel: TunnelUse): RouteTarget {
  const throughTunnel = hops.find((hop) => hop.status.mode === 'ipip');
  const source =
    throughTunnel?.source?.source ?? hops.find((hop) => hop.source?.source !== undefined)?.source?.source;
  return {
    type: 'unicast',
    nextHops: hops.flatMap(({ kernel }) => kernel ?? []),
    ...(source === undefined ? {} : { source }),
    ...(throughTunnel === undefined || tunnel.state === 'absent' ? {} : { mtuBytes: tunnel.mtuBytes }),
  };
}

/** Every prefix that holds one of these addresses, the default route included: a change of no other can change how they are reached. */
export function coveringPrefixes(addresses: Iterable<IpAddress>): ReadonlySet<Prefix> {
  const covering = new Set<Prefix>();
  for (const address of addresses) {
    for (let length = typeof address === 'number' ? 32 : 128; length >= 0; length--) {
      covering.add(prefixOf(address, length));
    }
  }
  return covering;
}

/** True where two plans want the same of the kernel and say the same. */
export function samePlan(a: RoutePlan | undefined, b: RoutePlan): boolean {
  if (a === undefined || a.reason !== b.reason || a.mode !== b.mode || a.problem !== b.problem) return false;
  return (
    a.target === b.target ||
    (a.target !== undefined && b.target !== undefined && sameTarget(a.target, b.target))
  );
}
