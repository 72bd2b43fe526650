/**
 * The NOTIFICATIONs that the state machine itself decides on.
 *
 * Owns: which error code goes with which finding. Must not know: transitions, bytes.
 * Source: RFC 4271 sections 4.5 and 6, RFC 4486, RFC 6608, RFC 9234, RFC 9687.
 */
import {
  CEASE,
  FSM_ERROR,
  type Message,
  NOTIFICATION,
  type NotificationMessage,
  notification,
  OPEN_ERROR,
} from '../wire/index.js';
import type { FsmState } from './types.js';

/** 2/2 (RFC 4271 §6.2). */
export const badPeerAs = (): NotificationMessage => notification(NOTIFICATION.OPEN, OPEN_ERROR.BAD_PEER_AS);

/** 2/3 (RFC 4271 §6.2, RFC 6286 §2.2). */
export const badBgpIdentifier = (): NotificationMessage =>
  notification(NOTIFICATION.OPEN, OPEN_ERROR.BAD_BGP_IDENTIFIER);

/** 4/0 (RFC 4271 §6.5). */
export const holdTimerExpired = (): NotificationMessage => notification(NOTIFICATION.HOLD_TIMER_EXPIRED, 0);

/** 8/0 (RFC 9687 §3.2). */
export const sendHoldTimerExpired = (): NotificationMessage =>
  notification(NOTIFICATION.SEND_HOLD_TIMER_EXPIRED, 0);

/** 2/11 (RFC 9234 §4.2). */
export const roleMismatch = (): NotificationMessage =>
  notification(NOTIFICATION.OPEN, OPEN_ERROR.ROLE_MISMATCH);

/** 6/7 (RFC 4271 §6.8, RFC 4486 §4). */
export const connectionCollision = (): NotificationMessage =>
  notification(NOTIFICATION.CEASE, CEASE.CONNECTION_COLLISION);

/** 6/5 (RFC 4486 §4). */
export const connectionRejected = (): NotificationMessage =>
  notification(NOTIFICATION.CEASE, CEASE.CONNECTION_REJECTED);

/** RFC 4271 §4.1, RFC 2918 §3. */
const TYPE_OCTET: Readonly<Record<Message['type'], number>> = {
  OPEN: 1,
  UPDATE: 2,
  NOTIFICATION: 3,
  KEEPALIVE: 4,
  'ROUTE-REFRESH': 5,
};

/** RFC 6608 §3 names the states in which a message can arrive at all. */
const UNEXPECTED_IN = {
  OpenSent: FSM_ERROR.OPEN_SENT,
  OpenConfirm: FSM_ERROR.OPEN_CONFIRM,
  Established: FSM_ERROR.ESTABLISHED,
} as const satisfies Partial<Record<FsmState, number>>;

/** 5/1, 5/2 or 5/3; the data is the type octet of the message that does not belong there (RFC 6608 §4). */
export function unexpectedMessage(
  state: keyof typeof UNEXPECTED_IN,
  type: Message['type'],
): NotificationMessage {
  return notification(NOTIFICATION.FSM, UNEXPECTED_IN[state], Uint8Array.of(TYPE_OCTET[type]));
}

/** The peer has closed this connection in favour of the other one. */
export function isConnectionCollision({ code, subcode }: NotificationMessage): boolean {
  return code === NOTIFICATION.CEASE && subcode === CEASE.CONNECTION_COLLISION;
}
