/**
 * RFC 7606, attribute by attribute, and what else an UPDATE can be: octets and what becomes of the route.
 *
 * One row is one UPDATE of a peer whose session is up. `kept`: the route is used; `withdrawn`: it is not, the session
 * goes on; `reset CODE/SUBCODE DATA`: the NOTIFICATION that ends the session.
 */
import type { OpenFields } from '../../support/raw-peer.js';
import { IPV4_UNICAST } from '../../support/raw-peer.js';
import { frame, hex, toHex, updateFrame } from '../../support/wire.js';

export type Sender = 'ebgp' | 'ibgp' | 'as2';

export interface UpdateRow {
  readonly rfc: string;
  readonly what: string;
  /** An external peer where nothing is said; `as2` is one without capability 65. */
  readonly from?: Sender;
  /** Attributes in hex; each takes the place of the sound one with its code. */
  readonly attributes?: string;
  /** Sound attributes that are left out. */
  readonly without?: readonly number[];
  /** NLRI in hex, instead of the route's prefix. */
  readonly nlri?: string;
  readonly withdrawnRoutes?: string;
  /** The whole message, where its length fields are the point. */
  readonly message?: Uint8Array;
  readonly becomes: string;
}

export const TWO_OCTET: OpenFields = { capabilities: IPV4_UNICAST };

const KEPT = 'kept';
const WITHDRAWN = 'withdrawn';

/** An attribute with these flags and code; from 256 octets on its length takes two. */
export function attribute(flags: string, code: number, value = ''): string {
  const octets = hex(value);
  const length = octets.length;
  const long = length > 255;
  const first = Number.parseInt(flags, 16) | (long ? 0x10 : 0);
  const head = long ? [first, code, length >> 8, length & 0xff] : [first, code, length];
  return toHex(Uint8Array.from([...head, ...octets]));
}

const repeat = (times: number, value: (index: number) => string) =>
  Array.from({ length: times }, (_, index) => value(index)).join('');
const asn = (number: number, octets: number) => number.toString(16).padStart(octets * 2, '0');
/** An AS_SEQUENCE of so many ASes that begins with the peer's own. */
const sequence = (count: number, octets: number) =>
  `02${asn(count, 1)}${asn(65001, octets)}${repeat(count - 1, (index) => asn(100 + index, octets))}`;

/** Lengths that are none of the attribute's. */
function lengths(
  rfc: string,
  name: string,
  head: readonly [flags: string, code: number],
  bad: readonly number[],
  becomes: string,
  from: Sender = 'ebgp',
): readonly UpdateRow[] {
  return bad.map((length) => ({
    rfc,
    what: `${name} of ${length} octets${from === 'ebgp' ? '' : ` from ${from}`}`,
    from,
    attributes: attribute(...head, '00'.repeat(length)),
    becomes,
  }));
}

/** Flags that contradict the attribute's. */
function flags(name: string, wrong: string, code: number, value: string, from: Sender = 'ebgp'): UpdateRow {
  return {
    rfc: 'RFC 7606 3 c',
    what: `${name} with flags 0x${wrong}`,
    from,
    attributes: attribute(wrong, code, value),
    becomes: WITHDRAWN,
  };
}

/** Attributes whose prefixes cannot be found: the data of the NOTIFICATION is the attribute. */
function unreadable(rfc: string, what: string, octets: string): UpdateRow {
  return { rfc, what, attributes: octets, becomes: `reset 3/9 ${toHex(hex(octets))}` };
}

const MP_NEXT_HOP = '10 fd000002000000000000000000000002 00';

const LISTS: readonly UpdateRow[] = [
  {
    rfc: 'RFC 4271 6.3',
    what: 'withdrawn length beyond the message',
    message: frame(2, '0010 0000'),
    becomes: 'reset 3/1',
  },
  {
    rfc: 'RFC 4271 6.3',
    what: 'attribute length beyond the message',
    message: frame(2, '0000 0010'),
    becomes: 'reset 3/1',
  },
  {
    rfc: 'RFC 4271 6.3',
    what: 'two lengths that contradict each other',
    message: frame(2, '0004 180af401 0004 400101'),
    becomes: 'reset 3/1',
  },
  {
    rfc: 'RFC 7606 4',
    what: 'an attribute longer than the list',
    attributes: 'c008ff00',
    becomes: WITHDRAWN,
  },
  { rfc: 'RFC 7606 4', what: 'one stray octet at the end', attributes: 'c0', becomes: WITHDRAWN },
  { rfc: 'RFC 7606 4', what: 'two stray octets at the end', attributes: 'c008', becomes: WITHDRAWN },
  {
    rfc: 'RFC 7606 4',
    what: 'three stray octets of an extended length',
    attributes: 'd00800',
    becomes: WITHDRAWN,
  },
  flags('ORIGIN', 'c0', 1, '00'),
  flags('AS_PATH', '00', 2, sequence(1, 4)),
  flags('NEXT_HOP', '80', 3, 'ac1f0101'),
  flags('MULTI_EXIT_DISC', '40', 4, '00000001'),
  flags('LOCAL_PREF', 'c0', 5, '00000064', 'ibgp'),
  flags('COMMUNITY', '80', 8, 'fde90001'),
  flags('EXTENDED COMMUNITIES', '40', 16, '0002fde900000001'),
  flags('LARGE_COMMUNITY', '00', 32, '00000001'.repeat(3)),
  { rfc: 'RFC 7606 3 d', what: 'no ORIGIN', without: [1], becomes: WITHDRAWN },
  { rfc: 'RFC 7606 3 d', what: 'no AS_PATH', without: [2], becomes: WITHDRAWN },
  { rfc: 'RFC 7606 3 d', what: 'no NEXT_HOP', without: [3], becomes: WITHDRAWN },
  {
    rfc: 'RFC 7606 3 d',
    what: 'no LOCAL_PREF from an internal peer',
    from: 'ibgp',
    without: [5],
    becomes: WITHDRAWN,
  },
  { rfc: 'RFC 7606 3 d', what: 'no attributes at all', without: [1, 2, 3], becomes: WITHDRAWN },
  {
    rfc: 'RFC 7606 3 d',
    what: 'nothing but an unknown attribute',
    without: [1, 2, 3],
    attributes: attribute('c0', 99, 'ab'),
    becomes: WITHDRAWN,
  },
  {
    rfc: 'RFC 7606 3 g',
    what: 'MED twice',
    attributes: attribute('80', 4, '00000001').repeat(2),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 7606 3 g',
    what: 'COMMUNITY again, malformed',
    attributes: attribute('c0', 8, 'fde90001') + attribute('c0', 8, 'fd'),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 7606 3 g',
    what: 'an unknown attribute twice',
    attributes: attribute('c0', 99, 'ab').repeat(2),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 7606 3 g',
    what: 'MP_REACH_NLRI twice',
    attributes: attribute('80', 14, `0002 01 ${MP_NEXT_HOP}`).repeat(2),
    becomes: 'reset 3/1',
  },
  {
    rfc: 'RFC 7606 3 g',
    what: 'MP_UNREACH_NLRI twice',
    attributes: attribute('80', 15, '0002 01').repeat(2),
    becomes: 'reset 3/1',
  },
  {
    rfc: 'RFC 7606 3 j',
    what: 'several malformed attributes before the NLRI',
    attributes: attribute('40', 1, '07') + attribute('c0', 8, '00') + attribute('80', 4, '00'),
    becomes: WITHDRAWN,
  },
  { rfc: 'RFC 7606 5.3', what: 'a prefix of 33 bits', nlri: '21 0af4010000', becomes: 'reset 3/10' },
  { rfc: 'RFC 7606 5.3', what: 'a prefix cut short', nlri: '18 0af4', becomes: 'reset 3/10' },
  {
    rfc: 'RFC 7606 5.3',
    what: 'a withdrawn prefix of 33 bits',
    withdrawnRoutes: '21 0af4010000',
    becomes: 'reset 3/10',
  },
  {
    rfc: 'RFC 7606 5.3',
    what: 'a withdrawn prefix cut short',
    withdrawnRoutes: '18 0af4',
    becomes: 'reset 3/10',
  },
  {
    rfc: 'RFC 4271 6.3',
    what: 'an unknown well-known attribute',
    attributes: '40 63 01 ab',
    becomes: 'reset 3/2 406301ab',
  },
];

const CLASSIC: readonly UpdateRow[] = [
  ...lengths('RFC 7606 7.1', 'ORIGIN', ['40', 1], [0, 2], WITHDRAWN),
  ...['03', 'ff'].map((value) => ({
    rfc: 'RFC 7606 7.1',
    what: `ORIGIN ${value}`,
    attributes: attribute('40', 1, value),
    becomes: WITHDRAWN,
  })),
  ...(
    [
      ['a segment of type 5', '05 01 0000fde9'],
      ['a segment of type 0', '00 01 0000fde9'],
      ['a segment that overruns', '02 02 0000fde9'],
      ['one octet after the last segment', '02 01 0000fde9 02'],
      ['a segment without an AS', '02 00'],
      ['an empty segment behind a sound one', '02 01 0000fde9 02 00'],
    ] as const
  ).map(([what, value]) => ({
    rfc: 'RFC 7606 7.2',
    what: `AS_PATH: ${what}`,
    attributes: attribute('40', 2, value),
    becomes: WITHDRAWN,
  })),
  {
    rfc: 'RFC 7606 7.2',
    what: 'AS_PATH of a 2-octet peer with 4-octet numbers',
    from: 'as2',
    attributes: attribute('40', 2, '02 03 0000fde9 0000fdea'),
    becomes: WITHDRAWN,
  },
  {
    rfc: 'RFC 7607 2',
    what: 'AS 0 in the AS_PATH',
    attributes: attribute('40', 2, '02 02 0000fde9 00000000'),
    becomes: WITHDRAWN,
  },
  {
    rfc: 'RFC 4271 9.1.2',
    what: 'our own AS in the AS_PATH',
    attributes: attribute('40', 2, '02 02 0000fde9 0000fc00'),
    becomes: WITHDRAWN,
  },
  {
    rfc: 'RFC 7606 7.2',
    what: "AS_PATH that does not begin with the peer's AS, as that of a route server",
    attributes: attribute('40', 2, '02 02 0000fdff 0000fdea'),
    becomes: KEPT,
  },
  ...lengths('RFC 7606 7.3', 'NEXT_HOP', ['40', 3], [0, 3, 5, 16], WITHDRAWN),
  ...(
    [
      ['0.0.0.0', '00000000'],
      ['a class D address', 'e0000001'],
      ['a class E address', 'f0000001'],
      ["the agent's own address", 'ac1f0001'],
    ] as const
  ).map(([what, value]) => ({
    rfc: 'RFC 4271 6.3',
    what: `NEXT_HOP ${what}`,
    attributes: attribute('40', 3, value),
    becomes: WITHDRAWN,
  })),
  ...lengths('RFC 7606 7.4', 'MULTI_EXIT_DISC', ['80', 4], [0, 3, 5], WITHDRAWN),
  ...lengths('RFC 7606 7.5', 'LOCAL_PREF', ['40', 5], [0, 4, 5], KEPT),
  ...lengths('RFC 7606 7.5', 'LOCAL_PREF', ['40', 5], [0, 3, 5], WITHDRAWN, 'ibgp'),
  ...lengths('RFC 7606 7.6', 'ATOMIC_AGGREGATE', ['40', 6], [0, 1], KEPT),
  ...lengths('RFC 7606 7.7', 'AGGREGATOR', ['c0', 7], [0, 6, 7, 9], KEPT),
  ...lengths('RFC 7606 7.7', 'AGGREGATOR', ['c0', 7], [5, 8], KEPT, 'as2'),
  ...lengths('RFC 7606 7.8', 'COMMUNITY', ['c0', 8], [0, 3, 5], WITHDRAWN),
  ...lengths('RFC 7606 7.9', 'ORIGINATOR_ID', ['80', 9], [3, 4], KEPT),
  ...lengths('RFC 7606 7.9', 'ORIGINATOR_ID', ['80', 9], [0, 3, 5], WITHDRAWN, 'ibgp'),
  ...lengths('RFC 7606 7.10', 'CLUSTER_LIST', ['80', 10], [3, 4], KEPT),
  ...lengths('RFC 7606 7.10', 'CLUSTER_LIST', ['80', 10], [0, 3], WITHDRAWN, 'ibgp'),
  ...lengths('RFC 7606 7.14', 'EXTENDED COMMUNITIES', ['c0', 16], [0, 7], WITHDRAWN),
  ...lengths('RFC 7606 7.15', 'IPv6 EXTENDED COMMUNITIES', ['c0', 25], [0, 19], WITHDRAWN),
  ...lengths('RFC 8092 6', 'LARGE_COMMUNITY', ['c0', 32], [0, 11], WITHDRAWN),
  {
    rfc: 'RFC 8092 5',
    what: 'LARGE_COMMUNITY of 24 octets',
    attributes: attribute('c0', 32, '00000001'.repeat(6)),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 4456 8',
    what: 'the own identifier as ORIGINATOR_ID',
    from: 'ibgp',
    attributes: attribute('80', 9, 'ac1f0001'),
    becomes: WITHDRAWN,
  },
  {
    rfc: 'RFC 4456 8',
    what: 'the own cluster id in the CLUSTER_LIST',
    from: 'ibgp',
    attributes: attribute('80', 10, '01020304 ac1f0001'),
    becomes: WITHDRAWN,
  },
];

const LATER: readonly UpdateRow[] = [
  unreadable('RFC 7606 7.11', 'MP_REACH_NLRI of one octet', '80 0e 01 00'),
  unreadable('RFC 7606 7.11', 'MP_REACH_NLRI that ends before the next hop', '80 0e 03 0002 01'),
  unreadable(
    'RFC 7606 7.11',
    'MP_REACH_NLRI with a next hop of 5 octets',
    '80 0e 0a 0002 01 05 fd00000200 00',
  ),
  unreadable('RFC 7606 7.11', 'MP_REACH_NLRI with a next hop longer than it', '80 0e 06 0002 01 10 fd00'),
  unreadable(
    'RFC 7606 7.11',
    'MP_REACH_NLRI with a prefix of 129 bits',
    `80 0e 27 0002 01 ${MP_NEXT_HOP} 81 ${'00'.repeat(17)}`,
  ),
  unreadable(
    'RFC 7606 7.11',
    'MP_REACH_NLRI with a prefix cut short',
    `80 0e 17 0002 01 ${MP_NEXT_HOP} 40 fd`,
  ),
  unreadable('RFC 7606 7.12', 'MP_UNREACH_NLRI of two octets', '80 0f 02 0002'),
  unreadable(
    'RFC 7606 7.12',
    'MP_UNREACH_NLRI with a prefix of 129 bits',
    `80 0f 15 0002 01 81 ${'00'.repeat(17)}`,
  ),
  {
    rfc: 'RFC 4760 7',
    what: 'MP_REACH_NLRI of a family that nobody negotiated',
    attributes: attribute('80', 14, '0019 46 04 01020304 00 abcd'),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 4760 7',
    what: 'IPv6 prefixes where only IPv4 was negotiated',
    from: 'as2',
    attributes: attribute('80', 14, `0002 01 ${MP_NEXT_HOP} 40 fd00024400000000`),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 6793 6',
    what: 'AS4_PATH from a 4-octet peer',
    attributes: attribute('c0', 17, sequence(1, 4)),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 6793 6',
    what: 'AS4_AGGREGATOR from a 4-octet peer',
    attributes: attribute('c0', 18, '0000fde9 c0000201'),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 6793 6',
    what: 'AS4_PATH with a segment of type 9',
    from: 'as2',
    attributes: attribute('c0', 17, '09 01 0000fde9'),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 6793 6',
    what: 'AS4_PATH of five octets',
    from: 'as2',
    attributes: attribute('c0', 17, '02 01 0000fd'),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 6793 6',
    what: 'AS4_AGGREGATOR of seven octets',
    from: 'as2',
    attributes: attribute('c0', 18, '00'.repeat(7)),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 6793 4.2.3',
    what: 'our own AS in the AS4_PATH of a 2-octet peer',
    from: 'as2',
    attributes: attribute('40', 2, '02 02 fde9 5ba0') + attribute('c0', 17, '02 01 0000fc00'),
    becomes: WITHDRAWN,
  },
  ...[20, 21, 128].map((code) => ({
    rfc: 'RFC 7606 8',
    what: `attribute ${code}, deprecated or unused`,
    attributes: attribute('c0', code, 'ff'),
    becomes: KEPT,
  })),
  ...(
    [
      ['PMSI_TUNNEL', 'c0', 22],
      ['AIGP', '80', 26],
      ['attribute 28, deprecated', 'c0', 28],
      ['BGP-LS', '80', 29],
      ['Prefix-SID', 'c0', 40],
    ] as const
  ).flatMap(([name, head, code]) =>
    ['', 'ff', '01 ffff'].map((value) => ({
      rfc: 'RFC 7606 8',
      what: `${name}: ${value === '' ? 'empty' : value}`,
      attributes: attribute(head, code, value),
      becomes: KEPT,
    })),
  ),
  {
    rfc: 'RFC 9012 13',
    what: 'a tunnel that overruns Tunnel Encapsulation',
    attributes: attribute('c0', 23, '0008 00ff 00'),
    becomes: WITHDRAWN,
  },
  {
    rfc: 'RFC 9012 13',
    what: 'a tunnel of unknown type',
    attributes: attribute('c0', 23, '7777 0002 abcd'),
    becomes: KEPT,
  },
  ...lengths('RFC 9234 5', 'ONLY_TO_CUSTOMER', ['c0', 35], [0, 3, 5], WITHDRAWN),
];

/** Inputs that have hurt others by their size. */
const LARGE: readonly UpdateRow[] = [
  {
    rfc: 'RFC 4271 4.3',
    what: 'an AS_PATH of 900 ASes',
    attributes: attribute('40', 2, sequence(255, 4) + sequence(255, 4) + sequence(255, 4) + sequence(135, 4)),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 4271 4.3',
    what: 'an AS_PATH of 1900 ASes from a 2-octet peer',
    from: 'as2',
    attributes: attribute('40', 2, repeat(7, () => sequence(255, 2)) + sequence(115, 2)),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 7606 3 g',
    what: '1300 empty attributes',
    attributes: repeat(1300, (index) => attribute('c0', 100 + (index % 100))),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 4271 5',
    what: 'an unknown attribute of 3000 octets',
    attributes: attribute('c0', 99, 'ab'.repeat(3000)),
    becomes: KEPT,
  },
  {
    rfc: 'RFC 1997',
    what: '900 communities',
    attributes: attribute(
      'c0',
      8,
      repeat(900, (index) => `fde9${asn(index, 2)}`),
    ),
    becomes: KEPT,
  },
];

export const UPDATE_ROWS: readonly UpdateRow[] = [...LISTS, ...CLASSIC, ...LATER, ...LARGE];

/** The UPDATE of a row, about the route `10.244.7.0/24` given as `prefix` `10.244.7`. */
export function updateOf(row: UpdateRow, sound: ReadonlyMap<number, string>, nlri: string): Uint8Array {
  if (row.message !== undefined) return row.message;
  const own = row.attributes ?? '';
  const replaced = new Set([...(row.without ?? []), ...codesOf(own)]);
  const kept = [...sound].filter(([code]) => !replaced.has(code)).map(([, octets]) => octets);
  return updateFrame({
    withdrawn: row.withdrawnRoutes ?? '',
    attributes: [...kept, own].join(' '),
    nlri: row.nlri ?? nlri,
  });
}

/** The codes of a list of attributes, as far as it is one. */
function codesOf(attributes: string): readonly number[] {
  const octets = hex(attributes);
  const codes: number[] = [];
  let at = 0;
  while (at + 2 < octets.length) {
    const [head = 0, code = 0, high = 0, low = 0] = octets.subarray(at, at + 4);
    const long = (head & 0x10) !== 0;
    codes.push(code);
    at += long ? 4 + high * 256 + low : 3 + high;
  }
  return codes;
}
