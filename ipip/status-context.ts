/**
 * What the rows of routes need of this machine: the names of its devices, and who takes the packets of a next hop.
 *
 * Owns: putting it together. Must not know: how a row is made of it.
 */
import { isLinkLocal } from '../bgp/net/index.js';
import type { KernelLink } from './kernel/kernel.js';
import { type NeighbourTable, takerOf } from './neighbours.js';
import type { NextHopTable } from './next-hops.js';
import type { StatusContext } from './route-entry.js';

/** The tables are asked whenever a row is made, the links are those of one reading. */
export function statusContext(
  links: readonly KernelLink[],
  tunnelDevice: string,
  nextHops: NextHopTable,
  neighbours: NeighbourTable,
): StatusContext {
  const indexes = new Map(links.map(({ name, index }) => [name, index]));
  return {
    deviceNames: new Map(links.map(({ index, name }) => [index, name])),
    tunnelDevice,
    takerOf: ({ address, device }) => {
      if (!isLinkLocal(address)) return takerOf(address, nextHops.lookups.get(address));
      const index = device === undefined ? undefined : indexes.get(device);
      return index === undefined ? undefined : { index, address, isGateway: false };
    },
    neighbourOf: ({ index, address }) => neighbours.stateOf(index, address),
  };
}
