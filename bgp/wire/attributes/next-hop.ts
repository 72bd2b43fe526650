/**
 * NEXT_HOP: the IPv4 address that belongs to the NLRI field.
 * Source: RFC 4271 section 5.1.3, RFC 7606 section 7.3. Whether the address is usable is decided with the prefixes.
 */
import { ipv4 } from '../../net/index.js';
import { type AttributeRow, TRANSITIVE } from './row.js';

export const NEXT_HOP: AttributeRow = {
  code: 3,
  name: 'NEXT_HOP',
  flags: TRANSITIVE,
  malformed: 'treat-as-withdraw',
  decode: (value, draft) => {
    if (value.remaining !== 4) return `length ${value.remaining}`;
    draft.nextHop = ipv4(value.u32());
    return undefined;
  },
  encode: (out, { nextHop }) => {
    if (nextHop === undefined) return false;
    out.u32(nextHop);
    return true;
  },
};
