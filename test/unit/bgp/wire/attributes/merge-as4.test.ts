/**
 * RFC 6793 section 4.2.3: the path of a 2-octet peer, put together again.
 */
import { describe, expect, test } from 'vitest';
import { mergeAs4Path } from '../../../../../bgp/wire/attributes/merge-as4.js';
import type { AsPathSegment } from '../../../../../bgp/wire/index.js';
import { address4 } from '../../../../support/addresses.js';
import { decodeUpdate, EBGP_AS2, updateFrame } from '../../../../support/wire.js';
import { NLRI, soundAttributes } from './verdict.js';

const TRANS = 23456;

function sequence(...asns: number[]): AsPathSegment {
  return { kind: 'sequence', asns };
}

function set(...asns: number[]): AsPathSegment {
  return { kind: 'set', asns };
}

function confed(...asns: number[]): AsPathSegment {
  return { kind: 'confedSequence', asns };
}

describe('RFC 6793 §4.2.3 AS4_PATH', () => {
  test.each<[string, AsPathSegment[], AsPathSegment[], AsPathSegment[]]>([
    ['of equal length replaces AS_PATH', [sequence(1, TRANS)], [sequence(1, 70000)], [sequence(1, 70000)]],
    [
      'is preceded by what 2-octet speakers have prepended',
      [sequence(3, 2, TRANS, TRANS)],
      [sequence(70001, 70000)],
      [sequence(3, 2, 70001, 70000)],
    ],
    ['longer than AS_PATH is ignored', [sequence(1)], [sequence(1, 70000)], [sequence(1)]],
    [
      'and AS_PATH count a set as one',
      [sequence(9, TRANS), set(5, 6, 7)],
      [sequence(70000), set(5, 6, 7)],
      [sequence(9, 70000), set(5, 6, 7)],
    ],
    [
      'keeps whole segments that lead',
      [set(1, 2), sequence(3, TRANS)],
      [sequence(70000)],
      [set(1, 2), sequence(3, 70000)],
    ],
    [
      'is preceded by a whole sequence as a segment of its own',
      [sequence(1, 2), sequence(TRANS)],
      [sequence(70000)],
      [sequence(1, 2), sequence(70000)],
    ],
    [
      'is preceded by a confederation segment that leads',
      [confed(8), sequence(TRANS)],
      [sequence(70000)],
      [confed(8), sequence(70000)],
    ],
    [
      'is preceded by a confederation segment next to one prepended',
      [sequence(1), confed(8), sequence(TRANS)],
      [sequence(70000)],
      [sequence(1), confed(8), sequence(70000)],
    ],
    [
      'is not followed by a confederation segment from behind',
      [sequence(1, TRANS), confed(8)],
      [sequence(1, 70000)],
      [sequence(1, 70000)],
    ],
    [
      'before a set stays apart from it',
      [sequence(1, 2, 3)],
      [set(70000, 70001), sequence(3)],
      [sequence(1), set(70000, 70001), sequence(3)],
    ],
  ])('%s', (_name, asPath, as4Path, merged) => {
    expect(mergeAs4Path(asPath, as4Path)).toEqual(merged);
  });

  test('without confederation segments: they are dropped, the rest is used (RFC 6793 §6)', () => {
    const attributes = `40 01 01 00 40 02 06 0202 fc00 5ba0 40 03 04 0a000001
      c0 11 0c 0301 00000001 0201 00011170`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP_AS2);
    expect(update.attributes?.asPath).toEqual([sequence(64512, 70000)]);
  });
});

describe('RFC 6793 §4.2.3 AGGREGATOR and AS4_AGGREGATOR', () => {
  const PATHS = '40 01 01 00 40 02 04 0201 5ba0 40 03 04 0a000001 c0 11 06 0201 00011170';
  const AS4_AGGREGATOR = 'c0 12 08 00011171 c0000207';

  test('AS_TRANS in AGGREGATOR: AS4_AGGREGATOR tells', () => {
    const attributes = `${PATHS} c0 07 06 5ba0 c0000206 ${AS4_AGGREGATOR}`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP_AS2);
    expect(update.attributes).toEqual({
      origin: 'IGP',
      asPath: [sequence(70000)],
      aggregator: { asn: 70001, address: address4('192.0.2.7') },
    });
  });

  test('another AS in AGGREGATOR: both AS4 attributes are ignored', () => {
    const attributes = `${PATHS} c0 07 06 fdea c0000206 ${AS4_AGGREGATOR}`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP_AS2);
    expect(update.attributes).toEqual({
      origin: 'IGP',
      asPath: [sequence(TRANS)],
      aggregator: { asn: 65002, address: address4('192.0.2.6') },
    });
  });

  test('another AS in AGGREGATOR without AS4_AGGREGATOR: AS4_PATH tells', () => {
    const attributes = `${PATHS} c0 07 06 fdea c0000206`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP_AS2);
    expect(update.attributes?.asPath).toEqual([sequence(70000)]);
  });

  test('AS4_AGGREGATOR alone is ignored', () => {
    const attributes = `${soundAttributes(EBGP_AS2)} ${AS4_AGGREGATOR}`;
    const update = decodeUpdate(updateFrame({ attributes, nlri: NLRI }), EBGP_AS2);
    expect(update.attributes).toEqual({ origin: 'IGP', asPath: [] });
  });
});
