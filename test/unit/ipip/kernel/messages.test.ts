/** rtnetlink messages against bytes written out by hand from the kernel's headers. */
import { describe, expect, test } from 'vitest';
import { forEachMessage, type MessageView, MessageWriter } from '../../../../ipip/kernel/codec.js';
import { KernelError } from '../../../../ipip/kernel/errors.js';
import { interfaceIndex, type KernelRoute, MAIN_TABLE } from '../../../../ipip/kernel/kernel.js';
import { decodeLink, encodeLinkOperation } from '../../../../ipip/kernel/link-message.js';
import {
  decodeRoute,
  encodeLookup,
  encodeRouteDump,
  encodeRouteOperation,
  lookupOf,
  NextHopPool,
} from '../../../../ipip/kernel/route-message.js';
import { address, address4, prefix } from '../../../support/addresses.js';

const SEQUENCE = 7;
const NLM_F_ACK = 4;

const bytesOf = (...fields: readonly string[]) => Buffer.from(fields.join('').replaceAll(' ', ''), 'hex');

function written(write: (writer: MessageWriter) => void): string {
  const writer = new MessageWriter();
  write(writer);
  return writer.bytes().toString('hex');
}

function messages(bytes: Buffer): readonly MessageView[] {
  const found: MessageView[] = [];
  forEachMessage(bytes, bytes.length, (message) => found.push(message));
  return found;
}

const route = (change: Partial<KernelRoute> = {}): KernelRoute => ({
  prefix: prefix('10.244.2.0/24'),
  table: MAIN_TABLE,
  tos: 0,
  metric: 2048,
  protocol: 179,
  type: 'unicast',
  nextHops: [{ gateway: address('192.168.1.12'), interfaceIndex: interfaceIndex(2), onlink: false }],
  ...change,
});

const HEADER_TAIL = '07000000 00000000'; // sequence 7, port 0
const DST = '0800 0100 0af40200'; // RTA_DST 10.244.2.0
const PRIORITY = '0800 0600 00080000'; // RTA_PRIORITY 2048
const HOP = '0800 0500 c0a8010c 0800 0400 02000000'; // RTA_GATEWAY 192.168.1.12, RTA_OIF 2

describe('route operations', () => {
  test.each([
    [
      'add: CREATE, EXCL, ECHO',
      { op: 'add', route: route() },
      // length 60, RTM_NEWROUTE, flags REQUEST ACK ECHO EXCL CREATE
      bytesOf('3c000000 1800 0d06', HEADER_TAIL, '02 18 00 00 fe b3 00 01 00000000', DST, PRIORITY, HOP),
    ],
    [
      'replace, onlink: REPLACE without CREATE, RTNH_F_ONLINK in the route flags',
      {
        op: 'replace',
        route: route({
          nextHops: [{ gateway: address('192.168.1.12'), interfaceIndex: interfaceIndex(2), onlink: true }],
        }),
      },
      bytesOf('3c000000 1800 0d01', HEADER_TAIL, '02 18 00 00 fe b3 00 01 04000000', DST, PRIORITY, HOP),
    ],
    [
      'add a blackhole: type 6, no next hop',
      { op: 'add', route: route({ type: 'blackhole', nextHops: [] }) },
      bytesOf('2c000000 1800 0d06', HEADER_TAIL, '02 18 00 00 fe b3 00 06 00000000', DST, PRIORITY),
    ],
    [
      'add with two next hops: RTA_MULTIPATH of rtnexthop',
      {
        op: 'add',
        route: route({
          nextHops: [
            { gateway: address('192.168.1.12'), interfaceIndex: interfaceIndex(2), onlink: false },
            { gateway: address('192.168.2.11'), interfaceIndex: interfaceIndex(9), onlink: true },
          ],
        }),
      },
      bytesOf(
        '50000000 1800 0d06',
        HEADER_TAIL,
        '02 18 00 00 fe b3 00 01 00000000',
        DST,
        PRIORITY,
        '2400 0980', // RTA_MULTIPATH, nested, 36 bytes
        '1000 00 00 02000000 0800 0500 c0a8010c', // length 16, no flags, weight 1, device 2, gateway
        '1000 04 00 09000000 0800 0500 c0a8020b', // onlink, device 9
      ),
    ],
    [
      'replace, with a weight of 3: hops is one less',
      {
        op: 'replace',
        route: route({
          nextHops: [
            { gateway: address('192.168.1.12'), interfaceIndex: interfaceIndex(2), onlink: false, weight: 3 },
            { gateway: address('192.168.1.13'), interfaceIndex: interfaceIndex(2), onlink: false },
          ],
        }),
      },
      bytesOf(
        '50000000 1800 0d01',
        HEADER_TAIL,
        '02 18 00 00 fe b3 00 01 00000000',
        DST,
        PRIORITY,
        '2400 0980',
        '1000 00 02 02000000 0800 0500 c0a8010c',
        '1000 00 00 02000000 0800 0500 c0a8010d',
      ),
    ],
    [
      'replace with a source and an MTU: RTA_PREFSRC, RTAX_MTU in RTA_METRICS',
      {
        op: 'replace',
        route: route({ source: address('10.244.1.0'), mtuBytes: 1480 }),
      },
      bytesOf(
        '50000000 1800 0d01',
        HEADER_TAIL,
        '02 18 00 00 fe b3 00 01 00000000',
        DST,
        PRIORITY,
        '0800 0700 0af40100', // RTA_PREFSRC
        '0c00 0880 0800 0200 c8050000', // RTA_METRICS, nested: RTAX_MTU 1480
        HOP,
      ),
    ],
    [
      'add, IPv4 through an IPv6 gateway (RFC 8950): RTA_VIA',
      {
        op: 'add',
        route: route({
          nextHops: [{ gateway: address('fe80::2'), interfaceIndex: interfaceIndex(2), onlink: false }],
        }),
      },
      bytesOf(
        '4c000000 1800 0d06',
        HEADER_TAIL,
        '02 18 00 00 fe b3 00 01 00000000',
        DST,
        PRIORITY,
        '1600 1200 0a00 fe800000000000000000000000000002 0000', // family AF_INET6, address, padding
        '0800 0400 02000000',
      ),
    ],
    [
      'add, IPv6',
      {
        op: 'add',
        route: route({
          prefix: prefix('fd00:1::/64'),
          nextHops: [{ gateway: address('fe80::2'), interfaceIndex: interfaceIndex(2), onlink: false }],
        }),
      },
      bytesOf(
        '54000000 1800 0d06',
        HEADER_TAIL,
        '0a 40 00 00 fe b3 00 01 00000000',
        '1400 0100 fd000001000000000000000000000000',
        PRIORITY,
        '1400 0500 fe800000000000000000000000000002',
        '0800 0400 02000000',
      ),
    ],
  ] as const)('%s', (_name, operation, bytes) => {
    expect(written((writer) => encodeRouteOperation(writer, operation, SEQUENCE, NLM_F_ACK))).toBe(
      bytes.toString('hex'),
    );
    const [message] = messages(bytes);
    expect(message).toMatchObject({ type: 24, sequence: SEQUENCE });
    expect(decodeRoute(bytes, message as MessageView, new NextHopPool())).toEqual(operation.route);
  });

  test.each([
    ['as it is', {}],
    ['its source and its MTU are not named', { source: address('10.244.1.0'), mtuBytes: 1480 }],
  ])('delete: no CREATE, scope nowhere; %s', (_name, change) => {
    const operation = { op: 'delete', route: route(change) } as const;
    expect(written((writer) => encodeRouteOperation(writer, operation, SEQUENCE, 0))).toBe(
      bytesOf(
        '3c000000 1900 0900', // RTM_DELROUTE, flags REQUEST ECHO
        HEADER_TAIL,
        '02 18 00 00 fe b3 ff 01 00000000',
        DST,
        PRIORITY,
        HOP,
      ).toString('hex'),
    );
  });

  test('a dump asks for one table and protocol', () => {
    expect(written((writer) => encodeRouteDump(writer, 'ipv4', 179, SEQUENCE))).toBe(
      bytesOf(
        '24000000 1a00 0103', // RTM_GETROUTE, flags REQUEST DUMP
        HEADER_TAIL,
        '02 00 00 00 00 b3 00 00 00000000',
        '0800 0f00 fe000000', // RTA_TABLE main
      ).toString('hex'),
    );
  });

  test('a lookup asks for the entry that matches, cache and redirects aside', () => {
    expect(written((writer) => encodeLookup(writer, address('192.168.2.11'), SEQUENCE))).toBe(
      bytesOf(
        '24000000 1a00 0100',
        HEADER_TAIL,
        '02 20 00 00 00 00 00 00 00200000', // RTM_F_FIB_MATCH
        '0800 0100 c0a8020b',
      ).toString('hex'),
    );
  });
});

describe('what the kernel says', () => {
  const decode = (bytes: Buffer) => decodeRoute(bytes, messages(bytes)[0] as MessageView, new NextHopPool());

  test('a route without RTA_DST is the default route; without RTA_PRIORITY its metric is 0', () => {
    const bytes = bytesOf('2c000000 1800 0000', HEADER_TAIL, '02 00 00 00 fe 04 00 01 00000000', HOP);
    expect(decode(bytes)).toMatchObject({ prefix: prefix('0.0.0.0/0'), metric: 0, protocol: 4 });
  });

  test('the table of RTA_TABLE counts, not the byte in the header', () => {
    const bytes = bytesOf(
      '34000000 1800 0000',
      HEADER_TAIL,
      '02 18 00 00 fc 04 00 01 00000000',
      DST,
      '0800 0f00 e8030000', // RTA_TABLE 1000
      '0800 0400 02000000',
    );
    expect(decode(bytes)?.table).toBe(1000);
  });

  test('an IPv6 gateway of an IPv4 route (RTA_VIA) is a gateway', () => {
    const bytes = bytesOf(
      '44000000 1800 0000',
      HEADER_TAIL,
      '02 18 00 00 fe 04 00 01 00000000',
      DST,
      '1600 1200 0a00 fe800000000000000000000000000002 0000',
      '0800 0400 02000000',
    );
    expect(decode(bytes)?.nextHops).toEqual([
      { gateway: address('fe80::2'), interfaceIndex: interfaceIndex(2), onlink: false },
    ]);
  });

  test('next hops of a device that is down (RTNH_F_DEAD) or has no carrier (RTNH_F_LINKDOWN) are said to be so', () => {
    const multipath = bytesOf(
      '50000000 1800 0000',
      HEADER_TAIL,
      '02 18 00 00 fe b3 00 01 00000000',
      DST,
      PRIORITY,
      '2400 0980',
      '1000 11 00 02000000 0800 0500 c0a8010c',
      '1000 14 00 03000000 0800 0500 c0a8010d',
    );
    const hop = { gateway: address('192.168.1.12'), interfaceIndex: interfaceIndex(2), onlink: false };
    expect(decode(multipath)?.nextHops).toEqual([
      { ...hop, state: 'dead' },
      {
        gateway: address('192.168.1.13'),
        interfaceIndex: interfaceIndex(3),
        onlink: true,
        state: 'linkdown',
      },
    ]);
    const pool = new NextHopPool();
    const single = (flags: string) => {
      const bytes = bytesOf(
        '3c000000 1800 0000',
        HEADER_TAIL,
        `02 18 00 00 fe b3 00 01 ${flags}`,
        DST,
        PRIORITY,
        HOP,
      );
      return decodeRoute(bytes, messages(bytes)[0] as MessageView, pool)?.nextHops;
    };
    expect(single('10000000')).toEqual([{ ...hop, state: 'linkdown' }]);
    // The pool keeps the two apart, and no other flag matters to it.
    expect(single('00000000')).toEqual([hop]);
    expect(single('00400000')).toBe(single('00000000'));
  });

  test('an entry of the cache is no route, nor is one of another family', () => {
    const cloned = bytesOf('1c000000 1800 0000', HEADER_TAIL, '02 18 00 00 fe 04 00 01 00020000');
    const mpls = bytesOf('1c000000 1800 0000', HEADER_TAIL, '1c 14 00 00 fe 04 00 01 00000000');
    expect([decode(cloned), decode(mpls)]).toEqual([undefined, undefined]);
  });

  test('an IPv6 blackhole has no next hop, though the kernel names the loopback device', () => {
    const bytes = bytesOf(
      '38000000 1800 0000',
      HEADER_TAIL,
      '0a 40 00 00 fe b3 00 06 00000000',
      '1400 0100 fd000001000000000000000000000000',
      '0800 0400 01000000',
    );
    expect(decode(bytes)).toMatchObject({ type: 'blackhole', nextHops: [] });
  });

  test('of several equal ways to an address, one through a gateway makes it not on-link', () => {
    const hops = [
      { interfaceIndex: interfaceIndex(2), onlink: false },
      { gateway: address('192.168.1.1'), interfaceIndex: interfaceIndex(3), onlink: false },
    ];
    expect(lookupOf(address('10.0.0.1'), route({ nextHops: hops }), 0)).toMatchObject({
      kind: 'gateway',
      gateway: address('192.168.1.1'),
    });
  });
});

describe('links', () => {
  const PARAMETERS = {
    local: address4('192.168.1.11'),
    remote: address4('0.0.0.0'),
    ttl: 64,
    pathMtuDiscovery: true,
  };
  const LINKINFO = [
    '3400 1280', // IFLA_LINKINFO, nested
    '0900 0100 69706970 00 000000', // IFLA_INFO_KIND "ipip"
    '2400 0280', // IFLA_INFO_DATA, nested
    '0800 0200 c0a8010b', // IFLA_IPTUN_LOCAL
    '0800 0300 00000000', // IFLA_IPTUN_REMOTE
    '0500 0400 40 000000', // IFLA_IPTUN_TTL 64
    '0500 0a00 01 000000', // IFLA_IPTUN_PMTUDISC
  ];

  test('the ipip device is asked for with its name, MTU and parameters, and read the same', () => {
    const operation = {
      op: 'createIpip',
      name: 'podroute0',
      parameters: PARAMETERS,
      mtuBytes: 1480,
    } as const;
    const bytes = bytesOf(
      '6c000000 1000 0506', // RTM_NEWLINK, flags REQUEST ACK EXCL CREATE
      HEADER_TAIL,
      '00 00 0000 00000000 00000000 00000000',
      '0e00 0300 706f64726f75746530 00 0000', // IFLA_IFNAME
      '0800 0400 c8050000', // IFLA_MTU 1480
      ...LINKINFO,
    );
    expect(written((writer) => encodeLinkOperation(writer, operation, SEQUENCE))).toBe(bytes.toString('hex'));
    expect(decodeLink(bytes, messages(bytes)[0] as MessageView)).toEqual({
      index: 0,
      name: 'podroute0',
      kind: 'ipip',
      up: false,
      carrier: false,
      mtuBytes: 1480,
      ipip: PARAMETERS,
    });
  });

  test("a bridge's word about its port is not about the link", () => {
    const bytes = bytesOf(
      '20000000 1100 0000',
      HEADER_TAIL,
      '07 00 0100 03000000 00000000 00000000', // AF_BRIDGE
    );
    expect(decodeLink(bytes, messages(bytes)[0] as MessageView)).toBeUndefined();
  });
});

describe('framing', () => {
  const whole = bytesOf(
    '3c000000 1800 0000',
    HEADER_TAIL,
    '02 18 00 00 fe b3 00 01 00000000',
    DST,
    PRIORITY,
    HOP,
  );

  test('several messages in one datagram, each padded to four bytes', () => {
    const odd = bytesOf('12000000 0100 0000', HEADER_TAIL, '0a0b 0000');
    expect(messages(Buffer.concat([odd, whole])).map(({ type }) => type)).toEqual([1, 24]);
  });

  test.each([0, 15, 61])('a message length of %i is an error, not a read past the end', (length) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt32LE(length);
    expect(() => messages(bytes)).toThrow(KernelError);
  });

  test.each([0, 3, 200])('an attribute length of %i is an error', (length) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt16LE(length, 28);
    expect(() => decodeRoute(bytes, messages(bytes)[0] as MessageView, new NextHopPool())).toThrow(
      expect.objectContaining({ code: 'KERNEL_MALFORMED' }),
    );
  });

  test('a writer grows beyond its first buffer and keeps what it has', () => {
    const one = written((writer) => encodeRouteOperation(writer, { op: 'add', route: route() }, SEQUENCE, 0));
    const many = written((writer) => {
      for (let count = 0; count < 1000; count++) {
        encodeRouteOperation(writer, { op: 'add', route: route() }, SEQUENCE, 0);
      }
    });
    expect(many).toBe(one.repeat(1000));
  });
});
