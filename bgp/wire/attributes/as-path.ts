/**
 * AS_PATH: segments of type(1) count(1) AS numbers(2 or 4 each).
 * Source: RFC 4271 sections 4.3 and 5.1.2, RFC 5065, RFC 6793, RFC 7606 section 7.2, RFC 7607.
 */
import type { ByteReader, ByteWriter } from '../bytes.js';
import { AS_TRANS, MAX_TWO_OCTET_AS } from '../constants.js';
import type { AsPathSegment } from '../message.js';
import { type AttributeRow, TRANSITIVE } from './row.js';

/** By segment type; there is no type 0. */
const KINDS: readonly (AsPathSegment['kind'] | undefined)[] = [
  undefined,
  'set',
  'sequence',
  'confedSequence',
  'confedSet',
];
const MAX_SEGMENT_ASES = 255;

export const AS_PATH: AttributeRow = {
  code: 2,
  name: 'AS_PATH',
  flags: TRANSITIVE,
  malformed: 'treat-as-withdraw',
  decode: (value, { route }, { as4, peerType }) => {
    const segments = readSegments(value, as4 ? 4 : 2);
    if (typeof segments === 'string') return segments;
    // RFC 5065 §5: we are in no confederation, so an external peer that shows us its inside is in error.
    if (peerType === 'ebgp' && segments.some(isConfederation)) return 'confederation segment';
    route.asPath = segments;
    return undefined;
  },
  encode: (out, { route }, { as4 }) => {
    if (route === undefined) return false;
    writeSegments(out, route.asPath, as4 ? 4 : 2);
    return true;
  },
};

/** Segments inside a confederation; they count nothing and never leave it (RFC 5065). */
export function isConfederation(segment: AsPathSegment): boolean {
  return segment.kind === 'confedSequence' || segment.kind === 'confedSet';
}

/** Reads segments to the end of `value`. @returns what is wrong, as text, where they are malformed. */
export function readSegments(value: ByteReader, asnOctets: 2 | 4): AsPathSegment[] | string {
  const segments: AsPathSegment[] = [];
  while (value.remaining > 0) {
    if (value.remaining === 1) return 'one octet after the last segment';
    const type = value.u8();
    const kind = KINDS[type];
    if (kind === undefined) return `segment of unknown type ${type}`;
    const count = value.u8();
    if (count === 0) return 'segment without an AS';
    if (count * asnOctets > value.remaining) return `segment of ${count} ASes overruns the attribute`;
    const asns: number[] = [];
    for (let index = 0; index < count; index += 1) {
      const asn = asnOctets === 4 ? value.u32() : value.u16();
      if (asn === 0) return 'AS 0'; // RFC 7607 §2
      asns.push(asn);
    }
    segments.push({ kind, asns });
  }
  return segments;
}

/** Writes segments; one of more than 255 ASes becomes several. */
export function writeSegments(out: ByteWriter, segments: readonly AsPathSegment[], asnOctets: 2 | 4): void {
  for (const { kind, asns } of segments) {
    for (let start = 0; start < asns.length; start += MAX_SEGMENT_ASES) {
      const part = asns.slice(start, start + MAX_SEGMENT_ASES);
      out.u8(KINDS.indexOf(kind)).u8(part.length);
      for (const asn of part) {
        if (asnOctets === 4) out.u32(asn);
        else out.u16(asn > MAX_TWO_OCTET_AS ? AS_TRANS : asn);
      }
    }
  }
}
