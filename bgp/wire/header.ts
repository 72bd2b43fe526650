/**
 * The 19 octets before every message: marker(16) length(2) type(1).
 *
 * Owns: what a header may say, with the NOTIFICATION for each fault. Must not know: message bodies.
 * Source: RFC 4271 sections 4.1 and 6.1, RFC 8654 section 4.
 */
import type { ByteWriter } from './bytes.js';
import {
  DEFAULT_MAX_MESSAGE_LENGTH,
  HEADER_ERROR,
  HEADER_LENGTH,
  MARKER_LENGTH,
  MESSAGE_TYPE,
  NOTIFICATION,
} from './constants.js';
import { type WireFault, wireFault } from './fault.js';

/** Shortest message of each type, header included (RFC 4271 §6.1); a type without an entry is unknown. */
const MIN_LENGTH: ReadonlyMap<number, number> = new Map([
  [MESSAGE_TYPE.OPEN, 29],
  [MESSAGE_TYPE.UPDATE, 23],
  [MESSAGE_TYPE.NOTIFICATION, 21],
  [MESSAGE_TYPE.KEEPALIVE, HEADER_LENGTH],
  // A wrong length of a ROUTE-REFRESH has an error of its own, 7/1 (RFC 7313 §5).
  [MESSAGE_TYPE.ROUTE_REFRESH, HEADER_LENGTH],
]);

/** Longest message of `type`: extended messages leave OPEN and KEEPALIVE as they were (RFC 8654 §4). */
function maxLength(type: number, maxMessageLength: number): number {
  if (type === MESSAGE_TYPE.KEEPALIVE) return HEADER_LENGTH;
  return type === MESSAGE_TYPE.OPEN ? DEFAULT_MAX_MESSAGE_LENGTH : maxMessageLength;
}

/** A header that may stand: how long the message is, header included, and its type octet. */
export interface Header {
  readonly type: number;
  readonly length: number;
}

/**
 * Reads the header in the first 19 octets of `bytes` (at least so many).
 * @returns the fault 1/1 (no data), 1/2 (data: the length octets) or 1/3 (data: the type octet) where it is wrong.
 */
export function readHeader(bytes: Uint8Array, maxMessageLength: number): Header | WireFault {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_LENGTH);
  for (let offset = 0; offset < MARKER_LENGTH; offset += 4) {
    if (view.getUint32(offset) !== 0xffffffff) {
      return wireFault(
        NOTIFICATION.HEADER,
        HEADER_ERROR.CONNECTION_NOT_SYNCHRONIZED,
        'marker is not all ones',
      );
    }
  }
  const length = view.getUint16(MARKER_LENGTH);
  const type = view.getUint8(HEADER_LENGTH - 1);
  const minLength = MIN_LENGTH.get(type);
  // The length comes first: one that no message can have means that the type octet is not a type octet either.
  if (
    length < (minLength ?? HEADER_LENGTH) ||
    length > (minLength === undefined ? maxMessageLength : maxLength(type, maxMessageLength))
  ) {
    return badLength(length, type);
  }
  if (minLength === undefined) {
    return wireFault(
      NOTIFICATION.HEADER,
      HEADER_ERROR.BAD_MESSAGE_TYPE,
      `unknown message type ${type}`,
      Uint8Array.of(type),
    );
  }
  return { type, length };
}

function badLength(length: number, type: number): WireFault {
  return wireFault(
    NOTIFICATION.HEADER,
    HEADER_ERROR.BAD_MESSAGE_LENGTH,
    `length ${length} is not possible for message type ${type}`,
    Uint8Array.of(length >>> 8, length & 0xff),
  );
}

/** The length field of a header, or of a body, that does not agree with the bytes at hand. */
export function lengthMismatch(claimed: number): WireFault {
  return wireFault(
    NOTIFICATION.HEADER,
    HEADER_ERROR.BAD_MESSAGE_LENGTH,
    `length field ${claimed} does not match the message`,
    Uint8Array.of(claimed >>> 8, claimed & 0xff),
  );
}

/** Writes a header with a length of zero, which `finishMessage` fills in. */
export function startMessage(out: ByteWriter, type: number): void {
  out.fill(0xff, MARKER_LENGTH).u16(0).u8(type);
}

/**
 * Fills in the length and returns the whole message.
 * @throws RangeError where it is too long: the caller did not ask `maxPrefixBytes`, which is a bug of ours.
 */
export function finishMessage(out: ByteWriter, type: number, maxMessageLength: number): Uint8Array {
  const limit = maxLength(type, maxMessageLength);
  if (out.length > limit)
    throw new RangeError(`message of ${out.length} octets, at most ${limit} are allowed`);
  out.setU16(MARKER_LENGTH, out.length);
  return out.finish();
}
