/**
 * What a peer's UPDATEs and ROUTE-REFRESHes do to the tables while its session is up.
 *
 * Owns: End-of-RIB, the limit of prefixes, the begin and end of a refresh, the line for a faulty UPDATE. Must not
 * know: the FSM, connections.
 * Source: RFC 4271 sections 6.7 and 9, RFC 4724 section 2, RFC 2918, RFC 7313.
 */
import type { Logger } from 'pino';
import type { NegotiatedSession } from '../fsm/index.js';
import type { Family } from '../net/index.js';
import type { BestPathChange, PeerId, Rib } from '../rib/index.js';
import {
  type AttributeFault,
  endOfRib,
  type RouteRefreshMessage,
  type UpdateMessage,
} from '../wire/index.js';
import type { StaleRoutes } from './graceful-restart.js';
import { type LimitExceeded, PrefixLimit } from './prefix-limit.js';
import type { PeerConfig } from './types.js';

/** Subtypes of ROUTE-REFRESH (RFC 7313 §3.2). */
const REQUEST = 0;
const BEGIN = 1;
const END = 2;

export interface InboundHost {
  /** The peer may get another name. */
  readonly id: () => PeerId;
  readonly rib: Rib;
  readonly log: () => Logger;
  readonly stale: StaleRoutes;
  bestPathsChanged(changes: readonly BestPathChange[]): void;
  /** The peer has sent the whole table of a family. */
  tableComplete(): void;
}

export class Inbound {
  readonly #host: InboundHost;
  readonly #endOfRibFrom = new Set<Family>();
  readonly #limit = new PrefixLimit();
  #session: NegotiatedSession | undefined;

  constructor(host: InboundHost) {
    this.#host = host;
  }

  /** Families whose initial table is complete, by the peer's End-of-RIB. */
  get endOfRibFrom(): readonly Family[] {
    return [...this.#endOfRibFrom];
  }

  /**
   * True once the peer has said, for every family of the session, that its table is complete. A peer without graceful
   * restart never says so and is not waited for.
   */
  get initialTableComplete(): boolean {
    const session = this.#session;
    if (session === undefined) return false;
    return (
      session.gracefulRestart === undefined ||
      session.families.every((family) => this.#endOfRibFrom.has(family))
    );
  }

  /** `undefined`: the session is over. */
  setSession(session: NegotiatedSession | undefined): void {
    this.#session = session;
    this.#endOfRibFrom.clear();
    this.#limit.reset();
  }

  update(update: UpdateMessage): void {
    const { id, rib, log, stale } = this.#host;
    this.#logFaults(update.faults);
    const complete = endOfRib(update);
    if (complete === undefined) {
      this.#host.bestPathsChanged(rib.applyUpdate(id(), update));
      return;
    }
    this.#endOfRibFrom.add(complete);
    log().debug({ family: complete }, 'initial table complete');
    this.#host.bestPathsChanged(stale.endOfRib(complete, this.initialTableComplete));
    this.#host.tableComplete();
  }

  /** The first family in which the peer announces more than it may, after a change of either. */
  exceeded(limits: PeerConfig['maxPrefixes']): LimitExceeded | undefined {
    for (const family of this.#session?.families ?? []) {
      const exceeded = this.#limit.check(
        limits,
        family,
        this.#host.rib.receivedCount(this.#host.id(), family),
      );
      if (exceeded !== undefined) return exceeded;
    }
    return undefined;
  }

  /** A family or a subtype that nobody knows is ignored (RFC 2918 §4, RFC 7313 §5). */
  refresh({ family, subtype }: RouteRefreshMessage): void {
    if (typeof family !== 'string') return;
    const { id, rib, log } = this.#host;
    // Without the capability the octet is reserved: whatever it says, it is a request (RFC 2918 §3).
    switch (this.#session?.enhancedRouteRefresh === true ? subtype : REQUEST) {
      case REQUEST:
        rib.refreshOut(id(), family);
        this.#host.bestPathsChanged([]);
        return;
      case BEGIN:
        log().debug({ family }, 'the peer tells its table again');
        rib.beginRefreshIn(id(), family);
        return;
      case END:
        this.#host.bestPathsChanged(rib.endRefreshIn(id(), family));
        return;
      default:
        log().debug({ family, subtype }, 'a ROUTE-REFRESH of an unknown subtype is ignored');
    }
  }

  /** One line per UPDATE, however many attributes of it are wrong. */
  #logFaults([first, ...more]: readonly AttributeFault[]): void {
    if (first === undefined) return;
    const { code, outcome, reason } = first;
    this.#host.log().warn({ fault: 'remote', attribute: code, outcome, more: more.length }, reason);
  }
}
