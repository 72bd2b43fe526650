/**
 * The words of the finite state machine: events in, actions out, both plain values.
 *
 * Owns: the contract between the pure FSM and whoever has sockets and clocks. Must not know: sockets, clocks, tables.
 * Source: RFC 4271 section 8 (events and states by their RFC names), RFC 6608, RFC 4724, RFC 8538, RFC 9687.
 */
import type { Family, Ipv4 } from '../net/index.js';
import type {
  Capability,
  GracefulRestartCapability,
  Message,
  NotificationMessage,
  OpenMessage,
  RouteRefreshMessage,
  UpdateMessage,
} from '../wire/index.js';

/** RFC 4271 section 8.2.2. */
export type FsmState = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** A peer has at most one connection of each direction (RFC 4271 section 6.8). */
export type Direction = 'outgoing' | 'incoming';

/** The timers of RFC 4271 section 8 and RFC 9687; seconds throughout. `delayedDial` is ours: see `FsmConfig.dial`. */
export type FsmTimer = 'connectRetry' | 'hold' | 'keepalive' | 'sendHold' | 'idleHold' | 'delayedDial';

/** What one peer's FSM must know; each value is read anew where it is used, so the executor may change some. */
export interface FsmConfig {
  readonly localAs: number;
  readonly bgpIdentifier: Ipv4;
  /** The AS that the peer's OPEN must carry. */
  readonly peerAs: number;
  /** Proposed hold time, 0 or 3 to 65535. */
  readonly holdTimeSeconds: number;
  /** SendHoldTime (RFC 9687); absent: 8 minutes or twice the hold time, whichever is longer. */
  readonly sendHoldTimeSeconds?: number | undefined;
  /** ConnectRetryTime; the executor jitters it. */
  readonly connectRetrySeconds: number;
  /** First and longest idle hold after a failure; doubles in between. */
  readonly idleHoldSeconds: { readonly initial: number; readonly max: number };
  /**
   * Everything to put in our next OPEN, multiprotocol and fourOctetAs included. Asked anew for each OPEN, because the
   * R bit of graceful restart changes while the FSM lives; nothing else of the answer does.
   */
  readonly capabilities: () => readonly Capability[];
  /**
   * `now`: connect actively. `never`: passive. A number: listen, and dial only after so many seconds without an
   * attempt of the peer (the lower address of a mesh pair).
   */
  readonly dial: 'now' | 'never' | { readonly afterSeconds: number };
}

/** What both OPENs agree on; fixed for the life of a session. */
export interface NegotiatedSession {
  readonly direction: Direction;
  readonly peerAs: number;
  readonly peerIdentifier: Ipv4;
  readonly peerType: 'ibgp' | 'ebgp';
  /** The smaller of both; 0 means no keepalives and no hold timer. */
  readonly holdTimeSeconds: number;
  readonly keepaliveSeconds: number;
  readonly as4: boolean;
  /** Families announced by both sides; IPv4 alone where the peer sent no multiprotocol capability at all. */
  readonly families: readonly Family[];
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  readonly maxMessageLength: number;
  /** Families whose prefixes may have a next hop of the other family, both sides agreeing (RFC 8950). */
  readonly extendedNextHop: readonly Family[];
  /** The peer's capability as received, where it sent one. */
  readonly gracefulRestart?: GracefulRestartCapability;
  /** All of the peer's capabilities, for display. */
  readonly peerCapabilities: readonly Capability[];
}

/** What happens to one connection of a peer. Names are those of RFC 4271 section 8.1. */
export type ConnectionEvent =
  | { readonly type: 'TcpCRAcked' }
  | { readonly type: 'TcpConnectionConfirmed' }
  | { readonly type: 'TcpConnectionFails'; readonly reason: string }
  | { readonly type: 'BGPOpen'; readonly open: OpenMessage }
  | { readonly type: 'KeepAliveMsg' }
  | { readonly type: 'UpdateMsg'; readonly update: UpdateMessage }
  | { readonly type: 'RouteRefreshMsg'; readonly refresh: RouteRefreshMessage }
  | { readonly type: 'NotifMsg'; readonly notification: NotificationMessage }
  /** BGPHeaderErr, BGPOpenMsgErr and UpdateMsgErr: the codec says what to send. */
  | { readonly type: 'MessageErr'; readonly notification: NotificationMessage; readonly reason: string }
  | { readonly type: 'TimerExpires'; readonly timer: FsmTimer }
  /** Something that was sent has left this process since the last such event (RFC 9687 section 3.2). */
  | { readonly type: 'SendProgress' };

/** What happens to the peer as a whole. */
export type AdminEvent =
  | { readonly type: 'ManualStart' }
  | { readonly type: 'AutomaticStart' }
  /**
   * Ends the session and stays in Idle until a start. `notification` is what the peer is told (Cease, RFC 4486);
   * absent: close the connection without a word (graceful restart, RFC 4724 section 4).
   */
  | { readonly type: 'ManualStop'; readonly notification?: NotificationMessage; readonly reason: string }
  /**
   * Ends the session and starts anew after the idle hold, or after `holdSeconds`: an internal limit, a fault of ours.
   */
  | {
      readonly type: 'AutomaticStop';
      readonly notification: NotificationMessage;
      readonly reason: string;
      readonly holdSeconds?: number;
    };

/** `direction` says whose connection it is; admin events have none. */
export type FsmEvent = AdminEvent | (ConnectionEvent & { readonly direction: Direction });

/** What the executor must do, strictly in order. */
export type FsmAction =
  | { readonly type: 'Send'; readonly direction: Direction; readonly message: Message }
  /** Dial the peer; `outgoing` is then this attempt, until its `Close`. */
  | { readonly type: 'Connect' }
  /**
   * The connection of the `TcpConnectionConfirmed` being answered is now `incoming`. Exactly one of `Accept` and
   * `Refuse` answers each; a `Close` of `incoming` before the `Accept` means the older connection.
   */
  | { readonly type: 'Accept' }
  /**
   * The connection of the `TcpConnectionConfirmed` being answered is not taken: send `notification` on it, if
   * anything, and close it. An older `incoming` connection lives on.
   */
  | { readonly type: 'Refuse'; readonly notification: NotificationMessage; readonly reason: string }
  /**
   * Close the TCP connection after everything sent has been flushed (bounded by the executor). Every `Connect` and
   * `Accept` is followed by exactly one, also where the connection failed by itself; no event of that connection
   * may be delivered after it.
   */
  | { readonly type: 'Close'; readonly direction: Direction }
  /** (Re)start: an already running timer of that name is replaced. `jitter`: multiply by 0.75 to 1.0 (RFC 4271 10). */
  | {
      readonly type: 'StartTimer';
      readonly direction: Direction;
      readonly timer: FsmTimer;
      readonly seconds: number;
      readonly jitter: boolean;
    }
  | { readonly type: 'StopTimer'; readonly direction: Direction; readonly timer: FsmTimer }
  | { readonly type: 'SessionUp'; readonly session: NegotiatedSession }
  | { readonly type: 'SessionDown'; readonly down: SessionDown }
  | { readonly type: 'DeliverUpdate'; readonly update: UpdateMessage }
  | { readonly type: 'DeliverRefresh'; readonly refresh: RouteRefreshMessage }
  /** For the log, the API and the counters: the state of the peer as a whole changed. */
  | { readonly type: 'StateChange'; readonly from: FsmState; readonly to: FsmState; readonly reason: string }
  /** A connection ended before it was established; `lastError` of the API. */
  | { readonly type: 'AttemptFailed'; readonly reason: string; readonly by: FailedBy };

/** Who ended it: the peer by a NOTIFICATION, we by one, or the connection itself (TCP, an administrator's stop). */
export type FailedBy = 'peer' | 'us' | 'machine';

/** How an established session ended. */
export interface SessionDown {
  /** One sentence; a NOTIFICATION is in it as text (`notificationText` of bgp/wire). */
  readonly reason: string;
  readonly by: FailedBy;
  /** RFC 4724 section 4.2 / RFC 8538: the peer's routes may be kept as stale for its restart time. */
  readonly graceful: boolean;
  /** What was sent or received last, where there was one. */
  readonly notification?: NotificationMessage;
}
