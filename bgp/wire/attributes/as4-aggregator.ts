/**
 * AS4_AGGREGATOR: AS(4) address(4), past a speaker that knows only 2 octets. Source: RFC 6793 sections 3 and 6.
 */
import { ipv4 } from '../../net/index.js';
import { MAX_TWO_OCTET_AS } from '../constants.js';
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

export const AS4_AGGREGATOR: AttributeRow = {
  code: 18,
  name: 'AS4_AGGREGATOR',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'discard',
  decode: (value, draft, { as4 }) => {
    if (as4) return 'from a peer that speaks 4-octet AS numbers';
    if (value.remaining !== 8) return `length ${value.remaining}`;
    const asn = value.u32();
    if (asn === 0) return 'AS 0'; // RFC 7607 §2
    draft.as4Aggregator = { asn, address: ipv4(value.u32()) };
    return undefined;
  },
  encode: (out, { route }, { as4 }) => {
    if (as4 || route?.aggregator === undefined || route.aggregator.asn <= MAX_TWO_OCTET_AS) return false;
    out.u32(route.aggregator.asn).u32(route.aggregator.address);
    return true;
  },
};
