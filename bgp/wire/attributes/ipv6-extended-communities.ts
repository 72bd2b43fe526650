/**
 * IPv6 Address Specific Extended Community: 20 octets each, checked and carried as it came.
 * Source: RFC 5701, RFC 7606 section 7.15.
 */
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

const ITEM_OCTETS = 20;

export const IPV6_EXTENDED_COMMUNITIES: AttributeRow = {
  code: 25,
  name: 'IPV6_EXTENDED_COMMUNITIES',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'treat-as-withdraw',
  opaque: true,
  decode: (value) =>
    value.remaining === 0 || value.remaining % ITEM_OCTETS !== 0 ? `length ${value.remaining}` : undefined,
  encode: () => false,
};
