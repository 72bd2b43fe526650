/**
 * How the next hops of one route share its traffic, and the one plan that comes of theirs.
 *
 * Owns: which of them are used, and the route that leads to all of those. Must not know: how the plan of each was made,
 * what the kernel holds. Pure.
 */
import type { HopPlan } from './hop-plan.js';
import type { KernelNextHop } from './kernel/kernel.js';
import type { HostFacts, RoutePlan, RouteTarget, TunnelUse } from './plan-types.js';

/** Which device a next hop is on, and whether that one has a carrier. */
type CarrierFacts = Pick<HostFacts, 'lookups' | 'deviceNames' | 'withoutCarrier'>;

/**
 * Which of the next hops share the traffic: each once, and those without carrier only where no other one is left. The
 * kernel would go on sending to them (unless the sysctl `ignore_routes_with_linkdown` says otherwise), and their share
 * would be lost until the peer is given up. A lone route stays: without it the packets would leave some other way.
 */
export function shareTraffic(hops: readonly HopPlan[], facts: CarrierFacts): readonly HopPlan[] {
  const distinct = hops.filter(
    ({ kernel }, index) =>
      kernel === undefined || hops.findIndex((other) => sameWay(kernel, other.kernel)) === index,
  );
  if (distinct.length === 1 || facts.withoutCarrier.size === 0) return distinct;
  const carries = (hop: HopPlan) => hop.kernel !== undefined && lostCarrierOf(hop, facts) === undefined;
  if (!distinct.some(carries)) return distinct;
  return distinct.map((hop) => {
    const device = lostCarrierOf(hop, facts);
    if (device === undefined) return hop;
    const { kernel: _unused, ...rest } = hop;
    return {
      ...rest,
      status: { ...hop.status, mode: 'none' },
      reason: `${hop.reason}, left out while ${device} has no carrier`,
    };
  });
}

/** Equal-cost next hops: those that can be used are, and the reasons of all are told. */
export function combine(
  hops: readonly HopPlan[],
  facts: CarrierFacts & Pick<HostFacts, 'tunnel'>,
): RoutePlan {
  const { tunnel } = facts;
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
  const problem =
    withoutCarrier(hops, facts) ?? (mode === 'ipip' && tunnel.state === 'ready' ? tunnel.problem : undefined);
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

/** Why nothing gets through, where every way is on a device without carrier; its return needs nobody's doing. */
function withoutCarrier(hops: readonly HopPlan[], facts: CarrierFacts): string | undefined {
  const usable = hops.filter((hop) => hop.kernel !== undefined);
  const devices = new Set(usable.map((hop) => lostCarrierOf(hop, facts)));
  return devices.size === 0 || devices.has(undefined)
    ? undefined
    : `${[...devices].join(' and ')} ${devices.size === 1 ? 'has' : 'have'} no carrier`;
}

/** The device that a usable next hop is on, or that its gateway is on, where it has no carrier. */
function lostCarrierOf(
  { status: { address }, kernel }: HopPlan,
  { lookups, withoutCarrier, deviceNames }: CarrierFacts,
): string | undefined {
  if (kernel === undefined) return undefined;
  const lookup = lookups.get(address);
  const isRouted = lookup?.kind === 'onlink' || lookup?.kind === 'gateway';
  const index = isRouted ? lookup.interfaceIndex : kernel.interfaceIndex;
  if (index === undefined || !withoutCarrier.has(index)) return undefined;
  return deviceNames.get(index) ?? `interface ${index}`;
}

function sameWay(a: KernelNextHop, b: KernelNextHop | undefined): boolean {
  return a.gateway === b?.gateway && a.interfaceIndex === b?.interfaceIndex;
}
