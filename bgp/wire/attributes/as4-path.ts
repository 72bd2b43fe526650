/**
 * AS4_PATH: the AS_PATH in 4-octet numbers, carried past a speaker that knows only 2 octets.
 * Source: RFC 6793 sections 3, 4.2.2 and 6.
 */
import { MAX_TWO_OCTET_AS } from '../constants.js';
import { isConfederation, readSegments, writeSegments } from './as-path.js';
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

/** A segment with one 4-octet AS. */
const MIN_LENGTH = 6;

export const AS4_PATH: AttributeRow = {
  code: 17,
  name: 'AS4_PATH',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'discard',
  decode: (value, draft, { as4 }) => {
    if (as4) return 'from a peer that speaks 4-octet AS numbers';
    if (value.remaining < MIN_LENGTH) return `length ${value.remaining}`;
    const segments = readSegments(value, 4);
    if (typeof segments === 'string') return segments;
    // RFC 6793 §6: confederation segments must not be here; they are dropped, the rest is used.
    draft.as4Path = segments.filter((segment) => !isConfederation(segment));
    return undefined;
  },
  encode: (out, { route }, { as4 }) => {
    if (as4 || route === undefined) return false;
    const segments = route.asPath.filter((segment) => !isConfederation(segment));
    if (!segments.some(({ asns }) => asns.some((asn) => asn > MAX_TWO_OCTET_AS))) return false;
    writeSegments(out, segments, 4);
    return true;
  },
};
