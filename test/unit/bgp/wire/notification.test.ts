/**
 * NOTIFICATION texts: what an operator reads, and what an operator sends.
 */
import { describe, expect, test } from 'vitest';
import {
  CEASE,
  FSM_ERROR,
  HEADER_ERROR,
  NOTIFICATION,
  notification,
  notificationText,
  OPEN_ERROR,
  ROUTE_REFRESH_ERROR,
  shutdownCommunication,
  shutdownText,
  UPDATE_ERROR,
} from '../../../../bgp/wire/index.js';
import { hex } from '../../../support/wire.js';

describe('notificationText', () => {
  test.each([
    [1, 1, '', 'Message header error: connection not synchronized'],
    [1, 2, '1001', 'Message header error: bad message length (length 4097)'],
    [1, 3, '07', 'Message header error: bad message type (type 7)'],
    [2, 0, '', 'OPEN message error'],
    [2, 1, '0004', 'OPEN message error: unsupported version number (version 4 is supported)'],
    [2, 2, '', 'OPEN message error: bad peer AS'],
    [2, 3, '', 'OPEN message error: bad BGP identifier'],
    [2, 4, '', 'OPEN message error: unsupported optional parameter'],
    [2, 6, '', 'OPEN message error: unacceptable hold time'],
    [2, 7, '01040001', 'OPEN message error: unsupported capability (data 01040001)'],
    [2, 8, '', 'OPEN message error: subcode 8'],
    [2, 11, '', 'OPEN message error: role mismatch'],
    [3, 1, '', 'UPDATE message error: malformed attribute list'],
    [3, 2, '', 'UPDATE message error: unrecognized well-known attribute'],
    [3, 3, '03', 'UPDATE message error: missing well-known attribute (data 03)'],
    [3, 4, '', 'UPDATE message error: attribute flags error'],
    [3, 5, '', 'UPDATE message error: attribute length error'],
    [3, 6, '', 'UPDATE message error: invalid ORIGIN attribute'],
    [3, 8, '', 'UPDATE message error: invalid NEXT_HOP attribute'],
    [3, 9, '', 'UPDATE message error: optional attribute error'],
    [3, 10, '', 'UPDATE message error: invalid network field'],
    [3, 11, '', 'UPDATE message error: malformed AS_PATH'],
    [4, 0, '', 'Hold timer expired'],
    [5, 0, '', 'Finite state machine error'],
    [5, 1, '', 'Finite state machine error: unexpected message in OpenSent'],
    [5, 2, '', 'Finite state machine error: unexpected message in OpenConfirm'],
    [5, 3, '02', 'Finite state machine error: unexpected message in Established (data 02)'],
    [6, 1, '0001 01 000003e8', 'Cease: maximum number of prefixes reached (ipv4, limit 1000)'],
    [6, 1, '0019 46 000003e8', 'Cease: maximum number of prefixes reached (AFI 25 SAFI 70, limit 1000)'],
    [6, 2, '', 'Cease: administrative shutdown'],
    [6, 2, '00', 'Cease: administrative shutdown (data 00)'],
    [6, 2, '0b 6d61696e74656e616e6365', 'Cease: administrative shutdown ("maintenance")'],
    [6, 3, '', 'Cease: peer de-configured'],
    [6, 4, '02 6f6b', 'Cease: administrative reset ("ok")'],
    [6, 5, '', 'Cease: connection rejected'],
    [6, 6, '', 'Cease: other configuration change'],
    [6, 7, '', 'Cease: connection collision resolution'],
    [6, 8, '', 'Cease: out of resources'],
    [6, 9, '06 02 026f6b', 'Cease: hard reset (Cease: administrative shutdown ("ok"))'],
    [6, 9, '06 03', 'Cease: hard reset (Cease: peer de-configured)'],
    [6, 9, '06 09 06 09 06 02', 'Cease: hard reset (Cease: hard reset)'],
    [6, 9, '06', 'Cease: hard reset (data 06)'],
    [6, 10, '', 'Cease: BFD down'],
    [6, 200, '', 'Cease: subcode 200'],
    [7, 1, '', 'ROUTE-REFRESH message error: invalid message length'],
    [8, 0, '', 'Send hold timer expired'],
    [99, 3, '', 'error 99/3'],
    [0, 0, '', 'error 0/0'],
  ])('%i/%i %s', (code, subcode, data, text) => {
    expect(notificationText(notification(code, subcode, hex(data)))).toBe(text);
  });

  test('long data is cut', () => {
    expect(notificationText(notification(3, 9, new Uint8Array(4000).fill(0xab)))).toBe(
      `UPDATE message error: optional attribute error (data ${'ab'.repeat(32)}... of 4000 octets)`,
    );
  });

  test('every code and subcode that we can send has a text', () => {
    const sent: readonly (readonly [number, Readonly<Record<string, number>>])[] = [
      [NOTIFICATION.HEADER, HEADER_ERROR],
      [NOTIFICATION.OPEN, OPEN_ERROR],
      [NOTIFICATION.UPDATE, UPDATE_ERROR],
      [NOTIFICATION.HOLD_TIMER_EXPIRED, { UNSPECIFIC: 0 }],
      [NOTIFICATION.FSM, FSM_ERROR],
      [NOTIFICATION.CEASE, CEASE],
      [NOTIFICATION.ROUTE_REFRESH, ROUTE_REFRESH_ERROR],
      [NOTIFICATION.SEND_HOLD_TIMER_EXPIRED, { UNSPECIFIC: 0 }],
    ];
    expect(sent.map(([code]) => code).sort()).toEqual(Object.values(NOTIFICATION).sort());
    for (const [code, subcodes] of sent) {
      for (const subcode of Object.values(subcodes)) {
        expect(notificationText(notification(code, subcode))).not.toMatch(/^error|subcode/);
      }
    }
  });
});

describe('RFC 9003 shutdown communication', () => {
  function received(octets: string, subcode: number = CEASE.ADMINISTRATIVE_SHUTDOWN): string | undefined {
    return shutdownText(notification(NOTIFICATION.CEASE, subcode, hex(octets)));
  }

  test.each(['', 'maintenance', 'Wartung für 5 min', '停机维护', '🛠'])('%j comes back', (text) => {
    const data = shutdownCommunication(text);
    expect(data[0]).toBe(data.length - 1);
    for (const subcode of [CEASE.ADMINISTRATIVE_SHUTDOWN, CEASE.ADMINISTRATIVE_RESET]) {
      expect(shutdownText(notification(NOTIFICATION.CEASE, subcode, data))).toBe(
        text === '' ? undefined : text,
      );
    }
  });

  test('255 octets fit, more is cut between characters', () => {
    expect(shutdownCommunication('x'.repeat(300))).toHaveLength(256);
    const cut = shutdownCommunication('ü'.repeat(200));
    expect(cut).toHaveLength(255);
    expect(shutdownText(notification(6, 2, cut))).toBe('ü'.repeat(127));
  });

  test('only Cease 6/2 and 6/4 carry one', () => {
    expect(received('026f6b', CEASE.CONNECTION_REJECTED)).toBeUndefined();
    expect(shutdownText(notification(5, 2, hex('026f6b')))).toBeUndefined();
  });

  test('a length that promises too much, or too little, is tolerated', () => {
    expect(received('ff 6f6b')).toBe('ok');
    expect(received('01 6f6b')).toBe('o');
    expect(received('')).toBeUndefined();
    expect(received('05')).toBeUndefined();
  });

  test('octets that are not UTF-8 are escaped', () => {
    expect(received('04 6f6b ff fe')).toBe('ok\\xff\\xfe');
    expect(received('03 c3 22 5c')).toBe('\\xc3\\"\\\\');
    expect(received('03 0a ff 41')).toBe('\\x0a\\xffA');
    expect(received('02 c3 28')).toBe('\\xc3(');
  });

  test('control and formatting characters are escaped, quotes and backslashes too', () => {
    expect(received('06 61 0a 1b 22 5c 62')).toBe('a\\u{a}\\u{1b}\\"\\\\b');
    // U+202E turns the direction of what follows it; U+FEFF is invisible.
    expect(received('06 e280ae efbbbf')).toBe('\\u{202e}\\u{feff}');
  });
});
