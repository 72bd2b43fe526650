/**
 * RTM_NEWROUTE, RTM_DELROUTE and RTM_GETROUTE as values.
 *
 * Owns: rtmsg and the RTA_ attributes. Must not know: sockets, and which routes are ours.
 * Wire: rtmsg = family(1) dst_len(1) src_len(1) tos(1) table(1) protocol(1) scope(1) type(1) flags(4).
 * Source: linux/rtnetlink.h, rtnetlink(7).
 */
import {
  type Family,
  type IpAddress,
  ipv4,
  ipv6,
  isIpv4,
  prefixAddress,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '../../bgp/net/index.js';
import {
  type AttributeTable,
  type MessageView,
  type MessageWriter,
  readAddress,
  readAttributes,
} from './codec.js';
import {
  type InterfaceIndex,
  interfaceIndex,
  type KernelNextHop,
  type KernelRoute,
  type Lookup,
  MAIN_TABLE,
  type RouteOperation,
  type RouteType,
} from './kernel.js';
import {
  AF_INET,
  AF_INET6,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_ECHO,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
} from './netlink-numbers.js';

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const RTMSG_BYTES = 12;
const RTNEXTHOP_BYTES = 8;
const RT_SCOPE_UNIVERSE = 0;
/** In a deletion: any scope. */
const RT_SCOPE_NOWHERE = 255;
const RTNH_F_DEAD = 1;
/** `ip` prints it as "scope link": what is on a link without a gateway. */
const RT_SCOPE_LINK = 253;
const RTNH_F_ONLINK = 4;
const RTNH_F_LINKDOWN = 16;
/** An entry of the cache (a redirect, a path MTU), not of the table. */
const RTM_F_CLONED = 0x200;
/** Answer with the entry of the table that matched: no cache, no redirect, no hash over several next hops. */
const RTM_F_FIB_MATCH = 0x2000;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTAX_MTU = 2;

const ROUTE_TYPES: Readonly<Record<number, RouteType>> = {
  1: 'unicast',
  2: 'local',
  6: 'blackhole',
  7: 'unreachable',
  8: 'prohibit',
  9: 'throw',
};

const ROUTE_TYPE_NUMBERS: ReadonlyMap<RouteType, number> = new Map(
  Object.entries(ROUTE_TYPES).map(([number, name]) => [name, Number(number)]),
);

/** 0 in a deletion means any type. */
function routeTypeNumber(type: RouteType): number {
  return ROUTE_TYPE_NUMBERS.get(type) ?? 0;
}

const FLAGS: Readonly<Record<RouteOperation['op'], number>> = {
  // EXCL makes the kernel refuse where any route has the key: no race between our look and our leap.
  add: NLM_F_CREATE | NLM_F_EXCL,
  // Without CREATE: a route that somebody removed meanwhile is not put back blindly.
  replace: NLM_F_REPLACE,
  delete: 0,
};

const familyNumber = (family: Family) => (family === 'ipv4' ? AF_INET : AF_INET6);

/** The request of one operation. `ackFlag` is NLM_F_ACK on the last one of a batch, else 0. */
export function encodeRouteOperation(
  writer: MessageWriter,
  { op, route }: RouteOperation,
  sequence: number,
  ackFlag: number,
): void {
  const isDelete = op === 'delete';
  const only = route.nextHops.length === 1 ? route.nextHops[0] : undefined;
  writer
    .begin(isDelete ? RTM_DELROUTE : RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ECHO | FLAGS[op] | ackFlag, sequence)
    .u8(familyNumber(prefixFamily(route.prefix)))
    .u8(prefixLength(route.prefix))
    .u8(0)
    .u8(route.tos)
    .u8(route.table)
    .u8(route.protocol)
    .u8(isDelete ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE)
    .u8(routeTypeNumber(route.type))
    .u32(only?.onlink === true ? RTNH_F_ONLINK : 0)
    .attributeAddress(RTA_DST, prefixAddress(route.prefix))
    .attributeU32(RTA_PRIORITY, route.metric);
  const { source, mtuBytes } = route;
  // A deletion names what makes the route ours, not all that it says: neither of the two is part of any key.
  if (!isDelete && source !== undefined) writer.attributeAddress(RTA_PREFSRC, source);
  if (!isDelete && mtuBytes !== undefined) {
    writer.nested(RTA_METRICS, () => writer.attributeU32(RTAX_MTU, mtuBytes));
  }
  if (only !== undefined) {
    writeNextHop(writer, route, only);
    if (only.interfaceIndex !== undefined) writer.attributeU32(RTA_OIF, only.interfaceIndex);
  } else if (route.nextHops.length > 1) {
    writer.nested(RTA_MULTIPATH, () => {
      for (const nextHop of route.nextHops) {
        // rtnexthop = length(2) flags(1) hops(1) ifindex(4), then attributes; hops is the weight less one.
        writer.sized(() => {
          writer.u8(nextHop.onlink ? RTNH_F_ONLINK : 0).u8((nextHop.weight ?? 1) - 1);
          writer.u32(nextHop.interfaceIndex ?? 0);
          writeNextHop(writer, route, nextHop);
        });
      }
    });
  }
  writer.end();
}

function writeNextHop(writer: MessageWriter, { prefix }: KernelRoute, { gateway }: KernelNextHop): void {
  if (gateway === undefined) return;
  if (isIpv4(gateway) || prefixFamily(prefix) === 'ipv6') writer.attributeAddress(RTA_GATEWAY, gateway);
  // RFC 8950: an IPv4 route through an IPv6 gateway.
  else writer.attributeVia(RTA_VIA, AF_INET6, gateway);
}

/** Asks for all routes of the main table; protocol 0 is every protocol. */
export function encodeRouteDump(
  writer: MessageWriter,
  family: Family,
  protocol: number,
  sequence: number,
): void {
  writer
    .begin(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence)
    .u8(familyNumber(family))
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(protocol)
    .u8(0)
    .u8(0)
    .u32(0)
    .attributeU32(RTA_TABLE, MAIN_TABLE)
    .end();
}

/** Asks which entry of the tables an address matches. */
export function encodeLookup(writer: MessageWriter, address: IpAddress, sequence: number): void {
  writer
    .begin(RTM_GETROUTE, NLM_F_REQUEST, sequence)
    .u8(isIpv4(address) ? AF_INET : AF_INET6)
    .u8(isIpv4(address) ? 32 : 128)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(RTM_F_FIB_MATCH)
    .attributeAddress(RTA_DST, address)
    .end();
}

interface RouteFields {
  destination: IpAddress | undefined;
  table: number;
  metric: number;
  source: IpAddress | undefined;
  mtuBytes: number | undefined;
  hasOtherMetrics: boolean;
  gateway: IpAddress | undefined;
  output: InterfaceIndex | undefined;
  paths: KernelNextHop[] | undefined;
}

interface PathFields {
  gateway: IpAddress | undefined;
}

const PATH_ATTRIBUTES: AttributeTable<PathFields> = {
  [RTA_GATEWAY]: (path, bytes, offset, length) => {
    path.gateway = readAddress(bytes, offset, length);
  },
  // rtvia = family(2) address: an IPv6 gateway of an IPv4 route.
  [RTA_VIA]: (path, bytes, offset, length) => {
    path.gateway = readAddress(bytes, offset + 2, length - 2);
  },
};

const METRIC_ATTRIBUTES: AttributeTable<RouteFields> = {
  [RTAX_MTU]: (route, bytes, offset) => {
    route.mtuBytes = bytes.readUInt32LE(offset);
  },
};

const ROUTE_ATTRIBUTES: AttributeTable<RouteFields> = {
  [RTA_DST]: (route, bytes, offset, length) => {
    route.destination = readAddress(bytes, offset, length);
  },
  [RTA_OIF]: (route, bytes, offset) => {
    route.output = interfaceIndex(bytes.readUInt32LE(offset));
  },
  [RTA_GATEWAY]: (route, bytes, offset, length) => {
    route.gateway = readAddress(bytes, offset, length);
  },
  [RTA_VIA]: (route, bytes, offset, length) => {
    route.gateway = readAddress(bytes, offset + 2, length - 2);
  },
  [RTA_PRIORITY]: (route, bytes, offset) => {
    route.metric = bytes.readUInt32LE(offset);
  },
  [RTA_PREFSRC]: (route, bytes, offset, length) => {
    route.source = readAddress(bytes, offset, length);
  },
  [RTA_METRICS]: (route, bytes, offset, length) => {
    readAttributes(bytes, offset, offset + length, METRIC_ATTRIBUTES, route, () => {
      route.hasOtherMetrics = true;
    });
  },
  [RTA_TABLE]: (route, bytes, offset) => {
    route.table = bytes.readUInt32LE(offset);
  },
  [RTA_MULTIPATH]: (route, bytes, offset, length) => {
    route.paths = readPaths(bytes, offset, offset + length);
  },
};

function readPaths(bytes: Buffer, start: number, end: number): KernelNextHop[] {
  const paths: KernelNextHop[] = [];
  let offset = start;
  while (offset + RTNEXTHOP_BYTES <= end) {
    const length = bytes.readUInt16LE(offset);
    if (length < RTNEXTHOP_BYTES || offset + length > end) break;
    const path: PathFields = { gateway: undefined };
    readAttributes(bytes, offset + RTNEXTHOP_BYTES, offset + length, PATH_ATTRIBUTES, path);
    paths.push(
      nextHop(
        path.gateway,
        interfaceIndex(bytes.readUInt32LE(offset + 4)),
        bytes.readUInt8(offset + 2),
        bytes.readUInt8(offset + 3) + 1,
      ),
    );
    offset += (length + 3) & ~3;
  }
  return paths;
}

function nextHop(
  gateway: IpAddress | undefined,
  output: InterfaceIndex | undefined,
  flags: number,
  weight: number,
): KernelNextHop {
  return {
    ...(gateway === undefined ? {} : { gateway }),
    ...(output === undefined ? {} : { interfaceIndex: output }),
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    ...(weight === 1 ? {} : { weight }),
    ...((flags & RTNH_F_DEAD) !== 0
      ? { state: 'dead' }
      : (flags & RTNH_F_LINKDOWN) !== 0
        ? { state: 'linkdown' }
        : {}),
  };
}

/** Of the flags of a route, those that its only next hop has. */
const NEXT_HOP_FLAGS = RTNH_F_DEAD | RTNH_F_ONLINK | RTNH_F_LINKDOWN;

/** Next hops repeat over thousands of routes: equal ones share one frozen list. */
export class NextHopPool {
  readonly #single = new Map<string, readonly KernelNextHop[]>();

  single(
    gateway: IpAddress | undefined,
    output: InterfaceIndex | undefined,
    flags: number,
  ): readonly KernelNextHop[] {
    const key = `${typeof gateway === 'bigint' ? 'x' : ''}${gateway}/${output}/${flags & NEXT_HOP_FLAGS}`;
    const known = this.#single.get(key);
    if (known !== undefined) return known;
    const made = [nextHop(gateway, output, flags, 1)];
    this.#single.set(key, made);
    return made;
  }
}

const NO_NEXT_HOPS: readonly KernelNextHop[] = [];

/** @returns undefined for what is no entry of a table: a family we do not route, a cached exception. */
export function decodeRoute(bytes: Buffer, message: MessageView, pool: NextHopPool): KernelRoute | undefined {
  const { body, end } = message;
  const family = bytes.readUInt8(body);
  const flags = bytes.readUInt32LE(body + 8);
  if ((family !== AF_INET && family !== AF_INET6) || (flags & RTM_F_CLONED) !== 0) return undefined;
  const fields: RouteFields = {
    destination: undefined,
    table: bytes.readUInt8(body + 4),
    metric: 0,
    source: undefined,
    mtuBytes: undefined,
    hasOtherMetrics: false,
    gateway: undefined,
    output: undefined,
    paths: undefined,
  };
  readAttributes(bytes, body + RTMSG_BYTES, end, ROUTE_ATTRIBUTES, fields);
  const destination = fields.destination ?? (family === AF_INET ? ipv4(0) : ipv6(0n));
  const type = ROUTE_TYPES[bytes.readUInt8(body + 7)] ?? 'other';
  // IPv6 reports the loopback device for a blackhole and its like: no way out all the same.
  const leadsOut = type === 'unicast' || type === 'local' || type === 'other';
  return {
    prefix: prefixOf(destination, bytes.readUInt8(body + 1)),
    table: fields.table,
    tos: bytes.readUInt8(body + 3),
    metric: fields.metric,
    protocol: bytes.readUInt8(body + 5),
    type,
    ...(fields.source === undefined ? {} : { source: fields.source }),
    ...(fields.mtuBytes === undefined ? {} : { mtuBytes: fields.mtuBytes }),
    ...(fields.hasOtherMetrics ? { hasOtherMetrics: true } : {}),
    nextHops: leadsOut ? (fields.paths ?? pool.single(fields.gateway, fields.output, flags)) : NO_NEXT_HOPS,
  };
}

/** `rtm_scope` of a route message. */
export function routeScope(bytes: Buffer, { body }: MessageView): number {
  return bytes.readUInt8(body + 6);
}

/**
 * Reads the matched entry as the answer to "how is `address` reached".
 * @param scope `rtm_scope` of the entry; IPv6 knows no other than universe
 */
export function lookupOf(address: IpAddress, route: KernelRoute, scope: number): Lookup {
  if (route.type === 'local') return { kind: 'local' };
  if (route.type !== 'unicast') return { kind: 'unreachable', reason: `its route is of type ${route.type}` };
  // Where several ways are equal, one through a gateway is enough to make the address not on-link.
  const hop = route.nextHops.find((candidate) => candidate.gateway !== undefined) ?? route.nextHops[0];
  if (hop?.interfaceIndex === undefined)
    return { kind: 'unreachable', reason: 'its route has no output device' };
  const { prefix } = route;
  // A host route "ADDRESS via ADDRESS onlink" (usual in clouds) says on-link in other words.
  if (hop.gateway === undefined || hop.gateway === address) {
    // As fib_check_nh_v4_gw and ip6_route_check_nh see it: a gateway must be on a link by a route of its own.
    const isPlain = hop.gateway === undefined && (!isIpv4(address) || scope >= RT_SCOPE_LINK);
    return {
      kind: 'onlink',
      interfaceIndex: hop.interfaceIndex,
      prefix,
      ...(isPlain ? {} : { needsOnlink: true }),
    };
  }
  return { kind: 'gateway', gateway: hop.gateway, interfaceIndex: hop.interfaceIndex, prefix };
}
