/**
 * The plan of one next hop: direct, through the tunnel, or not at all, and the clause that says why.
 *
 * Owns: the decision and its words. Must not know: the other next hops of the route, what the kernel holds. Pure.
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
  isIpv4,
  isLinkLocal,
} from '../bgp/net/index.js';
import { SET_TO, type Way, wayBetween } from './encapsulation.js';
import { isReachedBy } from './gateway-route.js';
import type { InterfaceIndex, KernelNextHop, Lookup } from './kernel/kernel.js';
import type { HostFacts } from './plan-types.js';
import type { SourceChoice } from './source-address.js';
import type { IpipMode, LearnedNextHop, NextHopStatus } from './types.js';

/** What one next hop comes to. */
export interface HopPlan {
  readonly status: NextHopStatus;
  readonly reason: string;
  /** Absent: it cannot be used. */
  readonly kernel?: KernelNextHop;
  readonly source?: SourceChoice;
}

/** On a link without more ado. */
const PLAIN = { isOnlink: false, because: '' };

export class HopPlanner {
  readonly #facts: HostFacts;

  constructor(facts: HostFacts) {
    this.#facts = facts;
  }

  /**
   * RFC 2545 section 3: of a global and a link-local address of one machine, the one that is on a link of ours.
   * @param family of the route
   * @param ipipMode of the pool that holds the route; undefined: none does
   */
  plan(nextHop: LearnedNextHop, family: Family, ipipMode: IpipMode | undefined): HopPlan {
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

function hopWithout(address: IpAddress, reason: string): HopPlan {
  return { status: { address, mode: 'none' }, reason };
}
