/**
 * The state machine of a peer: its outgoing and its incoming connection, and which of them becomes the session.
 *
 * Owns: collisions, accepting, damping, the state of the peer as a whole. Must not know: the transitions of one
 * connection (fsm.ts), sockets, clocks.
 *
 * Each event is answered in one pass: the connection concerned moves, then `#settle` draws the consequences for the
 * other one. So there is one session at most, and a started peer that has none always has something that leads to
 * one: a connection, a running timer, or an ear for the peer.
 *
 * Source: RFC 4271 sections 6.8 and 8, RFC 6286, RFC 4724 section 5.
 */
import { type NotificationMessage, notificationText, type OpenMessage } from '../wire/index.js';
import { survivingDirection } from './collision.js';
import { Damping } from './damping.js';
import { Fsm } from './fsm.js';
import { mayRestart } from './graceful-restart.js';
import { negotiate } from './negotiate.js';
import { connectionCollision, connectionRejected, isConnectionCollision } from './notifications.js';
import type { Ending } from './transitions.js';
import type {
  AdminEvent,
  ConnectionEvent,
  Direction,
  FsmAction,
  FsmConfig,
  FsmEvent,
  FsmState,
  NegotiatedSession,
} from './types.js';

/** From the furthest away from a session to the session. */
const PROGRESS: readonly FsmState[] = ['Idle', 'Active', 'Connect', 'OpenSent', 'OpenConfirm', 'Established'];

/**
 * One peer. `handle` is total: it answers every event in every state and never throws. It is pure but for what it
 * remembers: no clock, no chance, no input but the events.
 */
export class PeerFsm {
  readonly #config: FsmConfig;
  readonly #damping: Damping;
  readonly #outgoing: Fsm;
  readonly #incoming: Fsm;
  #actions: FsmAction[] = [];
  #started = false;
  #state: FsmState = 'Idle';
  /** `failures` of the damping as of the last `#settle`. */
  #failuresSeen = 0;

  constructor(config: FsmConfig) {
    const emit = (action: FsmAction): void => {
      this.#actions.push(action);
    };
    this.#config = config;
    this.#damping = new Damping(config.idleHoldSeconds);
    this.#outgoing = new Fsm('outgoing', config, this.#damping, emit);
    this.#incoming = new Fsm('incoming', config, this.#damping, emit);
  }

  /** The state of the peer as a whole: that of the connection that got furthest. */
  get state(): FsmState {
    return this.#state;
  }

  /** The session, while there is one (Established). */
  get session(): NegotiatedSession | undefined {
    return this.#outgoing.session ?? this.#incoming.session;
  }

  /** Answers an event with what is to be done, strictly in order. */
  handle(event: FsmEvent): readonly FsmAction[] {
    this.#actions = [];
    if ('direction' in event) this.#onConnection(event, event.direction);
    else this.#onAdmin(event);
    return this.#actions;
  }

  #onAdmin(event: AdminEvent): void {
    switch (event.type) {
      case 'ManualStart':
        // Events 1 and 4; ends an idle hold too, because somebody has looked at the peer.
        if (this.session === undefined) this.#start('started');
        return;
      case 'AutomaticStart':
        // Events 3 and 5; an idle hold goes on (Events 6 and 7).
        if (!this.#started) this.#start('started');
        return;
      case 'ManualStop': {
        // Event 2.
        this.#started = false;
        const { reason, notification: send } = event;
        this.#endBoth({ reason, by: 'machine', ...(send === undefined ? {} : { send }) });
        this.#settle(reason);
        return;
      }
      case 'AutomaticStop':
        // Event 8; refused connections wait as long as our own.
        if (!this.#started) return;
        this.#damping.failed();
        this.#endBoth({ reason: event.reason, by: 'us', send: event.notification, tell: true });
        if (event.holdSeconds !== undefined) this.#outgoing.hold(event.holdSeconds);
        this.#incoming.hold(event.holdSeconds ?? this.#damping.outgoingHoldSeconds);
        this.#settle(event.reason);
        return;
      default:
        event satisfies never;
    }
  }

  #onConnection(event: ConnectionEvent, direction: Direction): void {
    const [slot, other] =
      direction === 'outgoing' ? [this.#outgoing, this.#incoming] : [this.#incoming, this.#outgoing];
    switch (event.type) {
      case 'TcpCRAcked':
      case 'TcpConnectionConfirmed':
        if (direction === 'incoming') this.#connected();
        else slot.handle(event);
        break;
      case 'BGPOpen':
        if (this.#survivesCollision(slot, other, event.open)) slot.handle(event);
        break;
      case 'NotifMsg':
        this.#notified(slot, other, event.notification);
        break;
      default:
        slot.handle(event);
    }
    this.#settle(slot.reason);
  }

  #start(reason: string): void {
    this.#started = true;
    this.#damping.reset();
    this.#outgoing.start(reason);
    if (this.#incoming.isHolding) this.#incoming.end({ reason, by: 'machine' });
    this.#settle(reason);
  }

  #endBoth(ending: Ending): void {
    this.#outgoing.end(ending);
    this.#incoming.end(ending);
  }

  /** Event 17 of a new incoming connection. */
  #connected(): void {
    this.#outgoing.peerDialled();
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      this.#actions.push({ type: 'Refuse', ...refusal });
      return;
    }
    const { session } = this;
    if (session !== undefined) {
      // RFC 4724 §5: no NOTIFICATION; the routes stay, and the new connection takes over.
      const reason = 'the peer has restarted: it opened a new connection';
      const old = session.direction === 'outgoing' ? this.#outgoing : this.#incoming;
      old.end({ reason, by: 'machine' });
      this.#settle(reason);
    } else if (this.#incoming.isOpen) {
      // Nobody opens a second connection beside one that lives. The RFC compares identifiers, which are the same here.
      const reason = 'the peer opened a new connection';
      this.#incoming.end({ reason, by: 'machine', send: connectionCollision(), tell: true });
    }
    this.#actions.push({ type: 'Accept' });
    this.#incoming.handle({ type: 'TcpConnectionConfirmed' });
  }

  /** Why an incoming connection is not taken now, where it is not. */
  #refusal(): { readonly notification: NotificationMessage; readonly reason: string } | undefined {
    if (!this.#started) return { notification: connectionRejected(), reason: 'the peer is not started' };
    if (this.#incoming.isHolding) {
      return { notification: connectionRejected(), reason: 'the peer failed repeatedly and must wait' };
    }
    const { session } = this;
    if (session !== undefined && !mayRestart(session, this.#config.capabilities())) {
      // RFC 4271 §6.8: the established session survives. Deviation: the new connection is closed at once and not when
      // its OPEN has come, which could not change the outcome.
      return { notification: connectionCollision(), reason: 'a session is already established' };
    }
    return undefined;
  }

  /**
   * RFC 4271 §6.8, upon a valid OPEN while the other connection is in OpenConfirm: one of them is closed (Event 23).
   * An OPEN that is not valid or not expected is the connection's own matter.
   *
   * @returns false where `slot` was the one.
   */
  #survivesCollision(slot: Fsm, other: Fsm, open: OpenMessage): boolean {
    if (slot.state !== 'OpenSent' || other.state !== 'OpenConfirm') return true;
    if ('why' in negotiate(open, this.#config, slot.direction)) return true;
    const survives = survivingDirection(this.#config, open) === slot.direction;
    const loser = survives ? other : slot;
    const reason = `connection collision: the ${survives ? slot.direction : other.direction} connection survives`;
    loser.end({ reason, by: 'us', send: connectionCollision() });
    return survives;
  }

  /** Events 24 and 25. The peer's resolution of a collision is no failure where the other connection goes on. */
  #notified(slot: Fsm, other: Fsm, notification: NotificationMessage): void {
    const resolved = slot.isOpen && slot.session === undefined && other.isOpen;
    if (resolved && isConnectionCollision(notification)) {
      slot.end({ reason: `received ${notificationText(notification)}`, by: 'peer', received: notification });
    } else {
      slot.handle({ type: 'NotifMsg', notification });
    }
  }

  /** What follows for the peer as a whole once a connection has moved. */
  #settle(reason: string): void {
    const { session } = this;
    if (session !== undefined) {
      // One session, and no further attempt beside it.
      const other = session.direction === 'outgoing' ? this.#incoming : this.#outgoing;
      if (!other.isParked) {
        other.end({ reason: 'the other connection is established', by: 'us', send: connectionCollision() });
      }
    } else if (this.#started) {
      // Whatever ended the outgoing connection, it begins again after the idle hold.
      if (this.#outgoing.isParked) this.#outgoing.hold(this.#damping.outgoingHoldSeconds);
      const { failures, incomingHoldSeconds } = this.#damping;
      if (failures > this.#failuresSeen && incomingHoldSeconds > 0 && this.#incoming.isParked) {
        this.#incoming.hold(incomingHoldSeconds);
      }
    }
    this.#failuresSeen = this.#damping.failures;

    const from = this.#state;
    const to = furthest(this.#outgoing.state, this.#incoming.state);
    if (from === to) return;
    this.#state = to;
    this.#actions.push({ type: 'StateChange', from, to, reason });
  }
}

function furthest(one: FsmState, another: FsmState): FsmState {
  return PROGRESS.indexOf(one) > PROGRESS.indexOf(another) ? one : another;
}
