/**
 * What OpenSent, OpenConfirm and Established have in common, on either connection: every message in every state, the
 * ends, and the negotiated times (RFC 4271 8.2.2, 4.2 and 4.4, RFC 6608).
 */
import { describe, expect, test } from 'vitest';
import type { ConnectionEvent, Direction, FsmAction, FsmState, PeerFsm } from '../../../../bgp/fsm/index.js';
import type { Message } from '../../../../bgp/wire/index.js';
import {
  CEASE_SHUTDOWN,
  close,
  feed,
  fsmIn,
  KEEPALIVE,
  notificationOf,
  only,
  passiveFsmIn,
  peerOpen,
  received,
  send,
  sent,
  startTimer,
  stateChange,
  stopTimer,
  UPDATE,
} from '../../../support/fsm-builders.js';

const REFRESH: Message = { type: 'ROUTE-REFRESH', family: 'ipv4', subtype: 0 };
const UPDATE_ERROR: ConnectionEvent = {
  type: 'MessageErr',
  notification: notificationOf(3, 1),
  reason: 'malformed attribute list',
};
const SHUTDOWN = {
  type: 'ManualStop',
  notification: CEASE_SHUTDOWN,
  reason: 'stopped by the operator',
} as const;

/** What goes over the wire and into the tables, and where the peer ends. */
function outcome(fsm: PeerFsm, actions: readonly FsmAction[]): readonly unknown[] {
  return [...sent(actions).map(([, message]) => message), ...only(actions, 'Close'), fsm.state];
}

describe.each([
  ['OpenSent', 1],
  ['OpenConfirm', 2],
  ['Established', 3],
] as const)('RFC 4271 8.2.2 %s', (state, subcode) => {
  const slots: readonly (readonly [Direction, () => PeerFsm, FsmState])[] = [
    ['outgoing', () => fsmIn(state), 'Idle'],
    // A passive peer pauses in Idle after a session; after an attempt it just goes on listening.
    ['incoming', () => passiveFsmIn(state), state === 'Established' ? 'Idle' : 'Active'],
  ];

  describe.each(slots)('%s', (direction, make, afterwards) => {
    test('Event 2 ManualStop: sends the Cease it is given, closes, goes to Idle and stays', () => {
      const fsm = make();
      const actions = fsm.handle(SHUTDOWN);
      expect(outcome(fsm, actions)).toEqual([CEASE_SHUTDOWN, close(direction), 'Idle']);
      expect(only(actions, 'StartTimer')).toEqual([]);
    });

    test('Event 2 ManualStop without a NOTIFICATION (RFC 4724 4): closes without a word', () => {
      const fsm = make();
      const actions = fsm.handle({ type: 'ManualStop', reason: 'restarting' });
      expect(outcome(fsm, actions)).toEqual([close(direction), 'Idle']);
    });

    test('Event 8 AutomaticStop: sends the Cease it is given, closes, goes to Idle and starts anew', () => {
      const fsm = make();
      const limit = notificationOf(6, 1);
      const actions = fsm.handle({ type: 'AutomaticStop', notification: limit, reason: 'too many prefixes' });
      expect(outcome(fsm, actions)).toEqual([limit, close(direction), 'Idle']);
      expect(only(actions, 'StartTimer')).toEqual([
        startTimer('incoming', 'idleHold', 1),
        startTimer('outgoing', 'idleHold', 1),
      ]);
    });

    test('Events 21, 22 and 28: sends what the codec found, closes, gives up', () => {
      const fsm = make();
      const actions = feed(fsm, direction, UPDATE_ERROR);
      expect(outcome(fsm, actions)).toEqual([notificationOf(3, 1), close(direction), afterwards]);
    });

    test('Events 24 and 25, a NOTIFICATION: closes without an answer', () => {
      const fsm = make();
      const actions = feed(fsm, direction, received(notificationOf(2, 1)));
      expect(outcome(fsm, actions)).toEqual([close(direction), afterwards]);
      const told = [
        ...only(actions, 'AttemptFailed'),
        ...only(actions, 'SessionDown').map(({ down }) => down),
      ];
      expect(told).toEqual([
        expect.objectContaining({ by: 'peer', reason: expect.stringMatching(/^received /) as unknown }),
      ]);
    });

    test.each(['ManualStart', 'AutomaticStart'] as const)('Events 1 and 3, %s: ignored', (type) => {
      const fsm = make();
      expect(fsm.handle({ type })).toEqual([]);
      expect(fsm.state).toBe(state);
    });

    if (direction === 'outgoing') {
      test.each(['TcpCRAcked', 'TcpConnectionConfirmed'] as const)(
        'Events 16 and 17, %s of a connection that is up already: ignored',
        (type) => {
          const fsm = make();
          expect(feed(fsm, direction, { type })).toEqual([]);
          expect(fsm.state).toBe(state);
        },
      );
    }

    const unexpected: readonly (readonly [Message, number, readonly FsmState[]])[] = [
      [peerOpen(), 1, ['OpenConfirm', 'Established']],
      [UPDATE, 2, ['OpenSent', 'OpenConfirm']],
      [KEEPALIVE, 4, ['OpenSent']],
      [REFRESH, 5, ['OpenSent', 'OpenConfirm']],
    ];
    const rows = unexpected.filter(([, , states]) => states.includes(state));
    test.each(rows.map(([message, octet]) => [message.type, octet, message] as const))(
      `RFC 6608, %s: NOTIFICATION 5/${subcode} with the type octet %i, closes, gives up`,
      (_type, octet, message) => {
        const fsm = make();
        const actions = feed(fsm, direction, received(message));
        expect(outcome(fsm, actions)).toEqual([
          notificationOf(5, subcode, octet),
          close(direction),
          afterwards,
        ]);
      },
    );
  });
});

describe('RFC 4271 4.2 and 4.4 hold time', () => {
  test.each([
    [90, 30, 30, 10],
    [30, 90, 30, 10],
    [3, 240, 3, 1],
    [65535, 65535, 65535, 21845],
  ])('ours %i, the peer proposes %i: hold %i, keepalive %i', (ours, theirs, hold, keepalive) => {
    const fsm = fsmIn('OpenSent', { holdTimeSeconds: ours });
    const actions = feed(fsm, 'outgoing', received(peerOpen({ holdTimeSeconds: theirs })));
    expect(only(actions, 'StartTimer')).toEqual([
      startTimer('outgoing', 'keepalive', keepalive),
      startTimer('outgoing', 'hold', hold),
    ]);
  });

  test.each([
    [0, 90],
    [90, 0],
    [0, 0],
  ])('ours %i, the peer proposes %i: no hold timer and no keepalive timer, ever', (ours, theirs) => {
    const fsm = fsmIn('OpenSent', { holdTimeSeconds: ours });
    const open = feed(fsm, 'outgoing', received(peerOpen({ holdTimeSeconds: theirs })));
    expect(open).toEqual([
      send('outgoing', KEEPALIVE),
      stopTimer('outgoing', 'hold'),
      stateChange('OpenSent', 'OpenConfirm', 'received OPEN'),
    ]);
    const later = feed(fsm, 'outgoing', received(KEEPALIVE), received(KEEPALIVE), received(UPDATE));
    expect(only(later, 'StartTimer')).toEqual([]);
    expect(fsm.state).toBe('Established');
  });
});
