/** NOTIFICATION, KEEPALIVE and ROUTE-REFRESH. */
import { EBGP, hex } from '../../support/wire.js';
import type { WireVector } from './vector.js';

export const OTHER_VECTORS: readonly WireVector[] = [
  {
    name: 'KEEPALIVE',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0013                             # length 19
      04                               # KEEPALIVE`,
    message: { type: 'KEEPALIVE' },
  },
  {
    name: 'NOTIFICATION without data: hold timer expired',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0015                             # length 21
      03                               # NOTIFICATION
      04                               # hold timer expired
      00                               # no subcode`,
    message: { type: 'NOTIFICATION', code: 4, subcode: 0, data: hex('') },
  },
  {
    name: 'NOTIFICATION with one octet of data: unexpected message type',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0016                             # length 22
      03                               # NOTIFICATION
      05                               # finite state machine error
      01                               # in OpenSent
      02                               # data: the type octet`,
    message: { type: 'NOTIFICATION', code: 5, subcode: 1, data: hex('02') },
  },
  {
    name: 'NOTIFICATION with a shutdown communication (RFC 9003)',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0021                             # length 33
      03                               # NOTIFICATION
      06                               # Cease
      02                               # administrative shutdown
      0b                               # text: 11 octets
      6d61696e74656e616e6365           # "maintenance"`,
    message: { type: 'NOTIFICATION', code: 6, subcode: 2, data: hex('0b 6d61696e74656e616e6365') },
  },
  {
    name: 'ROUTE-REFRESH for IPv4 unicast (RFC 2918)',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0017                             # length 23
      05                               # ROUTE-REFRESH
      0001                             # AFI IPv4
      00                               # a request
      01                               # SAFI unicast`,
    message: { type: 'ROUTE-REFRESH', family: 'ipv4', subtype: 0 },
  },
  {
    name: 'ROUTE-REFRESH: end of a refresh of IPv6 unicast (RFC 7313)',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0017                             # length 23
      05                               # ROUTE-REFRESH
      0002                             # AFI IPv6
      02                               # EoRR
      01                               # SAFI unicast`,
    message: { type: 'ROUTE-REFRESH', family: 'ipv6', subtype: 2 },
  },
  {
    name: 'ROUTE-REFRESH for a family that we do not speak',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0017                             # length 23
      05                               # ROUTE-REFRESH
      0019                             # AFI L2VPN
      00                               # a request
      46                               # SAFI EVPN`,
    message: { type: 'ROUTE-REFRESH', family: { afi: 25, safi: 70 }, subtype: 0 },
  },
];
