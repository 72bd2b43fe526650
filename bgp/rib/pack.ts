/**
 * Filling UPDATE messages: as many waiting prefixes as one message of the session takes (RFC 4271 section 9.2).
 *
 * Owns: counting octets against the limit. Must not know: which prefixes wait and why; how octets are written.
 */
import type { Family, Prefix } from '../net/index.js';
import {
  type CodecContext,
  encodedPrefixBytes,
  maxPrefixBytes,
  maxWithdrawBytes,
  type NextHop,
  type PathAttributes,
  type UpdateMessage,
} from '../wire/index.js';
import type { FifoSet } from './fifo-set.js';

/** Takes waiting prefixes into one withdrawal; the rest goes on waiting. */
export function packWithdrawals(
  waiting: FifoSet<Prefix>,
  family: Family,
  context: CodecContext,
): UpdateMessage {
  const prefixes = takeFitting(waiting, maxWithdrawBytes(family, context));
  return { type: 'UPDATE', unreach: [{ family, prefixes }], reach: [], faults: [] };
}

/**
 * Takes waiting prefixes into one announcement.
 * @returns undefined where the attributes leave no room even for the first one: it cannot be announced at all.
 */
export function packAnnouncements(
  waiting: FifoSet<Prefix>,
  route: { readonly attributes: PathAttributes; readonly nextHop: NextHop },
  family: Family,
  context: CodecContext,
): { readonly update: UpdateMessage; readonly prefixes: readonly Prefix[] } | undefined {
  const { attributes, nextHop } = route;
  const prefixes = takeFitting(waiting, maxPrefixBytes(attributes, nextHop, family, context));
  if (prefixes.length === 0) return undefined;
  const reach = [{ family, nextHop, prefixes }];
  return { update: { type: 'UPDATE', unreach: [], reach, attributes, faults: [] }, prefixes };
}

function takeFitting(waiting: FifoSet<Prefix>, budgetBytes: number): readonly Prefix[] {
  let left = budgetBytes;
  return waiting.takeWhile((prefix) => {
    const size = encodedPrefixBytes(prefix);
    if (size > left) return false;
    left -= size;
    return true;
  });
}
