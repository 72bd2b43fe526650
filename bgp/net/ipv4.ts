/**
 * IPv4 addresses as unsigned numbers. The only file that needs `>>> 0`: JavaScript's bit operators are signed.
 */
import type { Ipv4 } from './types.js';

export const IPV4_BITS = 32;

/** A number as an IPv4 address; anything above 32 bits is cut. */
export function ipv4(value: number): Ipv4 {
  return (value >>> 0) as Ipv4;
}

/** The network mask of `lengthBits` (0 to 32). JavaScript shifts modulo 32, so 0 is a case of its own. */
export function ipv4Mask(lengthBits: number): Ipv4 {
  return ipv4(lengthBits === 0 ? 0 : 0xffffffff << (IPV4_BITS - lengthBits));
}

/** `address` with all bits after `lengthBits` cleared. */
export function ipv4Network(address: Ipv4, lengthBits: number): Ipv4 {
  return ipv4(address & ipv4Mask(lengthBits));
}

/** Dotted quad; written out because the log and the API format routes in bulk. */
export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** 127.0.0.0/8. */
export function isLoopbackIpv4(address: Ipv4): boolean {
  return address >>> 24 === 127;
}

/**
 * True for an address that a host can have: not 0.0.0.0/8, not multicast (class D), not class E with the broadcast
 * address (RFC 4271 section 6.3: a next hop must be a valid host address).
 */
export function isHostIpv4(address: Ipv4): boolean {
  const first = address >>> 24;
  return first !== 0 && first < 224;
}
