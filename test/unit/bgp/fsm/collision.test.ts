/**
 * Which of several connections of a peer survives (RFC 4271 6.8, RFC 6286, RFC 4724 5).
 */
import { describe, expect, test } from 'vitest';
import type { Direction, FsmConfig, PeerFsm } from '../../../../bgp/fsm/index.js';
import { type Ipv4, ipv4 } from '../../../../bgp/net/index.js';
import {
  CEASE_COLLISION,
  capabilitiesOf,
  close,
  feed,
  fsmIn,
  gracefulRestart,
  HOLD_TIMER_EXPIRED,
  KEEPALIVE,
  notificationOf,
  OUR_AS,
  only,
  passiveFsmIn,
  peerOpen,
  received,
  send,
  sent,
  stateChange,
  stopTimer,
} from '../../../support/fsm-builders.js';

const CONFIRMED = { type: 'TcpConnectionConfirmed' } as const;
const LOWER: Ipv4 = ipv4(0x0a000000);
const HIGHER: Ipv4 = ipv4(0x0a000009);

/** Both connections are up and in OpenSent. */
function bothOpen(config: Partial<FsmConfig> = {}): PeerFsm {
  const fsm = fsmIn('OpenSent', config);
  feed(fsm, 'incoming', CONFIRMED);
  return fsm;
}

/** One connection in OpenConfirm, the other in OpenSent. */
function confirmed(first: Direction, peerIdentifier: Ipv4): PeerFsm {
  const fsm = bothOpen();
  feed(fsm, first, received(peerOpen({ bgpIdentifier: peerIdentifier })));
  return fsm;
}

const cases: readonly (readonly [string, Ipv4, Direction, Direction])[] = [
  ['ours is higher', LOWER, 'outgoing', 'incoming'],
  ['the peer is higher', HIGHER, 'incoming', 'outgoing'],
];

describe.each(cases)('RFC 4271 6.8 collision, %s', (_name, peerIdentifier, winner, loser) => {
  const open = received(peerOpen({ bgpIdentifier: peerIdentifier }));

  test(`an OPEN on the ${loser} connection, the other in OpenConfirm: Cease 6/7 on the new one, nothing else`, () => {
    const fsm = confirmed(winner, peerIdentifier);
    const actions = feed(fsm, loser, open);
    expect(actions.slice(0, 3)).toEqual([
      send(loser, CEASE_COLLISION),
      close(loser),
      stopTimer(loser, 'hold'),
    ]);
    expect(sent(actions)).toHaveLength(1);
    expect(only(actions, 'AttemptFailed', 'StateChange')).toEqual([]);
    expect(fsm.state).toBe('OpenConfirm');
  });

  test(`an OPEN on the ${winner} connection, the other in OpenConfirm: Cease 6/7 on the older one, the new one goes on`, () => {
    const fsm = confirmed(loser, peerIdentifier);
    const actions = feed(fsm, winner, open);
    expect(actions.slice(0, 2)).toEqual([send(loser, CEASE_COLLISION), close(loser)]);
    expect(sent(actions)).toEqual([
      [loser, CEASE_COLLISION],
      [winner, KEEPALIVE],
    ]);
    expect(only(actions, 'AttemptFailed', 'StateChange')).toEqual([]);
    expect(fsm.state).toBe('OpenConfirm');
  });

  test.each([winner, loser])('the survivor becomes the session when the %s OPEN comes first', (first) => {
    const fsm = confirmed(first, peerIdentifier);
    feed(fsm, first === winner ? loser : winner, open);
    const actions = feed(fsm, winner, received(KEEPALIVE));
    expect(only(actions, 'SessionUp')).toHaveLength(1);
    expect(fsm.session?.direction).toBe(winner);
  });

  test('the loser dials again if the survivor fails after all', () => {
    const fsm = confirmed(winner, peerIdentifier);
    feed(fsm, loser, open);
    const failed = feed(fsm, winner, { type: 'TcpConnectionFails', reason: 'connection reset' });
    expect(fsm.state).toBe('Idle');
    expect(only(failed, 'AttemptFailed')).toHaveLength(1);
    feed(fsm, 'outgoing', { type: 'TimerExpires', timer: 'idleHold' });
    expect(fsm.state).toBe('Connect');
  });
});

describe('RFC 4271 6.8 which connections collide', () => {
  test('both in OpenSent: nobody knows the identifiers yet, both go on', () => {
    const fsm = fsmIn('OpenSent');
    const actions = feed(fsm, 'incoming', CONFIRMED);
    expect(only(actions, 'Accept')).toHaveLength(1);
    expect(only(actions, 'Close')).toEqual([]);
  });

  test('an OPEN that is wrong loses as wrong: the other connection goes on', () => {
    const fsm = confirmed('outgoing', HIGHER);
    const actions = feed(fsm, 'incoming', received(peerOpen({ asn: 64999, bgpIdentifier: HIGHER })));
    expect(sent(actions)).toEqual([['incoming', notificationOf(2, 2)]]);
    expect(fsm.state).toBe('OpenConfirm');
  });

  test('a dialling attempt is no collision: the incoming connection goes on, and ends the attempt when established', () => {
    const fsm = fsmIn('Connect');
    feed(fsm, 'incoming', CONFIRMED, received(peerOpen({ bgpIdentifier: LOWER })));
    expect(fsm.state).toBe('OpenConfirm');
    const actions = feed(fsm, 'incoming', received(KEEPALIVE));
    expect(actions.slice(-3)).toEqual([
      close('outgoing'),
      stopTimer('outgoing', 'connectRetry'),
      stateChange('OpenConfirm', 'Established', 'received KEEPALIVE'),
    ]);
  });

  test.each(['outgoing', 'incoming'] as const)(
    'the %s connection established, the other in OpenSent: Cease 6/7 on the other one',
    (first) => {
      const other = first === 'outgoing' ? 'incoming' : 'outgoing';
      const fsm = bothOpen();
      const actions = feed(fsm, first, received(peerOpen()), received(KEEPALIVE));
      expect(sent(actions).at(-1)).toEqual([other, CEASE_COLLISION]);
      expect(only(actions, 'Close')).toEqual([close(other)]);
      expect(only(actions, 'SessionUp')).toHaveLength(1);
      expect(fsm.session?.direction).toBe(first);
    },
  );

  test('established while the other connection waits in Active: its timer stops', () => {
    const fsm = fsmIn('Active');
    const actions = feed(fsm, 'incoming', CONFIRMED, received(peerOpen()), received(KEEPALIVE));
    expect(only(actions, 'StopTimer')).toEqual([stopTimer('outgoing', 'connectRetry')]);
  });
});

describe('RFC 6286 2.3 equal identifiers over eBGP: the AS decides', () => {
  test.each([
    [64513, 'incoming'],
    [64511, 'outgoing'],
  ] as const)('peer AS %i: the %s connection survives', (peerAs, winner) => {
    const fsm = bothOpen({ peerAs });
    const open = peerOpen({
      asn: peerAs,
      bgpIdentifier: ipv4(0x0a000001),
      capabilities: capabilitiesOf(peerAs),
    });
    feed(fsm, 'outgoing', received(open));
    feed(fsm, 'incoming', received(open));
    feed(fsm, winner, received(KEEPALIVE));
    expect(fsm.session?.direction).toBe(winner);
  });
});

describe('a NOTIFICATION 6/7 from the peer', () => {
  test.each(['outgoing', 'incoming'] as const)(
    'on the %s connection while the other one is up: it is closed, and it is no failure',
    (direction) => {
      const fsm = bothOpen();
      const actions = feed(fsm, direction, received(CEASE_COLLISION));
      expect(only(actions, 'Close')).toEqual([close(direction)]);
      expect(only(actions, 'Send', 'AttemptFailed', 'StateChange')).toEqual([]);
      expect(fsm.state).toBe('OpenSent');
    },
  );

  test('that comes late, while a new attempt is under way, does not disturb the attempt', () => {
    const fsm = fsmIn('Connect');
    feed(fsm, 'incoming', CONFIRMED);
    expect(feed(fsm, 'outgoing', received(CEASE_COLLISION))).toEqual([]);
  });

  test('without another connection it is a failure like any other', () => {
    const actions = feed(fsmIn('OpenSent'), 'outgoing', received(CEASE_COLLISION));
    expect(only(actions, 'AttemptFailed')).toHaveLength(1);
  });

  test('in Established it ends the session', () => {
    const actions = feed(fsmIn('Established'), 'outgoing', received(CEASE_COLLISION));
    expect(only(actions, 'SessionDown')).toHaveLength(1);
  });
});

describe('a new incoming connection while a session is established', () => {
  test.each([
    ['outgoing', () => fsmIn('Established')],
    ['incoming', () => passiveFsmIn('Established')],
  ] as const)(
    'RFC 4271 6.8: the session of the %s connection survives, the new one gets 6/7',
    (_name, make) => {
      const fsm = make();
      const { session } = fsm;
      expect(feed(fsm, 'incoming', CONFIRMED)).toEqual([
        { type: 'Refuse', notification: CEASE_COLLISION, reason: 'a session is already established' },
      ]);
      expect(fsm.session).toBe(session);
    },
  );

  const capabilities = () => capabilitiesOf(OUR_AS, gracefulRestart({ families: [] }));
  const open = { capabilities: [...peerOpen().capabilities, gracefulRestart()] };
  const restarted = 'the peer has restarted: it opened a new connection';

  test.each([
    ['outgoing', () => fsmIn('Established', { capabilities }, open)],
    ['incoming', () => passiveFsmIn('Established', { capabilities }, open)],
  ] as const)(
    'RFC 4724 5: from a peer with graceful restart it replaces the session of the %s connection without a NOTIFICATION',
    (direction, make) => {
      const fsm = make();
      const actions = feed(fsm, 'incoming', CONFIRMED);
      expect(actions.map(({ type }) => type).filter((type) => !type.endsWith('Timer'))).toEqual([
        'Close',
        'SessionDown',
        'StateChange',
        'Accept',
        'Send',
        'StateChange',
      ]);
      expect(only(actions, 'Close')).toEqual([close(direction)]);
      expect(only(actions, 'SessionDown')).toEqual([
        { type: 'SessionDown', down: { reason: restarted, by: 'machine', graceful: true } },
      ]);
      expect(sent(actions).map(([on, { type }]) => [on, type])).toEqual([['incoming', 'OPEN']]);
      expect(fsm.state).toBe('OpenSent');
      feed(fsm, 'incoming', received(peerOpen(open)), received(KEEPALIVE));
      expect(fsm.session?.direction).toBe('incoming');
    },
  );

  test('RFC 4724 5: a peer that announced no family has nothing to keep: its new connection is refused', () => {
    const helper = { capabilities: [...peerOpen().capabilities, gracefulRestart({ families: [] })] };
    const fsm = passiveFsmIn('Established', { capabilities }, helper);
    expect(only(feed(fsm, 'incoming', CONFIRMED), 'Refuse')).toHaveLength(1);
  });

  test('a speaker that does not announce graceful restart does not practise it', () => {
    const fsm = passiveFsmIn('Established', {}, open);
    expect(only(feed(fsm, 'incoming', CONFIRMED), 'Refuse')).toHaveLength(1);
  });
});

describe('a second incoming connection before the session', () => {
  test.each(['OpenSent', 'OpenConfirm'] as const)('in %s: the newer one replaces the older one', (state) => {
    const fsm = passiveFsmIn(state);
    const actions = feed(fsm, 'incoming', CONFIRMED);
    expect(actions.filter(({ type }) => !type.endsWith('Timer')).slice(0, 4)).toEqual([
      send('incoming', CEASE_COLLISION),
      close('incoming'),
      { type: 'AttemptFailed', reason: 'the peer opened a new connection', by: 'machine' },
      { type: 'Accept' },
    ]);
    expect(fsm.state).toBe('OpenSent');
  });

  test('a connection that stays silent does not keep the peer out', () => {
    const fsm = passiveFsmIn('OpenSent');
    feed(fsm, 'incoming', CONFIRMED, received(peerOpen()), received(KEEPALIVE));
    expect(fsm.state).toBe('Established');
    expect(sent(feed(fsm, 'incoming', { type: 'TimerExpires', timer: 'hold' }))).toEqual([
      ['incoming', HOLD_TIMER_EXPIRED],
    ]);
  });
});
