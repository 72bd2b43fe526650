/**
 * The door of bgp/net: addresses and prefixes of both families as primitives. Imports nothing of ours.
 */
export {
  addressFamily,
  compareAddresses,
  formatIpAddress,
  formatZoned,
  ipv6,
  isHostAddress,
  isIpv4,
  isIpv6,
  isLinkLocal,
  parseIpAddress,
  parseIpv4,
  parseIpv6,
} from './address.js';
export { formatIpv4, ipv4, isLoopbackIpv4 } from './ipv4.js';
export {
  comparePrefixes,
  familyBits,
  formatPrefix,
  hostPrefix,
  isDefaultRoute,
  parseCidr,
  parsePrefix,
  prefix4,
  prefix6,
  prefixAddress,
  prefixContains,
  prefixContainsAddress,
  prefixesOverlap,
  prefixFamily,
  prefixLength,
  prefixOf,
} from './prefix.js';
export type { Family, IpAddress, Ipv4, Ipv6, Prefix, Prefix4, Prefix6 } from './types.js';
