/**
 * Builders for the codec's tests: commented hex, the codec's contexts, UPDATEs made of raw fields.
 */
import type { CodecContext, Message, UpdateMessage, WireFault } from '../../bgp/wire/index.js';
import { decodeMessage } from '../../bgp/wire/index.js';

/** A session with an external peer that speaks 4-octet AS numbers. */
export const EBGP: CodecContext = { as4: true, peerType: 'ebgp', maxMessageLength: 4096 };
export const IBGP: CodecContext = { ...EBGP, peerType: 'ibgp' };
/** A session with a peer that speaks 2-octet AS numbers only. */
export const EBGP_AS2: CodecContext = { ...EBGP, as4: false };
export const IBGP_AS2: CodecContext = { ...IBGP, as4: false };

/** Octets from hex text; blanks are free, `#` starts a comment that ends with the line. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/#.*$/gm, '').replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hex: ${digits}`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** A whole message: marker and length are made here, so that tests show only what they are about. */
export function frame(type: number, body: string | Uint8Array): Uint8Array {
  const octets = typeof body === 'string' ? hex(body) : body;
  const length = 19 + octets.length;
  return Uint8Array.from([...Array(16).fill(0xff), length >> 8, length & 0xff, type, ...octets]);
}

/** The three fields of an UPDATE as hex; both length fields are made here. */
export function updateFrame(fields: {
  readonly withdrawn?: string;
  readonly attributes?: string;
  readonly nlri?: string;
}): Uint8Array {
  const withdrawn = hex(fields.withdrawn ?? '');
  const attributes = hex(fields.attributes ?? '');
  const nlri = hex(fields.nlri ?? '');
  return frame(
    2,
    Uint8Array.from([
      withdrawn.length >> 8,
      withdrawn.length & 0xff,
      ...withdrawn,
      attributes.length >> 8,
      attributes.length & 0xff,
      ...attributes,
      ...nlri,
    ]),
  );
}

/** Decodes what the test is sure is an UPDATE. */
export function decodeUpdate(bytes: Uint8Array, context: CodecContext): UpdateMessage {
  const message = decodeMessage(bytes, context);
  if (message.type !== 'UPDATE') throw new Error(`not an UPDATE but ${describe(message)}`);
  return message;
}

/** Decodes what the test is sure is a fault; `code/subcode hex-of-data`. */
export function decodeFault(bytes: Uint8Array, context: CodecContext): string {
  const fault = decodeMessage(bytes, context);
  if (fault.type !== 'FAULT') throw new Error(`not a fault but ${describe(fault)}`);
  return faultText(fault);
}

/** `code/subcode`, then the data in hex where there is any. */
export function faultText({ notification: { code, subcode, data } }: WireFault): string {
  return [`${code}/${subcode}`, toHex(data)].filter((part) => part !== '').join(' ');
}

function describe(message: Message | WireFault): string {
  return message.type === 'FAULT' ? `a fault: ${message.reason}` : message.type;
}
