/**
 * Every vector in both directions: octets to message, message to octets.
 */
import { describe, expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../../bgp/wire/index.js';
import { hex, toHex } from '../support/wire.js';
import { OPEN_VECTORS } from './wire/open.js';
import { OTHER_VECTORS } from './wire/other.js';
import { UPDATE_VECTORS } from './wire/update.js';
import type { WireVector } from './wire/vector.js';

const VECTORS: readonly WireVector[] = [...OPEN_VECTORS, ...UPDATE_VECTORS, ...OTHER_VECTORS];

describe('octets become the message', () => {
  test.each(VECTORS)('$name', ({ bytes, context, message }) => {
    expect(decodeMessage(hex(bytes), context)).toStrictEqual(message);
  });
});

describe('the message becomes the octets', () => {
  test.each(VECTORS)('$name', ({ bytes, context, message, ours }) => {
    expect(toHex(encodeMessage(message, context))).toBe(toHex(hex(ours?.bytes ?? bytes)));
  });
});

describe('octets of ours for a message that another speaker writes differently are read as the same message', () => {
  const vectors = VECTORS.flatMap((vector) => (vector.ours ? [{ ...vector, ours: vector.ours }] : []));
  test.each(vectors)('$name: $ours.because', ({ context, message, ours }) => {
    expect(decodeMessage(hex(ours.bytes), context)).toStrictEqual(message);
  });
});

test('every message type has a vector', () => {
  const types = new Set(VECTORS.map(({ message }) => message.type));
  expect([...types].sort()).toEqual(['KEEPALIVE', 'NOTIFICATION', 'OPEN', 'ROUTE-REFRESH', 'UPDATE']);
});
