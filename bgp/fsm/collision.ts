/**
 * Which of two colliding connections survives.
 *
 * Owns: the comparison, which both sides make alike. Must not know: states.
 * Source: RFC 4271 section 6.8, RFC 6286 section 2.3.
 */
import type { OpenMessage } from '../wire/index.js';
import type { Direction, FsmConfig } from './types.js';

/**
 * The connection that was opened by the speaker with the higher BGP Identifier survives; where both are equal, which
 * only peers of different ASes may be, the one of the speaker with the higher AS number.
 */
export function survivingDirection(config: FsmConfig, open: OpenMessage): Direction {
  const { bgpIdentifier, localAs } = config;
  const oursSurvives =
    bgpIdentifier === open.bgpIdentifier ? localAs > open.asn : bgpIdentifier > open.bgpIdentifier;
  return oursSurvives ? 'outgoing' : 'incoming';
}
