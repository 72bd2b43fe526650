/**
 * What the node's facts and the state of the machine ask of the kernel's settings. Pure.
 */
import { type IpAddress, type Prefix, prefixFamily } from '../bgp/net/index.js';
import type { ForwardingNeeds } from './forwarding.js';
import type { HostState } from './host-state.js';
import type { KernelRoute, Lookup } from './kernel/kernel.js';
import { underlayLink } from './tunnel.js';
import type { NodeFacts, TunnelStatus } from './types.js';

/** `RTPROT_RA` (linux/rtnetlink.h): a route from a router advertisement. */
const PROTOCOL_RA = 9;

/**
 * @param lookups how the kernel reaches each next hop
 * @param routes the kernel's routes; read only where a device with router advertisements matters
 */
export function forwardingNeeds(
  facts: NodeFacts,
  host: HostState,
  tunnel: TunnelStatus,
  lookups: ReadonlyMap<IpAddress, Lookup>,
  routes: () => Iterable<readonly [Prefix, readonly KernelRoute[]]>,
): ForwardingNeeds {
  const nameOf = new Map(host.links.map(({ index, name }) => [index, name]));
  const prefixes = [...facts.blocks, ...facts.pools.map(({ prefix }) => prefix)];

  function* advertised(): Iterable<string> {
    const told = new Set<string>();
    for (const [, entries] of routes()) {
      for (const { protocol, nextHops } of entries) {
        if (protocol !== PROTOCOL_RA) continue;
        for (const { interfaceIndex } of nextHops) {
          const name = interfaceIndex === undefined ? undefined : nameOf.get(interfaceIndex);
          if (name === undefined || told.has(name)) continue;
          told.add(name);
          yield name;
        }
      }
    }
  }

  /**
   * Ours, the one with the node's address, and those towards the other ends: with node addresses on lo they differ. A node
   * on a link counts as well: by what it says of itself, the way to it may be the tunnel.
   */
  function usedDevices(): ReadonlySet<string> {
    const underlay = underlayLink(facts.nodeAddress, host.links, host.addresses)?.name;
    const nodes = new Set<IpAddress>(facts.nodes);
    const isAlways = facts.pools.some(({ ipipMode }) => ipipMode === 'Always');
    const ways = [...lookups].flatMap(([nextHop, lookup]) =>
      lookup.kind === 'gateway' || (lookup.kind === 'onlink' && (isAlways || nodes.has(nextHop)))
        ? [lookup.interfaceIndex]
        : [],
    );
    const names = [...new Set(ways)].flatMap((index) => nameOf.get(index) ?? []);
    return new Set([tunnel.device, ...(underlay === undefined ? [] : [underlay]), ...names]);
  }

  return {
    ipv6: prefixes.some((prefix) => prefixFamily(prefix) === 'ipv6'),
    advertised,
    ...(tunnel.state === 'up' ? { tunnelDevices: usedDevices() } : {}),
    ...(tunnel.state === 'unused' ? { tunnelDevices: new Set<string>() } : {}),
  };
}
