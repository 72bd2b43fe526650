/**
 * MP_UNREACH_NLRI: afi(2) safi(1) prefixes. Source: RFC 4760 section 4, RFC 7606 section 7.12.
 */
import { afiSafi, familyOf } from '../family.js';
import { decodePrefixes, encodePrefix } from '../nlri.js';
import { type AttributeRow, OPTIONAL } from './row.js';

/** Octets of the value before the prefixes. */
export const MP_UNREACH_FIXED_LENGTH = 3;

export const MP_UNREACH_NLRI: AttributeRow = {
  code: 15,
  name: 'MP_UNREACH_NLRI',
  flags: OPTIONAL,
  malformed: 'reset',
  decode: (value, draft, context) => {
    if (value.remaining < MP_UNREACH_FIXED_LENGTH) return `length ${value.remaining}`;
    const family = familyOf(value.u16(), value.u8());
    if (family === undefined) return undefined;
    const prefixes = decodePrefixes(value, family, context);
    if (typeof prefixes === 'string') return prefixes;
    draft.mpUnreach = { family, prefixes };
    return undefined;
  },
  encode: (out, { mpUnreach }) => {
    if (mpUnreach === undefined) return false;
    const { afi, safi } = afiSafi(mpUnreach.family);
    out.u16(afi).u8(safi);
    for (const prefix of mpUnreach.prefixes) encodePrefix(out, prefix);
    return true;
  },
};
