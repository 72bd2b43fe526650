/**
 * OTC (Only to Customer): the AS that set it. Source: RFC 9234 section 5.
 */
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

export const ONLY_TO_CUSTOMER: AttributeRow = {
  code: 35,
  name: 'ONLY_TO_CUSTOMER',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'treat-as-withdraw',
  decode: (value, { route }) => {
    if (value.remaining !== 4) return `length ${value.remaining}`;
    route.otc = value.u32();
    return undefined;
  },
  encode: (out, { route }) => {
    if (route?.otc === undefined) return false;
    out.u32(route.otc);
    return true;
  },
};
