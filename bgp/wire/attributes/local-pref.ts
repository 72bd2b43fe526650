/**
 * LOCAL_PREF: 32 bits, inside an AS only. Source: RFC 4271 section 5.1.5, RFC 7606 section 7.5.
 */
import { type AttributeRow, TRANSITIVE } from './row.js';

export const LOCAL_PREF: AttributeRow = {
  code: 5,
  name: 'LOCAL_PREF',
  flags: TRANSITIVE,
  malformed: 'treat-as-withdraw',
  internalOnly: true,
  decode: (value, { route }) => {
    if (value.remaining !== 4) return `length ${value.remaining}`;
    route.localPref = value.u32();
    return undefined;
  },
  encode: (out, { route }) => {
    if (route?.localPref === undefined) return false;
    out.u32(route.localPref);
    return true;
  },
};
