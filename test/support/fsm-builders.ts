/**
 * Configurations, messages and actions of bgp/fsm with defaults, and a PeerFsm in any state.
 *
 * We are AS 64512 with identifier 10.0.0.1; the peer is AS 64513 with identifier 10.0.0.2.
 */
import {
  type ConnectionEvent,
  type Direction,
  type FsmAction,
  type FsmConfig,
  type FsmState,
  type FsmTimer,
  PeerFsm,
} from '../../bgp/fsm/index.js';
import { type Ipv4, ipv4 } from '../../bgp/net/index.js';
import type {
  Capability,
  GracefulRestartCapability,
  Message,
  NotificationMessage,
  OpenMessage,
  UpdateMessage,
} from '../../bgp/wire/index.js';

export const OUR_ID: Ipv4 = ipv4(0x0a000001);
export const PEER_ID: Ipv4 = ipv4(0x0a000002);
export const OUR_AS = 64512;
export const PEER_AS = 64513;

export const KEEPALIVE: Message = { type: 'KEEPALIVE' };

export function capabilitiesOf(asn: number, ...more: readonly Capability[]): readonly Capability[] {
  return [
    { kind: 'multiprotocol', family: 'ipv4' },
    { kind: 'routeRefresh' },
    { kind: 'fourOctetAs', asn },
    ...more,
  ];
}

export function gracefulRestart(
  overrides: Partial<GracefulRestartCapability> = {},
): GracefulRestartCapability {
  return {
    kind: 'gracefulRestart',
    restarting: false,
    notification: false,
    restartTimeSeconds: 120,
    families: [{ family: 'ipv4', forwarding: true }],
    ...overrides,
  };
}

export function fsmConfig(overrides: Partial<FsmConfig> = {}): FsmConfig {
  return {
    localAs: OUR_AS,
    bgpIdentifier: OUR_ID,
    peerAs: PEER_AS,
    holdTimeSeconds: 90,
    connectRetrySeconds: 10,
    idleHoldSeconds: { initial: 1, max: 16 },
    capabilities: () => capabilitiesOf(OUR_AS),
    dial: 'now',
    ...overrides,
  };
}

/** The OPEN of the peer. */
export function peerOpen(overrides: Partial<OpenMessage> = {}): OpenMessage {
  return {
    type: 'OPEN',
    asn: PEER_AS,
    holdTimeSeconds: 90,
    bgpIdentifier: PEER_ID,
    capabilities: capabilitiesOf(PEER_AS),
    ...overrides,
  };
}

/** The OPEN that a speaker with this configuration sends. */
export function openOf(config: FsmConfig): OpenMessage {
  const { localAs: asn, holdTimeSeconds, bgpIdentifier } = config;
  return { type: 'OPEN', asn, holdTimeSeconds, bgpIdentifier, capabilities: config.capabilities() };
}

export function notificationOf(
  code: number,
  subcode: number,
  ...data: readonly number[]
): NotificationMessage {
  return { type: 'NOTIFICATION', code, subcode, data: Uint8Array.from(data) };
}

export const CEASE_COLLISION = notificationOf(6, 7);
export const CEASE_REJECTED = notificationOf(6, 5);
export const CEASE_SHUTDOWN = notificationOf(6, 2);
export const HOLD_TIMER_EXPIRED = notificationOf(4, 0);

/** An UPDATE without content: the FSM never looks inside. */
export const UPDATE: UpdateMessage = { type: 'UPDATE', unreach: [], reach: [], faults: [] };

/** The event that a received message becomes. */
export function received(message: Message): ConnectionEvent {
  switch (message.type) {
    case 'OPEN':
      return { type: 'BGPOpen', open: message };
    case 'UPDATE':
      return { type: 'UpdateMsg', update: message };
    case 'KEEPALIVE':
      return { type: 'KeepAliveMsg' };
    case 'NOTIFICATION':
      return { type: 'NotifMsg', notification: message };
    case 'ROUTE-REFRESH':
      return { type: 'RouteRefreshMsg', refresh: message };
    default:
      return message satisfies never;
  }
}

/** What the tests of one connection are done with: each event goes to that connection. */
export function feed(
  fsm: PeerFsm,
  direction: Direction,
  ...events: readonly ConnectionEvent[]
): readonly FsmAction[] {
  return events.flatMap((event) => [...fsm.handle({ ...event, direction })]);
}

/** The events that lead a started outgoing connection into a state, all going well. */
const WAY_TO: Readonly<Record<FsmState, readonly ConnectionEvent[] | undefined>> = {
  Idle: undefined,
  Connect: [],
  Active: [{ type: 'TcpConnectionFails', reason: 'refused' }],
  OpenSent: [{ type: 'TcpCRAcked' }],
  OpenConfirm: [{ type: 'TcpCRAcked' }, received(peerOpen())],
  Established: [{ type: 'TcpCRAcked' }, received(peerOpen()), received(KEEPALIVE)],
};

/** A peer whose outgoing connection is in the given state; in Idle it was never started. */
export function fsmIn(
  state: FsmState,
  config: Partial<FsmConfig> = {},
  open: Partial<OpenMessage> = {},
): PeerFsm {
  const fsm = new PeerFsm(fsmConfig(config));
  const way = WAY_TO[state];
  if (way !== undefined) fsm.handle({ type: 'ManualStart' });
  for (const event of way ?? []) {
    feed(fsm, 'outgoing', event.type === 'BGPOpen' ? received(peerOpen(open)) : event);
  }
  return fsm;
}

/** A passive peer whose incoming connection is in the given state. */
export function passiveFsmIn(
  state: 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established',
  config: Partial<FsmConfig> = {},
  open: Partial<OpenMessage> = {},
): PeerFsm {
  const fsm = new PeerFsm(fsmConfig({ dial: 'never', ...config }));
  fsm.handle({ type: 'ManualStart' });
  for (const event of state === 'Active' ? [] : (WAY_TO[state] ?? [])) {
    const incoming = event.type === 'TcpCRAcked' ? ({ type: 'TcpConnectionConfirmed' } as const) : event;
    feed(fsm, 'incoming', incoming.type === 'BGPOpen' ? received(peerOpen(open)) : incoming);
  }
  return fsm;
}

export function send(direction: Direction, message: Message): FsmAction {
  return { type: 'Send', direction, message };
}

export function close(direction: Direction): FsmAction {
  return { type: 'Close', direction };
}

const JITTERED: ReadonlySet<FsmTimer> = new Set(['connectRetry', 'keepalive', 'idleHold']);

/** With jitter where RFC 4271 section 10 asks for it, and for the idle hold. */
export function startTimer(direction: Direction, timer: FsmTimer, seconds: number): FsmAction {
  return { type: 'StartTimer', direction, timer, seconds, jitter: JITTERED.has(timer) };
}

export function stopTimer(direction: Direction, timer: FsmTimer): FsmAction {
  return { type: 'StopTimer', direction, timer };
}

export function stateChange(from: FsmState, to: FsmState, reason: string): FsmAction {
  return { type: 'StateChange', from, to, reason };
}

/** The actions of some types, in order. */
export function only<Type extends FsmAction['type']>(
  actions: readonly FsmAction[],
  ...types: readonly Type[]
): readonly Extract<FsmAction, { type: Type }>[] {
  return actions.filter((action): action is Extract<FsmAction, { type: Type }> =>
    types.some((type) => type === action.type),
  );
}

/** The messages sent, with their connection. */
export function sent(actions: readonly FsmAction[]): readonly (readonly [Direction, Message])[] {
  return only(actions, 'Send').map(({ direction, message }) => [direction, message]);
}
