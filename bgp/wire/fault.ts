/**
 * What the codec answers when the peer's bytes cannot be used: the NOTIFICATION to send, as a value.
 *
 * Owns: WireFault (leaves the folder) and WireError (never leaves it: `decodeMessage` alone catches it).
 * Must not know: which bytes were wrong.
 * Source: RFC 4271 section 6.
 */
import { CEASE, NOTIFICATION } from './constants.js';
import type { NotificationMessage } from './message.js';
import { notification } from './notification.js';

/** An error of the peer that ends the session: send `notification`, close. */
export interface WireFault {
  readonly type: 'FAULT';
  readonly notification: NotificationMessage;
  /** What was wrong, for the log; one sentence without a full stop. */
  readonly reason: string;
  /** Set where not the peer but our own code is at fault: what it threw. To be logged with the message. */
  readonly bug?: unknown;
}

/** Thrown inside bgp/wire to leave a parser; it carries what `decodeMessage` returns. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly fault: WireFault;

  constructor(fault: WireFault) {
    super(fault.reason);
    this.fault = fault;
  }
}

/** Builds a fault; `code` and `subcode` as in constants.ts. */
export function wireFault(code: number, subcode: number, reason: string, data?: Uint8Array): WireFault {
  return { type: 'FAULT', notification: notification(code, subcode, data), reason };
}

/** The parser itself has failed: 6/8, for want of a code that says so (RFC 4486 §4). */
export function ownFault(bug: unknown): WireFault {
  const reason = 'internal error while reading a message';
  return { ...wireFault(NOTIFICATION.CEASE, CEASE.OUT_OF_RESOURCES, reason), bug };
}

/** Leaves the parser: the session must be reset with this NOTIFICATION. */
export function failWith(code: number, subcode: number, reason: string, data?: Uint8Array): never {
  throw new WireError(wireFault(code, subcode, reason, data));
}
