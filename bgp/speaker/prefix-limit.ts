/**
 * How many prefixes a peer may announce, per family.
 *
 * Owns: the comparison, and warning once. Must not know: tables, sessions, what is done about it.
 * Source: RFC 4271 section 6.7, RFC 4486 section 4.
 */
import type { Family } from '../net/index.js';
import { maximumPrefixes, type NotificationMessage } from '../wire/index.js';
import type { PeerConfig } from './types.js';

/** A peer that is over its limit comes back after this time, with the action `restart`. */
export const LIMIT_RESTART_SECONDS = 60;

export interface LimitExceeded {
  readonly action: 'warn' | 'restart' | 'stop';
  /** One sentence, with both numbers. */
  readonly reason: string;
  /** Cease 6/1 with the family and its limit. */
  readonly notification: NotificationMessage;
}

export class PrefixLimit {
  readonly #exceededIn = new Set<Family>();

  /** @returns what is exceeded; with the action `warn` only when it was not before. */
  check(limits: PeerConfig['maxPrefixes'], family: Family, count: number): LimitExceeded | undefined {
    if (limits === undefined || count <= limits.limit) {
      this.#exceededIn.delete(family);
      return undefined;
    }
    const { limit, action } = limits;
    if (action === 'warn' && this.#exceededIn.has(family)) return undefined;
    this.#exceededIn.add(family);
    return {
      action,
      reason: `the peer announces ${count} ${family} prefixes, the limit is ${limit}`,
      notification: maximumPrefixes(family, limit),
    };
  }

  /** The session is another one. */
  reset(): void {
    this.#exceededIn.clear();
  }
}
