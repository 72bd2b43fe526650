/**
 * Connections from addresses that are no peer: told so, logged once, and never able to cost much.
 *
 * Owns: the bounds on strangers and the line that lets one in. Must not know: peers.
 * Source: RFC 4486 section 4 (Cease, Connection Rejected).
 */
import type { Logger } from 'pino';
import { formatIpAddress, formatIpv4, type IpAddress } from '../net/index.js';
import {
  CEASE,
  DEFAULT_MAX_MESSAGE_LENGTH,
  NOTIFICATION,
  notification,
  type OpenMessage,
} from '../wire/index.js';
import type { CancelTimer, Clock } from './clock.js';
import { Connection, noMessages } from './connection.js';
import { reportOwnFault } from './own-fault.js';
import type { ByteStream } from './transport.js';

/** How long a stranger may take to say who it is. */
const OPEN_WAIT_MS = 5_000;
/** Strangers at one time; further ones are closed without a word. */
const MAX_CONNECTIONS = 16;
/** The same address is one line in this time. */
const LOG_INTERVAL_MS = 60_000;
/** All addresses together: lines in this time, so that a scan of the network does not fill the log. */
const MAX_LINES = 20;
/** Addresses remembered for that. */
const MAX_REMEMBERED = 1_000;

export class Strangers {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #connections = new Map<Connection, CancelTimer>();
  readonly #loggedAtMs = new Map<IpAddress, number>();
  /** Lines of the interval that began then, and what was left out of the log in it. */
  #interval = { beganAtMs: Number.NEGATIVE_INFINITY, lines: 0, unlogged: 0 };

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Waits for the stranger's OPEN, so that the log line can name its AS, then refuses it. */
  meet(stream: ByteStream): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      stream.attach({ onData: () => {}, onDrain: () => {}, onClose: () => {} });
      stream.destroy();
      return;
    }
    const context = { as4: true, peerType: 'ebgp', maxMessageLength: DEFAULT_MAX_MESSAGE_LENGTH } as const;
    const connection = new Connection(stream, context, noMessages(), {
      onMessage: (message) => this.#refuse(connection, stream, message.type === 'OPEN' ? message : undefined),
      onFault: ({ bug, reason }, frame) => {
        if (bug !== undefined) reportOwnFault(this.#log, bug, reason, frame);
        this.#refuse(connection, stream);
      },
      onClose: () => this.#forget(connection),
      onDrain: () => {},
    });
    this.#connections.set(
      connection,
      this.#clock.setTimer(OPEN_WAIT_MS, () => this.#refuse(connection, stream)),
    );
  }

  close(): void {
    for (const connection of [...this.#connections.keys()]) {
      this.#forget(connection);
      connection.destroy();
    }
  }

  #refuse(connection: Connection, stream: ByteStream, open?: OpenMessage): void {
    this.#forget(connection);
    connection.send(notification(NOTIFICATION.CEASE, CEASE.CONNECTION_REJECTED));
    connection.close();
    this.#report(stream.remote, open);
  }

  #forget(connection: Connection): void {
    this.#connections.get(connection)?.();
    this.#connections.delete(connection);
  }

  #mayLog(now: number): boolean {
    if (now - this.#interval.beganAtMs >= LOG_INTERVAL_MS) {
      const { unlogged } = this.#interval;
      this.#interval = { beganAtMs: now, lines: 0, unlogged: 0 };
      if (unlogged > 0)
        this.#log.warn({ strangers: unlogged }, 'more strangers were refused than the log names');
    }
    if (this.#interval.lines >= MAX_LINES) {
      this.#interval.unlogged += 1;
      return false;
    }
    this.#interval.lines += 1;
    return true;
  }

  #report(address: IpAddress, open: OpenMessage | undefined): void {
    const now = this.#clock.now();
    const loggedAtMs = this.#loggedAtMs.get(address);
    if (loggedAtMs !== undefined && now - loggedAtMs < LOG_INTERVAL_MS) return;
    if (!this.#mayLog(now)) return;
    this.#loggedAtMs.delete(address);
    this.#loggedAtMs.set(address, now);
    for (const oldest of this.#loggedAtMs.keys()) {
      if (this.#loggedAtMs.size <= MAX_REMEMBERED) break;
      this.#loggedAtMs.delete(oldest);
    }
    const text = formatIpAddress(address);
    if (open === undefined) {
      this.#log.warn(
        { address: text, fault: 'remote' },
        'a stranger connected and sent no BGP OPEN; refused',
      );
      return;
    }
    this.#log.warn(
      {
        address: text,
        asn: open.asn,
        bgpIdentifier: formatIpv4(open.bgpIdentifier),
        fault: 'remote',
        letInWith: peerManifest(text, open.asn),
      },
      'a stranger wants to be a peer; refused',
    );
  }
}

/** The resource that would make a peer of the stranger: YAML on one line, without a quote that a log would escape. */
function peerManifest(address: string, asn: number): string {
  const name = `peer-${address.replace(/[.:]+/g, '-')}`;
  const peerIP = address.includes(':') ? `'${address}'` : address;
  return `{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: ${name}}, spec: {peerIP: ${peerIP}, asNumber: ${asn}}}`;
}
