/**
 * What is said of a fault of our own code.
 *
 * Owns: the one line that holds what its repair needs. Must not know: what becomes of the session.
 */
import type { Logger } from 'pino';

/** @param frame the message that brought it about, where one did */
export function reportOwnFault(log: Logger, fault: unknown, what: string, frame?: Uint8Array): void {
  const fields = {
    err: fault,
    ...(frame === undefined ? {} : { frame: Buffer.from(frame).toString('hex') }),
  };
  log.error(fields, `${what}; please report it with this line`);
}
