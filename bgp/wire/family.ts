/**
 * Address families by their IANA numbers, and the addresses of a family in octets.
 *
 * Owns: AFI/SAFI <-> Family. Must not know: messages.
 * Source: RFC 4760, IANA "Address Family Numbers" and "SAFI Values".
 */
import { type Family, type Ipv6, ipv6 } from '../net/index.js';
import type { ByteReader, ByteWriter } from './bytes.js';

const AFI: Readonly<Record<Family, number>> = { ipv4: 1, ipv6: 2 };
const SAFI_UNICAST = 1;

/** Octets of an address. */
export const ADDRESS_LENGTH: Readonly<Record<Family, number>> = { ipv4: 4, ipv6: 16 };

/** The numbers of a family that this speaker may have no name for. */
export interface AfiSafi {
  readonly afi: number;
  readonly safi: number;
}

/** @returns undefined for a family that we do not speak. */
export function familyOf(afi: number, safi: number): Family | undefined {
  if (safi !== SAFI_UNICAST) return undefined;
  return afiFamily(afi);
}

/** The address family of an AFI alone. */
export function afiFamily(afi: number): Family | undefined {
  return afi === AFI.ipv4 ? 'ipv4' : afi === AFI.ipv6 ? 'ipv6' : undefined;
}

export function afiSafi(family: Family): AfiSafi {
  return { afi: AFI[family], safi: SAFI_UNICAST };
}

/** Reads 16 octets; the caller has checked that they are there. */
export function readIpv6(reader: ByteReader): Ipv6 {
  return ipv6((reader.u64() << 64n) | reader.u64());
}

export function writeIpv6(out: ByteWriter, address: Ipv6): void {
  out.u64(address >> 64n).u64(address & 0xffff_ffff_ffff_ffffn);
}
