/**
 * The loop over the attributes of an UPDATE: framing, duplicates, unknown attributes, missing ones.
 */
import { describe, expect, test } from 'vitest';
import { encodeMessage, type UpdateMessage } from '../../../../../bgp/wire/index.js';
import { address, prefix } from '../../../../support/addresses.js';
import {
  decodeFault,
  decodeUpdate,
  EBGP,
  EBGP_AS2,
  hex,
  IBGP,
  toHex,
  updateFrame,
} from '../../../../support/wire.js';
import { NLRI, NLRI_PREFIX, soundAttributes, verdict, verdictOfList } from './verdict.js';

const SOUND = soundAttributes(EBGP);

describe('RFC 7606 §3 d: missing attributes', () => {
  test.each([
    [1, 'ORIGIN'],
    [2, 'AS_PATH'],
    [3, 'NEXT_HOP'],
  ])('attribute %i, %s, is missing: treat-as-withdraw', (code, name) => {
    const attributes = soundAttributes(EBGP, [code]);
    expect(verdictOfList(attributes, EBGP)).toBe('treat-as-withdraw');
    const { faults } = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP);
    expect(faults).toEqual([{ code, outcome: 'treat-as-withdraw', reason: `${name}: missing` }]);
  });

  test('LOCAL_PREF is missing from an internal peer: treat-as-withdraw', () => {
    expect(verdictOfList(SOUND, IBGP)).toBe('treat-as-withdraw');
  });

  test('prefixes without any attribute: treat-as-withdraw', () => {
    expect(verdictOfList('', EBGP)).toBe('treat-as-withdraw');
  });

  test('prefixes with only unknown attributes: treat-as-withdraw', () => {
    expect(verdictOfList('c0 63 01 00 80 64 01 00', EBGP)).toBe('treat-as-withdraw');
  });

  test('a malformed attribute is reported once, not as missing too', () => {
    const attributes = `40 01 02 0000 ${soundAttributes(EBGP, [1])}`;
    const { faults } = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP);
    expect(faults).toEqual([{ code: 1, outcome: 'treat-as-withdraw', reason: 'ORIGIN: length 2' }]);
  });

  test('withdrawals need no attributes', () => {
    const update = decodeUpdate(updateFrame({ withdrawn: NLRI }), IBGP);
    expect(update).toEqual({
      type: 'UPDATE',
      unreach: [{ family: 'ipv4', prefixes: [NLRI_PREFIX] }],
      reach: [],
      faults: [],
    });
  });
});

describe('RFC 7606 §3 g: duplicates', () => {
  test('the first one counts, the later one is discarded', () => {
    const attributes = `${SOUND} 80 04 04 00000001 80 04 04 00000002`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP);
    expect(update.attributes?.med).toBe(1);
    expect(update.faults).toEqual([{ code: 4, outcome: 'discard', reason: 'MULTI_EXIT_DISC: duplicate' }]);
  });

  test('a malformed duplicate is discarded unseen', () => {
    expect(verdictOfList(`${SOUND} 40 01 05 0000000000`, EBGP)).toBe('discard');
  });

  test('of two unknown ones the first is carried', () => {
    const attributes = `${SOUND} c0 63 01 01 c0 63 01 02`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP);
    expect(update.attributes?.unknown).toEqual([{ code: 99, flags: 0xc0, value: hex('01') }]);
  });

  test.each([
    ['MP_REACH_NLRI', '80 0e 15 0002 01 10 20010db8000000000000000000000001 00'],
    ['MP_UNREACH_NLRI', '80 0f 03 0002 01'],
  ])('%s twice is a reset', (_name, attribute) => {
    expect(verdictOfList(`${attribute} ${SOUND} ${attribute}`, EBGP)).toBe('reset 3/1');
  });
});

describe('RFC 7606 §4: the attribute list and its lengths', () => {
  test.each([
    ['one stray octet', 'c0'],
    ['two stray octets', 'c0 63'],
    ['three stray octets with a 2-octet length', 'd0 63 00'],
    ['a length beyond the list', 'c0 08 05 fc000064'],
    ['a 2-octet length beyond the list', 'd0 08 ffff fc000064'],
    ['the length of an unknown attribute beyond the list', 'c0 63 02 00'],
  ])('%s: treat-as-withdraw', (_name, end) => {
    expect(verdictOfList(`${SOUND} ${end}`, EBGP)).toBe('treat-as-withdraw');
  });

  test.each([
    ['MP_REACH_NLRI', '80 0e 15 0002 01 10'],
    ['MP_UNREACH_NLRI', '80 0f 04 0002 01'],
  ])('%s beyond the list is a reset: its prefixes cannot be read', (_name, end) => {
    expect(verdictOfList(`${SOUND} ${end}`, EBGP)).toBe('reset 3/1');
  });

  test('after treat-as-withdraw the rest of the list is stepped over, and all prefixes are withdrawn', () => {
    const frame = updateFrame({
      withdrawn: '18 0af409',
      attributes: `40 01 01 09 40 02 01 00 80 0e 17 0002 01 10 20010db8000000000000000000000001 00 08 fd
        40 03 04 0a000001 c0 08 03 000000 80 0f 05 0002 01 08 fc`,
      nlri: `${NLRI} 18 0af402`,
    });
    const update = decodeUpdate(frame, EBGP);
    expect(update.reach).toEqual([]);
    expect(update.attributes).toBeUndefined();
    expect(update.unreach).toEqual([
      { family: 'ipv4', prefixes: [prefix('10.244.9.0/24')] },
      { family: 'ipv6', prefixes: [prefix('fc00::/8')] },
      { family: 'ipv4', prefixes: [prefix('10.244.1.0/24'), prefix('10.244.2.0/24')] },
      { family: 'ipv6', prefixes: [prefix('fd00::/8')] },
    ]);
    expect(update.faults.map(({ code }) => code)).toEqual([1, 2, 8]);
  });

  test('1300 empty attributes of one code are one attribute', () => {
    const update = decodeUpdate(
      updateFrame({ attributes: `${SOUND} ${'c06300'.repeat(1300)}`, nlri: NLRI }),
      EBGP,
    );
    expect(update.attributes?.unknown).toEqual([{ code: 99, flags: 0xc0, value: hex('') }]);
    expect(update.reach).toHaveLength(1);
  });
});

describe('RFC 7606 §5.2: attributes without prefixes', () => {
  test('a treat-as-withdraw fault with nothing to withdraw is a reset', () => {
    expect(decodeFault(updateFrame({ attributes: '40 01 01 09' }), EBGP)).toBe('3/1');
    expect(decodeFault(updateFrame({ withdrawn: NLRI, attributes: '40 01 01 09' }), EBGP)).toBe('3/1');
    expect(decodeFault(updateFrame({ attributes: '80 0f 03 0002 01 c0' }), EBGP)).toBe('3/1');
  });

  test('a discarded attribute with nothing to withdraw is not', () => {
    const update = decodeUpdate(updateFrame({ attributes: '40 06 01 00' }), EBGP);
    expect(update).toMatchObject({ reach: [], unreach: [], faults: [{ code: 6, outcome: 'discard' }] });
  });

  test('MP_UNREACH_NLRI with wrong flags withdraws what it names', () => {
    const update = decodeUpdate(updateFrame({ attributes: 'c0 0f 05 0002 01 08 fd' }), EBGP);
    expect(update.unreach).toEqual([{ family: 'ipv6', prefixes: [prefix('fd00::/8')] }]);
    expect(update.faults).toMatchObject([{ code: 15, outcome: 'treat-as-withdraw' }]);
  });

  test('prefixes of a family that we do not speak are prefixes found', () => {
    const update = decodeUpdate(updateFrame({ attributes: '40 01 01 09 80 0e 05 0019 46 00 00' }), EBGP);
    expect(update).toMatchObject({ reach: [], unreach: [], faults: [{ code: 1 }] });
  });
});

describe('RFC 4271 §5 and §9: unknown attributes', () => {
  test('optional transitive: carried octet for octet and passed on with Partial', () => {
    const value = 'de ad be ef';
    const update = decodeUpdate(
      updateFrame({ attributes: `d0 c8 0004 ${value} c0 63 00 ${SOUND}`, nlri: NLRI }),
      EBGP,
    );
    expect(update.attributes?.unknown).toEqual([
      { code: 99, flags: 0xc0, value: hex('') },
      { code: 200, flags: 0xc0, value: hex(value) },
    ]);
    const sent = toHex(encodeMessage(update, EBGP));
    expect(sent).toContain('e06300');
    expect(sent).toContain('e0c804deadbeef');
  });

  test('the octets carried are a copy: the frame may be used again', () => {
    const frame = updateFrame({ attributes: `c0 63 02 0102 ${SOUND}`, nlri: NLRI });
    const update = decodeUpdate(frame, EBGP);
    frame.fill(0);
    expect(update.attributes?.unknown?.[0]?.value).toEqual(hex('0102'));
  });

  test('one of 3000 octets is carried whole', () => {
    const value = 'ab'.repeat(3000);
    const update = decodeUpdate(
      updateFrame({ attributes: `d0 63 0bb8 ${value} ${SOUND}`, nlri: NLRI }),
      EBGP,
    );
    expect(toHex(encodeMessage(update, EBGP))).toContain(`f0630bb8${value}`);
  });

  test('checked, but carried as it came: Partial stays as it was', () => {
    const update = decodeUpdate(updateFrame({ attributes: `c0 17 04 0007 0000 ${SOUND}`, nlri: NLRI }), EBGP);
    expect(update.attributes?.unknown).toEqual([{ code: 23, flags: 0xc0, value: hex('0007 0000') }]);
    expect(toHex(encodeMessage(update, EBGP))).toContain('c0170400070000');
  });

  test('optional non-transitive: dropped without a fault', () => {
    expect(verdict('80 63 01 00', EBGP)).toBe('ok');
    const update = decodeUpdate(updateFrame({ attributes: `80 63 01 00 ${SOUND}`, nlri: NLRI }), EBGP);
    expect(update.attributes).not.toHaveProperty('unknown');
  });

  test.each(['40', '00', '60'])('well-known (flags %s): reset 3/2 with the attribute', (flags) => {
    expect(verdict(`${flags} 63 02 abcd`, EBGP)).toBe(`reset 3/2 ${flags}6302abcd`);
  });

  test('attributes are written in the order of their codes, those with prefixes first (RFC 7606 §5.1)', () => {
    const update: UpdateMessage = {
      type: 'UPDATE',
      unreach: [{ family: 'ipv6', prefixes: [prefix('fc00::/8')] }],
      reach: [
        { family: 'ipv6', nextHop: { address: address('2001:db8::1') }, prefixes: [prefix('fd00::/8')] },
      ],
      attributes: {
        origin: 'IGP',
        asPath: [],
        otc: 1,
        unknown: [
          { code: 11, flags: 0xc0, value: hex('') },
          { code: 34, flags: 0xc0, value: hex('') },
          { code: 255, flags: 0xc0, value: hex('') },
        ],
      },
      faults: [],
    };
    expect(attributeCodes(encodeMessage(update, EBGP))).toEqual([14, 15, 1, 2, 11, 34, 35, 255]);
  });
});

describe('RFC 4271 §5: the Partial bit of attributes that we know', () => {
  test('is passed on where somebody has set it', () => {
    const attributes = `e0 20 0c 0000fc00 00000001 00000002 e0 08 04 fc000064 ${SOUND} c0 10 08 0002fc0000000007`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP);
    expect(update.attributes?.partial).toEqual([8, 32]);
    const sent = toHex(encodeMessage(update, EBGP));
    expect(sent).toContain('e00804fc000064');
    expect(sent).toContain('c010080002fc0000000007');
    expect(sent).toContain('e0200c0000fc000000000100000002');
  });

  test('means nothing on the others', () => {
    const attributes = `60 01 01 00 ${soundAttributes(EBGP, [1])} a0 04 04 00000001`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP);
    expect(update.attributes).toEqual({ origin: 'IGP', asPath: [], med: 1 });
  });
});

describe("an operator's list of attributes to drop", () => {
  const context = { ...EBGP, discardAttributes: new Set([1, 2, 3, 14, 15, 4, 8, 99, 100]) };

  test('drops what it names before it is looked at', () => {
    const attributes = `${SOUND} 80 04 03 000000 c0 08 00 c0 63 00 40 64 00`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), context);
    expect(update.faults).toEqual([]);
    expect(update.attributes).toEqual({ origin: 'IGP', asPath: [] });
  });

  test('cannot drop what a route must have', () => {
    expect(verdictOfList(SOUND, context)).toBe('ok');
    const update = decodeUpdate(updateFrame({ attributes: '80 0f 05 0002 01 08 fd' }), context);
    expect(update.unreach).toHaveLength(1);
  });
});

describe('RFC 7606 §3: several faults', () => {
  test('the strongest outcome wins', () => {
    expect(verdictOfList(`40 01 01 09 40 06 01 00 ${soundAttributes(EBGP, [1])}`, EBGP)).toBe(
      'treat-as-withdraw',
    );
    expect(verdictOfList(`40 01 01 09 40 63 00 ${soundAttributes(EBGP, [1])}`, EBGP)).toBe(
      'reset 3/2 406300',
    );
  });

  test('a reset comes from a broken NLRI field even where the attributes are treat-as-withdraw', () => {
    expect(decodeFault(updateFrame({ attributes: '40 01 01 09', nlri: '21 0af40100 00' }), EBGP)).toBe(
      '3/10',
    );
  });
});

test('attributes of internal peers are not sent to external ones', () => {
  const update = decodeUpdate(
    updateFrame({ attributes: `${soundAttributes(IBGP)} 80 09 04 c0000201 80 0a 04 c0000202`, nlri: NLRI }),
    IBGP,
  );
  expect(attributeCodes(encodeMessage(update, IBGP))).toEqual([1, 2, 3, 5, 9, 10]);
  expect(attributeCodes(encodeMessage(update, EBGP))).toEqual([1, 2, 3]);
});

test('AS4_PATH is sent only where AS_PATH hides something (RFC 6793 §4.2.2)', () => {
  const update = (asn: number): UpdateMessage => ({
    ...decodeUpdate(updateFrame({ attributes: SOUND, nlri: NLRI }), EBGP),
    attributes: { origin: 'IGP', asPath: [{ kind: 'sequence', asns: [65001, asn] }] },
  });
  expect(attributeCodes(encodeMessage(update(65535), EBGP_AS2))).toEqual([1, 2, 3]);
  expect(attributeCodes(encodeMessage(update(65536), EBGP_AS2))).toEqual([1, 2, 3, 17]);
  expect(attributeCodes(encodeMessage(update(65536), EBGP))).toEqual([1, 2, 3]);
});

test('a sequence of more than 255 ASes is written as several', () => {
  const asns = Array.from({ length: 600 }, (_, index) => index + 1);
  const update: UpdateMessage = {
    ...decodeUpdate(updateFrame({ attributes: SOUND, nlri: NLRI }), EBGP),
    attributes: { origin: 'IGP', asPath: [{ kind: 'sequence', asns }] },
  };
  const decoded = decodeUpdate(encodeMessage(update, EBGP), EBGP);
  expect(decoded.attributes?.asPath.map((segment) => segment.asns.length)).toEqual([255, 255, 90]);
  expect(decoded.attributes?.asPath.flatMap((segment) => segment.asns)).toEqual(asns);
});

/** The codes of an UPDATE's attributes in the order written; the messages here have 1-octet lengths only. */
function attributeCodes(bytes: Uint8Array): number[] {
  const view = Buffer.from(bytes);
  let offset = 19 + 2 + view.readUInt16BE(19);
  const end = offset + 2 + view.readUInt16BE(offset);
  const codes: number[] = [];
  for (offset += 2; offset < end; offset += 3 + view.readUInt8(offset + 2)) {
    codes.push(view.readUInt8(offset + 1));
  }
  return codes;
}
