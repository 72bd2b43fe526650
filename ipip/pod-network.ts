/**
 * The MTU that pods can use. Pure.
 */
import type { HostState } from './host-state.js';
import { allowsIpip, tunnelMtuBytes, underlayLink } from './tunnel.js';
import type { NodeFacts } from './types.js';

/**
 * The underlay's, less the outer header where a pool allows IPIP: the way of a packet may change while a connection lives.
 * @returns undefined while no device has the node's address
 */
export function podMtuBytes(facts: NodeFacts, { links, addresses }: HostState): number | undefined {
  const underlay = underlayLink(facts.nodeAddress, links, addresses);
  if (underlay === undefined) return undefined;
  return allowsIpip(facts.pools) ? tunnelMtuBytes(underlay.mtuBytes) : underlay.mtuBytes;
}
