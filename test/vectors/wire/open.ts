/** OPEN. */
import { address4 } from '../../support/addresses.js';
import { EBGP, hex } from '../../support/wire.js';
import type { WireVector } from './vector.js';

export const OPEN_VECTORS: readonly WireVector[] = [
  {
    name: 'OPEN without capabilities',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      001d                             # length 29
      01                               # OPEN
      04                               # version
      fdea                             # my AS 65002
      005a                             # hold time 90 s
      c0000201                         # identifier 192.0.2.1
      00                               # no parameters`,
    message: {
      type: 'OPEN',
      asn: 65002,
      holdTimeSeconds: 90,
      bgpIdentifier: address4('192.0.2.1'),
      capabilities: [],
    },
  },
  {
    name: 'OPEN of BIRD 2.0.12 with AS 4200000001, both families',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      003b                             # length 59
      01                               # OPEN
      04                               # version
      5ba0                             # my AS: AS_TRANS
      00f0                             # hold time 240 s
      c0000201                         # identifier 192.0.2.1
      1e                               # parameters: 30 octets
      02 1c                            # capabilities: 28 octets
      01 04 0001 00 01                 # multiprotocol, IPv4 unicast
      01 04 0002 00 01                 # multiprotocol, IPv6 unicast
      02 00                            # route refresh
      40 02 0078                       # graceful restart, 120 s, no family
      41 04 fa56ea01                   # 4-octet AS 4200000001
      46 00                            # enhanced route refresh
      47 00                            # long-lived graceful restart, no family`,
    message: {
      type: 'OPEN',
      asn: 4200000001,
      holdTimeSeconds: 240,
      bgpIdentifier: address4('192.0.2.1'),
      capabilities: [
        { kind: 'multiprotocol', family: 'ipv4' },
        { kind: 'multiprotocol', family: 'ipv6' },
        { kind: 'routeRefresh' },
        {
          kind: 'gracefulRestart',
          restarting: false,
          notification: false,
          restartTimeSeconds: 120,
          families: [],
        },
        { kind: 'fourOctetAs', asn: 4200000001 },
        { kind: 'enhancedRouteRefresh' },
        { kind: 'unknown', code: 71, value: hex('') },
      ],
    },
  },
  {
    name: 'OPEN of BIRD 2.0.12 with graceful restart, extended messages and extended next hop',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      004a                             # length 74
      01                               # OPEN
      04                               # version
      5ba0                             # my AS: AS_TRANS
      00f0                             # hold time 240 s
      c0000201                         # identifier 192.0.2.1
      2d                               # parameters: 45 octets
      02 2b                            # capabilities: 43 octets
      01 04 0001 00 01                 # multiprotocol, IPv4 unicast
      02 00                            # route refresh
      05 06 0001 0001 0002             # extended next hop: IPv4 unicast over IPv6
      06 00                            # extended message
      40 06 0078 0001 01 00            # graceful restart, 120 s, IPv4 unicast not forwarding
      41 04 fa56ea01                   # 4-octet AS 4200000001
      46 00                            # enhanced route refresh
      47 07 0001 01 00 000e10          # long-lived graceful restart, IPv4 unicast, 3600 s`,
    message: {
      type: 'OPEN',
      asn: 4200000001,
      holdTimeSeconds: 240,
      bgpIdentifier: address4('192.0.2.1'),
      capabilities: [
        { kind: 'multiprotocol', family: 'ipv4' },
        { kind: 'routeRefresh' },
        { kind: 'extendedNextHop', families: [{ family: 'ipv4', nextHopFamily: 'ipv6' }] },
        { kind: 'extendedMessage' },
        {
          kind: 'gracefulRestart',
          restarting: false,
          notification: false,
          restartTimeSeconds: 120,
          families: [{ family: 'ipv4', forwarding: false }],
        },
        { kind: 'fourOctetAs', asn: 4200000001 },
        { kind: 'enhancedRouteRefresh' },
        { kind: 'unknown', code: 71, value: hex('0001 01 00 000e10') },
      ],
    },
  },
  {
    name: 'OPEN of a restarted speaker: R and N bits, forwarding kept for IPv6, hold time 0',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0033                             # length 51
      01                               # OPEN
      04                               # version
      fc00                             # my AS 64512
      0000                             # hold time 0: no keepalives
      0a000001                         # identifier 10.0.0.1
      16                               # parameters: 22 octets
      02 14                            # capabilities: 20 octets
      40 0a cfff                       # graceful restart, R, N, 4095 s
      0001 01 00                       #   IPv4 unicast, not forwarding
      0002 01 80                       #   IPv6 unicast, forwarding
      09 01 03                         # BGP role: customer
      c8 03 abcdef                     # a code that nobody knows`,
    message: {
      type: 'OPEN',
      asn: 64512,
      holdTimeSeconds: 0,
      bgpIdentifier: address4('10.0.0.1'),
      capabilities: [
        {
          kind: 'gracefulRestart',
          restarting: true,
          notification: true,
          restartTimeSeconds: 4095,
          families: [
            { family: 'ipv4', forwarding: false },
            { family: 'ipv6', forwarding: true },
          ],
        },
        { kind: 'role', role: 'customer' },
        { kind: 'unknown', code: 200, value: hex('abcdef') },
      ],
    },
  },
  {
    name: 'OPEN with one capability per parameter (RFC 5492 §4)',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0031                             # length 49
      01                               # OPEN
      04                               # version
      fdea                             # my AS 65002
      00b4                             # hold time 180 s
      c0000202                         # identifier 192.0.2.2
      14                               # parameters: 20 octets
      02 06 01 04 0001 00 01           # capabilities: multiprotocol, IPv4 unicast
      02 02 02 00                      # capabilities: route refresh
      02 06 41 04 0000fdea             # capabilities: 4-octet AS 65002`,
    message: {
      type: 'OPEN',
      asn: 65002,
      holdTimeSeconds: 180,
      bgpIdentifier: address4('192.0.2.2'),
      capabilities: [
        { kind: 'multiprotocol', family: 'ipv4' },
        { kind: 'routeRefresh' },
        { kind: 'fourOctetAs', asn: 65002 },
      ],
    },
    ours: {
      because: 'we put all capabilities into one parameter',
      bytes: `
        ffffffffffffffffffffffffffffffff 002d 01 # header
        04 fdea 00b4 c0000202                    # version, AS, hold time, identifier
        10 02 0e                                 # one parameter
        01 04 0001 00 01 02 00 41 04 0000fdea`,
    },
  },
  {
    name: 'OPEN with extended parameters (RFC 9072)',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      002f                             # length 47
      01                               # OPEN
      04                               # version
      fdea                             # my AS 65002
      00b4                             # hold time 180 s
      c0000202                         # identifier 192.0.2.2
      ff ff                            # mark of the extended form
      000f                             # parameters: 15 octets
      02 000c                          # capabilities: 12 octets
      01 04 0001 00 01                 # multiprotocol, IPv4 unicast
      41 04 0000fdea                   # 4-octet AS 65002`,
    message: {
      type: 'OPEN',
      asn: 65002,
      holdTimeSeconds: 180,
      bgpIdentifier: address4('192.0.2.2'),
      capabilities: [
        { kind: 'multiprotocol', family: 'ipv4' },
        { kind: 'fourOctetAs', asn: 65002 },
      ],
    },
    ours: {
      because: 'we use the extended form only where the classic one is too short',
      bytes: `
        ffffffffffffffffffffffffffffffff 002b 01 # header
        04 fdea 00b4 c0000202                    # version, AS, hold time, identifier
        0e 02 0c 01 04 0001 00 01 41 04 0000fdea # parameters`,
    },
  },
];
