/**
 * Tunnel Encapsulation: tunnels of type(2) length(2) value, checked and carried as it came.
 * Source: RFC 9012 sections 2 and 13.
 */
import { type AttributeRow, OPTIONAL, TRANSITIVE } from './row.js';

const TLV_HEADER_OCTETS = 4;

export const TUNNEL_ENCAPSULATION: AttributeRow = {
  code: 23,
  name: 'TUNNEL_ENCAPSULATION',
  flags: OPTIONAL | TRANSITIVE,
  malformed: 'treat-as-withdraw',
  opaque: true,
  decode: (value) => {
    while (value.remaining > 0) {
      if (value.remaining < TLV_HEADER_OCTETS) return `${value.remaining} octets after the last tunnel`;
      const type = value.u16();
      const length = value.u16();
      if (length > value.remaining) return `tunnel of type ${type} overruns the attribute`;
      value.window(length);
    }
    return undefined;
  },
  encode: () => false,
};
