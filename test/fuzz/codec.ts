/**
 * Damaged messages through the codec, one round at a time, and what must be true of every one of them.
 *
 * Owns: the invariants of bgp/wire and of the JSON of `podroute decode` under hostile input.
 */
import { isDeepStrictEqual } from 'node:util';
import { faultJson, messageJson } from '../../agent/views/message.js';
import {
  type DecodeContext,
  decodeMessage,
  EXTENDED_MAX_MESSAGE_LENGTH,
  encodeMessage,
  Framer,
  type Message,
  NOTIFICATION,
  type UpdateMessage,
} from '../../bgp/wire/index.js';
import { CORPUS, CORPUS_BYTES } from './corpus.js';
import { Chance, mutate } from './mutate.js';

/** The error codes that a decoder may answer with. */
const DECODER_ERRORS: ReadonlySet<number> = new Set([
  NOTIFICATION.HEADER,
  NOTIFICATION.OPEN,
  NOTIFICATION.UPDATE,
  NOTIFICATION.ROUTE_REFRESH,
]);

/** One damaged message. @throws where anything about it is not as it must be; the message names the octets. */
export function codecRound(seed: number): void {
  const chance = new Chance(seed);
  const { bytes, context } = chance.pick(CORPUS);
  const damaged = mutate(bytes, chance, CORPUS_BYTES);
  const session: DecodeContext = {
    ...context,
    as4: chance.once(8) ? !context.as4 : context.as4,
    peerType: chance.once(8) ? 'ibgp' : context.peerType,
    addPath: chance.once(8),
  };
  try {
    checkMessage(damaged, session);
    checkFraming([damaged, chance.pick(CORPUS_BYTES), damaged], session, chance);
  } catch (error) {
    throw new Error(`${Buffer.from(damaged).toString('hex')} ${JSON.stringify(session)}`, { cause: error });
  }
}

/** Everything that must be true of any octets. @throws where something is not. */
export function checkMessage(bytes: Uint8Array, context: DecodeContext): void {
  const result = decodeMessage(bytes, context);
  if (result.type === 'FAULT') {
    must(DECODER_ERRORS.has(result.notification.code), `NOTIFICATION code ${result.notification.code}`);
    must(result.reason !== '', 'no reason');
    // RFC 7606: what is wrong inside one attribute must not be found by running out of octets, which is a reset.
    const ranOut = / octets too early$/.test(result.reason);
    must(!(ranOut && fieldsFit(bytes)), `reset: ${result.reason}`);
    JSON.stringify(faultJson(result));
    return;
  }
  JSON.stringify(messageJson(result));
  if (result.type === 'UPDATE') checkUpdate(result, context);
  else checkStable(result, context);
}

/** True for an UPDATE whose two length fields agree with its length. */
function fieldsFit(update: Uint8Array): boolean {
  const view = new DataView(update.buffer, update.byteOffset, update.byteLength);
  if (update[18] !== 2 || update.length < 23) return false;
  const attributes = 21 + view.getUint16(19);
  return attributes + 2 <= update.length && attributes + 2 + view.getUint16(attributes) <= update.length;
}

/** RFC 7606: a message with a treat-as-withdraw fault announces nothing; what announces is complete. */
function checkUpdate(update: UpdateMessage, context: DecodeContext): void {
  const { reach, attributes, faults } = update;
  const isWithdrawn = faults.some(({ outcome }) => outcome === 'treat-as-withdraw');
  must(!(isWithdrawn && reach.length > 0), 'announced although treated as withdrawn');
  must((attributes !== undefined) === reach.length > 0, 'attributes without prefixes, or prefixes without');
  must(
    reach.every(({ prefixes }) => prefixes.length > 0),
    'a next hop without prefixes',
  );
  // What is passed on must be read by the next speaker as we have read it: neither fault nor change.
  for (const entry of reach) {
    if (attributes === undefined) continue;
    checkStable({ type: 'UPDATE', unreach: [], reach: [entry], attributes, faults: [] }, context);
  }
  for (const entry of update.unreach) {
    if (entry.prefixes.length > 0) {
      checkStable({ type: 'UPDATE', unreach: [entry], reach: [], faults: [] }, context);
    }
  }
}

/** Once written and read, a message stays what it is. The first writing may set Partial bits and join segments. */
function checkStable(message: Message, { as4, peerType }: DecodeContext): void {
  const context = { as4, peerType, maxMessageLength: EXTENDED_MAX_MESSAGE_LENGTH };
  const first = decodeMessage(encodeMessage(message, context), context);
  if (first.type === 'FAULT') throw new Error(`what we write is refused: ${first.reason}`);
  if (first.type === 'UPDATE')
    must(first.faults.length === 0, `a fault in what we write: ${first.faults[0]?.reason}`);
  const second = decodeMessage(encodeMessage(first, context), context);
  must(isDeepStrictEqual(second, first), 'not the same when written once more');
}

/** The pieces in which a stream arrives make no difference. */
function checkFraming(messages: readonly Uint8Array[], context: DecodeContext, chance: Chance): void {
  const stream = Buffer.concat(messages);
  const { maxMessageLength } = context;
  const whole = new Framer({ maxMessageLength }).push(stream);
  const framer = new Framer({ maxMessageLength });
  const pieces: unknown[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + chance.integer(60);
    for (const frame of framer.push(stream.subarray(at, end))) pieces.push(comparable(frame));
    at = end;
  }
  must(isDeepStrictEqual(pieces, whole.map(comparable)), 'the frames depend on the pieces');
}

function comparable(frame: ReturnType<Framer['push']>[number]): unknown {
  return frame instanceof Uint8Array ? Buffer.from(frame).toString('hex') : frame;
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
