/**
 * The plan of one route: direct, through the tunnel, or not at all, and the sentence that says why.
 *
 * Owns: what a route's plan depends on, and the routes that would lead into themselves. Must not know: what the kernel holds, how anything is installed. Pure.
 * The way to each next hop is in hop-plan.ts, what several of them come to in hop-share.ts.
 */
import {
  formatIpAddress,
  type IpAddress,
  isLinkLocal,
  type Prefix,
  prefixContains,
  prefixContainsAddress,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '../bgp/net/index.js';
import { sameTarget } from './delta.js';
import { factsKey } from './encapsulation.js';
import { planGatewayRoute } from './gateway-route.js';
import { HopPlanner } from './hop-plan.js';
import { combine, shareTraffic } from './hop-share.js';
import type { HostFacts, RoutePlan, RouteTarget } from './plan-types.js';
import type { LearnedNextHop, LearnedRoute, PeerGateway, PoolFacts } from './types.js';

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

/**
 * Plans routes against one set of facts. Plans depend on next hops and pool mode alone, so routes that share both
 * share one plan object, however many prefixes there are.
 */
export class Planner {
  readonly #facts: HostFacts;
  readonly #hops: HopPlanner;
  readonly #covering: ReadonlySet<Prefix>;
  readonly #plans = new Map<string, RoutePlan>();

  /** @param covering `coveringPrefixes` of the next hops in `facts.lookups` */
  constructor(facts: HostFacts, covering: ReadonlySet<Prefix>) {
    this.#facts = facts;
    this.#hops = new HopPlanner(facts);
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
      const hops = route.nextHops.map((hop) => this.#hops.plan(hop, family, ipipMode));
      plan = combine(shareTraffic(hops, this.#facts), this.#facts);
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
