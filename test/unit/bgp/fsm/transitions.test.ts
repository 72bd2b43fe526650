/**
 * The state chart of RFC 4271 8.2.2, state by state, with every action of every transition.
 */
import { describe, expect, test } from 'vitest';
import type { ConnectionEvent, FsmEvent, FsmTimer } from '../../../../bgp/fsm/index.js';
import type { Message } from '../../../../bgp/wire/index.js';
import {
  CEASE_SHUTDOWN,
  close,
  feed,
  fsmConfig,
  fsmIn,
  HOLD_TIMER_EXPIRED,
  KEEPALIVE,
  notificationOf,
  only,
  openOf,
  passiveFsmIn,
  peerOpen,
  received,
  send,
  startTimer,
  stateChange,
  stopTimer,
  UPDATE,
} from '../../../support/fsm-builders.js';

const REFRESH: Message = { type: 'ROUTE-REFRESH', family: 'ipv4', subtype: 0 };
const OUR_OPEN = openOf(fsmConfig());
const RESET: ConnectionEvent = { type: 'TcpConnectionFails', reason: 'connection reset' };
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

function expires(timer: FsmTimer): ConnectionEvent {
  return { type: 'TimerExpires', timer };
}

describe('RFC 4271 8.2.2 Idle', () => {
  test('Event 1 ManualStart: starts the ConnectRetryTimer, dials, goes to Connect', () => {
    const fsm = fsmIn('Idle');
    expect(fsm.handle({ type: 'ManualStart' })).toEqual([
      startTimer('outgoing', 'connectRetry', 10),
      { type: 'Connect' },
      stateChange('Idle', 'Connect', 'started'),
    ]);
  });

  test('Event 4 ManualStart of a passive peer: goes to Active, without a timer', () => {
    expect(fsmIn('Idle', { dial: 'never' }).handle({ type: 'ManualStart' })).toEqual([
      stateChange('Idle', 'Active', 'started'),
    ]);
  });

  test.each<[string, FsmEvent]>([
    ['Event 2 ManualStop', SHUTDOWN],
    [
      'Event 8 AutomaticStop',
      { type: 'AutomaticStop', notification: notificationOf(6, 6), reason: 'changed' },
    ],
  ])('%s: ignored', (_name, event) => {
    expect(fsmIn('Idle').handle(event)).toEqual([]);
  });

  test.each(['outgoing', 'incoming'] as const)('Events 9 to 12 and 15 to 28, %s: ignored', (direction) => {
    const events: readonly ConnectionEvent[] = [
      expires('connectRetry'),
      expires('hold'),
      expires('keepalive'),
      expires('idleHold'),
      RESET,
      received(peerOpen()),
      UPDATE_ERROR,
      received(notificationOf(6, 2)),
      received(KEEPALIVE),
      received(UPDATE),
      received(REFRESH),
    ];
    const fsm = fsmIn('Idle');
    expect(feed(fsm, direction, ...events)).toEqual([]);
    expect(fsm.state).toBe('Idle');
  });
});

describe('RFC 4271 8.2.2 Connect', () => {
  test.each(['TcpCRAcked', 'TcpConnectionConfirmed'] as const)(
    'Events 16 and 17, %s: stops the ConnectRetryTimer, sends OPEN at once, holds for 240 s, goes to OpenSent',
    (type) => {
      expect(feed(fsmIn('Connect'), 'outgoing', { type })).toEqual([
        stopTimer('outgoing', 'connectRetry'),
        send('outgoing', OUR_OPEN),
        startTimer('outgoing', 'hold', 240),
        stateChange('Connect', 'OpenSent', 'connected to the peer'),
      ]);
    },
  );

  test('Event 18 TcpConnectionFails: restarts the ConnectRetryTimer, goes to Active, tells the reason', () => {
    expect(
      feed(fsmIn('Connect'), 'outgoing', { type: 'TcpConnectionFails', reason: 'connection refused' }),
    ).toEqual([
      close('outgoing'),
      { type: 'AttemptFailed', reason: 'connection refused', by: 'machine' },
      startTimer('outgoing', 'connectRetry', 10),
      stateChange('Connect', 'Active', 'connection refused'),
    ]);
  });

  test('Event 9 ConnectRetryTimer_Expires: drops the attempt, restarts the timer, dials again, stays', () => {
    const fsm = fsmIn('Connect');
    expect(feed(fsm, 'outgoing', expires('connectRetry'))).toEqual([
      close('outgoing'),
      { type: 'AttemptFailed', reason: 'no connection within 10 s', by: 'machine' },
      startTimer('outgoing', 'connectRetry', 10),
      { type: 'Connect' },
    ]);
    expect(fsm.state).toBe('Connect');
  });

  test('Event 2 ManualStop: drops the attempt without a word, goes to Idle', () => {
    expect(fsmIn('Connect').handle(SHUTDOWN)).toEqual([
      close('outgoing'),
      stopTimer('outgoing', 'connectRetry'),
      stateChange('Connect', 'Idle', 'stopped by the operator'),
    ]);
  });
});

describe('RFC 4271 8.2.2 Active', () => {
  test('Event 9 ConnectRetryTimer_Expires: dials, restarts the timer, goes to Connect', () => {
    expect(feed(fsmIn('Active'), 'outgoing', expires('connectRetry'))).toEqual([
      startTimer('outgoing', 'connectRetry', 10),
      { type: 'Connect' },
      stateChange('Active', 'Connect', 'dialling again'),
    ]);
  });

  test('Event 17 TcpConnectionConfirmed: accepts, sends OPEN at once, holds for 240 s, goes to OpenSent', () => {
    expect(feed(passiveFsmIn('Active'), 'incoming', { type: 'TcpConnectionConfirmed' })).toEqual([
      { type: 'Accept' },
      send('incoming', OUR_OPEN),
      startTimer('incoming', 'hold', 240),
      stateChange('Active', 'OpenSent', 'the peer has connected'),
    ]);
  });

  test('Event 2 ManualStop: stops the ConnectRetryTimer, goes to Idle', () => {
    expect(fsmIn('Active').handle(SHUTDOWN)).toEqual([
      stopTimer('outgoing', 'connectRetry'),
      stateChange('Active', 'Idle', 'stopped by the operator'),
    ]);
  });
});

describe.each(['Connect', 'Active'] as const)('RFC 4271 8.2.2 %s', (state) => {
  test.each<[string, ConnectionEvent]>([
    ['OPEN', received(peerOpen())],
    ['KEEPALIVE', received(KEEPALIVE)],
    ['UPDATE', received(UPDATE)],
    ['ROUTE-REFRESH', received(REFRESH)],
    ['NOTIFICATION', received(notificationOf(6, 2))],
    ['a codec error', UPDATE_ERROR],
    ['an expired hold timer', expires('hold')],
    ['an expired keepalive timer', expires('keepalive')],
    ['an expired idle hold', expires('idleHold')],
  ])('%s without a connection is the late word of one that is closed: ignored', (_name, event) => {
    const fsm = fsmIn(state);
    expect(feed(fsm, 'outgoing', event)).toEqual([]);
    expect(fsm.state).toBe(state);
  });

  test.each(['ManualStart', 'AutomaticStart'] as const)('Events 1 and 3, %s: ignored', (type) => {
    expect(fsmIn(state).handle({ type })).toEqual([]);
  });
});

describe('RFC 4271 8.2.2 OpenSent', () => {
  test('Event 19 BGPOpen: sends KEEPALIVE, takes over the negotiated times, goes to OpenConfirm', () => {
    expect(feed(fsmIn('OpenSent'), 'outgoing', received(peerOpen({ holdTimeSeconds: 30 })))).toEqual([
      send('outgoing', KEEPALIVE),
      startTimer('outgoing', 'keepalive', 10),
      startTimer('outgoing', 'hold', 30),
      stateChange('OpenSent', 'OpenConfirm', 'received OPEN'),
    ]);
  });

  test('Event 19 BGPOpen of another AS: sends NOTIFICATION 2/2, closes, goes to Idle and waits', () => {
    const actions = feed(fsmIn('OpenSent'), 'outgoing', received(peerOpen({ asn: 64999 })));
    expect(actions).toEqual([
      send('outgoing', notificationOf(2, 2)),
      close('outgoing'),
      stopTimer('outgoing', 'hold'),
      { type: 'AttemptFailed', reason: expect.stringMatching(/^refused the OPEN: /), by: 'us' },
      startTimer('outgoing', 'idleHold', 1),
      stateChange('OpenSent', 'Idle', expect.stringMatching(/^refused the OPEN: /) as unknown as string),
    ]);
  });

  test('Event 18 TcpConnectionFails: closes, restarts the ConnectRetryTimer, goes to Active', () => {
    expect(feed(fsmIn('OpenSent'), 'outgoing', RESET)).toEqual([
      close('outgoing'),
      stopTimer('outgoing', 'hold'),
      { type: 'AttemptFailed', reason: 'connection reset', by: 'machine' },
      startTimer('outgoing', 'connectRetry', 10),
      stateChange('OpenSent', 'Active', 'connection reset'),
    ]);
  });

  test('Event 18 TcpConnectionFails of an accepted connection: listens again at once', () => {
    const fsm = passiveFsmIn('OpenSent');
    expect(feed(fsm, 'incoming', RESET)).toEqual([
      close('incoming'),
      stopTimer('incoming', 'hold'),
      { type: 'AttemptFailed', reason: 'connection reset', by: 'machine' },
      stateChange('OpenSent', 'Active', 'connection reset'),
    ]);
    expect(only(feed(fsm, 'incoming', { type: 'TcpConnectionConfirmed' }), 'Accept')).toHaveLength(1);
  });

  test('Event 10 HoldTimer_Expires: sends NOTIFICATION 4/0, closes, goes to Idle and waits', () => {
    expect(feed(fsmIn('OpenSent'), 'outgoing', expires('hold'))).toEqual([
      send('outgoing', HOLD_TIMER_EXPIRED),
      close('outgoing'),
      { type: 'AttemptFailed', reason: 'the hold timer expired', by: 'us' },
      startTimer('outgoing', 'idleHold', 1),
      stateChange('OpenSent', 'Idle', 'the hold timer expired'),
    ]);
  });

  test('Event 11 KeepaliveTimer_Expires: no keepalive timer runs, so a late one is ignored', () => {
    expect(feed(fsmIn('OpenSent'), 'outgoing', expires('keepalive'))).toEqual([]);
  });
});

describe('RFC 4271 8.2.2 OpenConfirm', () => {
  test('Event 26 KeepAliveMsg: restarts the hold timer, the session is up, goes to Established', () => {
    const fsm = fsmIn('OpenConfirm');
    expect(feed(fsm, 'outgoing', received(KEEPALIVE))).toEqual([
      startTimer('outgoing', 'hold', 90),
      startTimer('outgoing', 'sendHold', 480),
      { type: 'SessionUp', session: fsm.session },
      stateChange('OpenConfirm', 'Established', 'received KEEPALIVE'),
    ]);
    expect(fsm.session).toMatchObject({ direction: 'outgoing', holdTimeSeconds: 90, keepaliveSeconds: 30 });
  });

  test('Event 18 TcpConnectionFails: goes to Idle', () => {
    expect(feed(fsmIn('OpenConfirm'), 'outgoing', RESET)).toEqual([
      close('outgoing'),
      stopTimer('outgoing', 'hold'),
      stopTimer('outgoing', 'keepalive'),
      { type: 'AttemptFailed', reason: 'connection reset', by: 'machine' },
      startTimer('outgoing', 'idleHold', 1),
      stateChange('OpenConfirm', 'Idle', 'connection reset'),
    ]);
  });
});

describe('RFC 4271 8.2.2 Established', () => {
  test('Event 27 UpdateMsg: restarts the hold timer and delivers', () => {
    expect(feed(fsmIn('Established'), 'outgoing', received(UPDATE))).toEqual([
      startTimer('outgoing', 'hold', 90),
      { type: 'DeliverUpdate', update: UPDATE },
    ]);
  });

  test('Event 26 KeepAliveMsg: restarts the hold timer', () => {
    expect(feed(fsmIn('Established'), 'outgoing', received(KEEPALIVE))).toEqual([
      startTimer('outgoing', 'hold', 90),
    ]);
  });

  test('RFC 2918 ROUTE-REFRESH: delivers and leaves the hold timer alone', () => {
    expect(feed(fsmIn('Established'), 'outgoing', received(REFRESH))).toEqual([
      { type: 'DeliverRefresh', refresh: REFRESH },
    ]);
  });

  test('Event 18 TcpConnectionFails: the session is down, goes to Idle and waits', () => {
    const fsm = fsmIn('Established');
    expect(feed(fsm, 'outgoing', RESET)).toEqual([
      close('outgoing'),
      stopTimer('outgoing', 'hold'),
      stopTimer('outgoing', 'keepalive'),
      stopTimer('outgoing', 'sendHold'),
      { type: 'SessionDown', down: { reason: 'connection reset', by: 'machine', graceful: false } },
      startTimer('outgoing', 'idleHold', 1),
      stateChange('Established', 'Idle', 'connection reset'),
    ]);
    expect(fsm.session).toBeUndefined();
  });

  test('Event 10 HoldTimer_Expires: sends NOTIFICATION 4/0, the session is down, goes to Idle', () => {
    expect(feed(fsmIn('Established'), 'outgoing', expires('hold'))).toEqual([
      send('outgoing', HOLD_TIMER_EXPIRED),
      close('outgoing'),
      stopTimer('outgoing', 'keepalive'),
      stopTimer('outgoing', 'sendHold'),
      {
        type: 'SessionDown',
        down: {
          reason: 'the hold timer expired',
          by: 'us',
          graceful: false,
          notification: HOLD_TIMER_EXPIRED,
        },
      },
      startTimer('outgoing', 'idleHold', 1),
      stateChange('Established', 'Idle', 'the hold timer expired'),
    ]);
  });
});

describe.each(['OpenConfirm', 'Established'] as const)('RFC 4271 8.2.2 %s', (state) => {
  test('Event 11 KeepaliveTimer_Expires: sends KEEPALIVE and restarts the timer', () => {
    expect(feed(fsmIn(state), 'outgoing', expires('keepalive'))).toEqual([
      send('outgoing', KEEPALIVE),
      startTimer('outgoing', 'keepalive', 30),
    ]);
  });
});

describe('RFC 9687 3: the SendHoldTimer', () => {
  const PROGRESS: ConnectionEvent = { type: 'SendProgress' };

  test('Event 29 SendHoldTimer_Expires: sends NOTIFICATION 8/0, the session is down, goes to Idle', () => {
    const told = notificationOf(8, 0);
    const reason = 'the peer does not read: the send hold timer expired';
    expect(feed(fsmIn('Established'), 'outgoing', expires('sendHold'))).toEqual([
      send('outgoing', told),
      close('outgoing'),
      stopTimer('outgoing', 'hold'),
      stopTimer('outgoing', 'keepalive'),
      { type: 'SessionDown', down: { reason, by: 'us', graceful: false, notification: told } },
      startTimer('outgoing', 'idleHold', 1),
      stateChange('Established', 'Idle', reason),
    ]);
  });

  test('begins anew whenever something sent has left', () => {
    expect(feed(fsmIn('Established'), 'outgoing', PROGRESS)).toEqual([
      startTimer('outgoing', 'sendHold', 480),
    ]);
  });

  test.each<[string, number, number | undefined, number]>([
    ['8 minutes', 90, undefined, 480],
    ['twice the hold time where that is longer', 300, undefined, 600],
    ['what is configured', 90, 120, 120],
    ['never shorter than the hold time', 90, 10, 90],
  ])('is %s', (_name, holdTimeSeconds, sendHoldTimeSeconds, seconds) => {
    const config = {
      holdTimeSeconds,
      ...(sendHoldTimeSeconds === undefined ? {} : { sendHoldTimeSeconds }),
    };
    const fsm = fsmIn('Established', config, { holdTimeSeconds });
    expect(feed(fsm, 'outgoing', PROGRESS)).toEqual([startTimer('outgoing', 'sendHold', seconds)]);
  });

  test('does not run with a hold time of zero', () => {
    expect(feed(fsmIn('Established', {}, { holdTimeSeconds: 0 }), 'outgoing', PROGRESS)).toEqual([]);
  });

  test.each(['Connect', 'Active', 'OpenSent', 'OpenConfirm'] as const)('means nothing in %s', (state) => {
    expect(feed(fsmIn(state), 'outgoing', PROGRESS)).toEqual([]);
  });
});
