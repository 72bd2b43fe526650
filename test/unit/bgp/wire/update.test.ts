/**
 * UPDATE: its three fields, the multiprotocol attributes, End-of-RIB, and what we refuse to write.
 */
import { describe, expect, test } from 'vitest';
import { encodeMessage, endOfRib, endOfRibMessage, type UpdateMessage } from '../../../../bgp/wire/index.js';
import { address, address6, prefix } from '../../../support/addresses.js';
import { decodeFault, decodeUpdate, EBGP, frame, toHex, updateFrame } from '../../../support/wire.js';

const PATHS = '40 01 01 00 40 02 00';
const CLASSIC = `${PATHS} 40 03 04 0a000001`;
const NLRI = '18 0af401';
const GLOBAL = '20010db8000000000000000000000001';
const LINK_LOCAL = 'fe800000000000000000000000000001';

/** MP_REACH_NLRI of this value, its length made here. */
function mpReach(value: string): string {
  return `80 0e ${octetCount(value)} ${value}`;
}

function mpUnreach(value: string): string {
  return `80 0f ${octetCount(value)} ${value}`;
}

function octetCount(value: string): string {
  return (value.replace(/\s/g, '').length / 2).toString(16).padStart(2, '0');
}

describe('RFC 7911 §3: path identifiers are read past, in every field', () => {
  const ADD_PATH = { ...EBGP, addPath: true };
  const MP_PREFIX = '40 fd00024400000000';
  const expected = {
    unreach: [
      { family: 'ipv4', prefixes: [prefix('10.244.9.0/24')] },
      { family: 'ipv6', prefixes: [prefix('fd00:244::/64')] },
    ],
    reach: [
      { family: 'ipv4', prefixes: [prefix('10.244.1.0/24'), prefix('0.0.0.0/0')] },
      { family: 'ipv6', prefixes: [prefix('fd00:244::/64'), prefix('fd00:244::/64')] },
    ],
    faults: [],
  };
  const update = (id: (n: number) => string) =>
    updateFrame({
      withdrawn: `${id(9)} 18 0af409`,
      attributes: [
        mpReach(`0002 01 10 ${GLOBAL} 00 ${id(1)} ${MP_PREFIX} ${id(2)} ${MP_PREFIX}`),
        mpUnreach(`0002 01 ${id(0)} ${MP_PREFIX}`),
        CLASSIC,
      ].join(' '),
      nlri: `${id(1)} ${NLRI} ${id(0xffffffff)} 00`,
    });

  test('with ADD-PATH', () => {
    const octets = (n: number) => n.toString(16).padStart(8, '0');
    expect(decodeUpdate(update(octets), ADD_PATH)).toMatchObject(expected);
  });

  test('without it the same prefixes are written without them', () => {
    expect(
      decodeUpdate(
        update(() => ''),
        EBGP,
      ),
    ).toMatchObject(expected);
  });

  test.each([
    ['an identifier cut short', updateFrame({ attributes: CLASSIC, nlri: '000001' }), '3/10'],
    ['an identifier without a prefix', updateFrame({ attributes: CLASSIC, nlri: '00000001' }), '3/10'],
    ['a prefix cut short behind it', updateFrame({ withdrawn: '00000001 18 0af4' }), '3/10'],
    ['a prefix without one', updateFrame({ withdrawn: '18 0af401' }), '3/10'],
    [
      'MP_UNREACH_NLRI with an identifier cut short',
      updateFrame({ attributes: mpUnreach('0002 01 0000') }),
      '3/9 800f050002010000',
    ],
  ])('%s', (_name, bytes, fault) => {
    expect(decodeFault(bytes, ADD_PATH)).toBe(fault);
  });
});

describe('RFC 7606 §3 and §5.3: what is left as a reset', () => {
  test.each([
    ['withdrawn routes beyond the message', frame(2, '0001 0000'), '3/1'],
    ['withdrawn routes that leave no room for the next length', frame(2, '0002 18 0a'), '3/1'],
    ['attributes beyond the message', frame(2, '0000 0001'), '3/1'],
    ['both lengths together beyond the message', frame(2, '0004 180af401 0004 400101'), '3/1'],
    ['a prefix of 33 bits among the withdrawn', updateFrame({ withdrawn: '21 0a00000000' }), '3/10'],
    ['a withdrawn prefix cut short', updateFrame({ withdrawn: '18 0af4' }), '3/10'],
    ['a prefix of 33 bits', updateFrame({ attributes: CLASSIC, nlri: '21 0a00000000' }), '3/10'],
    ['a prefix of 255 bits', updateFrame({ attributes: CLASSIC, nlri: `ff ${'00'.repeat(32)}` }), '3/10'],
    ['a prefix cut short', updateFrame({ attributes: CLASSIC, nlri: '18 0af4' }), '3/10'],
    ['a prefix that is only a length', updateFrame({ attributes: CLASSIC, nlri: `${NLRI} 01` }), '3/10'],
  ])('%s', (_name, bytes, fault) => {
    expect(decodeFault(bytes, EBGP)).toBe(fault);
  });

  test('bits behind the prefix length do not matter (RFC 4271 §4.3)', () => {
    const update = decodeUpdate(updateFrame({ withdrawn: '0f 0aff 1f c0a801ff' }), EBGP);
    expect(update.unreach[0]?.prefixes).toEqual([prefix('10.254.0.0/15'), prefix('192.168.1.254/31')]);
  });
});

describe('RFC 7606 §7.11 MP_REACH_NLRI', () => {
  test.each([
    ['of length 0', ''],
    ['of length 2', '0002'],
    ['without a next hop', '0002 01'],
    ['with a next hop of length 0', '0002 01 00 00'],
    ['with a next hop of length 4 for IPv6', '0002 01 04 0a000001 00 08 fd'],
    ['with a next hop of length 24', `0002 01 18 0000000000000000${GLOBAL} 00 08 fd`],
    ['with a next hop that overruns it', '0002 01 10 20010db8'],
    ['with a next hop and no reserved octet', `0002 01 10 ${GLOBAL}`],
    ['with a prefix of 129 bits', `0002 01 10 ${GLOBAL} 00 81 ${'00'.repeat(17)}`],
    ['with a prefix cut short', `0002 01 10 ${GLOBAL} 00 40 20010db8`],
    ['with an IPv4 prefix of 33 bits', '0001 01 04 0a000001 00 21 0000000000'],
  ])('%s is a reset with the attribute', (_name, value) => {
    const attribute = mpReach(value);
    const fault = decodeFault(updateFrame({ attributes: `${PATHS} ${attribute}` }), EBGP);
    expect(fault).toBe(`3/9 ${attribute.replace(/\s/g, '')}`);
  });

  test.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['a multicast address', 'ff020000000000000000000000000001'],
  ])('with next hop %s: treat-as-withdraw', (_name, nextHop) => {
    const attributes = `${mpReach(`0002 01 10 ${nextHop} 00 08 fd`)} ${PATHS}`;
    const update = decodeUpdate(updateFrame({ attributes }), EBGP);
    expect(update).toMatchObject({
      reach: [],
      unreach: [{ family: 'ipv6', prefixes: [prefix('fd00::/8')] }],
      faults: [{ code: 14, outcome: 'treat-as-withdraw' }],
    });
  });

  test('needs no NEXT_HOP beside it (RFC 4760 §3)', () => {
    const update = decodeUpdate(
      updateFrame({ attributes: `${PATHS} ${mpReach(`0002 01 10 ${GLOBAL} 00 08 fd`)}` }),
      EBGP,
    );
    expect(update.faults).toEqual([]);
    expect(update.reach).toEqual([
      { family: 'ipv6', nextHop: { address: address('2001:db8::1') }, prefixes: [prefix('fd00::/8')] },
    ]);
  });

  test('without prefixes announces nothing', () => {
    const update = decodeUpdate(
      updateFrame({ attributes: `${PATHS} ${mpReach(`0002 01 10 ${GLOBAL} 00`)}` }),
      EBGP,
    );
    expect(update).toEqual({ type: 'UPDATE', unreach: [], reach: [], faults: [] });
  });

  test('the reserved octet is ignored (RFC 4760 §3)', () => {
    const update = decodeUpdate(
      updateFrame({ attributes: `${PATHS} ${mpReach(`0002 01 10 ${GLOBAL} ff 08 fd`)}` }),
      EBGP,
    );
    expect(update.reach).toHaveLength(1);
  });

  test.each([
    [
      'global and link-local',
      GLOBAL + LINK_LOCAL,
      { address: address('2001:db8::1'), linkLocal: address6('fe80::1') },
    ],
    ['global and zeros', GLOBAL + '00'.repeat(16), { address: address('2001:db8::1') }],
    ['global twice', GLOBAL + GLOBAL, { address: address('2001:db8::1') }],
    ['zeros and link-local', '00'.repeat(16) + LINK_LOCAL, { address: address('fe80::1') }],
  ])('RFC 2545 §3 next hop of 32 octets: %s', (_name, octets, nextHop) => {
    const attributes = `${PATHS} ${mpReach(`0002 01 20 ${octets} 00 08 fd`)}`;
    expect(decodeUpdate(updateFrame({ attributes }), EBGP).reach[0]?.nextHop).toEqual(nextHop);
  });

  test.each([
    ['RFC 8950 IPv6 next hop', `10 ${GLOBAL}`, { address: address('2001:db8::1') }],
    [
      'RFC 8950 next hop with a link-local address',
      `20 ${GLOBAL}${LINK_LOCAL}`,
      { address: address('2001:db8::1'), linkLocal: address6('fe80::1') },
    ],
    ['RFC 4760 IPv4 next hop', '04 0a000001', { address: address('10.0.0.1') }],
  ])('IPv4 prefixes with an %s', (_name, nextHop, expected) => {
    const attributes = `${PATHS} ${mpReach(`0001 01 ${nextHop} 00 ${NLRI}`)}`;
    expect(decodeUpdate(updateFrame({ attributes }), EBGP).reach).toEqual([
      { family: 'ipv4', nextHop: expected, prefixes: [prefix('10.244.1.0/24')] },
    ]);
  });
});

describe('RFC 7606 §7.12 MP_UNREACH_NLRI', () => {
  test.each([
    ['of length 0', ''],
    ['of length 2', '0002'],
    ['with a prefix of 129 bits', `0002 01 81 ${'00'.repeat(17)}`],
    ['with a prefix cut short', '0002 01 40 20010db8'],
  ])('%s is a reset with the attribute', (_name, value) => {
    const attribute = mpUnreach(value);
    expect(decodeFault(updateFrame({ attributes: attribute }), EBGP)).toBe(
      `3/9 ${attribute.replace(/\s/g, '')}`,
    );
  });

  test('IPv4 prefixes in it are withdrawn too', () => {
    const update = decodeUpdate(
      updateFrame({ withdrawn: '18 0af402', attributes: mpUnreach(`0001 01 ${NLRI}`) }),
      EBGP,
    );
    expect(update.unreach).toEqual([
      { family: 'ipv4', prefixes: [prefix('10.244.2.0/24')] },
      { family: 'ipv4', prefixes: [prefix('10.244.1.0/24')] },
    ]);
  });
});

describe('RFC 4760 §7: families that we do not speak are skipped', () => {
  test.each([
    ['L2VPN EVPN', mpReach('0019 46 04 0a000001 00 0222')],
    ['IPv4 multicast', mpReach('0001 02 04 0a000001 00 18 0af401')],
    ['VPNv4, its next hop overrunning', mpReach('0001 80 ff')],
    ['withdrawal of IPv6 multicast, prefix cut short', mpUnreach('0002 02 40 20')],
    ['End-of-RIB of VPNv6', mpUnreach('0002 80')],
  ])('%s', (_name, attribute) => {
    const update = decodeUpdate(updateFrame({ attributes: `${attribute} ${CLASSIC}`, nlri: NLRI }), EBGP);
    expect(update.faults).toEqual([]);
    expect(update.unreach).toEqual([]);
    expect(update.reach).toEqual([
      { family: 'ipv4', nextHop: { address: address('10.0.0.1') }, prefixes: [prefix('10.244.1.0/24')] },
    ]);
  });
});

describe('RFC 4724 §2 End-of-RIB', () => {
  test.each(['ipv4', 'ipv6'] as const)('%s: what we send is what we recognize', (family) => {
    const update = decodeUpdate(encodeMessage(endOfRibMessage(family), EBGP), EBGP);
    expect(update).toEqual(endOfRibMessage(family));
    expect(endOfRib(update)).toBe(family);
  });

  test('IPv4 in the multiprotocol form', () => {
    expect(endOfRib(decodeUpdate(updateFrame({ attributes: '80 0f 03 0001 01' }), EBGP))).toBe('ipv4');
  });

  test.each([
    ['of a family that we do not speak', updateFrame({ attributes: '80 0f 03 0019 46' })],
    ['with another attribute beside it', updateFrame({ attributes: '80 0f 03 0002 01 40 01 01 00' })],
    ['with withdrawn prefixes beside it', updateFrame({ withdrawn: NLRI, attributes: '80 0f 03 0002 01' })],
    ['a withdrawal', updateFrame({ withdrawn: NLRI })],
    ['attributes alone', updateFrame({ attributes: CLASSIC })],
    ['an announcement', updateFrame({ attributes: CLASSIC, nlri: NLRI })],
  ])('not: %s', (_name, bytes) => {
    expect(endOfRib(decodeUpdate(bytes, EBGP))).toBeUndefined();
  });
});

describe('what cannot be written is a bug of ours', () => {
  const attributes = { origin: 'IGP', asPath: [] } as const;
  const v4 = {
    family: 'ipv4',
    nextHop: { address: address('10.0.0.1') },
    prefixes: [prefix('10.244.1.0/24')],
  } as const;
  const v6 = {
    family: 'ipv6',
    nextHop: { address: address('fd00::1') },
    prefixes: [prefix('fd00::/8')],
  } as const;

  function update(changes: Partial<UpdateMessage>): UpdateMessage {
    return { type: 'UPDATE', unreach: [], reach: [], faults: [], ...changes };
  }

  test.each([
    ['nothing: it would read as an End-of-RIB', update({})],
    ['reachable prefixes without attributes', update({ reach: [v4] })],
    ['two classic next hops', update({ reach: [v4, v4], attributes })],
    ['two multiprotocol next hops', update({ reach: [v6, { ...v4, nextHop: v6.nextHop }], attributes })],
    ['a next hop without prefixes', update({ reach: [{ ...v4, prefixes: [] }], attributes })],
    ['IPv6 prefixes with an IPv4 next hop', update({ reach: [{ ...v6, nextHop: v4.nextHop }], attributes })],
    [
      'more than fits',
      update({ unreach: [{ family: 'ipv4', prefixes: Array(1100).fill(prefix('10.244.1.0/24')) }] }),
    ],
  ])('%s', (_name, message) => {
    expect(() => encodeMessage(message, EBGP)).toThrow(RangeError);
  });

  test('attributes are not written where nothing is announced', () => {
    const bytes = encodeMessage(
      update({ unreach: [{ family: 'ipv4', prefixes: v4.prefixes }], attributes }),
      EBGP,
    );
    expect(toHex(bytes.subarray(19))).toBe('0004180af4010000');
  });
});
