/**
 * What a speaker would have after carrying out the actions of one PeerFsm, and what must be true of it at any time.
 *
 * Owns: the rules that hold for every sequence of events. A rule that is broken throws, with the rule as the message.
 */
import { deepStrictEqual, ok } from 'node:assert/strict';
import {
  type Direction,
  type FsmAction,
  type FsmConfig,
  type FsmEvent,
  type FsmState,
  PeerFsm,
} from '../../bgp/fsm/index.js';
import type { Message } from '../../bgp/wire/index.js';

interface ModelConnection {
  phase: 'dialling' | 'up';
  readonly sent: Message['type'][];
  readonly received: Message['type'][];
  /** What the peer has proposed last. */
  peerHoldTimeSeconds?: number;
}

export class FsmModel {
  readonly fsm: PeerFsm;
  readonly connections = new Map<Direction, ModelConnection>();
  /** `direction/timer` of all that run. */
  readonly timers = new Set<string>();
  /** How often a session came up. */
  sessions = 0;
  /** How often a new connection of the peer ended one (RFC 4724 section 5). */
  replacedSessions = 0;
  readonly #config: FsmConfig;
  #started = false;
  #up: Direction | undefined;
  #state: FsmState = 'Idle';

  constructor(config: FsmConfig) {
    this.#config = config;
    this.fsm = new PeerFsm(config);
  }

  get isUp(): boolean {
    return this.#up !== undefined;
  }

  /** Gives the FSM an event, applies the answer, checks every rule, and returns the answer. */
  handle(event: FsmEvent): readonly FsmAction[] {
    this.#before(event);
    const actions = this.fsm.handle(event);
    for (const action of actions) this.#apply(action);
    if (event.type === 'TcpConnectionConfirmed' && event.direction === 'incoming') {
      const answers = actions.filter(({ type }) => type === 'Accept' || type === 'Refuse');
      ok(answers.length === 1, 'every incoming connection is either accepted or refused');
      if (actions.some(({ type }) => type === 'SessionDown')) this.replacedSessions += 1;
    }
    this.#check();
    return actions;
  }

  #before(event: FsmEvent): void {
    if (event.type === 'ManualStart' || event.type === 'AutomaticStart') this.#started = true;
    if (event.type === 'ManualStop') this.#started = false;
    if (!('direction' in event)) return;
    const connection = this.connections.get(event.direction);
    if (event.type === 'TimerExpires') this.timers.delete(`${event.direction}/${event.timer}`);
    if (connection === undefined) return;
    if (event.type === 'TcpCRAcked' || event.type === 'TcpConnectionConfirmed') connection.phase = 'up';
    // A message on a connection that is not up is the late word of an earlier one.
    if (connection.phase !== 'up') return;
    if (event.type === 'BGPOpen') {
      connection.received.push('OPEN');
      connection.peerHoldTimeSeconds = event.open.holdTimeSeconds;
    }
    if (event.type === 'KeepAliveMsg') connection.received.push('KEEPALIVE');
    if (event.type === 'NotifMsg') connection.received.push('NOTIFICATION');
  }

  #apply(action: FsmAction): void {
    switch (action.type) {
      case 'Connect':
        ok(this.#config.dial !== 'never', 'a passive peer never dials');
        ok(!this.connections.has('outgoing'), 'a connection is closed before the next is dialled');
        this.connections.set('outgoing', { phase: 'dialling', sent: [], received: [] });
        return;
      case 'Accept':
        ok(!this.connections.has('incoming'), 'a connection is closed before the next is accepted');
        this.connections.set('incoming', { phase: 'up', sent: [], received: [] });
        return;
      case 'Refuse':
        return;
      case 'Send': {
        const connection = this.connections.get(action.direction);
        ok(connection?.phase === 'up', 'messages are sent on open connections only');
        ok(connection.sent.length > 0 || action.message.type === 'OPEN', 'OPEN is the first message');
        ok(!connection.sent.includes('NOTIFICATION'), 'NOTIFICATION is the last message before Close');
        ok(!connection.received.includes('NOTIFICATION'), 'a NOTIFICATION is never answered');
        connection.sent.push(action.message.type);
        return;
      }
      case 'Close':
        ok(this.connections.delete(action.direction), 'what is closed was open');
        return;
      case 'StartTimer':
        ok(action.seconds > 0, 'a timer of zero seconds is never started');
        this.timers.add(`${action.direction}/${action.timer}`);
        return;
      case 'StopTimer':
        ok(this.timers.delete(`${action.direction}/${action.timer}`), 'a timer that is stopped was running');
        return;
      case 'SessionUp': {
        ok(this.#up === undefined, 'SessionUp and SessionDown alternate');
        const { direction } = action.session;
        const connection = this.connections.get(direction);
        ok(connection !== undefined, 'a session has its connection');
        ok(
          connection.sent.includes('OPEN') && connection.sent.includes('KEEPALIVE'),
          'we have introduced ourselves',
        );
        ok(
          connection.received.includes('OPEN') && connection.received.includes('KEEPALIVE'),
          'the peer has introduced itself',
        );
        this.#up = direction;
        this.sessions += 1;
        return;
      }
      case 'SessionDown':
        ok(this.#up !== undefined, 'SessionUp and SessionDown alternate');
        ok(!this.connections.has(this.#up), 'the connection is closed before the session is given up');
        this.#up = undefined;
        return;
      case 'DeliverUpdate':
      case 'DeliverRefresh':
        ok(this.#up !== undefined, 'messages are delivered only while a session is up');
        return;
      case 'StateChange':
        deepStrictEqual(action.from, this.#state, 'state changes follow one another');
        ok(action.from !== action.to, 'a state change changes the state');
        this.#state = action.to;
        return;
      case 'AttemptFailed':
        ok(action.reason.length > 0, 'a failure has a reason');
        return;
      default:
        action satisfies never;
    }
  }

  #check(): void {
    const { fsm, connections, timers } = this;
    deepStrictEqual(fsm.state, this.#state, 'every change of the state is told');
    deepStrictEqual(fsm.state === 'Established', this.isUp, 'Established is what has a session');
    deepStrictEqual(fsm.session?.direction, this.#up, 'the session is the one that was told');
    if (!this.#started) {
      deepStrictEqual(
        [...connections.keys(), ...timers],
        [],
        'a stopped peer has no connection and no timer',
      );
      deepStrictEqual(fsm.state, 'Idle', 'a stopped peer is Idle');
    }
    if (fsm.state === 'Idle') {
      deepStrictEqual([...connections.keys()], [], 'Idle has no connection');
      const others = [...timers].filter((timer) => !timer.endsWith('/idleHold'));
      deepStrictEqual(others, [], 'Idle runs no timer but the idle hold');
    }
    if (this.#up !== undefined) {
      deepStrictEqual([...connections.keys()], [this.#up], 'one connection survives in Established');
      const others = [...timers].filter((timer) => !timer.startsWith(`${this.#up}/`));
      deepStrictEqual(others, [], 'nothing else is attempted in Established');
    }
    const confirmed = [...connections.values()].filter(({ sent }) => sent.includes('KEEPALIVE'));
    ok(confirmed.length <= 1, 'of two connections that collide one is closed at once');
    for (const [direction, connection] of connections) {
      const guarded = timers.has(`${direction}/${connection.phase === 'up' ? 'hold' : 'connectRetry'}`);
      const { peerHoldTimeSeconds } = connection;
      const withoutHoldTime =
        peerHoldTimeSeconds !== undefined &&
        Math.min(peerHoldTimeSeconds, this.#config.holdTimeSeconds) === 0;
      ok(guarded || withoutHoldTime, 'no connection waits for ever');
      ok(!connection.sent.includes('NOTIFICATION'), 'a NOTIFICATION is followed by Close');
    }
    if (this.#started && connections.size === 0 && this.#config.dial !== 'never') {
      ok(
        [...timers].some((timer) => timer.startsWith('outgoing/')),
        'a started peer without a connection will dial',
      );
    }
  }
}
