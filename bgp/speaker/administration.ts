/**
 * What an administrator does to one peer, and whether it is down on purpose.
 *
 * Owns: shutdown, reset and enable, and what the peer is told. Must not know: the FSM, tables, who asks.
 * It is not written anywhere: an agent that starts anew has all peers enabled.
 * Source: RFC 4486 section 4, RFC 9003.
 */
import type { Logger } from 'pino';
import {
  CEASE,
  NOTIFICATION,
  type NotificationMessage,
  notification,
  shutdownCommunication,
} from '../wire/index.js';
import type { Clock } from './clock.js';
import type { PeerShutdown } from './types.js';

/** What it needs of its peer. */
export interface AdministeredPeer {
  start(): void;
  /** Ends the session or the attempt; what was received may be kept where both sides want it (RFC 8538). */
  end(reason: string, told: NotificationMessage): void;
  /** Removes what was received, stale routes too. */
  forget(): void;
}

export class Administration {
  readonly #peer: AdministeredPeer;
  readonly #clock: Clock;
  readonly #log: () => Logger;
  #shutdown: PeerShutdown | undefined;

  constructor(peer: AdministeredPeer, clock: Clock, log: () => Logger) {
    this.#peer = peer;
    this.#clock = clock;
    this.#log = log;
  }

  /** Why the peer is down on purpose; undefined where it is not. */
  get shutdown(): PeerShutdown | undefined {
    return this.#shutdown;
  }

  /** Ends the session with Cease 6/2 and the text (RFC 9003), and stays down until `enable`. */
  shutDown(text: string): void {
    this.#shutdown = { by: 'administrator', text, sinceMs: this.#clock.now() };
    const reason = withText('administrative shutdown', text);
    this.#log().info({ reason }, 'the peer is shut down');
    this.#peer.end(reason, cease(CEASE.ADMINISTRATIVE_SHUTDOWN, text));
    this.#peer.forget();
  }

  /** Ends the session with Cease 6/4 and the text, and begins anew at once. @returns false where it is shut down. */
  reset(text: string): boolean {
    if (this.#shutdown !== undefined) return false;
    const reason = withText('administrative reset', text);
    this.#log().info({ reason }, 'the peer is reset');
    this.#peer.end(reason, cease(CEASE.ADMINISTRATIVE_RESET, text));
    this.#peer.start();
    return true;
  }

  /** Lets a peer that is shut down begin again; nothing for one that is not. */
  enable(): void {
    if (this.#shutdown === undefined) return;
    this.#shutdown = undefined;
    this.#log().info('the peer is enabled');
    this.#peer.start();
  }

  /** The limit of prefixes has ended the session, and its action is to stay down. */
  stoppedByLimit(text: string): void {
    this.#shutdown = { by: 'maxPrefixes', text, sinceMs: this.#clock.now() };
  }

  /** The peer has new settings: what an administrator has shut down stays down, what a limit has stopped does not. */
  inherit(from: Administration): void {
    if (from.shutdown?.by === 'administrator') this.#shutdown = from.shutdown;
  }
}

function cease(subcode: number, text: string): NotificationMessage {
  return notification(NOTIFICATION.CEASE, subcode, text === '' ? undefined : shutdownCommunication(text));
}

function withText(what: string, text: string): string {
  return text === '' ? what : `${what}: ${text}`;
}
