/**
 * A peer as a whole: a session from end to end, who dials, damping, starts and stops.
 */
import { describe, expect, test } from 'vitest';
import type { ConnectionEvent, Direction, FsmAction, PeerFsm } from '../../../../bgp/fsm/index.js';
import {
  CEASE_REJECTED,
  CEASE_SHUTDOWN,
  close,
  feed,
  fsmConfig,
  fsmIn,
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

const CONFIRMED: ConnectionEvent = { type: 'TcpConnectionConfirmed' };
const RESET: ConnectionEvent = { type: 'TcpConnectionFails', reason: 'connection reset' };
const WRONG_AS = received(peerOpen({ asn: 64999 }));
const IDLE_HOLD_OVER: ConnectionEvent = { type: 'TimerExpires', timer: 'idleHold' };

function idleHolds(actions: readonly FsmAction[], direction: Direction): readonly number[] {
  return only(actions, 'StartTimer')
    .filter((action) => action.timer === 'idleHold' && action.direction === direction)
    .map(({ seconds }) => seconds);
}

function establish(fsm: PeerFsm, direction: Direction): void {
  const up = direction === 'outgoing' ? ({ type: 'TcpCRAcked' } as const) : CONFIRMED;
  feed(fsm, direction, up, received(peerOpen()), received(KEEPALIVE));
  expect(fsm.session?.direction).toBe(direction);
}

test('RFC 4271 8: a session from Idle to Established and back to Idle, action by action', () => {
  const fsm = fsmIn('Idle');
  expect(fsm.handle({ type: 'ManualStart' })).toEqual([
    startTimer('outgoing', 'connectRetry', 10),
    { type: 'Connect' },
    stateChange('Idle', 'Connect', 'started'),
  ]);
  expect(feed(fsm, 'outgoing', { type: 'TcpCRAcked' })).toEqual([
    stopTimer('outgoing', 'connectRetry'),
    send('outgoing', openOf(fsmConfig())),
    startTimer('outgoing', 'hold', 240),
    stateChange('Connect', 'OpenSent', 'connected to the peer'),
  ]);
  expect(feed(fsm, 'outgoing', received(peerOpen()))).toEqual([
    send('outgoing', KEEPALIVE),
    startTimer('outgoing', 'keepalive', 30),
    startTimer('outgoing', 'hold', 90),
    stateChange('OpenSent', 'OpenConfirm', 'received OPEN'),
  ]);
  expect(fsm.session).toBeUndefined();
  expect(feed(fsm, 'outgoing', received(KEEPALIVE))).toEqual([
    startTimer('outgoing', 'hold', 90),
    startTimer('outgoing', 'sendHold', 480),
    { type: 'SessionUp', session: fsm.session },
    stateChange('OpenConfirm', 'Established', 'received KEEPALIVE'),
  ]);
  expect(feed(fsm, 'outgoing', received(UPDATE))).toEqual([
    startTimer('outgoing', 'hold', 90),
    { type: 'DeliverUpdate', update: UPDATE },
  ]);
  expect(
    fsm.handle({ type: 'ManualStop', notification: CEASE_SHUTDOWN, reason: 'stopped by the operator' }),
  ).toEqual([
    send('outgoing', CEASE_SHUTDOWN),
    close('outgoing'),
    stopTimer('outgoing', 'hold'),
    stopTimer('outgoing', 'keepalive'),
    stopTimer('outgoing', 'sendHold'),
    {
      type: 'SessionDown',
      down: {
        reason: 'stopped by the operator',
        by: 'machine',
        graceful: false,
        notification: CEASE_SHUTDOWN,
      },
    },
    stateChange('Established', 'Idle', 'stopped by the operator'),
  ]);
  expect(fsm.session).toBeUndefined();
});

describe('who dials', () => {
  test('now: at once, and again after the session', () => {
    const fsm = fsmIn('Established');
    feed(fsm, 'outgoing', RESET);
    expect(only(feed(fsm, 'outgoing', IDLE_HOLD_OVER), 'Connect')).toHaveLength(1);
  });

  test('never: stays in Active, and listens again after the session', () => {
    const fsm = passiveFsmIn('Established');
    expect(feed(fsm, 'incoming', RESET).at(-1)).toEqual(
      stateChange('Established', 'Idle', 'connection reset'),
    );
    expect(feed(fsm, 'outgoing', IDLE_HOLD_OVER)).toEqual([
      stateChange('Idle', 'Active', 'the idle hold is over'),
    ]);
    establish(fsm, 'incoming');
  });

  describe('after a delay', () => {
    const dial = { afterSeconds: 30 };
    const waiting = (): PeerFsm => {
      const fsm = fsmIn('Idle', { dial });
      fsm.handle({ type: 'ManualStart' });
      return fsm;
    };

    test('listens in Active with the timer running', () => {
      const fsm = fsmIn('Idle', { dial });
      expect(fsm.handle({ type: 'ManualStart' })).toEqual([
        startTimer('outgoing', 'delayedDial', 30),
        stateChange('Idle', 'Active', 'started'),
      ]);
    });

    test('dials when the timer expires, and then as anybody else', () => {
      const fsm = waiting();
      expect(feed(fsm, 'outgoing', { type: 'TimerExpires', timer: 'delayedDial' })).toEqual([
        startTimer('outgoing', 'connectRetry', 10),
        { type: 'Connect' },
        stateChange('Active', 'Connect', 'the peer has not connected'),
      ]);
      expect(only(feed(fsm, 'outgoing', RESET), 'StartTimer')).toEqual([
        startTimer('outgoing', 'connectRetry', 10),
      ]);
    });

    test('an attempt of the peer starts the delay anew, even one that fails', () => {
      const fsm = waiting();
      const attempt = feed(fsm, 'incoming', CONFIRMED);
      expect(attempt[0]).toEqual(startTimer('outgoing', 'delayedDial', 30));
      feed(fsm, 'incoming', RESET);
      expect(fsm.state).toBe('Active');
      expect(only(feed(fsm, 'outgoing', { type: 'TimerExpires', timer: 'delayedDial' }), 'Connect')).toEqual([
        { type: 'Connect' },
      ]);
    });

    test('an attempt of the peer takes the place of our own retry', () => {
      const fsm = waiting();
      feed(fsm, 'outgoing', { type: 'TimerExpires', timer: 'delayedDial' }, RESET);
      expect(feed(fsm, 'incoming', CONFIRMED).slice(0, 2)).toEqual([
        stopTimer('outgoing', 'connectRetry'),
        startTimer('outgoing', 'delayedDial', 30),
      ]);
    });

    test('a session of the peer stops the timer; after it the delay begins again', () => {
      const fsm = waiting();
      feed(fsm, 'incoming', CONFIRMED, received(peerOpen()));
      expect(only(feed(fsm, 'incoming', received(KEEPALIVE)), 'StopTimer')).toEqual([
        stopTimer('outgoing', 'delayedDial'),
      ]);
      feed(fsm, 'incoming', RESET);
      expect(only(feed(fsm, 'outgoing', IDLE_HOLD_OVER), 'StartTimer')).toEqual([
        startTimer('outgoing', 'delayedDial', 30),
      ]);
    });
  });

  test('an attempt of the peer does not disturb a speaker that dials by itself', () => {
    const fsm = fsmIn('Active');
    expect(only(feed(fsm, 'incoming', CONFIRMED), 'StopTimer')).toEqual([]);
    expect(
      only(feed(fsm, 'outgoing', { type: 'TimerExpires', timer: 'connectRetry' }), 'Connect'),
    ).toHaveLength(1);
  });
});

describe('RFC 4271 8.1.1 DampPeerOscillations: the idle hold', () => {
  /** The idle holds of consecutive attempts of ours that end with a wrong OPEN. */
  function outgoingHolds(fsm: PeerFsm, attempts: number): readonly number[] {
    return Array.from({ length: attempts }, () => {
      const holds = idleHolds(feed(fsm, 'outgoing', { type: 'TcpCRAcked' }, WRONG_AS), 'outgoing');
      feed(fsm, 'outgoing', IDLE_HOLD_OVER);
      return holds;
    }).flat();
  }

  test('doubles with each failure in a row up to the maximum', () => {
    expect(outgoingHolds(fsmIn('Connect'), 7)).toEqual([1, 2, 4, 8, 16, 16, 16]);
    const idleHoldSeconds = { initial: 3, max: 20 };
    expect(outgoingHolds(fsmIn('Connect', { idleHoldSeconds }), 5)).toEqual([3, 6, 12, 20, 20]);
  });

  test('stays at the maximum after a thousand failures', () => {
    expect(outgoingHolds(fsmIn('Connect'), 1100).at(-1)).toBe(16);
  });

  test('begins anew after Established', () => {
    const fsm = fsmIn('Connect');
    outgoingHolds(fsm, 4);
    establish(fsm, 'outgoing');
    expect(idleHolds(feed(fsm, 'outgoing', RESET), 'outgoing')).toEqual([1]);
  });

  test('is not for a refused connection: that waits for the ConnectRetryTimer', () => {
    const fsm = fsmIn('Connect');
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const actions = feed(fsm, 'outgoing', RESET);
      expect(only(actions, 'StartTimer')).toEqual([startTimer('outgoing', 'connectRetry', 10)]);
      feed(fsm, 'outgoing', { type: 'TimerExpires', timer: 'connectRetry' });
    }
  });

  test('ManualStart ends it, AutomaticStart does not', () => {
    const fsm = fsmIn('OpenSent');
    feed(fsm, 'outgoing', WRONG_AS);
    expect(fsm.handle({ type: 'AutomaticStart' })).toEqual([]);
    expect(fsm.handle({ type: 'ManualStart' })).toEqual([
      stopTimer('outgoing', 'idleHold'),
      startTimer('outgoing', 'connectRetry', 10),
      { type: 'Connect' },
      stateChange('Idle', 'Connect', 'started'),
    ]);
  });

  test('ManualStop ends it for good', () => {
    const fsm = fsmIn('OpenSent');
    feed(fsm, 'outgoing', WRONG_AS);
    expect(fsm.handle({ type: 'ManualStop', reason: 'stopped' })).toEqual([
      stopTimer('outgoing', 'idleHold'),
    ]);
    expect(feed(fsm, 'outgoing', IDLE_HOLD_OVER)).toEqual([]);
    expect(fsm.state).toBe('Idle');
  });

  test('an incoming connection is accepted during it', () => {
    const fsm = fsmIn('OpenSent');
    feed(fsm, 'outgoing', WRONG_AS);
    expect(fsm.state).toBe('Idle');
    establish(fsm, 'incoming');
  });

  test('the peer itself is made to wait from its second failure in a row, for 15 s at most', () => {
    const fsm = passiveFsmIn('Active', { idleHoldSeconds: { initial: 1, max: 300 } });
    const holds = Array.from({ length: 8 }, () => {
      const held = idleHolds(feed(fsm, 'incoming', CONFIRMED, WRONG_AS), 'incoming');
      if (held.length > 0) {
        expect(feed(fsm, 'incoming', CONFIRMED)).toEqual([
          {
            type: 'Refuse',
            notification: CEASE_REJECTED,
            reason: 'the peer failed repeatedly and must wait',
          },
        ]);
      }
      feed(fsm, 'incoming', IDLE_HOLD_OVER);
      return held;
    });
    expect(holds).toEqual([[], [1], [2], [4], [8], [15], [15], [15]]);
    establish(fsm, 'incoming');
    expect(idleHolds(feed(fsm, 'incoming', RESET), 'incoming')).toEqual([]);
  });

  test('ManualStart lets a waiting peer in at once', () => {
    const fsm = passiveFsmIn('Active');
    feed(fsm, 'incoming', CONFIRMED, WRONG_AS, CONFIRMED, WRONG_AS);
    expect(fsm.handle({ type: 'ManualStart' })).toEqual([stopTimer('incoming', 'idleHold')]);
    establish(fsm, 'incoming');
  });
});

describe('RFC 4271 8.1.2 stops', () => {
  test('AutomaticStop: both connections wait, and a peer that connects is refused meanwhile', () => {
    const fsm = fsmIn('Established');
    fsm.handle({ type: 'AutomaticStop', notification: notificationOf(6, 1), reason: 'too many prefixes' });
    expect(only(feed(fsm, 'incoming', CONFIRMED), 'Refuse')).toHaveLength(1);
    feed(fsm, 'incoming', IDLE_HOLD_OVER);
    feed(fsm, 'outgoing', IDLE_HOLD_OVER);
    expect(fsm.state).toBe('Connect');
    establish(fsm, 'incoming');
  });

  test('AutomaticStop counts as a failure: before the next session the wait doubles', () => {
    const fsm = fsmIn('Established');
    const stop = { type: 'AutomaticStop', notification: notificationOf(6, 1), reason: 'limit' } as const;
    const holds = Array.from({ length: 3 }, () => {
      const actions = fsm.handle(stop);
      feed(fsm, 'outgoing', IDLE_HOLD_OVER, { type: 'TcpCRAcked' });
      return idleHolds(actions, 'incoming');
    });
    expect(holds.flat()).toEqual([1, 2, 4]);
  });

  test('AutomaticStop with both connections open tells the peer on both', () => {
    const fsm = fsmIn('OpenSent');
    feed(fsm, 'incoming', CONFIRMED);
    const cease = notificationOf(6, 6);
    const actions = fsm.handle({ type: 'AutomaticStop', notification: cease, reason: 'changed' });
    expect(only(actions, 'Send', 'Close')).toEqual([
      send('outgoing', cease),
      close('outgoing'),
      send('incoming', cease),
      close('incoming'),
    ]);
  });

  test('after ManualStop nothing is accepted until a start', () => {
    const fsm = passiveFsmIn('Established');
    fsm.handle({ type: 'ManualStop', notification: CEASE_SHUTDOWN, reason: 'stopped' });
    expect(feed(fsm, 'incoming', CONFIRMED)).toEqual([
      { type: 'Refuse', notification: CEASE_REJECTED, reason: 'the peer is not started' },
    ]);
    fsm.handle({ type: 'AutomaticStart' });
    establish(fsm, 'incoming');
  });

  test('before the first start an incoming connection is refused', () => {
    expect(feed(fsmIn('Idle'), 'incoming', CONFIRMED)).toEqual([
      { type: 'Refuse', notification: CEASE_REJECTED, reason: 'the peer is not started' },
    ]);
  });
});

test('ManualStart changes nothing while a session is established, whichever connection has it', () => {
  const fsm = fsmIn('Connect');
  establish(fsm, 'incoming');
  expect(fsm.handle({ type: 'ManualStart' })).toEqual([]);
});

test('a timer that was stopped while its expiry was on the way is ignored', () => {
  const fsm = fsmIn('Established');
  feed(fsm, 'outgoing', RESET);
  feed(fsm, 'outgoing', IDLE_HOLD_OVER, { type: 'TcpCRAcked' }, received(peerOpen({ holdTimeSeconds: 0 })));
  expect(feed(fsm, 'outgoing', { type: 'TimerExpires', timer: 'hold' })).toEqual([]);
  expect(fsm.state).toBe('OpenConfirm');
});

test('the state of the peer is that of the connection that got furthest', () => {
  const fsm = fsmIn('Connect');
  feed(fsm, 'incoming', CONFIRMED);
  expect(fsm.state).toBe('OpenSent');
  feed(fsm, 'outgoing', RESET);
  expect(fsm.state).toBe('OpenSent');
  expect(feed(fsm, 'incoming', RESET).at(-1)).toEqual(stateChange('OpenSent', 'Active', 'connection reset'));
});
