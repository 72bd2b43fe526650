/**
 * Addresses and prefixes from text, for tests: text that is none is a mistake of the test and throws.
 */
import {
  type IpAddress,
  type Ipv4,
  type Ipv6,
  type Prefix,
  parseIpAddress,
  parseIpv4,
  parseIpv6,
  parsePrefix,
} from '../../bgp/net/index.js';

export function prefix(text: string): Prefix {
  return known(parsePrefix(text), text);
}

export function address(text: string): IpAddress {
  return known(parseIpAddress(text), text);
}

export function address4(text: string): Ipv4 {
  return known(parseIpv4(text), text);
}

export function address6(text: string): Ipv6 {
  return known(parseIpv6(text), text);
}

function known<T>(value: T | undefined, text: string): T {
  if (value === undefined) throw new Error(`not an address or prefix: ${text}`);
  return value;
}
