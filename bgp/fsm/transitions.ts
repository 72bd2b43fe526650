/**
 * The state chart of one connection: what each event means in each state.
 *
 * Owns: the choice of the next state, and the reason. Must not know: what entering a state involves (fsm.ts), the
 * other connection of the peer (peer-fsm.ts), which timers run.
 *
 * The outgoing connection waits in Connect and Active as the RFC has it. The incoming one exists from
 * TcpConnectionConfirmed on: it goes from Idle to OpenSent and back to Idle.
 *
 * Source: RFC 4271 section 8.2.2, RFC 6608. Event numbers are those of RFC 4271 section 8.1.
 */
import { type Message, type NotificationMessage, notificationText } from '../wire/index.js';
import { negotiate } from './negotiate.js';
import { holdTimerExpired, sendHoldTimerExpired, unexpectedMessage } from './notifications.js';
import type {
  ConnectionEvent,
  Direction,
  FailedBy,
  FsmAction,
  FsmConfig,
  FsmState,
  NegotiatedSession,
} from './types.js';

/** The states in which a connection is up and our OPEN was sent on it. */
export type OpenState = 'OpenSent' | 'OpenConfirm' | 'Established';

/** Why a connection is given up, and what to do about it. */
export interface Ending {
  /** One sentence, for the log and the API. */
  readonly reason: string;
  readonly by: FailedBy;
  /** Told to the peer before the connection is closed, where one is open. */
  readonly send?: NotificationMessage;
  /** What the peer told us; it is never answered. */
  readonly received?: NotificationMessage;
  /** True: an attempt that ends thus is worth telling, unlike, for example, the loser of a collision. */
  readonly tell?: boolean;
  /** True: counts for damping (the RFC increments ConnectRetryCounter). */
  readonly counts?: boolean;
}

/** A state to enter. */
export type Transition =
  | { readonly to: 'Connect' | 'Active' | 'OpenSent' | 'Established'; readonly reason: string }
  | { readonly to: 'OpenConfirm'; readonly reason: string; readonly negotiated: NegotiatedSession }
  /** The connection is over; `Active` and `Connect` mean another attempt. */
  | { readonly to: 'Idle' | 'Active' | 'Connect'; readonly reason: string; readonly ending: Ending };

/** Something to do without leaving the state. */
export interface Stay {
  readonly to: 'same';
  readonly keepalive?: 'send';
  readonly hold?: 'restart';
  readonly sendHold?: 'restart';
  readonly deliver?: Extract<FsmAction, { type: 'DeliverUpdate' | 'DeliverRefresh' }>;
}

/** Which connection it is, and of which peer. */
export interface Slot {
  readonly direction: Direction;
  readonly config: FsmConfig;
}

/** Decides; undefined where the event means nothing in this state. A timer that expires was running. */
export function decide(state: FsmState, event: ConnectionEvent, slot: Slot): Transition | Stay | undefined {
  switch (state) {
    case 'Idle':
      return idle(event, slot);
    case 'Connect':
      return connect(event, slot);
    case 'Active':
      return active(event);
    case 'OpenSent':
      return openSent(event, slot);
    case 'OpenConfirm':
      return openConfirm(event);
    case 'Established':
      return established(event);
    default:
      return state satisfies never;
  }
}

/** Events 1, 3, 4, 5 and 13: begins to dial, or to wait for the peer. */
export function begin({ config }: Slot, reason: string): Transition {
  return { to: config.dial === 'now' ? 'Connect' : 'Active', reason };
}

/** RFC 4271 §8.2.2, Idle: events 9 to 12 and 15 to 28 change nothing. */
function idle(event: ConnectionEvent, slot: Slot): Transition | undefined {
  // Event 13. The incoming connection has nothing to begin; it is only accepted again.
  if (event.type === 'TimerExpires' && slot.direction === 'outgoing') {
    return begin(slot, 'the idle hold is over');
  }
  // Event 17. The RFC listens in Active; a connection that is accepted passes through it.
  if (event.type === 'TcpConnectionConfirmed' && slot.direction === 'incoming') {
    return { to: 'OpenSent', reason: 'the peer has connected' };
  }
  return undefined;
}

/**
 * RFC 4271 §8.2.2, Connect.
 *
 * Deviation: the RFC goes to Idle on a message here and in Active, because with DelayOpen a connection may be up.
 * We send OPEN at once, so none is up, and a message is the late word of a connection already closed: ignored.
 */
function connect(event: ConnectionEvent, { config }: Slot): Transition | undefined {
  switch (event.type) {
    case 'TcpCRAcked':
    case 'TcpConnectionConfirmed':
      return { to: 'OpenSent', reason: 'connected to the peer' };
    case 'TcpConnectionFails':
      // Event 18. Deviation: without DelayOpen the RFC goes to Idle, to be started anew; we wait ConnectRetryTime in
      // Active as with it (and as RFC 1771 had it), which the ConnectRetryTimer is for.
      return lost('Active', event.reason);
    case 'TimerExpires':
      // Event 9: drops the attempt and begins another.
      return lost('Connect', `no connection within ${config.connectRetrySeconds} s`);
    default:
      return undefined;
  }
}

/** RFC 4271 §8.2.2, Active: Event 9, and our own timer in its place where the peer is expected to dial. */
function active(event: ConnectionEvent): Transition | undefined {
  if (event.type !== 'TimerExpires') return undefined;
  const reason = event.timer === 'connectRetry' ? 'dialling again' : 'the peer has not connected';
  return { to: 'Connect', reason };
}

/** RFC 4271 §8.2.2, OpenSent. */
function openSent(event: ConnectionEvent, slot: Slot): Transition | Stay | undefined {
  switch (event.type) {
    case 'BGPOpen': {
      // Event 19; whether this connection collides with another was decided before.
      const result = negotiate(event.open, slot.config, slot.direction);
      if ('why' in result) {
        const { notification, why } = result;
        return failed(`refused the OPEN: ${notificationText(notification)}: ${why}`, notification);
      }
      return { to: 'OpenConfirm', reason: 'received OPEN', negotiated: result };
    }
    case 'KeepAliveMsg':
      return unexpected('OpenSent', 'KEEPALIVE');
    case 'UpdateMsg':
      return unexpected('OpenSent', 'UPDATE');
    case 'RouteRefreshMsg':
      return unexpected('OpenSent', 'ROUTE-REFRESH');
    case 'TcpConnectionFails':
      // Event 18: no failure for damping; waits for ConnectRetryTime, or for the peer.
      return lost(slot.direction === 'outgoing' ? 'Active' : 'Idle', event.reason);
    default:
      return open(event);
  }
}

/** RFC 4271 §8.2.2, OpenConfirm. */
function openConfirm(event: ConnectionEvent): Transition | Stay | undefined {
  switch (event.type) {
    case 'KeepAliveMsg':
      // Event 26.
      return { to: 'Established', reason: 'received KEEPALIVE' };
    case 'BGPOpen':
      return unexpected('OpenConfirm', 'OPEN');
    case 'UpdateMsg':
      return unexpected('OpenConfirm', 'UPDATE');
    case 'RouteRefreshMsg':
      return unexpected('OpenConfirm', 'ROUTE-REFRESH');
    default:
      return open(event);
  }
}

/**
 * RFC 4271 §8.2.2, Established. The hold timer restarts on KEEPALIVE and UPDATE (Events 26 and 27), on nothing else.
 *
 * Deviation: the keepalive timer is not restarted by the UPDATEs that we send; a KEEPALIVE more does no harm.
 */
function established(event: ConnectionEvent): Transition | Stay | undefined {
  switch (event.type) {
    case 'KeepAliveMsg':
      return { to: 'same', hold: 'restart' };
    case 'UpdateMsg':
      return { to: 'same', hold: 'restart', deliver: { type: 'DeliverUpdate', update: event.update } };
    case 'RouteRefreshMsg':
      // RFC 2918 §4.
      return { to: 'same', deliver: { type: 'DeliverRefresh', refresh: event.refresh } };
    case 'SendProgress':
      // RFC 9687 §3.2.
      return { to: 'same', sendHold: 'restart' };
    case 'BGPOpen':
      return unexpected('Established', 'OPEN');
    default:
      return open(event);
  }
}

/** What is alike in OpenSent, OpenConfirm and Established. */
function open(event: ConnectionEvent): Transition | Stay | undefined {
  switch (event.type) {
    case 'NotifMsg': {
      // Events 24 and 25. Deviation: in OpenSent the RFC answers 25 with an FSM error; §6 says never to answer one.
      const { notification } = event;
      const reason = `received ${notificationText(notification)}`;
      const ending: Ending = { reason, by: 'peer', received: notification, tell: true, counts: true };
      return { to: 'Idle', reason, ending };
    }
    case 'MessageErr':
      // Events 21, 22 and 28.
      return failed(event.reason, event.notification);
    case 'TcpConnectionFails':
      // Event 18, in OpenConfirm and Established.
      return lost('Idle', event.reason, true);
    case 'TimerExpires':
      // Events 11 and 10, and 29 of RFC 9687: only these timers run in these states.
      if (event.timer === 'keepalive') return { to: 'same', keepalive: 'send' };
      if (event.timer === 'sendHold') {
        return failed('the peer does not read: the send hold timer expired', sendHoldTimerExpired());
      }
      return failed('the hold timer expired', holdTimerExpired());
    default:
      // Events 16 and 17 of a second connection: peer-fsm.ts.
      return undefined;
  }
}

/** The connection is gone, or never came; nobody can be told. */
function lost(to: 'Idle' | 'Active' | 'Connect', reason: string, counts = false): Transition {
  return { to, reason, ending: { reason, by: 'machine', tell: true, counts } };
}

/** The way to Idle of every error that we find: the peer is told. */
function failed(reason: string, send: NotificationMessage): Transition {
  return { to: 'Idle', reason, ending: { reason, by: 'us', send, tell: true, counts: true } };
}

/** RFC 6608 §4. */
function unexpected(state: OpenState, type: Message['type']): Transition {
  return failed(`unexpected ${type} in ${state}`, unexpectedMessage(state, type));
}
