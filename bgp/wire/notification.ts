/**
 * NOTIFICATION: code(1) subcode(1) data. The values, their texts for people, and the texts that operators send.
 *
 * Owns: the body, the one table of error texts, the shutdown communication. Must not know: who sends it and when.
 * Source: RFC 4271 section 4.5, RFC 4486, RFC 5492, RFC 6608, RFC 7313, RFC 8538, RFC 9003, RFC 9234, RFC 9384,
 * RFC 9687.
 */

import type { Family } from '../net/index.js';
import type { ByteReader, ByteWriter } from './bytes.js';
import { CEASE, HEADER_ERROR, HEADER_LENGTH, NOTIFICATION, OPEN_ERROR } from './constants.js';
import { afiSafi, familyOf } from './family.js';
import type { NotificationMessage } from './message.js';

const NO_DATA = new Uint8Array(0);
/** Longest text of a shutdown communication (RFC 9003 §2), in octets of UTF-8. */
const MAX_SHUTDOWN_TEXT = 255;
/** How much of data without a meaning is shown, in octets. */
const MAX_DATA_SHOWN = 32;

/** What people read for each code and subcode. */
const TEXTS: ReadonlyMap<
  number,
  { readonly name: string; readonly subcodes: readonly (string | undefined)[] }
> = new Map([
  [
    NOTIFICATION.HEADER,
    {
      name: 'Message header error',
      subcodes: [undefined, 'connection not synchronized', 'bad message length', 'bad message type'],
    },
  ],
  [
    NOTIFICATION.OPEN,
    {
      name: 'OPEN message error',
      subcodes: [
        undefined,
        'unsupported version number',
        'bad peer AS',
        'bad BGP identifier',
        'unsupported optional parameter',
        'authentication failure',
        'unacceptable hold time',
        'unsupported capability',
        undefined,
        undefined,
        undefined,
        'role mismatch',
      ],
    },
  ],
  [
    NOTIFICATION.UPDATE,
    {
      name: 'UPDATE message error',
      subcodes: [
        undefined,
        'malformed attribute list',
        'unrecognized well-known attribute',
        'missing well-known attribute',
        'attribute flags error',
        'attribute length error',
        'invalid ORIGIN attribute',
        'AS routing loop',
        'invalid NEXT_HOP attribute',
        'optional attribute error',
        'invalid network field',
        'malformed AS_PATH',
      ],
    },
  ],
  [NOTIFICATION.HOLD_TIMER_EXPIRED, { name: 'Hold timer expired', subcodes: [] }],
  [
    NOTIFICATION.FSM,
    {
      name: 'Finite state machine error',
      subcodes: [
        undefined,
        'unexpected message in OpenSent',
        'unexpected message in OpenConfirm',
        'unexpected message in Established',
      ],
    },
  ],
  [
    NOTIFICATION.CEASE,
    {
      name: 'Cease',
      subcodes: [
        undefined,
        'maximum number of prefixes reached',
        'administrative shutdown',
        'peer de-configured',
        'administrative reset',
        'connection rejected',
        'other configuration change',
        'connection collision resolution',
        'out of resources',
        'hard reset',
        'BFD down',
      ],
    },
  ],
  [
    NOTIFICATION.ROUTE_REFRESH,
    { name: 'ROUTE-REFRESH message error', subcodes: [undefined, 'invalid message length'] },
  ],
  [NOTIFICATION.SEND_HOLD_TIMER_EXPIRED, { name: 'Send hold timer expired', subcodes: [] }],
]);

/** A NOTIFICATION as a value; `code` and `subcode` as in `NOTIFICATION` and the tables beside it. */
export function notification(code: number, subcode: number, data: Uint8Array = NO_DATA): NotificationMessage {
  return { type: 'NOTIFICATION', code, subcode, data };
}

/** Any data is taken as it comes: a NOTIFICATION is never answered (RFC 4271 §6.4). */
export function decodeNotification(body: ByteReader): NotificationMessage {
  return notification(body.u8(), body.u8(), body.bytes(body.remaining));
}

/** Data that would not fit the message is cut: it is there to help, and the code must arrive. */
export function encodeNotification(
  out: ByteWriter,
  message: NotificationMessage,
  maxMessageLength: number,
): void {
  const room = maxMessageLength - HEADER_LENGTH - 2;
  out.u8(message.code).u8(message.subcode).bytes(message.data.subarray(0, room));
}

/** The data of Cease 6/2 and 6/4: length(1) UTF-8 text, cut between characters at 255 octets (RFC 9003 §2). */
export function shutdownCommunication(text: string): Uint8Array {
  const octets = new Uint8Array(MAX_SHUTDOWN_TEXT);
  const { written } = new TextEncoder().encodeInto(text, octets);
  return Uint8Array.of(written, ...octets.subarray(0, written));
}

/**
 * The text that the peer's operator sent with Cease 6/2 or 6/4, safe for a log line: control characters, quotes and
 * backslashes are escaped, and so is every octet above 0x7f where the text is not UTF-8.
 * @returns undefined where there is none. A length octet that promises too much is tolerated.
 */
export function shutdownText(message: NotificationMessage): string | undefined {
  const { code, subcode, data } = message;
  if (code !== NOTIFICATION.CEASE) return undefined;
  if (subcode !== CEASE.ADMINISTRATIVE_SHUTDOWN && subcode !== CEASE.ADMINISTRATIVE_RESET) return undefined;
  const [length = 0] = data;
  const octets = data.subarray(1, 1 + length);
  return octets.length === 0 ? undefined : escapeText(octets);
}

/** Cease 6/1: afi(2) safi(1) upper bound(4) (RFC 4486 §4). */
export function maximumPrefixes(family: Family, limit: number): NotificationMessage {
  const { afi, safi } = afiSafi(family);
  const data = new DataView(new ArrayBuffer(7));
  data.setUint16(0, afi);
  data.setUint8(2, safi);
  data.setUint32(3, limit);
  return notification(NOTIFICATION.CEASE, CEASE.MAXIMUM_PREFIXES, new Uint8Array(data.buffer));
}

/** RFC 8538 §3: the session ends for good, with its routes. */
export function isHardReset({ code, subcode }: NotificationMessage): boolean {
  return code === NOTIFICATION.CEASE && subcode === CEASE.HARD_RESET;
}

/** Cease 6/9 around the NOTIFICATION that it stands for: code(1) subcode(1) data (RFC 8538 §3.1). */
export function hardReset({ code, subcode, data }: NotificationMessage): NotificationMessage {
  return notification(NOTIFICATION.CEASE, CEASE.HARD_RESET, Uint8Array.of(code, subcode, ...data));
}

/** What a hard reset stands for; undefined where `message` is none or does not say. */
export function hardResetReason(message: NotificationMessage): NotificationMessage | undefined {
  const [code, subcode] = message.data;
  if (!isHardReset(message) || code === undefined || subcode === undefined) return undefined;
  return notification(code, subcode, message.data.subarray(2));
}

/** One line for people, such as `Cease: administrative shutdown ("maintenance")`. */
export function notificationText(message: NotificationMessage): string {
  const detail = detailText(message);
  return detail === undefined ? errorName(message) : `${errorName(message)} (${detail})`;
}

function errorName({ code, subcode }: NotificationMessage): string {
  const entry = TEXTS.get(code);
  if (entry === undefined) return `error ${code}/${subcode}`;
  if (subcode === 0) return entry.name;
  return `${entry.name}: ${entry.subcodes[subcode] ?? `subcode ${subcode}`}`;
}

function detailText(message: NotificationMessage): string | undefined {
  const { code, subcode, data } = message;
  if (data.length === 0) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  switch (`${code}/${subcode}/${data.length}`) {
    case `${NOTIFICATION.HEADER}/${HEADER_ERROR.BAD_MESSAGE_LENGTH}/2`:
      return `length ${view.getUint16(0)}`;
    case `${NOTIFICATION.HEADER}/${HEADER_ERROR.BAD_MESSAGE_TYPE}/1`:
      return `type ${view.getUint8(0)}`;
    case `${NOTIFICATION.OPEN}/${OPEN_ERROR.UNSUPPORTED_VERSION}/2`:
      return `version ${view.getUint16(0)} is supported`;
    case `${NOTIFICATION.CEASE}/${CEASE.MAXIMUM_PREFIXES}/7`:
      return maximumPrefixesText(view);
  }
  if (code === NOTIFICATION.CEASE) {
    const text = shutdownText(message);
    if (text !== undefined) return `"${text}"`;
    const carried = hardResetReason(message);
    // One within another has no meaning, and must not nest as deep as the data is long.
    if (carried !== undefined) return isHardReset(carried) ? errorName(carried) : notificationText(carried);
  }
  return `data ${hex(data)}`;
}

/** afi(2) safi(1) upper bound(4), RFC 4486 §4. */
function maximumPrefixesText(view: DataView): string {
  const afi = view.getUint16(0);
  const safi = view.getUint8(2);
  const family = familyOf(afi, safi) ?? `AFI ${afi} SAFI ${safi}`;
  return `${family}, limit ${view.getUint32(3)}`;
}

function hex(data: Uint8Array): string {
  const shown = Buffer.from(data.subarray(0, MAX_DATA_SHOWN)).toString('hex');
  return data.length > MAX_DATA_SHOWN ? `${shown}... of ${data.length} octets` : shown;
}

function escapeText(octets: Uint8Array): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(octets);
  const isUtf8 = Buffer.from(text).equals(octets);
  // Cc and Cf would reach the terminal of whoever reads the log; quotes and backslashes would make the escapes ambiguous.
  if (isUtf8) return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}"\\]/gu, escapeCharacter);
  return Array.from(octets, escapeOctet).join('');
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

function escapeOctet(octet: number): string {
  if (octet < 0x20 || octet > 0x7e) return `\\x${octet.toString(16).padStart(2, '0')}`;
  const character = String.fromCharCode(octet);
  return character === '"' || character === '\\' ? `\\${character}` : character;
}
