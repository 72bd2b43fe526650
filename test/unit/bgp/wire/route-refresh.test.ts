/**
 * ROUTE-REFRESH: RFC 2918 and RFC 7313 section 5.
 */
import { expect, test } from 'vitest';
import { decodeMessage } from '../../../../bgp/wire/index.js';
import { decodeFault, EBGP, frame, toHex } from '../../../support/wire.js';

test.each([
  ['is empty', ''],
  ['has 3 octets', '000100'],
  ['has 5 octets', '0001000100'],
  ['has outbound route filters behind it', '00010001 01 03 0000'],
])('a body that %s is 7/1 with the whole message', (_name, body) => {
  const bytes = frame(5, body);
  expect(decodeFault(bytes, EBGP)).toBe(`7/1 ${toHex(bytes)}`);
});

test.each([3, 255])('subtype %i is kept: the receiver ignores it', (subtype) => {
  const body = `0001 ${subtype.toString(16).padStart(2, '0')} 01`;
  expect(decodeMessage(frame(5, body), EBGP)).toEqual({ type: 'ROUTE-REFRESH', family: 'ipv4', subtype });
});
