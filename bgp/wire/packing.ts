/**
 * What the RIB must know of the encoding to fill UPDATEs exactly and to share equal attribute sets.
 *
 * Owns: sizes and keys. Must not know: tables.
 * Source: RFC 4271 sections 4.3 and 9.2, RFC 4760.
 */
import { type Family, isIpv4 } from '../net/index.js';
import { encodeAttributes } from './attributes/attribute-list.js';
import { mpReachFixedLength, writeNextHop } from './attributes/mp-reach.js';
import { MP_UNREACH_FIXED_LENGTH } from './attributes/mp-unreach.js';
import { ByteWriter } from './bytes.js';
import { EXTENDED_MAX_MESSAGE_LENGTH, HEADER_LENGTH } from './constants.js';
import type { CodecContext, NextHop, PathAttributes } from './message.js';

export { encodedPrefixBytes } from './nlri.js';

/** Header and the two length fields of an UPDATE. */
const EMPTY_UPDATE_OCTETS = HEADER_LENGTH + 4;
/** flags(1) code(1) length(1); the length takes one more from 256 on. */
const ATTRIBUTE_HEADER_OCTETS = 3;
const MAX_SHORT_LENGTH = 255;

/** Everything that a key must tell apart is written: 4-octet ASes, and what only internal peers see. */
const KEY_CONTEXT: CodecContext = {
  as4: true,
  peerType: 'ibgp',
  maxMessageLength: EXTENDED_MAX_MESSAGE_LENGTH,
};

/**
 * Octets of prefixes (see `encodedPrefixBytes`) that one UPDATE can announce with these attributes.
 * @returns a number smaller than any prefix, perhaps negative, where the attributes fill the message by themselves.
 */
export function maxPrefixBytes(
  attributes: PathAttributes,
  nextHop: NextHop,
  family: Family,
  context: CodecContext,
): number {
  const out = new ByteWriter();
  const { address } = nextHop;
  if (family === 'ipv4' && isIpv4(address)) {
    encodeAttributes(out, { route: attributes, nextHop: address }, context);
    return updateRoom(context) - out.length;
  }
  encodeAttributes(out, { route: attributes }, context);
  return attributeRoom(updateRoom(context) - out.length, mpReachFixedLength(nextHop));
}

/** Octets of prefixes that one UPDATE can withdraw. */
export function maxWithdrawBytes(family: Family, context: CodecContext): number {
  const room = updateRoom(context);
  return family === 'ipv4' ? room : attributeRoom(room, MP_UNREACH_FIXED_LENGTH);
}

/** Octets that an UPDATE without anything leaves free. */
function updateRoom({ maxMessageLength }: CodecContext): number {
  return maxMessageLength - EMPTY_UPDATE_OCTETS;
}

/** What is left of `room` for prefixes inside an attribute with `fixed` octets before them. */
function attributeRoom(room: number, fixed: number): number {
  const value = room - ATTRIBUTE_HEADER_OCTETS;
  return (value > MAX_SHORT_LENGTH ? value - 1 : value) - fixed;
}

/**
 * The same text for the same attributes and next hop, another for others: the octets that we would send, one
 * character each. For interning.
 */
export function attributesKey(attributes: PathAttributes, nextHop: NextHop): string {
  const out = new ByteWriter();
  out.u8(mpReachFixedLength(nextHop));
  writeNextHop(out, nextHop);
  encodeAttributes(out, { route: attributes }, KEY_CONTEXT);
  return Buffer.from(out.finish().buffer).toString('latin1');
}
