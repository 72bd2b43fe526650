/**
 * One row of `GET /routes`: what was learned, what was chosen, what the kernel has, and whether they agree.
 *
 * Owns: the shape that users know the agent by. Fields are only ever added.
 */
import { type Static, Type } from 'typebox';
import { asNumber, count, list, orNull, record, time } from './shape.js';

/** How packets to the prefix leave this node. `none`: the next hop cannot be reached. */
export const ROUTE_MODES = ['direct', 'ipip', 'local', 'blackhole', 'none'] as const;

/**
 * Whether the kernel agrees. `shadowed`: a foreign route with a better metric wins; `conflict`: a foreign route has our
 * metric, ours is not installed; `stale`: kept from an earlier session or run until the peer has spoken again;
 * `blackhole`: in place, and meant to drop: a block of this node that no interface has.
 */
export const ROUTE_STATES = [
  'ok',
  'pending',
  'conflict',
  'shadowed',
  'failed',
  'stale',
  'blackhole',
] as const;

/** Of an ARP or neighbour discovery entry, in the words of iproute2. */
export const NEIGHBOUR_STATES = [
  'incomplete',
  'reachable',
  'stale',
  'delay',
  'probe',
  'failed',
  'noarp',
  'permanent',
  'none',
] as const;

export const PEER_TYPES = ['ibgp', 'ebgp'] as const;

const LearnedFrom = record({
  peer: Type.String({ description: 'the name of the peer, as in /peers' }),
  asn: asNumber(),
  type: Type.Enum(PEER_TYPES),
});

const NextHop = record({
  address: Type.String(),
  device: orNull(Type.String(), 'null: the kernel has no way to this next hop'),
  mode: Type.Enum(ROUTE_MODES),
  peer: orNull(
    Type.String(),
    'the name of the peer that told of it, as in /peers; null: kept from an earlier run',
  ),
  neighbour: orNull(
    Type.Enum(NEIGHBOUR_STATES),
    'what the kernel knows of the machine that takes the packets, the next hop or the gateway towards it; it decides nothing. null: nothing (yet)',
  ),
});

/** What the kernel says of one way. `dead`: its device is down; `linkdown`: it has no carrier. */
export const NEXT_HOP_STATES = ['ok', 'dead', 'linkdown'] as const;

const KernelNextHop = record({
  gateway: orNull(Type.String(), 'null: the destination is on the link itself'),
  device: orNull(Type.String(), 'null: a route without a device (blackhole)'),
  onlink: Type.Boolean(),
  weight: count('its share beside the other next hops'),
  state: Type.Enum(NEXT_HOP_STATES),
});

const KernelRoute = record({
  type: Type.String({ description: 'unicast, blackhole, local ... as iproute2 names it' }),
  table: count(),
  protocol: count('who installed it; ours is the route protocol of the settings'),
  metric: count(),
  source: orNull(Type.String(), "of this node's own packets; null: the kernel chooses"),
  mtu: orNull(count(), 'in octets; null: that of the device'),
  nextHops: list(KernelNextHop),
});

export const Route = record({
  prefix: Type.String(),
  learnedFrom: orNull(
    LearnedFrom,
    'null: no peer told us (a block of this node, the way to a peer behind a gateway, or a route kept from an earlier run)',
  ),
  nextHops: list(NextHop),
  mode: Type.Enum(ROUTE_MODES),
  reason: Type.String({ description: 'why this path, this mode and this state' }),
  kernel: orNull(KernelRoute, 'our route as read back from the kernel; null: it has none'),
  state: Type.Enum(ROUTE_STATES),
  since: time('of the last change of this row'),
});

export const RoutePage = record({
  routes: list(Route),
  total: count('rows that match the filters, on all pages'),
  next: orNull(Type.String(), 'the `cursor` of the next page; null: this is the last one'),
});

export type RouteMode = (typeof ROUTE_MODES)[number];
export type RouteState = (typeof ROUTE_STATES)[number];
export type RouteRow = Static<typeof Route>;
export type RoutePage = Static<typeof RoutePage>;
