/**
 * One peer: its FSM, its connections, its timers, its part of the tables.
 *
 * Owns: carrying out what the FSM decides, in order. Must not know: which transitions there are (bgp/fsm), which
 * routes go where (bgp/rib), what a message does to the tables (inbound.ts).
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import {
  type Direction,
  type FsmAction,
  type FsmEvent,
  type FsmTimer,
  type NegotiatedSession,
  PeerFsm,
  type SessionDown,
} from '../fsm/index.js';
import { formatIpAddress } from '../net/index.js';
import type { BestPathChange, RibPeer } from '../rib/index.js';
import {
  type Capability,
  CEASE,
  NOTIFICATION,
  type NotificationMessage,
  notification,
} from '../wire/index.js';
import { Administration } from './administration.js';
import { ourCapabilities } from './capabilities.js';
import { type MessageCounters, noMessages } from './connection.js';
import { EventQueue } from './event-queue.js';
import { Failures } from './failures.js';
import { fsmConfigOf } from './fsm-config.js';
import { StaleRoutes } from './graceful-restart.js';
import { Inbound } from './inbound.js';
import { Links } from './links.js';
import { messageEvent } from './message-event.js';
import { reportOwnFault } from './own-fault.js';
import type { PeerHost } from './peer-host.js';
import { LIMIT_RESTART_SECONDS } from './prefix-limit.js';
import { refuse } from './refuse.js';
import { ribPeerOf } from './rib-peer.js';
import { flushTo } from './sender.js';
import { Timers } from './timers.js';
import type { ByteStream } from './transport.js';
import type { PeerConfig, PeerStatus } from './types.js';

/** A connection that arrives so soon after the session came up was dialled before it did. */
const LATE_ATTEMPT_MS = 2_000;
/** RFC 4486 section 4. */
export const CONFIGURATION_CHANGE = notification(NOTIFICATION.CEASE, CEASE.CONFIGURATION_CHANGE);
/** A peer that our own code has failed with would probably make it fail again: not every second. */
const OWN_FAULT_HOLD_SECONDS = 5;

export class Peer {
  readonly administration: Administration;
  #config: PeerConfig;
  readonly #host: PeerHost;
  readonly #speakerLog: Logger;
  #log: Logger;
  readonly #fsm: PeerFsm;
  readonly #links: Links;
  readonly #timers: Timers<`${Direction}/${FsmTimer}`>;
  readonly #stale: StaleRoutes;
  readonly #inbound: Inbound;
  readonly #failures: Failures;
  readonly #counters: MessageCounters = noMessages();
  readonly #events: EventQueue;
  /** The incoming connection that the FSM is asked about at this moment. */
  #offered: ByteStream | undefined;
  #session: (NegotiatedSession & { readonly ribPeer: RibPeer }) | undefined;
  #sinceMs: number;
  #flaps = 0;
  /** What ends the session now is our own decision, and no trouble. */
  #ending = false;
  /** An earlier configuration of the peer had a session in this process. */
  #hasPast = false;

  constructor(config: PeerConfig, host: PeerHost, log: Logger) {
    this.#config = config;
    this.#host = host;
    this.#speakerLog = log;
    this.#log = logOf(log, config);
    this.#sinceMs = host.clock.now();
    this.#failures = new Failures(host.clock, () => this.#log);
    this.administration = new Administration(
      {
        start: () => this.start(),
        end: (reason, told) => this.#end(reason, told),
        forget: () => {
          this.#stale.forget();
          this.forget();
        },
      },
      host.clock,
      () => this.#log,
    );
    this.#timers = new Timers(host.clock);
    this.#links = new Links(config, host.transport, this.#counters, {
      onDialled: () => this.#handle({ type: 'TcpCRAcked', direction: 'outgoing' }),
      onDown: (direction, reason) => this.#handle({ type: 'TcpConnectionFails', direction, reason }),
      onMessage: (direction, message, frame) => this.#handle(messageEvent(direction, message), frame),
      onFault: (direction, { notification: told, reason, bug }, frame) => {
        if (bug !== undefined) this.#ownFault(bug, reason, frame);
        else this.#handle({ type: 'MessageErr', direction, notification: told, reason });
      },
      onDrain: () => {
        this.#noteProgress();
        this.flush();
      },
    });
    this.#stale = new StaleRoutes(
      () => this.#config.id,
      host.rib,
      host.clock,
      (changes) => {
        this.#log.warn('the restart time is over: routes of the earlier session are removed');
        this.#apply(changes);
        host.peerChanged();
      },
    );
    this.#inbound = new Inbound({
      id: () => this.#config.id,
      rib: host.rib,
      log: () => this.#log,
      stale: this.#stale,
      bestPathsChanged: (changes) => this.#apply(changes),
      tableComplete: () => host.peerChanged(),
    });
    this.#fsm = new PeerFsm(
      fsmConfigOf(
        () => this.#config,
        host.bgpIdentifier,
        () => this.#capabilities(),
      ),
    );
    this.#events = new EventQueue((event) => {
      for (const action of this.#fsm.handle(event)) this.#execute(action);
    });
  }

  get config(): PeerConfig {
    return this.#config;
  }

  get established(): boolean {
    return this.#session !== undefined;
  }

  /** True where nothing more is expected of the peer at the start: its table is here, or it is down on purpose. */
  get initialTableComplete(): boolean {
    return this.administration.shutdown !== undefined || this.#inbound.initialTableComplete;
  }

  /** Nothing for a peer that is down on purpose. */
  start(): void {
    if (this.administration.shutdown === undefined) this.#handle({ type: 'ManualStart' });
  }

  /**
   * Ends the session for good. With a notification the peer is told why and our routes are withdrawn there, unless it
   * is graceful (RFC 8538); without one the connection just closes and the peer keeps our routes for our restart time.
   * @returns until when the peer's routes may be kept; undefined where they may not.
   */
  stop(reason: string, told?: NotificationMessage): number | undefined {
    this.#end(reason, told);
    const { untilMs } = this.#stale;
    this.#stale.forget();
    return untilMs;
  }

  /** Forgets what the peer announced, stale routes too; for a peer that is no longer configured. */
  forget(): void {
    this.#apply(this.#host.rib.peerDown(this.#config.id, { keepStale: false }));
  }

  /** Before the start: goes on where an earlier configuration of the same peer has left off. */
  inherit(from: Peer, keepRoutesUntilMs: number | undefined): void {
    this.#hasPast = from.#hasPast || from.#flaps > 0;
    if (keepRoutesUntilMs !== undefined) this.resume(keepRoutesUntilMs);
    this.administration.inherit(from.administration);
  }

  /** Before the start: the tables hold what it announced earlier, and may hold it until then. */
  resume(keepRoutesUntilMs: number): void {
    this.#hasPast = true;
    this.#stale.inherit(keepRoutesUntilMs);
  }

  /**
   * Ends the session for good, for a change on both sides: both keep what they heard, as if the other one restarted
   * (RFC 4724). A peer that takes a NOTIFICATION for that is told why (RFC 8538).
   * @returns as `stop`
   */
  leave(reason: string): number | undefined {
    const takesNotification = this.#session?.gracefulRestart?.notification === true;
    return this.stop(reason, takesNotification ? CONFIGURATION_CHANGE : undefined);
  }

  /** New settings that need no new session, another name among them where there is a session. */
  reconfigure(config: PeerConfig): void {
    const { id: known, dial: dialBefore } = this.#config;
    this.#config = config;
    if (known !== config.id) this.#log = logOf(this.#speakerLog, config);
    const session = this.#session;
    const connection = session && this.#links.get(session.direction);
    if (session !== undefined && connection !== undefined) {
      const ribPeer = ribPeerOf(config, session, connection);
      this.#session = { ...session, ribPeer };
      this.#apply(this.#host.rib.updatePeer(ribPeer, known));
      this.#checkLimit();
    } else if (this.administration.shutdown?.by === 'maxPrefixes') {
      this.administration.enable();
    } else if (!isDeepStrictEqual(dialBefore, config.dial)) {
      this.#end('who dials has changed');
      this.start();
    }
    this.#host.peerChanged();
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

  /**
   * The same settings with another key. The session stays up: what the other side does not accept is sent again until it
   * has the new key too, or the hold time is over (RFC 4808).
   * @throws TcpOptionError where the machine refuses
   */
  changePassword(config: PeerConfig, password: string): void {
    this.#config = config;
    this.#links.changePassword(password);
  }

  /** Something that the FSM never sees keeps the session from coming up, in words. */
  obstructed(reason: string): void {
    if (this.established) {
      this.#log.debug({ reason }, 'a connection beside the session was not taken');
      return;
    }
    this.#failures.attempt(reason, 'machine');
    this.#host.peerChanged();
  }

  /** Sends what the tables hold for this peer, as far as the connection takes it. */
  flush(): void {
    const connection = this.#session && this.#links.get(this.#session.direction);
    if (connection === undefined) return;
    this.#contain(() => flushTo(connection, this.#host.rib, this.#config.id, () => this.#noteProgress()));
  }

  status(): PeerStatus {
    const session = this.#session;
    const { password: _secret, ...config } = this.#config;
    const { last } = this.#failures;
    const { shutdown } = this.administration;
    return {
      config,
      state: this.#fsm.state,
      sinceMs: this.#sinceMs,
      ...(last === undefined ? {} : { lastError: last }),
      ...(session === undefined
        ? {}
        : { session: { ...session, localAddress: session.ribPeer.localAddress } }),
      ourCapabilities: this.#capabilities(),
      counters: { ...this.#counters },
      flaps: this.#flaps,
      endOfRibFrom: this.#inbound.endOfRibFrom,
      ...(this.#stale.untilMs === undefined ? {} : { staleUntilMs: this.#stale.untilMs }),
      ...(shutdown === undefined ? {} : { shutdown }),
    };
  }

  #capabilities(): readonly Capability[] {
    return ourCapabilities(this.#config, {
      restarting: this.#host.restarting(),
      // A session that was lost while this process lived: nothing was taken out of the kernel meanwhile.
      forwarding: this.#host.preservesForwarding() || this.#hasPast || this.#flaps > 0,
    });
  }

  /** Ends the session or the attempt, and stays in Idle. */
  #end(reason: string, told?: NotificationMessage): void {
    this.#ending = true;
    this.#handle({ type: 'ManualStop', reason, ...(told === undefined ? {} : { notification: told }) });
    this.#ending = false;
  }

  /** @param frame the message that the event is, where it is one */
  #handle(event: FsmEvent, frame?: Uint8Array): void {
    this.#contain(() => this.#events.push(event), frame);
  }

  #execute(action: FsmAction): void {
    switch (action.type) {
      case 'Send':
        this.#links.get(action.direction)?.send(action.message);
        this.#noteProgress();
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
        this.#inbound.update(action.update);
        this.#checkLimit();
        return;
      case 'DeliverRefresh':
        this.#inbound.refresh(action.refresh);
        return;
      case 'StateChange':
        this.#log.debug({ from: action.from, to: action.to, reason: action.reason }, 'state changed');
        return;
      case 'AttemptFailed':
        this.#failures.attempt(action.reason, action.by);
        return;
      default:
        action satisfies never;
    }
  }

  /** What our own code chokes on resets this peer and no other. */
  #contain(act: () => void, frame?: Uint8Array): void {
    try {
      act();
    } catch (error) {
      this.#ownFault(error, 'internal error in the path of this peer', frame);
    }
  }

  /** A fault while even this is answered is nobody's to catch. */
  #ownFault(fault: unknown, reason: string, frame?: Uint8Array): void {
    reportOwnFault(this.#log, fault, reason, frame);
    this.#events.clear();
    const told = notification(NOTIFICATION.CEASE, CEASE.OUT_OF_RESOURCES);
    const holdSeconds = OWN_FAULT_HOLD_SECONDS;
    this.#events.push({ type: 'AutomaticStop', notification: told, reason, holdSeconds });
    // Whatever the fault has cut off of what the FSM takes for done.
    for (const direction of ['outgoing', 'incoming'] as const) this.#links.close(direction);
    if (this.#session !== undefined) this.#sessionDown({ reason, by: 'us', graceful: false });
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
    const ribPeer = ribPeerOf(this.#config, session, connection);
    this.#session = { ...session, ribPeer };
    this.#sinceMs = this.#host.clock.now();
    this.#failures.sessionUp();
    this.#inbound.setSession(session);
    this.#log.info(
      { direction: session.direction, holdTime: session.holdTimeSeconds, families },
      'session established',
    );
    const changes = this.#host.rib.peerUp(ribPeer);
    const swept = this.#stale.sessionBack(this.#config.families, session.gracefulRestart);
    this.#apply([...changes, ...swept]);
    this.#host.peerChanged();
  }

  #sessionDown(down: SessionDown): void {
    const keepSeconds = down.graceful ? (this.#session?.gracefulRestart?.restartTimeSeconds ?? 0) : 0;
    this.#session = undefined;
    this.#sinceMs = this.#host.clock.now();
    this.#flaps += 1;
    this.#failures.note(down.reason, down.by);
    const level = this.#ending ? 'info' : 'warn';
    this.#log[level]({ reason: down.reason, by: down.by, keepsRoutesSeconds: keepSeconds }, 'session ended');
    this.#inbound.setSession(undefined);
    this.#apply(this.#stale.sessionLost(keepSeconds));
    this.#host.peerChanged();
  }

  #checkLimit(): void {
    const exceeded = this.#inbound.exceeded(this.#config.maxPrefixes);
    if (exceeded === undefined) return;
    const { action, reason, notification: told } = exceeded;
    if (action === 'warn') {
      this.#log.warn({ fault: 'remote' }, reason);
    } else if (action === 'restart') {
      this.#handle({ type: 'AutomaticStop', notification: told, reason, holdSeconds: LIMIT_RESTART_SECONDS });
    } else {
      this.administration.stoppedByLimit(reason);
      this.#handle({ type: 'ManualStop', notification: told, reason });
    }
  }

  #apply(changes: readonly BestPathChange[]): void {
    this.#host.bestPathsChanged(changes);
  }

  /** RFC 9687 §3.2: the peer takes what we send; the send hold timer begins anew. */
  #noteProgress(): void {
    if (this.#session === undefined) return;
    const { direction } = this.#session;
    if (this.#links.get(direction)?.takeProgress()) this.#handle({ type: 'SendProgress', direction });
  }
}

function logOf(log: Logger, { id, address, asn }: PeerConfig): Logger {
  return log.child({ peer: id, address: formatIpAddress(address), asn });
}
