/**
 * One message as a whole: what is wrong with its header or its type.
 */
import { describe, expect, test } from 'vitest';
import { ipv4 } from '../../../../bgp/net/index.js';
import { decodeMessage, encodeMessage, notification } from '../../../../bgp/wire/index.js';
import { decodeFault, EBGP, frame, hex, toHex } from '../../../support/wire.js';

describe('decodeMessage looks at the header too', () => {
  test.each([
    ['nothing at all', '', '1/2 0000'],
    ['less than a header', 'ffff', '1/2 0002'],
    ['a wrong marker', `00${'ff'.repeat(15)} 0013 04`, '1/1'],
    ['a length field that says more', `${'ff'.repeat(16)} 0018 02 00000000`, '1/2 0018'],
    ['a length field that says less', `${'ff'.repeat(16)} 0017 02 0000000000`, '1/2 0017'],
    ['an unknown type', `${'ff'.repeat(16)} 0013 07`, '1/3 07'],
  ])('%s', (_name, bytes, fault) => {
    expect(decodeFault(hex(bytes), EBGP)).toBe(fault);
  });

  test('a message may be a view into a larger buffer', () => {
    const buffer = new Uint8Array(100).fill(7);
    buffer.set(frame(4, ''), 33);
    expect(decodeMessage(buffer.subarray(33, 52), EBGP)).toEqual({ type: 'KEEPALIVE' });
    expect(decodeMessage(Buffer.from(frame(4, '')), EBGP)).toEqual({ type: 'KEEPALIVE' });
  });
});

describe('encodeMessage', () => {
  test('NOTIFICATION data too long for the message is cut: the code must arrive', () => {
    const bytes = encodeMessage(notification(3, 9, new Uint8Array(5000).fill(0xab)), EBGP);
    expect(bytes).toHaveLength(4096);
    expect(toHex(bytes.subarray(16, 24))).toBe('1000030309ababab');
  });

  test('a message longer than the session allows is a bug of ours', () => {
    const long = { kind: 'unknown', code: 200, value: new Uint8Array(255) } as const;
    const open = {
      type: 'OPEN',
      asn: 1,
      holdTimeSeconds: 90,
      bgpIdentifier: ipv4(1),
      capabilities: Array(16).fill(long),
    } as const;
    // RFC 8654 §4: an OPEN stays below 4096 octets whatever was negotiated.
    expect(() => encodeMessage(open, { ...EBGP, maxMessageLength: 65535 })).toThrow(RangeError);
  });
});
