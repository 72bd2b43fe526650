/**
 * Routes as rows of `GET /routes`: from the data plane, or from the tables alone where it is off.
 *
 * Owns: the mapping, value by value. Must not know: how a route was chosen or installed.
 */
import type { RouteRow } from '../../api/index.js';
import { formatIpAddress, formatPrefix } from '../../bgp/net/index.js';
import type { BestRoute } from '../../bgp/rib/index.js';
import type { RouteStatus } from '../../ipip/index.js';

/** A route as the data plane has it. */
export function installedRouteRow(status: RouteStatus): RouteRow {
  const { kernel } = status;
  return {
    prefix: formatPrefix(status.prefix),
    learnedFrom: status.learnedFrom ?? null,
    nextHops: status.nextHops.map((nextHop) => ({
      address: formatIpAddress(nextHop.address),
      device: nextHop.device ?? null,
      mode: nextHop.mode,
      peer: nextHop.peer ?? null,
      neighbour: nextHop.neighbour ?? null,
    })),
    mode: status.mode,
    reason: status.reason,
    kernel:
      kernel === undefined
        ? null
        : {
            type: kernel.type,
            table: kernel.table,
            protocol: kernel.protocol,
            metric: kernel.metric,
            source: kernel.source === undefined ? null : formatIpAddress(kernel.source),
            mtu: kernel.mtuBytes ?? null,
            nextHops: kernel.nextHops.map((nextHop) => ({
              gateway: nextHop.gateway === undefined ? null : formatIpAddress(nextHop.gateway),
              device: nextHop.device ?? null,
              onlink: nextHop.onlink,
              weight: nextHop.weight ?? 1,
              state: nextHop.state ?? 'ok',
            })),
          },
    state: status.state,
    since: new Date(status.sinceMs).toISOString(),
  };
}

/** A best path that nobody installs, because the data plane is off. */
export function tableRouteRow(route: BestRoute, sinceMs: number): RouteRow {
  const { peer, stale } = route.path;
  const paths = peer === undefined ? [] : (route.multipath ?? [route.path]);
  return {
    prefix: formatPrefix(route.prefix),
    learnedFrom: peer === undefined ? null : { peer: peer.id, asn: peer.asn, type: peer.type },
    nextHops: paths.map((path) => ({
      address: formatIpAddress(path.nextHop.address),
      device: null,
      mode: 'none',
      peer: path.peer?.id ?? null,
      neighbour: null,
    })),
    mode: peer === undefined ? 'local' : 'none',
    reason: `${route.reason}; not installed: the data plane is off`,
    kernel: null,
    state: stale === true ? 'stale' : 'ok',
    since: new Date(sinceMs).toISOString(),
  };
}
