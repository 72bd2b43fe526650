/**
 * The value types of the whole project: addresses and prefixes as primitives.
 *
 * Owns: the representation. Must not know: anything else. A primitive compares with `===`, is its own map key and
 * costs no object per prefix, which is what lets a table hold a million of them.
 */

declare const ipv4Brand: unique symbol;
declare const ipv6Brand: unique symbol;
declare const prefix4Brand: unique symbol;
declare const prefix6Brand: unique symbol;

/** An IPv4 address as an unsigned 32-bit number, 0 to 0xffffffff, in host arithmetic (10.0.0.1 is 0x0a000001). */
export type Ipv4 = number & { readonly [ipv4Brand]: true };

/** An IPv6 address as an unsigned 128-bit bigint. */
export type Ipv6 = bigint & { readonly [ipv6Brand]: true };

/** Either family; `typeof` tells which: `'number'` is IPv4, `'bigint'` is IPv6. */
export type IpAddress = Ipv4 | Ipv6;

/** An IPv4 prefix packed into one number: `address * 64 + lengthBits`, host bits zero, below 2^38. */
export type Prefix4 = number & { readonly [prefix4Brand]: true };

/** An IPv6 prefix packed into one bigint: `address << 8 | lengthBits`, host bits zero. */
export type Prefix6 = bigint & { readonly [prefix6Brand]: true };

/** A prefix of either family. Equal prefixes are equal primitives, so a prefix is its own map key. */
export type Prefix = Prefix4 | Prefix6;

/** Address family of an address, a prefix or a table; unicast throughout. */
export type Family = 'ipv4' | 'ipv6';
