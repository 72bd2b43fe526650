/**
 * Prefixes as primitives: packing, parts, containment, order, text.
 */
import { addressFamily, compareAddresses, formatIpAddress, ipv6, isIpv4, parseIpAddress } from './address.js';
import { IPV4_BITS, ipv4, ipv4Network } from './ipv4.js';
import type { Family, IpAddress, Ipv4, Ipv6, Prefix, Prefix4, Prefix6 } from './types.js';

const IPV6_BITS = 128;
/** An IPv4 prefix is `address * PREFIX4_FACTOR + length`; a product, because 38 bits do not fit a shift. */
const PREFIX4_FACTOR = 64;

/** 32 or 128. */
export function familyBits(family: Family): number {
  return family === 'ipv4' ? IPV4_BITS : IPV6_BITS;
}

function ipv6Network(address: Ipv6, lengthBits: number): Ipv6 {
  const hostBits = BigInt(IPV6_BITS - lengthBits);
  return ipv6((address >> hostBits) << hostBits);
}

export function prefix4(address: Ipv4, lengthBits: number): Prefix4 {
  return (ipv4Network(address, lengthBits) * PREFIX4_FACTOR + lengthBits) as Prefix4;
}

export function prefix6(address: Ipv6, lengthBits: number): Prefix6 {
  return ((ipv6Network(address, lengthBits) << 8n) | BigInt(lengthBits)) as Prefix6;
}

/** The prefix of `lengthBits` (0 to 32 or 128; the caller has checked) that `address` lies in. */
export function prefixOf(address: IpAddress, lengthBits: number): Prefix {
  return isIpv4(address) ? prefix4(address, lengthBits) : prefix6(address, lengthBits);
}

/** The prefix that holds this one address: /32 or /128. */
export function hostPrefix(address: IpAddress): Prefix {
  return prefixOf(address, familyBits(addressFamily(address)));
}

export function prefixFamily(prefix: Prefix): Family {
  return typeof prefix === 'number' ? 'ipv4' : 'ipv6';
}

/** The network address. */
export function prefixAddress(prefix: Prefix): IpAddress {
  return typeof prefix === 'number' ? ipv4(Math.floor(prefix / PREFIX4_FACTOR)) : ipv6(prefix >> 8n);
}

/** 0 to 32 or 128. */
export function prefixLength(prefix: Prefix): number {
  return typeof prefix === 'number' ? prefix % PREFIX4_FACTOR : Number(prefix & 0xffn);
}

export function prefixContainsAddress(prefix: Prefix, address: IpAddress): boolean {
  return (
    addressFamily(address) === prefixFamily(prefix) && prefixOf(address, prefixLength(prefix)) === prefix
  );
}

/** True where `inner` equals `outer` or is a part of it. */
export function prefixContains(outer: Prefix, inner: Prefix): boolean {
  return prefixLength(inner) >= prefixLength(outer) && prefixContainsAddress(outer, prefixAddress(inner));
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return prefixContains(a, b) || prefixContains(b, a);
}

/** 0.0.0.0/0 or ::/0. */
export function isDefaultRoute(prefix: Prefix): boolean {
  return prefixLength(prefix) === 0;
}

/** Total order: family, network address, shorter length first. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(prefixAddress(a), prefixAddress(b)) || prefixLength(a) - prefixLength(b);
}

/** Address and length of `ADDRESS/LENGTH` as written, host bits kept (an interface address such as 192.168.1.11/24). */
export function parseCidr(
  text: string,
): { readonly address: IpAddress; readonly lengthBits: number } | undefined {
  const parts = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (parts?.[1] === undefined || parts[2] === undefined) return undefined;
  const address = parseIpAddress(parts[1]);
  const lengthBits = Number(parts[2]);
  if (address === undefined || lengthBits > familyBits(addressFamily(address))) return undefined;
  return { address, lengthBits };
}

/** Reads `NETWORK/LENGTH`. @returns undefined where the text is no prefix or has host bits set. */
export function parsePrefix(text: string): Prefix | undefined {
  const cidr = parseCidr(text);
  if (cidr === undefined) return undefined;
  const prefix = prefixOf(cidr.address, cidr.lengthBits);
  return prefixAddress(prefix) === cidr.address ? prefix : undefined;
}

/** `NETWORK/LENGTH`. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatIpAddress(prefixAddress(prefix))}/${prefixLength(prefix)}`;
}
