/**
 * ORIGINATOR_ID: a BGP identifier, inside an AS only. Source: RFC 4456 section 8, RFC 7606 section 7.9.
 */
import { ipv4 } from '../../net/index.js';
import { type AttributeRow, OPTIONAL } from './row.js';

export const ORIGINATOR_ID: AttributeRow = {
  code: 9,
  name: 'ORIGINATOR_ID',
  flags: OPTIONAL,
  malformed: 'treat-as-withdraw',
  internalOnly: true,
  decode: (value, { route }) => {
    if (value.remaining !== 4) return `length ${value.remaining}`;
    route.originatorId = ipv4(value.u32());
    return undefined;
  },
  encode: (out, { route }) => {
    if (route?.originatorId === undefined) return false;
    out.u32(route.originatorId);
    return true;
  },
};
