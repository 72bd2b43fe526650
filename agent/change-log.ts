/**
 * What the log says of a plan that comes into force.
 *
 * Owns: what is said, and that a notice that stays true is said once. Must not know: how a plan is carried out.
 */
import type { Logger } from 'pino';
import type { AgentSettings } from './config/index.js';
import type { Membership, PeerChanges, planLocalChanges } from './membership/index.js';
import { noticesOf } from './notices.js';

export class ChangeLog {
  readonly #settings: AgentSettings;
  readonly #log: Logger;
  #notices: ReadonlySet<string> = new Set();

  constructor(settings: AgentSettings, log: Logger) {
    this.#settings = settings;
    this.#log = log;
  }

  /** What the resources ask for in vain, where it was not so before. */
  notices(membership: Membership): void {
    const notices = noticesOf(membership, this.#settings);
    for (const notice of notices) if (!this.#notices.has(notice)) this.#log.warn(notice);
    this.#notices = notices;
  }

  /** What is different of this node. */
  node({ needsReset, reasons }: ReturnType<typeof planLocalChanges>): void {
    if (reasons.length > 0)
      this.#log.info({ changed: reasons, resetsSessions: needsReset }, 'this node changed');
  }

  /** What is different of its peers. @param leaving of those that are removed, whose routes stay for a while */
  peers({ added, removed, changed }: PeerChanges, leaving: ReadonlySet<string>): void {
    for (const { id } of added) this.#log.info({ peer: id }, 'peer added');
    for (const { id } of removed) {
      const routes = leaving.has(id) ? ', its routes stay until others have told of them' : '';
      this.#log.info({ peer: id }, `peer removed: its session ends${routes}`);
    }
    for (const { after, reasons, needsReset } of changed) {
      this.#log.info({ peer: after.id, changed: reasons, resetsSession: needsReset }, 'peer changed');
    }
  }
}
