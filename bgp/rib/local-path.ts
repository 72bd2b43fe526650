/**
 * This node's own routes as paths.
 *
 * Owns: their attributes. Must not know: tables.
 */
import { type Family, type IpAddress, ipv4, ipv6, prefixFamily } from '../net/index.js';
import type { PathAttributes } from '../wire/index.js';
import type { LocalRoute, Path } from './types.js';

/** Own routes have no next hop: each peer is given our address on its session. */
const NO_NEXT_HOP: Readonly<Record<Family, IpAddress>> = { ipv4: ipv4(0), ipv6: ipv6(0n) };

export function localPath(route: LocalRoute): Path {
  const { prefix, localPref, communities = [], extendedCommunities = [], largeCommunities = [] } = route;
  const attributes: PathAttributes = {
    origin: 'IGP',
    asPath: [],
    ...(localPref === undefined ? {} : { localPref }),
    ...(communities.length === 0 ? {} : { communities }),
    ...(extendedCommunities.length === 0 ? {} : { extendedCommunities }),
    ...(largeCommunities.length === 0 ? {} : { largeCommunities }),
  };
  return { attributes, nextHop: { address: NO_NEXT_HOP[prefixFamily(prefix)] } };
}
