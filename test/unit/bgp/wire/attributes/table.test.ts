/**
 * The attribute table against the RFCs, row by row: flags, and what a malformed value leads to (RFC 7606 section 7).
 */
import { describe, expect, test } from 'vitest';
import { attributeName } from '../../../../../bgp/wire/index.js';
import { EBGP, EBGP_AS2, IBGP, IBGP_AS2 } from '../../../../support/wire.js';
import { verdict } from './verdict.js';

const WITHDRAW = 'treat-as-withdraw';

interface Row {
  readonly section: string;
  readonly what: string;
  readonly attribute: string;
  readonly ebgp: string;
  readonly ibgp: string;
}

function row(section: string, what: string, attribute: string, both: string, ibgp = both): Row {
  return { section, what, attribute, ebgp: both, ibgp };
}

const ROWS: readonly Row[] = [
  row('7606 §7.1', 'ORIGIN of value 2', '40 01 01 02', 'ok'),
  row('7606 §7.1', 'ORIGIN of value 3', '40 01 01 03', WITHDRAW),
  row('7606 §7.1', 'ORIGIN of length 0', '40 01 00', WITHDRAW),
  row('7606 §7.1', 'ORIGIN of length 2', '40 01 02 0000', WITHDRAW),

  row('4271 §4.3', 'empty AS_PATH', '40 02 00', 'ok'),
  row('4271 §4.3', 'AS_PATH of a sequence and a set', '40 02 0c 02010000fdea 01010000fdeb', 'ok'),
  row('7606 §7.2', 'AS_PATH with a segment of type 0', '40 02 06 00010000fdea', WITHDRAW),
  row('7606 §7.2', 'AS_PATH with a segment of type 5', '40 02 06 05010000fdea', WITHDRAW),
  row('7606 §7.2', 'AS_PATH with a segment that overruns it', '40 02 06 02020000fdea', WITHDRAW),
  row('7606 §7.2', 'AS_PATH with one octet left', '40 02 07 02010000fdea 02', WITHDRAW),
  row('7606 §7.2', 'AS_PATH with a segment header and nothing behind', '40 02 02 0201', WITHDRAW),
  row('7606 §7.2', 'AS_PATH with a segment of no AS', '40 02 08 0200 02010000fdea', WITHDRAW),
  row('7607 §2', 'AS_PATH with AS 0', '40 02 06 020100000000', WITHDRAW),
  row('5065 §5', 'AS_PATH with a confederation sequence', '40 02 06 03010000fdea', WITHDRAW, 'ok'),
  row('5065 §5', 'AS_PATH with a confederation set', '40 02 06 04010000fdea', WITHDRAW, 'ok'),

  row('7606 §7.3', 'NEXT_HOP of length 3', '40 03 03 0a0000', WITHDRAW),
  row('7606 §7.3', 'NEXT_HOP of length 16', '40 03 10 20010db8000000000000000000000001', WITHDRAW),
  row('4271 §6.3', 'NEXT_HOP 0.0.0.0', '40 03 04 00000000', WITHDRAW),
  row('4271 §6.3', 'NEXT_HOP of class D', '40 03 04 e0000001', WITHDRAW),
  row('4271 §6.3', 'NEXT_HOP of class E', '40 03 04 f0000001', WITHDRAW),
  row('4271 §6.3', 'NEXT_HOP 255.255.255.255', '40 03 04 ffffffff', WITHDRAW),

  row('7606 §7.4', 'MULTI_EXIT_DISC', '80 04 04 ffffffff', 'ok'),
  row('7606 §7.4', 'MULTI_EXIT_DISC of length 3', '80 04 03 000001', WITHDRAW),
  row('7606 §7.4', 'MULTI_EXIT_DISC of length 5', '80 04 05 0000000001', WITHDRAW),

  row('7606 §7.5', 'LOCAL_PREF', '40 05 04 00000064', 'discard', 'ok'),
  row('7606 §7.5', 'LOCAL_PREF of length 3', '40 05 03 000064', 'discard', WITHDRAW),
  row('7606 §7.5', 'LOCAL_PREF of length 0', '40 05 00', 'discard', WITHDRAW),

  row('7606 §7.6', 'ATOMIC_AGGREGATE', '40 06 00', 'ok'),
  row('7606 §7.6', 'ATOMIC_AGGREGATE of length 1', '40 06 01 00', 'discard'),

  row('7606 §7.7', 'AGGREGATOR', 'c0 07 08 0000fdea c0000201', 'ok'),
  row('7606 §7.7', 'AGGREGATOR of length 6', 'c0 07 06 fdea c0000201', 'discard'),
  row('7606 §7.7', 'AGGREGATOR of length 9', 'c0 07 09 0000fdea c000020100', 'discard'),
  row('7607 §2', 'AGGREGATOR with AS 0', 'c0 07 08 00000000 c0000201', 'discard'),

  row('7606 §7.8', 'COMMUNITIES', 'c0 08 08 fc000064 fc000065', 'ok'),
  row('7606 §7.8', 'COMMUNITIES of length 0', 'c0 08 00', WITHDRAW),
  row('7606 §7.8', 'COMMUNITIES of length 6', 'c0 08 06 fc000064 fc00', WITHDRAW),

  row('7606 §7.9', 'ORIGINATOR_ID', '80 09 04 c0000201', 'discard', 'ok'),
  row('7606 §7.9', 'ORIGINATOR_ID of length 5', '80 09 05 c000020100', 'discard', WITHDRAW),

  row('7606 §7.10', 'CLUSTER_LIST', '80 0a 08 c0000201 c0000202', 'discard', 'ok'),
  row('7606 §7.10', 'CLUSTER_LIST of length 0', '80 0a 00', 'discard', WITHDRAW),
  row('7606 §7.10', 'CLUSTER_LIST of length 7', '80 0a 07 c0000201 c00002', 'discard', WITHDRAW),

  row('7606 §7.14', 'EXTENDED_COMMUNITIES', 'c0 10 08 0002fc0000000007', 'ok'),
  row('7606 §7.14', 'EXTENDED_COMMUNITIES of length 0', 'c0 10 00', WITHDRAW),
  row('7606 §7.14', 'EXTENDED_COMMUNITIES of length 9', 'c0 10 09 0002fc000000000700', WITHDRAW),

  row('7606 §7.15', 'IPV6_EXTENDED_COMMUNITIES', `c0 19 14 ${'00'.repeat(20)}`, 'ok'),
  row('7606 §7.15', 'IPV6_EXTENDED_COMMUNITIES of length 0', 'c0 19 00', WITHDRAW),
  row('7606 §7.15', 'IPV6_EXTENDED_COMMUNITIES of length 8', 'c0 19 08 0000000000000000', WITHDRAW),

  row('6793 §6', 'AS4_PATH from a 4-octet peer', 'c0 11 06 02010000fdea', 'discard'),
  row('6793 §6', 'AS4_AGGREGATOR from a 4-octet peer', 'c0 12 08 0000fdea c0000201', 'discard'),

  row('9012 §13', 'TUNNEL_ENCAPSULATION with an unknown tunnel', 'c0 17 06 00ff 0002 0102', 'ok'),
  row('9012 §13', 'TUNNEL_ENCAPSULATION with a tunnel beyond it', 'c0 17 06 0007 0003 0102', WITHDRAW),
  row('9012 §13', 'TUNNEL_ENCAPSULATION with stray octets', 'c0 17 03 000700', WITHDRAW),

  row('8092 §5', 'LARGE_COMMUNITY', 'c0 20 0c 0000fc00 00000001 00000002', 'ok'),
  row('8092 §5', 'LARGE_COMMUNITY of length 0', 'c0 20 00', WITHDRAW),
  row('8092 §5', 'LARGE_COMMUNITY of length 16', `c0 20 10 ${'00'.repeat(16)}`, WITHDRAW),

  row('9234 §5', 'ONLY_TO_CUSTOMER', 'c0 23 04 0000fdea', 'ok'),
  row('9234 §5', 'ONLY_TO_CUSTOMER of length 3', 'c0 23 03 00fdea', WITHDRAW),
  row('9234 §5', 'ONLY_TO_CUSTOMER of length 8', 'c0 23 08 0000fdea00000000', WITHDRAW),

  // Attributes that we do not know: never looked into, never an error, whatever they hold.
  row('7606 §8', 'attribute 20', 'c0 14 02 ffff', 'ok'),
  row('7606 §8', 'PMSI tunnel, too short', 'c0 16 01 ff', 'ok'),
  row('7606 §8', 'AIGP that overruns itself', '80 1a 03 01ffff', 'ok'),
  row('7606 §8', 'entropy label of the deprecated attribute 28', 'c0 1c 01 ff', 'ok'),
  row('7606 §8', 'BGP-LS that overruns itself', '80 1d 04 0400ffff', 'ok'),
  row('7606 §8', 'Prefix-SID that overruns itself', 'c0 28 03 01ffff', 'ok'),
  row('7606 §8', 'ATTR_SET of length 1', 'c0 80 01 ff', 'ok'),
];

describe('from an external peer', () => {
  test.each(ROWS)('RFC $section $what: $ebgp', ({ attribute, ebgp }) => {
    expect(verdict(attribute, EBGP)).toBe(ebgp);
  });
});

describe('from an internal peer', () => {
  test.each(ROWS)('RFC $section $what: $ibgp', ({ attribute, ibgp }) => {
    expect(verdict(attribute, IBGP)).toBe(ibgp);
  });
});

describe('from a 2-octet peer', () => {
  const rows: readonly Row[] = [
    row('6793 §4', 'AS_PATH of 2-octet numbers', '40 02 06 0202fdeafdeb', 'ok'),
    row('7606 §7.2', 'AS_PATH with a segment that overruns it', '40 02 06 0203fdeafdeb', WITHDRAW),
    row('7607 §2', 'AS_PATH with AS 0', '40 02 04 02010000', WITHDRAW),
    row('7606 §7.7', 'AGGREGATOR of length 6', 'c0 07 06 fdea c0000201', 'ok'),
    row('7606 §7.7', 'AGGREGATOR of length 8', 'c0 07 08 0000fdea c0000201', 'discard'),
    row('6793 §6', 'AS4_PATH', 'c0 11 06 02010000fdea', 'ok'),
    row('6793 §6', 'AS4_PATH of length 0', 'c0 11 00', 'discard'),
    row('6793 §6', 'AS4_PATH of length 4', 'c0 11 04 02010000', 'discard'),
    row('6793 §6', 'AS4_PATH with a segment of no AS', 'c0 11 08 0200 02010000fdea', 'discard'),
    row('6793 §6', 'AS4_PATH with a segment that overruns it', 'c0 11 06 02020000fdea', 'discard'),
    row('6793 §6', 'AS4_PATH with a segment of unknown type', 'c0 11 06 09010000fdea', 'discard'),
    row('7607 §2', 'AS4_PATH with AS 0', 'c0 11 06 020100000000', 'discard'),
    row('6793 §6', 'AS4_AGGREGATOR', 'c0 12 08 0000fdea c0000201', 'ok'),
    row('6793 §6', 'AS4_AGGREGATOR of length 6', 'c0 12 06 fdea c0000201', 'discard'),
    row('7607 §2', 'AS4_AGGREGATOR with AS 0', 'c0 12 08 00000000 c0000201', 'discard'),
  ];
  test.each(rows)('RFC $section $what: $ebgp', ({ attribute, ebgp, ibgp }) => {
    expect(verdict(attribute, EBGP_AS2)).toBe(ebgp);
    expect(verdict(attribute, IBGP_AS2)).toBe(ibgp);
  });
});

/** Code, name, flags as the RFCs have them, and a sound value; independent of the table under test. */
const FLAGS: readonly (readonly [code: string, name: string, flags: number, value: string])[] = [
  ['01', 'ORIGIN', 0x40, '01 00'],
  ['02', 'AS_PATH', 0x40, '00'],
  ['03', 'NEXT_HOP', 0x40, '04 0a000001'],
  ['04', 'MULTI_EXIT_DISC', 0x80, '04 00000000'],
  ['05', 'LOCAL_PREF', 0x40, '04 00000064'],
  ['06', 'ATOMIC_AGGREGATE', 0x40, '00'],
  ['07', 'AGGREGATOR', 0xc0, '08 0000fdea c0000201'],
  ['08', 'COMMUNITIES', 0xc0, '04 fc000064'],
  ['09', 'ORIGINATOR_ID', 0x80, '04 c0000201'],
  ['0a', 'CLUSTER_LIST', 0x80, '04 c0000201'],
  ['0e', 'MP_REACH_NLRI', 0x80, '15 0002 01 10 20010db8000000000000000000000001 00'],
  ['0f', 'MP_UNREACH_NLRI', 0x80, '03 0002 01'],
  ['10', 'EXTENDED_COMMUNITIES', 0xc0, '08 0002fc0000000007'],
  ['11', 'AS4_PATH', 0xc0, '06 02010000fdea'],
  ['12', 'AS4_AGGREGATOR', 0xc0, '08 0000fdea c0000201'],
  ['17', 'TUNNEL_ENCAPSULATION', 0xc0, '04 0007 0000'],
  ['19', 'IPV6_EXTENDED_COMMUNITIES', 0xc0, `14 ${'00'.repeat(20)}`],
  ['20', 'LARGE_COMMUNITY', 0xc0, '0c 0000fc00 00000001 00000002'],
  ['23', 'ONLY_TO_CUSTOMER', 0xc0, '04 0000fdea'],
];

describe('RFC 7606 §3 c: flags', () => {
  test.each(FLAGS)('%s is %s', (code, name) => {
    expect(attributeName(Number.parseInt(code, 16))).toBe(name);
  });

  test.each(FLAGS)('%s %s: its own flags are right', (code, _name, flags, value) => {
    expect(verdict(`${flags.toString(16)} ${code} ${value}`, contextFor(code))).toBe('ok');
  });

  test.each(FLAGS)(
    '%s %s: any other Optional and Transitive bits are treat-as-withdraw',
    (code, _name, flags, value) => {
      for (const wrong of [0x00, 0x40, 0x80, 0xc0].filter((bits) => bits !== flags)) {
        const attribute = `${wrong.toString(16).padStart(2, '0')} ${code} ${value}`;
        expect(verdict(attribute, contextFor(code)), `flags ${wrong.toString(16)}`).toBe(WITHDRAW);
      }
    },
  );

  test.each(FLAGS)('%s %s: Partial and the four unused bits do not matter', (code, _name, flags, value) => {
    const attribute = `${(flags | 0x2f).toString(16)} ${code} ${value}`;
    expect(verdict(attribute, contextFor(code))).toBe('ok');
  });

  test.each(FLAGS)('%s %s: a 2-octet length is as good as one', (code, _name, flags, value) => {
    const attribute = `${(flags | 0x10).toString(16)} ${code} 00 ${value}`;
    expect(verdict(attribute, contextFor(code))).toBe('ok');
  });

  test('LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST from an external peer are discarded, whatever their flags', () => {
    for (const attribute of ['c0 05 04 00000064', '40 09 04 c0000201', 'c0 0a 04 c0000201']) {
      expect(verdict(attribute, EBGP)).toBe('discard');
    }
  });
});

/** AS4 attributes are only taken from 2-octet peers, and reflection attributes from internal ones. */
function contextFor(code: string) {
  return code === '11' || code === '12' ? IBGP_AS2 : IBGP;
}

test('a code without a row is named by its number', () => {
  expect(attributeName(99)).toBe('attribute 99');
});
