/**
 * One peer: its FSM, its connections, its timers, its part of the tables.
 *
 * Owns: carrying out what the FSM decides, in order, and graceful restart as the helper (RFC 4724 section 4.2).
 * Must not know: which transitions there are (bgp/fsm) and which routes go where (bgp/rib).
 */
import type { Logger } from 'pino';
import {
  type Direction,
  type FailedBy,
  type FsmAction,
  type FsmEvent,
  type FsmTimer,
  type NegotiatedSession,
  PeerFsm,
  type SessionDown,
} from '../fsm/index.js';
import { type Family, formatIpAddress } from '../net/index.js';
import type { BestPathChange, RibPeer } from '../rib/index.js';
import {
  type AttributeFault,
  type Capability,
  CEASE,
  DEFAULT_MAX_MESSAGE_LENGTH,
  endOfRib,
  type Message,
  NOTIFICATION,
  type NotificationMessage,
  notification,
  type UpdateMessage,
} from '../wire/index.js';
import { ourCapabilities } from './capabilities.js';
import { Connection, type MessageCounters, noMessages } from './connection.js';
import { StaleRoutes } from './graceful-restart.js';
import { Links } from './links.js';
import type { PeerHost } from './peer-host.js';
import { Timers } from './timers.js';
import type { ByteStream } from './transport.js';
import type { PeerConfig, PeerError, PeerStatus } from './types.js';

/** First and longest pause after a failure; a peer that is in order again is back well within half a minute. */
const IDLE_HOLD_SECONDS = { initial: 1, max: 16 };
/** A connection that arrives so soon after the session came up was dialled before it did. */
const LATE_ATTEMPT_MS = 2_000;
/** UPDATEs in one write; the next batch follows once these have left the process. */
const UPDATES_PER_WRITE = 64;

export class Peer {
  readonly config: PeerConfig;
  readonly #host: PeerHost;
  readonly #log: Logger;
  readonly #fsm: PeerFsm;
  readonly #links: Links;
  readonly #timers: Timers<`${Direction}/${FsmTimer}`>;
  readonly #stale: StaleRoutes;
  readonly #counters: MessageCounters = noMessages();
  readonly #queue: FsmEvent[] = [];
  #draining = false;
  /** The incoming connection that the FSM is asked about at this moment. */
  #offered: ByteStream | undefined;
  #session: (NegotiatedSession & { readonly ribPeer: RibPeer }) | undefined;
  #sinceMs: number;
  #lastError: PeerError | undefined;
  #lastAttemptFailure: string | undefined;
  #flaps = 0;
  #stopping = false;
  readonly #endOfRibFrom = new Set<Family>();

  constructor(config: PeerConfig, host: PeerHost, log: Logger) {
    this.config = config;
    this.#host = host;
    this.#log = log.child({ peer: config.id, address: formatIpAddress(config.address), asn: config.asn });
    this.#sinceMs = host.clock.now();
    this.#timers = new Timers(host.clock);
    this.#links = new Links(config, host.transport, this.#counters, {
      onDialled: () => this.#handle({ type: 'TcpCRAcked', direction: 'outgoing' }),
      onDown: (direction, reason) => this.#handle({ type: 'TcpConnectionFails', direction, reason }),
      onMessage: (direction, message, frame) => this.#received(direction, message, frame),
      onFault: (direction, fault) =>
        this.#handle({
          type: 'MessageErr',
          direction,
          notification: fault.notification,
          reason: fault.reason,
        }),
      onDrain: () => this.flush(),
    });
    this.#stale = new StaleRoutes(config.id, host.rib, host.clock, (changes) => {
      this.#log.warn('the restart time is over: routes of the earlier session are removed');
      this.#apply(changes);
      host.peerChanged();
    });
    this.#fsm = new PeerFsm({
      localAs: config.localAs,
      bgpIdentifier: host.bgpIdentifier,
      peerAs: config.asn,
      holdTimeSeconds: config.holdTimeSeconds,
      connectRetrySeconds: config.connectRetrySeconds,
      idleHoldSeconds: IDLE_HOLD_SECONDS,
      capabilities: () => this.#capabilities(),
      dial: config.dial,
    });
  }

  get established(): boolean {
    return this.#session !== undefined;
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

  start(): void {
    this.#handle({ type: 'ManualStart' });
  }

  /**
   * Ends the session for good. With a notification the peer is told why and our routes are withdrawn there; without
   * one the connection just closes and the peer keeps our routes for our restart time.
   */
  stop(reason: string, told?: NotificationMessage): void {
    this.#stopping = true;
    this.#handle({ type: 'ManualStop', reason, ...(told === undefined ? {} : { notification: told }) });
    this.#stale.forget();
  }

  /** Forgets what the peer announced, stale routes too; for a peer that is no longer configured. */
  forget(): void {
    this.#apply(this.#host.rib.peerDown(this.config.id, { keepStale: false }));
  }

  /** A connection from the peer's address. */
  accept(stream: ByteStream): void {
    // Both sides dialled, and this attempt was on its way when the other one won: no sign of a restart (RFC 4724 §5).
    if (this.#session !== undefined && this.#host.clock.now() - this.#sinceMs < LATE_ATTEMPT_MS) {
      refuse(stream, notification(NOTIFICATION.CEASE, CEASE.CONNECTION_COLLISION));
      return;
    }
    this.#offered = stream;
    this.#handle({ type: 'TcpConnectionConfirmed', direction: 'incoming' });
  }

  /** Sends what the tables hold for this peer, as far as the connection takes it. */
  flush(): void {
    const connection = this.#session && this.#links.get(this.#session.direction);
    while (connection?.writable === true) {
      const updates = this.#nextUpdates(connection);
      if (updates.length === 0) return;
      connection.send(...updates);
    }
  }

  status(): PeerStatus {
    const session = this.#session;
    return {
      config: this.config,
      state: this.#fsm.state,
      sinceMs: this.#sinceMs,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(session === undefined
        ? {}
        : { session: { ...session, localAddress: session.ribPeer.localAddress } }),
      ourCapabilities: this.#capabilities(),
      counters: { ...this.#counters },
      flaps: this.#flaps,
      endOfRibFrom: [...this.#endOfRibFrom],
      ...(this.#stale.untilMs === undefined ? {} : { staleUntilMs: this.#stale.untilMs }),
    };
  }

  #capabilities(): readonly Capability[] {
    return ourCapabilities(this.config, {
      restarting: this.#host.restarting(),
      // A session that was lost while this process lived: nothing was taken out of the kernel meanwhile.
      forwarding: this.#host.preservesForwarding() || this.#flaps > 0,
    });
  }

  /** Events are handled first in, first out: what an action causes waits until the actions before it are done. */
  #handle(event: FsmEvent): void {
    this.#queue.push(event);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        for (const action of this.#fsm.handle(next)) this.#execute(action);
      }
    } finally {
      this.#draining = false;
    }
    this.#host.peerChanged();
  }

  #execute(action: FsmAction): void {
    switch (action.type) {
      case 'Send':
        this.#links.get(action.direction)?.send(action.message);
        return;
      case 'Connect':
        this.#links.dial();
        return;
      case 'Accept':
        this.#links.open('incoming', this.#takeOffered());
        return;
      case 'Refuse':
        this.#log.debug({ reason: action.reason }, 'incoming connection refused');
        refuse(this.#takeOffered(), action.notification);
        return;
      case 'Close':
        this.#links.close(action.direction);
        return;
      case 'StartTimer':
        this.#startTimer(action.direction, action.timer, action.seconds, action.jitter);
        return;
      case 'StopTimer':
        this.#timers.stop(`${action.direction}/${action.timer}`);
        return;
      case 'SessionUp':
        this.#sessionUp(action.session);
        return;
      case 'SessionDown':
        this.#sessionDown(action.down);
        return;
      case 'DeliverUpdate':
        this.#update(action.update);
        return;
      case 'DeliverRefresh':
        if (typeof action.refresh.family === 'string' && action.refresh.subtype === 0) {
          this.#host.rib.refreshOut(this.config.id, action.refresh.family);
          this.#apply([]);
        }
        return;
      case 'StateChange':
        this.#log.debug({ from: action.from, to: action.to, reason: action.reason }, 'state changed');
        return;
      case 'AttemptFailed':
        this.#attemptFailed(action.reason, action.by);
        return;
      default:
        action satisfies never;
    }
  }

  /** A message that our own code chokes on resets this peer and no other; the message is kept for the report. */
  #received(direction: Direction, message: Message, frame: Uint8Array): void {
    try {
      this.#handle(this.#messageEvent(direction, message));
    } catch (error) {
      this.#log.error(
        { err: error, frame: Buffer.from(frame).toString('hex') },
        'internal error while handling a message; please report it with the frame',
      );
      this.#queue.length = 0;
      this.#handle({
        type: 'AutomaticStop',
        notification: notification(NOTIFICATION.CEASE, CEASE.OUT_OF_RESOURCES),
        reason: 'internal error while handling a message',
      });
    }
  }

  #messageEvent(direction: Direction, message: Message): FsmEvent {
    switch (message.type) {
      case 'OPEN':
        return { type: 'BGPOpen', direction, open: message };
      case 'UPDATE':
        return { type: 'UpdateMsg', direction, update: message };
      case 'KEEPALIVE':
        return { type: 'KeepAliveMsg', direction };
      case 'ROUTE-REFRESH':
        return { type: 'RouteRefreshMsg', direction, refresh: message };
      case 'NOTIFICATION':
        return { type: 'NotifMsg', direction, notification: message };
      default:
        return message satisfies never;
    }
  }

  #takeOffered(): ByteStream {
    const stream = this.#offered;
    if (stream === undefined) throw new Error('the FSM answered for a connection that nobody offered');
    this.#offered = undefined;
    return stream;
  }

  #startTimer(direction: Direction, timer: FsmTimer, seconds: number, jitter: boolean): void {
    const delayMs = seconds * 1000 * (jitter ? 0.75 + this.#host.random() * 0.25 : 1);
    this.#timers.start(`${direction}/${timer}`, delayMs, () => {
      this.#handle({ type: 'TimerExpires', direction, timer });
    });
  }

  #sessionUp(session: NegotiatedSession): void {
    const connection = this.#links.get(session.direction);
    if (connection === undefined) throw new Error('a session came up on a connection that is closed');
    const { as4, peerType, maxMessageLength, families } = session;
    connection.negotiated({ as4, peerType, maxMessageLength });
    const ribPeer: RibPeer = {
      id: this.config.id,
      type: peerType,
      place: this.config.place,
      asn: session.peerAs,
      address: this.config.address,
      identifier: session.peerIdentifier,
      localAddress: connection.local,
      localAs: this.config.localAs,
      families,
      ...(this.config.localAddress6 === undefined ? {} : { localAddress6: this.config.localAddress6 }),
      ...(connection.sharedSubnet === undefined ? {} : { sharedSubnet: connection.sharedSubnet }),
    };
    this.#session = { ...session, ribPeer };
    this.#sinceMs = this.#host.clock.now();
    this.#lastAttemptFailure = undefined;
    this.#endOfRibFrom.clear();
    this.#log.info(
      { direction: session.direction, holdTime: session.holdTimeSeconds, families },
      'session established',
    );
    const changes = this.#host.rib.peerUp(ribPeer);
    const swept = this.#stale.sessionBack(this.config.families, session.gracefulRestart);
    this.#apply([...changes, ...swept]);
  }

  #sessionDown(down: SessionDown): void {
    const keepSeconds = down.graceful ? (this.#session?.gracefulRestart?.restartTimeSeconds ?? 0) : 0;
    this.#session = undefined;
    this.#sinceMs = this.#host.clock.now();
    this.#flaps += 1;
    this.#failed(down.reason, down.by);
    const level = this.#stopping ? 'info' : 'warn';
    this.#log[level]({ reason: down.reason, by: down.by, keepsRoutesSeconds: keepSeconds }, 'session ended');
    this.#endOfRibFrom.clear();
    this.#apply(this.#stale.sessionLost(keepSeconds));
  }

  #update(update: UpdateMessage): void {
    this.#logFaults(update.faults);
    const complete = endOfRib(update);
    if (complete === undefined) {
      this.#apply(this.#host.rib.applyUpdate(this.config.id, update));
      return;
    }
    this.#endOfRibFrom.add(complete);
    this.#log.debug({ family: complete }, 'initial table complete');
    this.#apply(this.#stale.endOfRib(complete, this.initialTableComplete));
  }

  /** One line per UPDATE, however many attributes of it are wrong. */
  #logFaults([first, ...more]: readonly AttributeFault[]): void {
    if (first === undefined) return;
    const { code, outcome, reason } = first;
    this.#log.warn({ fault: 'remote', attribute: code, outcome, more: more.length }, reason);
  }

  #apply(changes: readonly BestPathChange[]): void {
    this.#host.bestPathsChanged(changes);
  }

  #nextUpdates(connection: Connection): readonly UpdateMessage[] {
    const updates: UpdateMessage[] = [];
    while (updates.length < UPDATES_PER_WRITE) {
      const update = this.#host.rib.nextUpdate(this.config.id, connection.context);
      if (update === undefined) break;
      updates.push(update);
    }
    return updates;
  }

  /** The same failure again and again is one line; its end is the line "session established". */
  #attemptFailed(reason: string, by: FailedBy): void {
    this.#failed(reason, by);
    if (reason === this.#lastAttemptFailure) return;
    this.#lastAttemptFailure = reason;
    this.#log.info({ reason }, 'no session yet');
  }

  #failed(text: string, from: FailedBy): void {
    this.#lastError = { text, atMs: this.#host.clock.now(), from };
  }
}

/** Tells an unwanted connection why, and closes it. */
export function refuse(stream: ByteStream, told: NotificationMessage): void {
  const context = { as4: true, peerType: 'ebgp', maxMessageLength: DEFAULT_MAX_MESSAGE_LENGTH } as const;
  const connection = new Connection(stream, context, noMessages(), {
    onMessage: () => {},
    onFault: () => {},
    onClose: () => {},
    onDrain: () => {},
  });
  connection.send(told);
  connection.close();
}
