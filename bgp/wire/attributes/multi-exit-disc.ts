/**
 * MULTI_EXIT_DISC: 32 bits. Source: RFC 4271 section 5.1.4, RFC 7606 section 7.4.
 */
import { type AttributeRow, OPTIONAL } from './row.js';

export const MULTI_EXIT_DISC: AttributeRow = {
  code: 4,
  name: 'MULTI_EXIT_DISC',
  flags: OPTIONAL,
  malformed: 'treat-as-withdraw',
  decode: (value, { route }) => {
    if (value.remaining !== 4) return `length ${value.remaining}`;
    route.med = value.u32();
    return undefined;
  },
  encode: (out, { route }) => {
    if (route?.med === undefined) return false;
    out.u32(route.med);
    return true;
  },
};
