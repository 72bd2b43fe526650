/** UPDATE. */
import { address, address4, address6, prefix } from '../../support/addresses.js';
import { EBGP, EBGP_AS2, hex, IBGP, IBGP_AS2 } from '../../support/wire.js';
import type { WireVector } from './vector.js';

const ALWAYS_EXTENDED = 'BIRD always gives the multiprotocol attributes a 2-octet length';

export const UPDATE_VECTORS: readonly WireVector[] = [
  {
    name: 'End-of-RIB for IPv4 unicast (RFC 4724 §2)',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0017                             # length 23
      02                               # UPDATE
      0000                             # no withdrawn routes
      0000                             # no attributes`,
    message: { type: 'UPDATE', unreach: [{ family: 'ipv4', prefixes: [] }], reach: [], faults: [] },
  },
  {
    name: 'End-of-RIB for IPv6 unicast, as BIRD 2.0.12 sends it (RFC 4724 §2)',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      001d                             # length 29
      02                               # UPDATE
      0000                             # no withdrawn routes
      0006                             # attributes: 6 octets
      80 0f 03                         # MP_UNREACH_NLRI
      0002 01                          #   IPv6 unicast, no prefixes`,
    message: { type: 'UPDATE', unreach: [{ family: 'ipv6', prefixes: [] }], reach: [], faults: [] },
  },
  {
    name: 'withdrawal of IPv4 prefixes',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0023                             # length 35
      02                               # UPDATE
      000c                             # withdrawn routes: 12 octets
      18 0af401                        #   10.244.1.0/24
      00                               #   0.0.0.0/0
      20 0a000001                      #   10.0.0.1/32
      08 0a                            #   10.0.0.0/8
      0000                             # no attributes`,
    message: {
      type: 'UPDATE',
      unreach: [
        {
          family: 'ipv4',
          prefixes: [
            prefix('10.244.1.0/24'),
            prefix('0.0.0.0/0'),
            prefix('10.0.0.1/32'),
            prefix('10.0.0.0/8'),
          ],
        },
      ],
      reach: [],
      faults: [],
    },
  },
  {
    name: 'withdrawal of both families in one message',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0028                             # length 40
      02                               # UPDATE
      0004                             # withdrawn routes: 4 octets
      18 0af401                        #   10.244.1.0/24
      000d                             # attributes: 13 octets
      80 0f 0a                         # MP_UNREACH_NLRI
      0002 01                          #   IPv6 unicast
      30 20010db80001                  #   2001:db8:1::/48`,
    message: {
      type: 'UPDATE',
      unreach: [
        { family: 'ipv4', prefixes: [prefix('10.244.1.0/24')] },
        { family: 'ipv6', prefixes: [prefix('2001:db8:1::/48')] },
      ],
      reach: [],
      faults: [],
    },
  },
  {
    name: 'BIRD 2.0.12, external, two prefixes',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0031                             # length 49
      02                               # UPDATE
      0000                             # no withdrawn routes
      0014                             # attributes: 20 octets
      40 01 01 00                      # ORIGIN: IGP
      40 02 06 02 01 fa56ea01          # AS_PATH: sequence of 4200000001
      40 03 04 7f000001                # NEXT_HOP: 127.0.0.1
      19 0af40200                      # 10.244.2.0/25
      00                               # 0.0.0.0/0`,
    message: {
      type: 'UPDATE',
      unreach: [],
      reach: [
        {
          family: 'ipv4',
          nextHop: { address: address('127.0.0.1') },
          prefixes: [prefix('10.244.2.0/25'), prefix('0.0.0.0/0')],
        },
      ],
      attributes: { origin: 'IGP', asPath: [{ kind: 'sequence', asns: [4200000001] }] },
      faults: [],
    },
  },
  {
    name: 'BIRD 2.0.12, external, with standard, extended and large communities',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0050                             # length 80
      02                               # UPDATE
      0000                             # no withdrawn routes
      0035                             # attributes: 53 octets
      40 01 01 00                      # ORIGIN: IGP
      40 02 06 02 01 fa56ea01          # AS_PATH: sequence of 4200000001
      40 03 04 7f000001                # NEXT_HOP: 127.0.0.1
      c0 08 04 fc000064                # COMMUNITIES: 64512:100
      c0 10 08 0002fc0000000007        # EXTENDED_COMMUNITIES: route target 64512:7
      c0 20 0c 0000fc00 00000001 00000002 # LARGE_COMMUNITY: 64512:1:2
      18 0af401                        # 10.244.1.0/24`,
    message: {
      type: 'UPDATE',
      unreach: [],
      reach: [
        {
          family: 'ipv4',
          nextHop: { address: address('127.0.0.1') },
          prefixes: [prefix('10.244.1.0/24')],
        },
      ],
      attributes: {
        origin: 'IGP',
        asPath: [{ kind: 'sequence', asns: [4200000001] }],
        communities: [0xfc000064],
        extendedCommunities: [0x0002fc0000000007n],
        largeCommunities: [{ globalAdministrator: 64512, localData1: 1, localData2: 2 }],
      },
      faults: [],
    },
  },
  {
    name: 'BIRD 2.0.12 to a 2-octet peer: AS_TRANS and AS4_PATH (RFC 6793)',
    context: EBGP_AS2,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0038                             # length 56
      02                               # UPDATE
      0000                             # no withdrawn routes
      001b                             # attributes: 27 octets
      40 01 01 00                      # ORIGIN: IGP
      40 02 04 02 01 5ba0              # AS_PATH: sequence of AS_TRANS
      40 03 04 7f000001                # NEXT_HOP: 127.0.0.1
      c0 11 06 02 01 fa56ea01          # AS4_PATH: sequence of 4200000001
      00                               # 0.0.0.0/0
      19 0af40200                      # 10.244.2.0/25`,
    message: {
      type: 'UPDATE',
      unreach: [],
      reach: [
        {
          family: 'ipv4',
          nextHop: { address: address('127.0.0.1') },
          prefixes: [prefix('0.0.0.0/0'), prefix('10.244.2.0/25')],
        },
      ],
      attributes: { origin: 'IGP', asPath: [{ kind: 'sequence', asns: [4200000001] }] },
      faults: [],
    },
  },
  {
    name: 'BIRD 2.0.12, IPv6 unicast',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0044                             # length 68
      02                               # UPDATE
      0000                             # no withdrawn routes
      002d                             # attributes: 45 octets
      90 0e 001c                       # MP_REACH_NLRI
      0002 01                          #   IPv6 unicast
      10 20010db8000000000000000000000001 # next hop 2001:db8::1
      00                               #   reserved
      30 20010db80001                  #   2001:db8:1::/48
      40 01 01 00                      # ORIGIN: IGP
      40 02 06 02 01 fa56ea01          # AS_PATH: sequence of 4200000001`,
    message: {
      type: 'UPDATE',
      unreach: [],
      reach: [
        {
          family: 'ipv6',
          nextHop: { address: address('2001:db8::1') },
          prefixes: [prefix('2001:db8:1::/48')],
        },
      ],
      attributes: { origin: 'IGP', asPath: [{ kind: 'sequence', asns: [4200000001] }] },
      faults: [],
    },
    ours: {
      because: ALWAYS_EXTENDED,
      bytes: `
        ffffffffffffffffffffffffffffffff 0043 02 # header
        0000 002c                                # field lengths
        80 0e 1c                                 # MP_REACH_NLRI
        0002 01 10 20010db8000000000000000000000001 00 30 20010db80001
        40 01 01 00                              # ORIGIN
        40 02 06 02 01 fa56ea01                  # AS_PATH`,
    },
  },
  {
    name: 'BIRD 2.0.12, internal, IPv4 prefixes with an IPv6 next hop (RFC 8950)',
    context: IBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      006a                             # length 106
      02                               # UPDATE
      0000                             # no withdrawn routes
      0053                             # attributes: 83 octets
      90 0e 0019                       # MP_REACH_NLRI
      0001 01                          #   IPv4 unicast
      10 20010db8000000000000000000000001 # next hop 2001:db8::1
      00                               #   reserved
      18 0af401                        #   10.244.1.0/24
      40 01 01 00                      # ORIGIN: IGP
      40 02 00                         # AS_PATH: empty
      80 04 04 00000032                # MULTI_EXIT_DISC: 50
      40 05 04 00000064                # LOCAL_PREF: 100
      c0 08 04 fc000064                # COMMUNITIES: 64512:100
      c0 10 08 0002fc0000000007        # EXTENDED_COMMUNITIES: route target 64512:7
      c0 20 0c 0000fc00 00000001 00000002 # LARGE_COMMUNITY: 64512:1:2`,
    message: {
      type: 'UPDATE',
      unreach: [],
      reach: [
        {
          family: 'ipv4',
          nextHop: { address: address('2001:db8::1') },
          prefixes: [prefix('10.244.1.0/24')],
        },
      ],
      attributes: {
        origin: 'IGP',
        asPath: [],
        med: 50,
        localPref: 100,
        communities: [0xfc000064],
        extendedCommunities: [0x0002fc0000000007n],
        largeCommunities: [{ globalAdministrator: 64512, localData1: 1, localData2: 2 }],
      },
      faults: [],
    },
    ours: {
      because: ALWAYS_EXTENDED,
      bytes: `
        ffffffffffffffffffffffffffffffff 0069 02 # header
        0000 0052                                # field lengths
        80 0e 19                                 # MP_REACH_NLRI
        0001 01 10 20010db8000000000000000000000001 00 18 0af401
        40 01 01 00 40 02 00 80 04 04 00000032 40 05 04 00000064
        c0 08 04 fc000064 c0 10 08 0002fc0000000007 c0 20 0c 0000fc00 00000001 00000002`,
    },
  },
  {
    name: 'a reflected route with every attribute of RFC 4271 and RFC 4456, and ones that we only carry',
    context: IBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      007f                             # length 127
      02                               # UPDATE
      0000                             # no withdrawn routes
      0064                             # attributes: 100 octets
      40 01 01 02                      # ORIGIN: INCOMPLETE
      40 02 10                         # AS_PATH: 16 octets
      02 02 0000fdea 00010000          #   sequence of 65002, 65536
      01 01 0000fdeb                   #   set of 65003
      40 03 04 c0a8010b                # NEXT_HOP: 192.168.1.11
      80 04 04 ffffffff                # MULTI_EXIT_DISC: 4294967295
      40 05 04 000000c8                # LOCAL_PREF: 200
      40 06 00                         # ATOMIC_AGGREGATE
      c0 07 08 00010000 c0000207       # AGGREGATOR: AS 65536, 192.0.2.7
      c0 08 08 ffffff01 ffff029a       # COMMUNITIES: NO_EXPORT, BLACKHOLE
      80 09 04 c0a8010c                # ORIGINATOR_ID: 192.168.1.12
      80 0a 08 c0a8010d c0a8010e       # CLUSTER_LIST: 192.168.1.13, 192.168.1.14
      c0 23 04 0000fdea                # ONLY_TO_CUSTOMER: AS 65002
      e0 63 03 010203                  # attribute 99, Partial
      12 0a40                          # 10.64.0.0/18, which needs 3 octets:
      00                               #   the third one`,
    message: {
      type: 'UPDATE',
      unreach: [],
      reach: [
        {
          family: 'ipv4',
          nextHop: { address: address('192.168.1.11') },
          prefixes: [prefix('10.64.0.0/18')],
        },
      ],
      attributes: {
        origin: 'INCOMPLETE',
        asPath: [
          { kind: 'sequence', asns: [65002, 65536] },
          { kind: 'set', asns: [65003] },
        ],
        med: 0xffffffff,
        localPref: 200,
        atomicAggregate: true,
        aggregator: { asn: 65536, address: address4('192.0.2.7') },
        communities: [0xffffff01, 0xffff029a],
        originatorId: address4('192.168.1.12'),
        clusterList: [address4('192.168.1.13'), address4('192.168.1.14')],
        otc: 65002,
        unknown: [{ code: 99, flags: 0xe0, value: hex('010203') }],
      },
      faults: [],
    },
  },
  {
    name: 'AGGREGATOR with a 4-octet AS to a 2-octet peer (RFC 6793 §4.2.2)',
    context: IBGP_AS2,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      0057                             # length 87
      02                               # UPDATE
      0000                             # no withdrawn routes
      003c                             # attributes: 60 octets
      40 01 01 01                      # ORIGIN: EGP
      40 02 06 02 02 fdea 5ba0         # AS_PATH: sequence of 65002, AS_TRANS
      40 03 04 c0a8010b                # NEXT_HOP: 192.168.1.11
      40 05 04 00000000                # LOCAL_PREF: 0
      c0 07 06 5ba0 c0000207           # AGGREGATOR: AS_TRANS, 192.0.2.7
      c0 11 0a 02 02 0000fdea 00010000 # AS4_PATH: sequence of 65002, 65536
      c0 12 08 00010000 c0000207       # AS4_AGGREGATOR: AS 65536, 192.0.2.7
      18 0af401                        # 10.244.1.0/24`,
    message: {
      type: 'UPDATE',
      unreach: [],
      reach: [
        {
          family: 'ipv4',
          nextHop: { address: address('192.168.1.11') },
          prefixes: [prefix('10.244.1.0/24')],
        },
      ],
      attributes: {
        origin: 'EGP',
        asPath: [{ kind: 'sequence', asns: [65002, 65536] }],
        localPref: 0,
        aggregator: { asn: 65536, address: address4('192.0.2.7') },
      },
      faults: [],
    },
  },
  {
    name: 'IPv6 with a global and a link-local next hop (RFC 2545 §3), beside IPv4 prefixes and withdrawals',
    context: EBGP,
    bytes: `
      ffffffffffffffffffffffffffffffff # marker
      006c                             # length 108
      02                               # UPDATE
      0004                             # withdrawn routes: 4 octets
      18 0af409                        #   10.244.9.0/24
      004d                             # attributes: 77 octets
      80 0e 2e                         # MP_REACH_NLRI
      0002 01                          #   IPv6 unicast
      20 20010db8000000000000000000000001 # next hop 2001:db8::1
      fe800000000000000000000000000001 #   and fe80::1
      00                               #   reserved
      31 20010db8000180                #   2001:db8:1:8000::/49
      00                               #   ::/0
      80 0f 05 0002 01 08 fd           # MP_UNREACH_NLRI: fd00::/8
      40 01 01 00                      # ORIGIN: IGP
      40 02 06 02 01 0000fdea          # AS_PATH: sequence of 65002
      40 03 04 c0a8010b                # NEXT_HOP: 192.168.1.11
      18 0af401                        # 10.244.1.0/24`,
    message: {
      type: 'UPDATE',
      unreach: [
        { family: 'ipv4', prefixes: [prefix('10.244.9.0/24')] },
        { family: 'ipv6', prefixes: [prefix('fd00::/8')] },
      ],
      reach: [
        {
          family: 'ipv4',
          nextHop: { address: address('192.168.1.11') },
          prefixes: [prefix('10.244.1.0/24')],
        },
        {
          family: 'ipv6',
          nextHop: { address: address('2001:db8::1'), linkLocal: address6('fe80::1') },
          prefixes: [prefix('2001:db8:1:8000::/49'), prefix('::/0')],
        },
      ],
      attributes: { origin: 'IGP', asPath: [{ kind: 'sequence', asns: [65002] }] },
      faults: [],
    },
  },
];
