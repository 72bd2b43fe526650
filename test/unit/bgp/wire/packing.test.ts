/**
 * Sizes for packing and keys for sharing.
 */
import { describe, expect, test } from 'vitest';
import {
  attributesKey,
  type CodecContext,
  encodedPrefixBytes,
  encodeMessage,
  maxPrefixBytes,
  maxWithdrawBytes,
  type NextHop,
  type PathAttributes,
} from '../../../../bgp/wire/index.js';
import { address, address4, address6, prefix } from '../../../support/addresses.js';
import { EBGP, EBGP_AS2, IBGP } from '../../../support/wire.js';

const ATTRIBUTES: PathAttributes = { origin: 'IGP', asPath: [{ kind: 'sequence', asns: [65001, 70000] }] };
const V4: NextHop = { address: address('10.0.0.1') };
const V6: NextHop = { address: address('2001:db8::1') };
const V6_BOTH: NextHop = { ...V6, linkLocal: address6('fe80::1') };

/** An unknown attribute that takes so many octets with its header. */
function ballast(octets: number): PathAttributes {
  return { ...ATTRIBUTES, unknown: [{ code: 99, flags: 0xe0, value: new Uint8Array(octets - 4) }] };
}

describe('maxPrefixBytes', () => {
  const EXTENDED: CodecContext = { ...EBGP, maxMessageLength: 65535 };
  const LIMITED: readonly (readonly [string, CodecContext])[] = [
    ['4096 octets', EBGP],
    ['65535 octets', EXTENDED],
    ['a 2-octet peer', EBGP_AS2],
    ['an internal peer', IBGP],
  ];

  test.each(LIMITED)('%s: what it allows fits exactly, one octet more does not', (_name, context) => {
    // One-octet prefixes (::/0 and 0.0.0.0/0) fill to the octet.
    for (const [family, nextHop, fill] of [
      ['ipv4', V4, prefix('0.0.0.0/0')],
      ['ipv4', V6, prefix('0.0.0.0/0')],
      ['ipv6', V6, prefix('::/0')],
      ['ipv6', V6_BOTH, prefix('::/0')],
    ] as const) {
      const room = maxPrefixBytes(ATTRIBUTES, nextHop, family, context);
      const send = (count: number) =>
        encodeMessage(
          {
            type: 'UPDATE',
            unreach: [],
            reach: [{ family, nextHop, prefixes: Array(count).fill(fill) }],
            attributes: ATTRIBUTES,
            faults: [],
          },
          context,
        );
      expect(send(room)).toHaveLength(context.maxMessageLength);
      expect(() => send(room + 1)).toThrow(RangeError);
    }
  });

  test('is exact too where so little is left that the length of MP_REACH_NLRI shrinks to one octet', () => {
    for (let octets = 3700; octets < 4000; octets += 1) {
      const attributes = ballast(octets);
      const room = maxPrefixBytes(attributes, V6, 'ipv6', EBGP);
      const send = (count: number) =>
        encodeMessage(
          {
            type: 'UPDATE',
            unreach: [],
            reach: [{ family: 'ipv6', nextHop: V6, prefixes: Array(count).fill(prefix('::/0')) }],
            attributes,
            faults: [],
          },
          EBGP,
        );
      expect(() => send(room), `${octets} octets of attributes`).not.toThrow();
      expect(() => send(room + 1), `${octets} octets of attributes`).toThrow(RangeError);
    }
  });

  test('says less than a prefix where the attributes leave no room', () => {
    expect(maxPrefixBytes(ballast(4096), V4, 'ipv4', EBGP)).toBeLessThan(1);
  });
});

test.each([EBGP, { ...EBGP, maxMessageLength: 65535 }])('maxWithdrawBytes fits exactly', (context) => {
  for (const [family, fill] of [
    ['ipv4', prefix('0.0.0.0/0')],
    ['ipv6', prefix('::/0')],
  ] as const) {
    const send = (count: number) =>
      encodeMessage(
        { type: 'UPDATE', unreach: [{ family, prefixes: Array(count).fill(fill) }], reach: [], faults: [] },
        context,
      );
    const room = maxWithdrawBytes(family, context);
    expect(send(room)).toHaveLength(context.maxMessageLength);
    expect(() => send(room + 1)).toThrow(RangeError);
  }
});

test.each([
  ['0.0.0.0/0', 1],
  ['10.0.0.0/8', 2],
  ['10.0.0.0/9', 3],
  ['10.244.1.0/24', 4],
  ['10.244.1.0/25', 5],
  ['10.244.1.1/32', 5],
  ['::/0', 1],
  ['2001:db8::/32', 5],
  ['2001:db8::/33', 6],
  ['2001:db8::1/128', 17],
])('%s takes %i octets', (text, octets) => {
  expect(encodedPrefixBytes(prefix(text))).toBe(octets);
});

describe('attributesKey', () => {
  const FULL: PathAttributes = {
    ...ATTRIBUTES,
    med: 1,
    localPref: 2,
    atomicAggregate: true,
    aggregator: { asn: 70001, address: address4('192.0.2.1') },
    communities: [1, 2],
    originatorId: address4('192.0.2.2'),
    clusterList: [address4('192.0.2.3')],
    extendedCommunities: [3n],
    largeCommunities: [{ globalAdministrator: 1, localData1: 2, localData2: 3 }],
    otc: 4,
    unknown: [{ code: 99, flags: 0xe0, value: Uint8Array.of(1) }],
  };

  test('equal content has an equal key, whatever the order of the fields', () => {
    const reversed = Object.fromEntries(
      Object.entries(structuredClone(FULL)).reverse(),
    ) as unknown as PathAttributes;
    expect(attributesKey(reversed, { ...V6_BOTH })).toBe(attributesKey(FULL, V6_BOTH));
  });

  test('every field counts', () => {
    const changes: readonly Partial<PathAttributes>[] = [
      { origin: 'EGP' },
      { asPath: [] },
      { asPath: [{ kind: 'set', asns: [65001, 70000] }] },
      { asPath: [{ kind: 'sequence', asns: [65001, 70001] }] },
      { med: 0 },
      { localPref: 0 },
      { aggregator: { asn: 70002, address: address4('192.0.2.1') } },
      { aggregator: { asn: 70001, address: address4('192.0.2.9') } },
      { communities: [2, 1] },
      { originatorId: address4('192.0.2.9') },
      { clusterList: [address4('192.0.2.9')] },
      { extendedCommunities: [4n] },
      { largeCommunities: [{ globalAdministrator: 1, localData1: 2, localData2: 4 }] },
      { otc: 5 },
      { unknown: [{ code: 98, flags: 0xe0, value: Uint8Array.of(1) }] },
      { unknown: [{ code: 99, flags: 0xe0, value: Uint8Array.of(2) }] },
    ];
    const { atomicAggregate: _dropped, ...without } = FULL;
    const keys = [FULL, without, ...changes.map((change) => ({ ...FULL, ...change }))].map((attributes) =>
      attributesKey(attributes, V4),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('the next hop counts, with its link-local address', () => {
    const keys = [V4, V6, V6_BOTH, { address: address('10.0.0.2') }].map((nextHop) =>
      attributesKey(FULL, nextHop),
    );
    expect(new Set(keys).size).toBe(4);
  });
});
