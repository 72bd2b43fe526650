/**
 * MP_REACH_NLRI: afi(2) safi(1) next hop length(1) next hop reserved(1) prefixes.
 * Source: RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 3, RFC 7606 section 7.11.
 */
import { type Family, ipv4, isHostAddress, isIpv4, isIpv6, isLinkLocal } from '../../net/index.js';
import type { ByteReader, ByteWriter } from '../bytes.js';
import { ADDRESS_LENGTH, afiSafi, familyOf, readIpv6, writeIpv6 } from '../family.js';
import type { NextHop } from '../message.js';
import { decodePrefixes, encodePrefix } from '../nlri.js';
import { type AttributeRow, OPTIONAL } from './row.js';

const FAMILY_OCTETS = 3;
/** Next hops that may stand before prefixes of each family: RFC 4760 and RFC 8950, RFC 2545. */
const NEXT_HOP_OCTETS: Readonly<Record<Family, readonly number[]>> = {
  ipv4: [ADDRESS_LENGTH.ipv4, ADDRESS_LENGTH.ipv6, 2 * ADDRESS_LENGTH.ipv6],
  ipv6: [ADDRESS_LENGTH.ipv6, 2 * ADDRESS_LENGTH.ipv6],
};

export const MP_REACH_NLRI: AttributeRow = {
  code: 14,
  name: 'MP_REACH_NLRI',
  flags: OPTIONAL,
  malformed: 'reset',
  decode: (value, draft, context) => {
    if (value.remaining < FAMILY_OCTETS) return `length ${value.remaining}`;
    const family = familyOf(value.u16(), value.u8());
    // RFC 4760 §7: what was not negotiated is none of our business, be it well-formed or not.
    if (family === undefined) return undefined;
    if (value.remaining === 0) return 'no next hop';
    const length = value.u8();
    if (!NEXT_HOP_OCTETS[family].includes(length)) return `next hop of ${length} octets for ${family}`;
    // One octet more: the reserved one, which is ignored.
    if (length + 1 > value.remaining) return `next hop of ${length} octets overruns the attribute`;
    const nextHop = readNextHop(value, length);
    value.u8();
    const prefixes = decodePrefixes(value, family, context);
    if (typeof prefixes === 'string') return prefixes;
    draft.mpReach = { family, nextHop, prefixes };
    return undefined;
  },
  encode: (out, { mpReach }) => {
    if (mpReach === undefined) return false;
    const { afi, safi } = afiSafi(mpReach.family);
    out.u16(afi).u8(safi).u8(nextHopLength(mpReach.nextHop));
    writeNextHop(out, mpReach.nextHop);
    out.u8(0);
    for (const prefix of mpReach.prefixes) encodePrefix(out, prefix);
    return true;
  },
};

/** Octets of the value before the prefixes. */
export function mpReachFixedLength(nextHop: NextHop): number {
  return FAMILY_OCTETS + 1 + nextHopLength(nextHop) + 1;
}

/** Octets of the next hop as written. */
function nextHopLength({ address, linkLocal }: NextHop): number {
  if (isIpv4(address)) return ADDRESS_LENGTH.ipv4;
  return linkLocal === undefined ? ADDRESS_LENGTH.ipv6 : 2 * ADDRESS_LENGTH.ipv6;
}

export function writeNextHop(out: ByteWriter, { address, linkLocal }: NextHop): void {
  if (isIpv6(address)) {
    writeIpv6(out, address);
    if (linkLocal !== undefined) writeIpv6(out, linkLocal);
  } else {
    out.u32(address);
  }
}

function readNextHop(value: ByteReader, length: number): NextHop {
  if (length === ADDRESS_LENGTH.ipv4) return { address: ipv4(value.u32()) };
  const address = readIpv6(value);
  if (length === ADDRESS_LENGTH.ipv6) return { address };
  const second = readIpv6(value);
  // Some speakers fill the second address with zeros or repeat the first, others leave the first empty: take what is there.
  if (!isLinkLocal(second)) return { address };
  return isHostAddress(address) ? { address, linkLocal: second } : { address: second };
}
