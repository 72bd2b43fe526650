/**
 * What one attribute does to an UPDATE that is otherwise sound: the four outcomes of RFC 7606 section 2.
 */
import type { CodecContext, UpdateMessage } from '../../../../../bgp/wire/index.js';
import { decodeMessage } from '../../../../../bgp/wire/index.js';
import { prefix } from '../../../../support/addresses.js';
import { faultText, updateFrame } from '../../../../support/wire.js';

/** Sound attributes by code; LOCAL_PREF only where the peer is internal. */
const SOUND: ReadonlyMap<number, string> = new Map([
  [1, '40 01 01 00'],
  [2, '40 02 00'],
  [3, '40 03 04 0a000001'],
  [5, '40 05 04 00000064'],
]);

export const NLRI = '18 0af401';
export const NLRI_PREFIX = prefix('10.244.1.0/24');

/** The attributes that a route from this kind of peer must have, without those with the given codes. */
export function soundAttributes(context: CodecContext, without: readonly number[] = []): string {
  return [...SOUND]
    .filter(([code]) => !without.includes(code) && (code !== 5 || context.peerType === 'ibgp'))
    .map(([, octets]) => octets)
    .join(' ');
}

/** The verdict on `attribute`, given before the sound ones. `reset` is followed by the NOTIFICATION. */
export function verdict(attribute: string, context: CodecContext): string {
  const code = Number.parseInt(attribute.replace(/\s/g, '').slice(2, 4), 16);
  return verdictOfList(`${attribute} ${soundAttributes(context, [code])}`, context);
}

/** The verdict on a whole list of attributes with one prefix behind it. */
export function verdictOfList(attributes: string, context: CodecContext): string {
  const message = decodeMessage(updateFrame({ attributes, nlri: NLRI }), context);
  if (message.type === 'FAULT') return `reset ${faultText(message)}`;
  if (message.type !== 'UPDATE') throw new Error(`not an UPDATE: ${message.type}`);
  return verdictOfUpdate(message);
}

function verdictOfUpdate({ reach, unreach, attributes, faults }: UpdateMessage): string {
  const announced = reach.flatMap(({ prefixes }) => prefixes).includes(NLRI_PREFIX);
  const withdrawn = unreach.flatMap(({ prefixes }) => prefixes).includes(NLRI_PREFIX);
  const outcomes = new Set(faults.map(({ outcome }) => outcome));
  if (withdrawn && !announced && attributes === undefined && outcomes.has('treat-as-withdraw')) {
    return 'treat-as-withdraw';
  }
  if (announced && !withdrawn && attributes !== undefined && !outcomes.has('treat-as-withdraw')) {
    return outcomes.has('discard') ? 'discard' : 'ok';
  }
  throw new Error(`contradiction: announced ${announced}, withdrawn ${withdrawn}, ${[...outcomes]}`);
}
