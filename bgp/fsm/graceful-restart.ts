/**
 * Whether the routes of a peer may outlive its session.
 *
 * Owns: the condition, and the hard reset that says they may not. Must not know: for how long, and the routes.
 * Source: RFC 4724 sections 3 to 5, RFC 8538 sections 2 to 4.
 */
import {
  type Capability,
  CEASE,
  hardReset,
  isHardReset,
  NOTIFICATION,
  type NotificationMessage,
} from '../wire/index.js';
import { gracefulRestartOf } from './negotiate.js';
import type { NegotiatedSession } from './types.js';

/** The Ceases for which RFC 8538 §4 suggests a hard reset. An administrative reset is meant to lose no packet. */
const FOR_GOOD: ReadonlySet<number> = new Set([
  CEASE.MAXIMUM_PREFIXES,
  CEASE.ADMINISTRATIVE_SHUTDOWN,
  CEASE.PEER_DECONFIGURED,
]);

/**
 * True where a lost connection, or a new one in place of the old, means that the peer restarts: it has sent the
 * Graceful Restart Capability with at least one family, and we announce the capability too (an empty list of families
 * on our side is a speaker that only helps others).
 */
export function mayRestart(session: NegotiatedSession, ours: readonly Capability[]): boolean {
  const families = session.gracefulRestart?.families ?? [];
  return families.length > 0 && gracefulRestartOf(ours) !== undefined;
}

/**
 * True where the routes of the session may be kept as stale.
 *
 * @param notification what ended the session, sent or received; absent where the connection just ended. The expiry of
 * the hold timer counts by the NOTIFICATION 4/0 that we send then.
 */
export function endsGracefully(
  session: NegotiatedSession,
  ours: readonly Capability[],
  notification: NotificationMessage | undefined,
): boolean {
  if (!mayRestart(session, ours)) return false;
  // RFC 4724 §4: a TCP session that ends without a NOTIFICATION.
  if (notification === undefined) return true;
  // RFC 4724 §4: a NOTIFICATION ends it for good, unless both have set the N bit (RFC 8538 §2) and it is no hard reset.
  return haveNBit(session, ours) && !isHardReset(notification);
}

/**
 * What is sent in place of `notification` on an established session: a hard reset where the session ends for good and
 * the peer would otherwise keep our routes.
 */
export function finalNotification(
  session: NegotiatedSession,
  ours: readonly Capability[],
  notification: NotificationMessage,
): NotificationMessage {
  const final = notification.code === NOTIFICATION.CEASE && FOR_GOOD.has(notification.subcode);
  return final && haveNBit(session, ours) ? hardReset(notification) : notification;
}

/** RFC 8538 §2: it counts where both sides have announced it. */
function haveNBit({ gracefulRestart }: NegotiatedSession, ours: readonly Capability[]): boolean {
  return gracefulRestart?.notification === true && gracefulRestartOf(ours)?.notification === true;
}
