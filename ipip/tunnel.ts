/**
 * The tunnel device as a value: what it shall be, and the steps from what there is.
 *
 * Owns: the description of the device and the reasons for each part of it. Must not know: sockets, routes. Pure.
 *
 * - A device of our own, not the kernel's fallback tunl0: `local NODE` makes it the better match for arriving packets,
 *   and tunl0 may belong to another program (as in flannel's ipip backend).
 * - `remote any`: one device for all nodes; the gateway of each route is the outer destination.
 * - ttl 64 with path MTU discovery: tunl0 inherits both from the inner packet and then never learns a smaller MTU.
 * - MTU: the underlay's less the 20 bytes of the outer header.
 * - Address: the network address of the node's first subnet as /32. The kernel takes it as source for the node's own
 *   packets through the tunnel, so that answers come back through it; a /32 makes no connected route.
 * - Addresses are added before others are removed: with the last one the kernel silently drops all routes of a device.
 *   One that routes name as their source goes only after they name the new one.
 */
import { type IpAddress, type Ipv4, ipv4, isIpv4, prefixAddress, prefixFamily } from '../bgp/net/index.js';
import type { IpipParameters, KernelAddress, KernelLink, LinkOperation } from './kernel/kernel.js';
import type { NodeFacts } from './types.js';

const OUTER_HEADER_BYTES = 20;
const OUTER_TTL = 64;
/** What Ethernet carries: used while no link has the node address. */
const DEFAULT_UNDERLAY_MTU_BYTES = 1500;
/** Below this the kernel does not accept IPv4 on a device. */
const MIN_MTU_BYTES = 68;
const HOST_BITS = 32;

export interface TunnelSpec {
  readonly device: string;
  readonly local: Ipv4;
  readonly mtuBytes: number;
  /** Absent while the node has no IPv4 subnet. */
  readonly address?: Ipv4;
}

/** One step, or why there is none that leads there. */
export type TunnelDelta =
  | {
      readonly kind: 'done';
      readonly link: KernelLink;
      /** Addresses that are in the way of nothing and go as soon as no route names them. */
      readonly waiting: readonly KernelAddress[];
    }
  | { readonly kind: 'step'; readonly operation: LinkOperation }
  | { readonly kind: 'blocked'; readonly reason: string };

/**
 * - `wanted`: a route needs it, or other nodes may send through it because a pool allows IPIP.
 * - `keep`: IPIP is allowed, but the node has no subnet (yet): what is there stays.
 * - `unwanted`: no pool allows IPIP.
 */
export type TunnelWish = 'wanted' | 'keep' | 'unwanted';

export function wishForTunnel(facts: NodeFacts, routeNeedsIt: boolean): TunnelWish {
  if (routeNeedsIt) return 'wanted';
  if (!allowsIpip(facts.pools)) return 'unwanted';
  return facts.blocks.some((block) => prefixFamily(block) === 'ipv4') ? 'wanted' : 'keep';
}

/** Whether packets may go through IPIP at all, by what the pools say. */
export function allowsIpip(pools: NodeFacts['pools']): boolean {
  return pools.some(({ prefix, ipipMode }) => prefixFamily(prefix) === 'ipv4' && ipipMode !== 'Never');
}

/** The link that has the node address. */
export function underlayLink(
  nodeAddress: Ipv4,
  links: readonly KernelLink[],
  addresses: readonly KernelAddress[],
): KernelLink | undefined {
  const owner = addresses.find((entry) => entry.address === nodeAddress);
  return owner === undefined ? undefined : links.find((link) => link.index === owner.index);
}

/** The network address of the node's first IPv4 subnet. */
export function tunnelAddress({ blocks }: Pick<NodeFacts, 'blocks'>): Ipv4 | undefined {
  return blocks.map(prefixAddress).find(isIpv4);
}

export function describeTunnel(
  device: string,
  facts: NodeFacts,
  links: readonly KernelLink[],
  addresses: readonly KernelAddress[],
): TunnelSpec {
  const underlay = underlayLink(facts.nodeAddress, links, addresses);
  const present = links.find((link) => link.name === device && link.kind === 'ipip');
  // While no link has the node address, nothing says that the MTU has changed.
  const mtuBytes =
    underlay === undefined && present !== undefined
      ? present.mtuBytes
      : tunnelMtuBytes(underlay?.mtuBytes ?? DEFAULT_UNDERLAY_MTU_BYTES);
  const address = tunnelAddress(facts);
  return {
    device,
    local: facts.nodeAddress,
    mtuBytes,
    ...(address === undefined ? {} : { address }),
  };
}

/** What fits into an outer packet of the underlay. */
export function tunnelMtuBytes(underlayMtuBytes: number): number {
  return Math.max(underlayMtuBytes - OUTER_HEADER_BYTES, MIN_MTU_BYTES);
}

function ipipParameters(spec: TunnelSpec): IpipParameters {
  return { local: spec.local, remote: ipv4(0), ttl: OUTER_TTL, pathMtuDiscovery: true };
}

/**
 * The next step from what there is to `spec`; ask again with what there is then, until it is done.
 * @param named sources that routes of ours name: the kernel drops such a route, without a word, with its source
 */
export function diffTunnel(
  spec: TunnelSpec,
  links: readonly KernelLink[],
  addresses: readonly KernelAddress[],
  named: ReadonlySet<IpAddress>,
): TunnelDelta {
  const step = (operation: LinkOperation): TunnelDelta => ({ kind: 'step', operation });
  const parameters = ipipParameters(spec);
  const link = links.find((candidate) => candidate.name === spec.device);
  if (link === undefined) {
    return step({ op: 'createIpip', name: spec.device, parameters, mtuBytes: spec.mtuBytes });
  }
  const { index } = link;
  if (link.kind !== 'ipip' || link.ipip === undefined) {
    return {
      kind: 'blocked',
      reason: `${spec.device} exists and is no ipip device (${link.kind ?? 'no tunnel'}): remove it with "ip link delete ${spec.device}", or choose another tunnel device`,
    };
  }
  // The kernel turns no point-to-point tunnel into one for many; nobody's route can need it as it is.
  if (link.ipip.remote !== parameters.remote) return step({ op: 'deleteLink', index });
  if (
    link.ipip.local !== parameters.local ||
    link.ipip.ttl !== parameters.ttl ||
    link.ipip.pathMtuDiscovery !== parameters.pathMtuDiscovery
  ) {
    return step({ op: 'changeIpip', index, parameters });
  }
  if (link.mtuBytes !== spec.mtuBytes) return step({ op: 'setMtu', index, mtuBytes: spec.mtuBytes });
  const present = addresses.filter((entry) => entry.index === index && isIpv4(entry.address));
  const isWanted = (entry: KernelAddress) => entry.address === spec.address && entry.lengthBits === HOST_BITS;
  if (spec.address !== undefined && !present.some(isWanted)) {
    return step({
      op: 'addAddress',
      address: { index, address: spec.address, lengthBits: HOST_BITS },
    });
  }
  // Without a subnet of our own any address will do: taking the last one away would drop the routes.
  const surplus = spec.address === undefined ? [] : present.filter((entry) => !isWanted(entry));
  const free = surplus.find((entry) => entry.address === spec.address || !named.has(entry.address));
  if (free !== undefined) return step({ op: 'removeAddress', address: free });
  if (!link.up) return step({ op: 'setUp', index });
  return { kind: 'done', link, waiting: surplus };
}

/** What a refusal to make or change the device means, by the kernel's code. */
export function tunnelProblem(
  spec: TunnelSpec,
  operation: LinkOperation,
  code: string,
  message: string,
): string {
  if (operation.op === 'createIpip' && code === 'KERNEL_EOPNOTSUPP') {
    return 'this kernel has no ipip device: load it with "modprobe ipip", or boot a kernel with CONFIG_NET_IPIP';
  }
  if (operation.op === 'createIpip' && code === 'KERNEL_EEXIST') {
    return `another ipip device has this node's address as its local end and no remote end: "ip -d link show type ipip" names it; only one of the two can be`;
  }
  return `${spec.device} cannot be set up: ${message}`;
}
