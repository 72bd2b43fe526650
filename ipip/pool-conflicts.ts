/**
 * Pools that share addresses with what this machine reaches in another way.
 *
 * Owns: which routes of others stand in a pool's way. Must not know: what is made of it. Pure.
 */
import {
  comparePrefixes,
  type Prefix,
  prefixContains,
  prefixesOverlap,
  prefixLength,
} from '../bgp/net/index.js';
import type { InterfaceIndex, KernelRoute } from './kernel/kernel.js';
import type { DataplaneSettings, NodeFacts, PoolConflict } from './types.js';

/** Whose addresses are asked about. */
export type PoolUse = Pick<NodeFacts, 'pools' | 'blocks'>;

/** What marks a route as ours. */
export type OwnMarks = Pick<DataplaneSettings, 'routeProtocol' | 'tunnelDevice'>;

/**
 * A default route, which some programs write in two halves, gives way to every other. What lies in a block of this node
 * is its pods' own: the route of their bridge, and those to each of them.
 */
export function isInTheWay(
  { prefix, protocol }: Pick<KernelRoute, 'prefix' | 'protocol'>,
  { pools, blocks }: PoolUse,
  { routeProtocol }: OwnMarks,
): boolean {
  return (
    protocol !== routeProtocol &&
    prefixLength(prefix) > 1 &&
    pools.some((pool) => prefixesOverlap(pool.prefix, prefix)) &&
    !blocks.some((block) => prefixContains(block, prefix))
  );
}

/**
 * One for each pool and device, in the order of pools.
 * @param hostRoutes the main table
 */
export function poolConflictsWithHost(
  use: PoolUse,
  hostRoutes: Iterable<readonly [Prefix, readonly KernelRoute[]]>,
  deviceNames: ReadonlyMap<InterfaceIndex, string>,
  marks: OwnMarks,
): readonly PoolConflict[] {
  const found = new Map<string, PoolConflict>();
  for (const [prefix, routes] of hostRoutes) {
    for (const route of routes) {
      if (!isInTheWay(route, use, marks)) continue;
      const index = route.nextHops[0]?.interfaceIndex;
      const device = index === undefined ? undefined : deviceNames.get(index);
      if (device === marks.tunnelDevice) continue;
      for (const pool of use.pools) {
        if (!prefixesOverlap(pool.prefix, prefix)) continue;
        const key = `${pool.prefix} ${device ?? ''}`;
        const other = found.get(key)?.route;
        const isFirst = other === undefined || comparePrefixes(prefix, other) < 0;
        const first = isFirst ? prefix : other;
        found.set(key, { pool: pool.prefix, route: first, ...(device === undefined ? {} : { device }) });
      }
    }
  }
  return [...found.values()].sort(
    (a, b) => comparePrefixes(a.pool, b.pool) || comparePrefixes(a.route, b.route),
  );
}

export function samePoolConflicts(a: readonly PoolConflict[], b: readonly PoolConflict[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ pool, route, device }, index) => {
      const other = b[index];
      return other?.pool === pool && other.route === route && other.device === device;
    })
  );
}
