/**
 * AGGREGATOR: AS(2 or 4) address(4). Source: RFC 4271 section 5.1.7, RFC 6793, RFC 7606 section 7.7, RFC 7607.
 */
import { ipv4 } from '../../net/index.js';
import { AS_TRANS, MAX_TWO_OCTET_AS } from '../constants.js';
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

export const AGGREGATOR: AttributeRow = {
  code: 7,
  name: 'AGGREGATOR',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'discard',
  decode: (value, { route }, { as4 }) => {
    if (value.remaining !== (as4 ? 8 : 6)) return `length ${value.remaining}`;
    const asn = as4 ? value.u32() : value.u16();
    if (asn === 0) return 'AS 0'; // RFC 7607 §2
    route.aggregator = { asn, address: ipv4(value.u32()) };
    return undefined;
  },
  encode: (out, { route }, { as4 }) => {
    if (route?.aggregator === undefined) return false;
    const { asn, address } = route.aggregator;
    if (as4) out.u32(asn);
    else out.u16(asn > MAX_TWO_OCTET_AS ? AS_TRANS : asn);
    out.u32(address);
    return true;
  },
};
