/**
 * Prefixes on the wire: length in bits(1), then the fewest octets that hold so many bits. With ADD-PATH, a path
 * identifier(4) comes before each.
 *
 * Owns: NLRI of both families. Must not know: the field or attribute that holds them.
 * Source: RFC 4271 section 4.3, RFC 4760 section 5, RFC 7606 section 5.3, RFC 7911 section 3.
 */
import {
  type Family,
  familyBits,
  ipv4,
  ipv6,
  isIpv4,
  type Prefix,
  type Prefix4,
  type Prefix6,
  prefix4,
  prefix6,
  prefixAddress,
  prefixLength,
} from '../net/index.js';
import type { ByteReader, ByteWriter } from './bytes.js';
import type { DecodeContext } from './message.js';

const PATH_IDENTIFIER_OCTETS = 4;

/** Octets of a prefix on the wire, its length octet included: what packing has to count. */
export function encodedPrefixBytes(prefix: Prefix): number {
  return 1 + octets(prefixLength(prefix));
}

/**
 * Reads prefixes to the end of `reader`; bits beyond the prefix length are irrelevant (RFC 4271 §4.3) and cleared.
 * @returns what is wrong, as text, where a length is too large for the family or the last prefix is cut short.
 */
export function decodePrefixes(
  reader: ByteReader,
  family: Family,
  { addPath = false }: DecodeContext,
): Prefix[] | string {
  const maxBits = familyBits(family);
  const read = family === 'ipv4' ? readPrefix4 : readPrefix6;
  const prefixes: Prefix[] = [];
  while (reader.remaining > 0) {
    if (addPath) {
      // What follows the identifier is at least the length octet.
      if (reader.remaining <= PATH_IDENTIFIER_OCTETS) return `path identifier of ${family} NLRI cut short`;
      reader.u32();
    }
    const bits = reader.u8();
    if (bits > maxBits) return `prefix length ${bits} in ${family} NLRI`;
    if (octets(bits) > reader.remaining) return `${family} prefix of ${bits} bits cut short`;
    prefixes.push(read(reader, bits));
  }
  return prefixes;
}

export function encodePrefix(out: ByteWriter, prefix: Prefix): void {
  const bits = prefixLength(prefix);
  const address = prefixAddress(prefix);
  out.u8(bits);
  if (isIpv4(address)) {
    for (let shift = 24; shift > 24 - bits; shift -= 8) out.u8((address >>> shift) & 0xff);
  } else {
    for (let shift = 120; shift > 120 - bits; shift -= 8) out.u8(Number((address >> BigInt(shift)) & 0xffn));
  }
}

function octets(bits: number): number {
  return (bits + 7) >> 3;
}

/** `count` (0 to 4) octets as the high end of a 32-bit number. */
function readHigh32(reader: ByteReader, count: number): number {
  switch (count) {
    case 0:
      return 0;
    case 1:
      return reader.u8() * 0x1000000;
    case 2:
      return reader.u16() * 0x10000;
    case 3:
      return reader.u16() * 0x10000 + reader.u8() * 0x100;
    default:
      return reader.u32();
  }
}

function readPrefix4(reader: ByteReader, bits: number): Prefix4 {
  return prefix4(ipv4(readHigh32(reader, octets(bits))), bits);
}

function readPrefix6(reader: ByteReader, bits: number): Prefix6 {
  let left = octets(bits);
  let address = 0n;
  for (let shift = 96n; left > 0; shift -= 32n, left -= 4) {
    address |= BigInt(readHigh32(reader, Math.min(left, 4))) << shift;
  }
  return prefix6(ipv6(address), bits);
}
