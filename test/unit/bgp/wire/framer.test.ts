/**
 * Cutting a stream into messages: RFC 4271 sections 4.1 and 6.1.
 */
import { describe, expect, test } from 'vitest';
import { Framer } from '../../../../bgp/wire/index.js';
import { faultText, frame, hex, toHex } from '../../../support/wire.js';

const KEEPALIVE = frame(4, '');
const UPDATE = frame(2, '0000 0000');
const MARKER = 'ff'.repeat(16);

function framer(maxMessageLength = 4096): Framer {
  return new Framer({ maxMessageLength });
}

/** Messages as hex, faults as `code/subcode data`. */
function cut(into: Framer, chunk: Uint8Array): string[] {
  return into.push(chunk).map((item) => (item instanceof Uint8Array ? toHex(item) : faultText(item)));
}

describe('messages', () => {
  test('several in one chunk', () => {
    expect(cut(framer(), concat(KEEPALIVE, UPDATE, KEEPALIVE))).toEqual(
      [KEEPALIVE, UPDATE, KEEPALIVE].map(toHex),
    );
  });

  test('one octet at a time', () => {
    const into = framer();
    const frames = [...concat(UPDATE, KEEPALIVE)].flatMap((octet) => cut(into, Uint8Array.of(octet)));
    expect(frames).toEqual([UPDATE, KEEPALIVE].map(toHex));
  });

  test('a chunk that ends inside a header, inside a body, and at a boundary', () => {
    const stream = concat(UPDATE, UPDATE);
    for (let split = 0; split <= stream.length; split += 1) {
      const into = framer();
      const frames = [...cut(into, stream.subarray(0, split)), ...cut(into, stream.subarray(split))];
      expect(frames, `split at ${split}`).toEqual([UPDATE, UPDATE].map(toHex));
    }
  });

  test('nothing yet: a partial header, then silence', () => {
    expect(cut(framer(), KEEPALIVE.subarray(0, 18))).toEqual([]);
    expect(cut(framer(), new Uint8Array(0))).toEqual([]);
  });

  test('a collected message does not share memory with the chunks', () => {
    const into = framer();
    const chunk = UPDATE.slice(0, 20);
    into.push(chunk);
    chunk.fill(0);
    expect(cut(into, UPDATE.subarray(20))).toEqual([toHex(UPDATE)]);
  });
});

describe('RFC 4271 §6.1 header errors', () => {
  test.each([
    ['1/1 where the marker is not all ones', `${'ff'.repeat(15)}fe 0013 04`, '1/1'],
    ['1/2 with a length below 19', `${MARKER} 0012 04`, '1/2 0012'],
    ['1/2 with a length of 0', `${MARKER} 0000 02`, '1/2 0000'],
    ['1/2 with a length above 4096', `${MARKER} 1001 02`, '1/2 1001'],
    ['1/2 with an OPEN of 28 octets', `${MARKER} 001c 01`, '1/2 001c'],
    ['1/2 with an UPDATE of 22 octets', `${MARKER} 0016 02`, '1/2 0016'],
    ['1/2 with a NOTIFICATION of 20 octets', `${MARKER} 0014 03`, '1/2 0014'],
    ['1/2 with a KEEPALIVE of 20 octets', `${MARKER} 0014 04`, '1/2 0014'],
    ['1/3 with type 0', `${MARKER} 0013 00`, '1/3 00'],
    ['1/3 with type 6', `${MARKER} 0020 06`, '1/3 06'],
    ['1/3 with type 255', `${MARKER} 1000 ff`, '1/3 ff'],
  ])('%s', (_name, header, fault) => {
    expect(cut(framer(), hex(header))).toEqual([fault]);
    // The same where the header comes in pieces.
    const into = framer();
    const octets = hex(header);
    expect(cut(into, octets.subarray(0, 7))).toEqual([]);
    expect(cut(into, octets.subarray(7))).toEqual([fault]);
  });

  test('messages before the fault are delivered, nothing after it', () => {
    const into = framer();
    expect(cut(into, concat(KEEPALIVE, hex(`${MARKER} 0000 04`), KEEPALIVE))).toEqual([
      toHex(KEEPALIVE),
      '1/2 0000',
    ]);
    expect(cut(into, KEEPALIVE)).toEqual([]);
  });

  test('the longest and the shortest message of each type pass', () => {
    const bodies: readonly (readonly [type: number, length: number])[] = [
      [1, 29],
      [1, 4096],
      [2, 23],
      [2, 4096],
      [3, 21],
      [3, 4096],
      [4, 19],
      [5, 19],
      [5, 23],
    ];
    for (const [type, length] of bodies) {
      const bytes = frame(type, new Uint8Array(length - 19));
      expect(cut(framer(), bytes), `type ${type}, ${length} octets`).toEqual([toHex(bytes)]);
    }
  });
});

describe('RFC 8654 extended messages', () => {
  test('65535 octets pass once they are negotiated, not before', () => {
    const into = framer();
    const long = frame(2, new Uint8Array(65535 - 19));
    expect(cut(framer(), long)).toEqual(['1/2 ffff']);
    expect(cut(into, KEEPALIVE)).toHaveLength(1);
    into.maxMessageLength = 65535;
    expect(cut(into, long)).toEqual([toHex(long)]);
  });

  test('an OPEN and a KEEPALIVE stay as they were', () => {
    expect(cut(framer(65535), hex(`${MARKER} 1001 01`))).toEqual(['1/2 1001']);
    expect(cut(framer(65535), hex(`${MARKER} 0014 04`))).toEqual(['1/2 0014']);
  });
});

test('one octet at a time costs linear work', () => {
  const message = frame(2, new Uint8Array(65535 - 19));
  const into = framer(65535);
  let frames = 0;
  for (let round = 0; round < 20; round += 1) {
    for (let offset = 0; offset < message.length; offset += 1) {
      frames += into.push(message.subarray(offset, offset + 1)).length;
    }
  }
  // 1.3 million octets: copying the message for each would be 43 GB of copies and run into the test's time limit.
  expect(frames).toBe(20);
});

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
