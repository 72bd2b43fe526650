/**
 * A peer that is reached through a gateway (`reachableBy` of a BGPPeer): the plan of the route to it.
 *
 * Owns: the decision and its words. Must not know: what the kernel holds, other routes. Pure.
 *
 * The route is to the peer's address alone, so that no route that the peer itself announces, and no change of the
 * default route, leads the session astray. It stands above whatever peers announce for that address.
 */
import { formatIpAddress, type IpAddress } from '../bgp/net/index.js';
import type { Lookup } from './kernel/kernel.js';
import type { HostFacts, RoutePlan } from './plan-types.js';
import type { PeerGateway } from './types.js';

/** The gateway must be on a network of this machine: a route cannot lead through a gateway that is behind another. */
export function planGatewayRoute(
  { peer, gateway }: PeerGateway,
  { lookups, deviceNames }: Pick<HostFacts, 'lookups' | 'deviceNames'>,
): RoutePlan {
  const text = `reachableBy of ${peer}: gateway ${formatIpAddress(gateway)}`;
  const none = (why: string): RoutePlan => ({
    mode: 'none',
    nextHops: [{ address: gateway, mode: 'none' }],
    reason: `${text} ${why}`,
    needsTunnel: false,
  });
  const lookup = lookups.get(gateway);
  switch (lookup?.kind) {
    case undefined:
      return none('has not been looked up yet');
    case 'local':
      return none('is an address of this node');
    case 'unreachable':
      return none(`cannot be reached: ${lookup.reason}`);
    case 'gateway':
      return none(`is itself behind gateway ${formatIpAddress(lookup.gateway)}`);
    case 'onlink': {
      const { interfaceIndex, needsOnlink: onlink = false } = lookup;
      const device = deviceNames.get(interfaceIndex) ?? `interface ${interfaceIndex}`;
      return {
        mode: 'direct',
        nextHops: [{ address: gateway, device, mode: 'direct' }],
        reason: `${text} is on the same L2 network (${device})`,
        needsTunnel: false,
        target: { type: 'unicast', nextHops: [{ gateway, interfaceIndex, onlink }] },
      };
    }
  }
}

/** True where the kernel reaches `address` through the gateway that its peer has: its routes may go there too. */
export function isReachedBy(
  lookup: Lookup,
  address: IpAddress,
  gateways: readonly PeerGateway[] = [],
): lookup is Extract<Lookup, { kind: 'gateway' }> {
  return (
    lookup.kind === 'gateway' &&
    gateways.some((peer) => peer.address === address && peer.gateway === lookup.gateway)
  );
}
