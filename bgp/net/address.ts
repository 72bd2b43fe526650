/**
 * Addresses of either family: order, kind and text. Text is read by the `ip-address` package and exists only at the
 * edges (configuration, API, logs); inside, an address is a primitive.
 */
import { Address4, Address6 } from 'ip-address';
import { formatIpv4, ipv4, isHostIpv4 } from './ipv4.js';
import type { Family, IpAddress, Ipv4, Ipv6 } from './types.js';

const IPV6_LINK_LOCAL = 0xfe80n << 112n;
const IPV6_LINK_LOCAL_MASK = 0xffc0n << 112n;
const IPV6_MAX = (1n << 128n) - 1n;

/** A bigint as an IPv6 address; anything above 128 bits is cut. */
export function ipv6(value: bigint): Ipv6 {
  return (value & IPV6_MAX) as Ipv6;
}

export function isIpv4(address: IpAddress): address is Ipv4 {
  return typeof address === 'number';
}

export function isIpv6(address: IpAddress): address is Ipv6 {
  return typeof address === 'bigint';
}

export function addressFamily(address: IpAddress): Family {
  return isIpv4(address) ? 'ipv4' : 'ipv6';
}

/** fe80::/10. */
export function isLinkLocal(address: IpAddress): boolean {
  return isIpv6(address) && (address & IPV6_LINK_LOCAL_MASK) === IPV6_LINK_LOCAL;
}

/** An address that one host can have: neither unspecified nor multicast nor reserved. */
export function isHostAddress(address: IpAddress): boolean {
  if (isIpv4(address)) return isHostIpv4(address);
  return address > 1n && address >> 120n !== 0xffn;
}

/** Total order: IPv4 before IPv6, then by value. Negative: `a` first. */
export function compareAddresses(a: IpAddress, b: IpAddress): number {
  if (isIpv4(a) !== isIpv4(b)) return isIpv4(a) ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Reads an address without a prefix length or zone.
 * @returns undefined where the text is no address; the caller words the error, because it knows the field.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** Reads a dotted quad; leading zeros are refused, since some readers take them for octal. */
export function parseIpv4(text: string): Ipv4 | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text) || !Address4.isValid(text)) return undefined;
  return ipv4(Number(new Address4(text).bigInt()));
}

/** Reads an IPv6 address in any of the forms of RFC 4291 section 2.2. */
export function parseIpv6(text: string): Ipv6 | undefined {
  if (/[/%]/.test(text) || !Address6.isValid(text)) return undefined;
  return ipv6(new Address6(text).bigInt());
}

/** RFC 4007 section 11: `fe80::1%eth0`; without a zone as `formatIpAddress`. */
export function formatZoned(address: IpAddress, zone: string | undefined): string {
  return zone === undefined ? formatIpAddress(address) : `${formatIpAddress(address)}%${zone}`;
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatIpAddress(address: IpAddress): string {
  return isIpv4(address) ? formatIpv4(address) : Address6.fromBigInt(address).correctForm();
}
