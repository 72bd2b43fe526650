/**
 * One message: header and body together.
 *
 * Owns: which body belongs to which type, and the one place where a parser's WireError becomes a value. Must not
 * know: the bodies, streams, sessions.
 * Source: RFC 4271 section 4.
 */
import { ByteReader, ByteWriter, type OverrunError } from './bytes.js';
import {
  HEADER_ERROR,
  HEADER_LENGTH,
  MESSAGE_TYPE,
  NOTIFICATION,
  OPEN_ERROR,
  UPDATE_ERROR,
} from './constants.js';
import { ownFault, WireError, type WireFault } from './fault.js';
import { finishMessage, lengthMismatch, readHeader, startMessage } from './header.js';
import type { CodecContext, DecodeContext, Message } from './message.js';
import { decodeNotification, encodeNotification } from './notification.js';
import { decodeOpen, encodeOpen } from './open.js';
import { decodeRouteRefresh, encodeRouteRefresh } from './route-refresh.js';
import { decodeUpdate, encodeUpdate } from './update.js';

/** How a body is read, and what the peer is told where the body ends too early. */
interface BodyDecoder {
  readonly overrun: OverrunError;
  decode(body: ByteReader, context: DecodeContext, frame: Uint8Array): Message;
}

const BAD_LENGTH: OverrunError = [NOTIFICATION.HEADER, HEADER_ERROR.BAD_MESSAGE_LENGTH];

const BODIES: ReadonlyMap<number, BodyDecoder> = new Map<number, BodyDecoder>([
  [MESSAGE_TYPE.OPEN, { overrun: [NOTIFICATION.OPEN, OPEN_ERROR.UNSPECIFIC], decode: decodeOpen }],
  [
    MESSAGE_TYPE.UPDATE,
    { overrun: [NOTIFICATION.UPDATE, UPDATE_ERROR.MALFORMED_ATTRIBUTE_LIST], decode: decodeUpdate },
  ],
  [MESSAGE_TYPE.NOTIFICATION, { overrun: BAD_LENGTH, decode: decodeNotification }],
  [MESSAGE_TYPE.KEEPALIVE, { overrun: BAD_LENGTH, decode: () => ({ type: 'KEEPALIVE' }) }],
  [
    MESSAGE_TYPE.ROUTE_REFRESH,
    { overrun: BAD_LENGTH, decode: (body, _context, frame) => decodeRouteRefresh(body, frame) },
  ],
]);

/** The type octet of each message, as its header has it. */
export const MESSAGE_TYPE_OCTET: Readonly<Record<Message['type'], number>> = {
  OPEN: MESSAGE_TYPE.OPEN,
  UPDATE: MESSAGE_TYPE.UPDATE,
  NOTIFICATION: MESSAGE_TYPE.NOTIFICATION,
  KEEPALIVE: MESSAGE_TYPE.KEEPALIVE,
  'ROUTE-REFRESH': MESSAGE_TYPE.ROUTE_REFRESH,
};

/**
 * Reads one whole message, header included. Total: any octets give a message or a fault, none an exception.
 * The result keeps no reference to `frame`.
 */
export function decodeMessage(frame: Uint8Array, context: DecodeContext): Message | WireFault {
  if (frame.length < HEADER_LENGTH) return lengthMismatch(frame.length);
  const header = readHeader(frame, context.maxMessageLength);
  if (!('length' in header)) return header;
  const decoder = BODIES.get(header.type);
  if (decoder === undefined || header.length !== frame.length) return lengthMismatch(header.length);
  try {
    return decoder.decode(ByteReader.over(frame, HEADER_LENGTH, decoder.overrun), context, frame);
  } catch (error) {
    if (error instanceof WireError) return error.fault;
    // A bug of ours must be no weapon in the hand of a peer: its session ends, ours with others go on.
    return ownFault(error);
  }
}

/**
 * Writes one whole message, header included.
 * @throws RangeError where the message cannot be written: longer than `maxMessageLength` (see `maxPrefixBytes`), or
 * contradicting itself. Both are bugs of ours.
 */
export function encodeMessage(message: Message, context: CodecContext): Uint8Array {
  const out = new ByteWriter();
  const type = MESSAGE_TYPE_OCTET[message.type];
  startMessage(out, type);
  encodeBody(out, message, context);
  return finishMessage(out, type, context.maxMessageLength);
}

function encodeBody(out: ByteWriter, message: Message, context: CodecContext): void {
  switch (message.type) {
    case 'OPEN':
      encodeOpen(out, message);
      break;
    case 'UPDATE':
      encodeUpdate(out, message, context);
      break;
    case 'NOTIFICATION':
      encodeNotification(out, message, context.maxMessageLength);
      break;
    case 'KEEPALIVE':
      break;
    case 'ROUTE-REFRESH':
      encodeRouteRefresh(out, message);
      break;
    default:
      message satisfies never;
  }
}
