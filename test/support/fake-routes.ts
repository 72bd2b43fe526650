/**
 * The routes of the kernel in memory: its main table.
 *
 * Owns: which routes there are, what is refused, and how an address is reached. Must not know: events, the port.
 */
import {
  type IpAddress,
  isIpv4,
  isLinkLocal,
  type Prefix,
  prefixFamily,
  prefixOf,
} from '../../bgp/net/index.js';
import { type KernelError, kernelError } from '../../ipip/kernel/errors.js';
import type {
  InterfaceIndex,
  KernelLink,
  KernelNextHop,
  KernelRoute,
  Lookup,
  RouteOperation,
} from '../../ipip/kernel/kernel.js';

/** What routes rest on. */
export interface RoutesGround {
  readonly links: ReadonlyMap<InterfaceIndex, Pick<KernelLink, 'up'>>;
  readonly hasAddress: (address: IpAddress) => boolean;
}

export class FakeRoutes {
  readonly #ground: RoutesGround;
  /** In the kernel's order: by metric, and in order of arrival where that is the same. */
  readonly #routes = new Map<Prefix, KernelRoute[]>();

  constructor(ground: RoutesGround) {
    this.#ground = ground;
  }

  all(): readonly KernelRoute[] {
    return [...this.#routes.values()].flat();
  }

  /** As they are read back: one family after the other. */
  read(): readonly KernelRoute[] {
    const routes = this.all();
    const inOrder = [...routes.filter(isOfIpv4), ...routes.filter((route) => !isOfIpv4(route))];
    return inOrder.map((route) => this.#asRead(route));
  }

  /** Whether the key of `route` is taken, by whomever. */
  hasKeyOf(route: KernelRoute): boolean {
    return this.#at(route.prefix).some((other) => sameKey(other, route));
  }

  /** The route that a packet to `address` takes, down links left aside. */
  match(address: IpAddress): KernelRoute | undefined {
    for (let bits = isIpv4(address) ? 32 : 128; bits >= 0; bits--) {
      const [route] = this.#at(prefixOf(address, bits));
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /** @returns why it is refused; undefined: it is done */
  apply({ op, route }: RouteOperation): KernelError | undefined {
    const routes = this.#at(route.prefix);
    if (op === 'delete') {
      const index = routes.findIndex(
        (other) => sameKey(other, route) && other.protocol === route.protocol && sameHops(other, route),
      );
      if (index < 0) return kernelError(3, 'the kernel refused');
      this.#routes.set(route.prefix, routes.toSpliced(index, 1));
      return undefined;
    }
    const index = routes.findIndex((other) => sameKey(other, route));
    if (op === 'add') {
      if (index >= 0) return kernelError(17, 'the kernel refused');
      return this.insert(route);
    }
    if (index < 0) return kernelError(2, 'the kernel refused');
    const isElsewhere = (other: KernelRoute, at: number) =>
      at !== index && sameKey(other, route) && other.protocol === route.protocol && sameHops(other, route);
    if (prefixFamily(route.prefix) === 'ipv4' && routes.some(isElsewhere))
      return kernelError(17, 'the kernel refused');
    const error = this.#checkNextHops(route);
    if (error === undefined) this.#routes.set(route.prefix, routes.with(index, route));
    return error;
  }

  /** What a link takes along for a while stays in a route with other ways out, and is said to be dead. */
  #asRead(route: KernelRoute): KernelRoute {
    const isDead = ({ interfaceIndex: index }: KernelNextHop) =>
      index !== undefined && this.#ground.links.get(index)?.up !== true;
    if (!route.nextHops.some(isDead)) return route;
    return {
      ...route,
      nextHops: route.nextHops.map((hop) => (isDead(hop) ? { ...hop, state: 'dead' } : hop)),
    };
  }

  /** As `apply` adds it, also beside a route with the same key. */
  insert(route: KernelRoute): KernelError | undefined {
    const error = this.#checkNextHops(route);
    if (error !== undefined) return error;
    const routes = this.#at(route.prefix);
    const after = routes.findIndex((other) => other.metric > route.metric);
    this.#routes.set(route.prefix, routes.toSpliced(after < 0 ? routes.length : after, 0, route));
    return undefined;
  }

  #checkNextHops(route: KernelRoute): KernelError | undefined {
    const isTwice = (hop: KernelNextHop, index: number) =>
      route.nextHops.findIndex((other) => sameWay(other, hop)) !== index;
    if (prefixFamily(route.prefix) === 'ipv6' && route.nextHops.some(isTwice))
      return kernelError(17, 'the kernel refused');
    const { source } = route;
    if (source !== undefined && !this.#ground.hasAddress(source)) {
      const text = isIpv4(source) ? 'Invalid prefsrc address' : 'Invalid source address';
      return kernelError(22, 'the kernel refused', text);
    }
    for (const hop of route.nextHops) {
      const link = hop.interfaceIndex === undefined ? undefined : this.#ground.links.get(hop.interfaceIndex);
      const isOnlink = hop.onlink || hop.gateway === undefined;
      if (isOnlink && link === undefined) return kernelError(19, 'the kernel refused');
      if (isOnlink && link?.up === false) {
        return kernelError(100, 'the kernel refused', 'Nexthop device is not up');
      }
      if (hop.onlink || hop.gateway === undefined) continue;
      if (link?.up !== true) return kernelError(101, 'the kernel refused', 'Nexthop has invalid gateway');
      if (isLinkLocal(hop.gateway)) continue;
      // An address of this machine passes: only the main table is asked.
      const lookup = this.lookup(hop.gateway);
      if (lookup.kind === 'unreachable') {
        return kernelError(101, 'the kernel refused', 'Nexthop has invalid gateway');
      }
      if (lookup.kind === 'onlink' && lookup.needsOnlink === true) {
        return isIpv4(hop.gateway)
          ? kernelError(101, 'the kernel refused', 'Nexthop has invalid gateway')
          : kernelError(113, 'the kernel refused');
      }
      if (lookup.kind !== 'onlink') {
        return kernelError(22, 'the kernel refused', 'Nexthop has invalid gateway');
      }
    }
    return undefined;
  }

  /** Addresses of the machine itself are in another table. */
  lookup(address: IpAddress): Lookup {
    const route = this.match(address);
    if (route === undefined) return { kind: 'unreachable', reason: 'network is unreachable (ENETUNREACH)' };
    const hop = route.nextHops.find((candidate) => candidate.gateway !== undefined) ?? route.nextHops[0];
    if (hop?.interfaceIndex === undefined) {
      return { kind: 'unreachable', reason: `its route is of type ${route.type}` };
    }
    const { prefix } = route;
    const { interfaceIndex: index } = hop;
    if (hop.gateway === undefined) return { kind: 'onlink', interfaceIndex: index, prefix };
    return hop.gateway === address
      ? { kind: 'onlink', interfaceIndex: index, prefix, needsOnlink: true }
      : { kind: 'gateway', gateway: hop.gateway, interfaceIndex: index, prefix };
  }

  /** An address that no device has any more: silently, as with all that goes with something else. */
  dropSource(source: IpAddress): void {
    if (this.#ground.hasAddress(source)) return;
    for (const [prefix, routes] of this.#routes) {
      const kept = routes.filter((route) => !isIpv4(source) || route.source !== source);
      this.#routes.set(
        prefix,
        kept.map((route) => (route.source === source ? withoutSource(route) : route)),
      );
    }
  }

  /** A device that is gone for good takes every route along that names it. */
  dropNaming(index: InterfaceIndex): void {
    this.#keep(({ nextHops }) => nextHops.every((hop) => hop.interfaceIndex !== index));
  }

  /** Silently: the kernel announces none of it. A route with another way out stays, and still names the dead one. */
  dropThrough(index: InterfaceIndex): void {
    const isAlive = ({ interfaceIndex: device }: KernelNextHop) =>
      device !== index && device !== undefined && this.#ground.links.get(device)?.up === true;
    this.#keep(({ nextHops }) => nextHops.length === 0 || nextHops.some(isAlive));
  }

  #keep(isKept: (route: KernelRoute) => boolean): void {
    for (const [prefix, routes] of this.#routes) this.#routes.set(prefix, routes.filter(isKept));
  }

  #at(prefix: Prefix): KernelRoute[] {
    return this.#routes.get(prefix) ?? [];
  }
}

function sameKey(a: KernelRoute, b: KernelRoute): boolean {
  return a.table === b.table && a.tos === b.tos && a.metric === b.metric;
}

function sameHops(a: KernelRoute, b: KernelRoute): boolean {
  const text = (hops: readonly KernelNextHop[]) =>
    hops
      .map((hop) => `${hop.gateway}/${hop.interfaceIndex}`)
      .sort()
      .join(' ');
  return a.type === b.type && text(a.nextHops) === text(b.nextHops);
}

function sameWay(a: KernelNextHop, b: KernelNextHop): boolean {
  return a.gateway === b.gateway && a.interfaceIndex === b.interfaceIndex;
}

const isOfIpv4 = ({ prefix }: KernelRoute) => prefixFamily(prefix) === 'ipv4';

function withoutSource({ source: _source, ...route }: KernelRoute): KernelRoute {
  return route;
}
