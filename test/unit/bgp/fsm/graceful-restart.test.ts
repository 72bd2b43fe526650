/**
 * When the routes of a peer outlive its session (RFC 4724, RFC 8538).
 */
import { describe, expect, test } from 'vitest';
import type { FsmEvent } from '../../../../bgp/fsm/index.js';
import type { GracefulRestartCapability } from '../../../../bgp/wire/index.js';
import {
  capabilitiesOf,
  fsmIn,
  gracefulRestart,
  notificationOf,
  OUR_AS,
  only,
  PEER_AS,
} from '../../../support/fsm-builders.js';

/** Whether the routes survive when a session with these capabilities ends by this event. */
function graceful(
  ours: GracefulRestartCapability | undefined,
  theirs: GracefulRestartCapability | undefined,
  event: FsmEvent,
): boolean | undefined {
  const fsm = fsmIn(
    'Established',
    { capabilities: () => capabilitiesOf(OUR_AS, ...(ours === undefined ? [] : [ours])) },
    { capabilities: capabilitiesOf(PEER_AS, ...(theirs === undefined ? [] : [theirs])) },
  );
  return only(fsm.handle(event), 'SessionDown')[0]?.down.graceful;
}

/** What is sent, and how the session ends, where both sides have these capabilities. */
function endOf(ours: GracefulRestartCapability, theirs: GracefulRestartCapability, event: FsmEvent) {
  const fsm = fsmIn(
    'Established',
    { capabilities: () => capabilitiesOf(OUR_AS, ours) },
    { capabilities: capabilitiesOf(PEER_AS, theirs) },
  );
  const actions = fsm.handle(event);
  return [only(actions, 'Send')[0]?.message, only(actions, 'SessionDown')[0]?.down] as const;
}

const direction = 'outgoing';
const LOST: FsmEvent = { type: 'TcpConnectionFails', direction, reason: 'connection reset' };
const STOPPED: FsmEvent = { type: 'ManualStop', reason: 'restarting' };
const EXPIRED: FsmEvent = { type: 'TimerExpires', direction, timer: 'hold' };
const TOLD: FsmEvent = { type: 'NotifMsg', direction, notification: notificationOf(6, 4) };
const TOLD_HARD: FsmEvent = { type: 'NotifMsg', direction, notification: notificationOf(6, 9) };
const TELLING: FsmEvent = {
  type: 'MessageErr',
  direction,
  notification: notificationOf(3, 1),
  reason: 'malformed',
};
const TELLING_HARD: FsmEvent = { type: 'AutomaticStop', notification: notificationOf(6, 9), reason: 'limit' };

const PLAIN = gracefulRestart();
const N_BIT = gracefulRestart({ notification: true });
const HELPER = gracefulRestart({ families: [] });
const N_BIT_HELPER = gracefulRestart({ notification: true, families: [] });

describe('RFC 4724 4.2: the routes are kept', () => {
  test.each<[string, FsmEvent]>([
    ['the connection is lost', LOST],
    ['we close it without a word', STOPPED],
  ])('when %s and the peer has announced a family', (_name, event) => {
    expect(graceful(PLAIN, PLAIN, event)).toBe(true);
    expect(graceful(HELPER, PLAIN, event)).toBe(true);
  });

  test.each<[string, GracefulRestartCapability | undefined, GracefulRestartCapability | undefined]>([
    ['the peer has not announced graceful restart', PLAIN, undefined],
    ['the peer has announced it without a family', PLAIN, HELPER],
    ['we have not announced it', undefined, PLAIN],
  ])('but not when %s', (_name, ours, theirs) => {
    expect(graceful(ours, theirs, LOST)).toBe(false);
  });
});

describe('RFC 4724 4: a NOTIFICATION ends it for good', () => {
  test.each<[string, FsmEvent]>([
    ['received', TOLD],
    ['sent', TELLING],
    ['sent as the hold timer expires', EXPIRED],
  ])('%s', (_name, event) => {
    expect(graceful(PLAIN, PLAIN, event)).toBe(false);
  });
});

describe('RFC 8538: with the N bit of both sides a NOTIFICATION is graceful', () => {
  test.each<[string, FsmEvent]>([
    ['received', TOLD],
    ['sent', TELLING],
    ['sent as the hold timer expires', EXPIRED],
  ])('%s', (_name, event) => {
    expect(graceful(N_BIT, N_BIT, event)).toBe(true);
    expect(graceful(N_BIT_HELPER, N_BIT, event)).toBe(true);
  });

  test.each<[string, FsmEvent]>([
    ['received', TOLD_HARD],
    ['sent', TELLING_HARD],
  ])('unless it is a Hard Reset, %s', (_name, event) => {
    expect(graceful(N_BIT, N_BIT, event)).toBe(false);
  });

  test.each<[string, number, number]>([
    ['a limit of prefixes that is exceeded', 6, 1],
    ['an administrative shutdown', 6, 2],
    ['a peer that is no longer configured', 6, 3],
  ])(
    'RFC 8538 4: %s is sent as a Hard Reset around it, and ends the session for good',
    (_name, code, subcode) => {
      const cause = notificationOf(code, subcode, 2, 0x6f, 0x6b);
      const wrapped = notificationOf(6, 9, code, subcode, 2, 0x6f, 0x6b);
      const stop: FsmEvent = { type: 'ManualStop', notification: cause, reason: 'stopped' };
      const [told, down] = endOf(N_BIT, N_BIT, stop);
      expect(told).toEqual(wrapped);
      expect(down).toMatchObject({ graceful: false, notification: wrapped });
      expect(endOf(N_BIT, PLAIN, stop)[0]).toEqual(cause);
      expect(endOf(PLAIN, N_BIT, stop)[0]).toEqual(cause);
    },
  );

  test.each<[string, number, number]>([
    ['an administrative reset', 6, 4],
    ['another change of the configuration', 6, 6],
    ['a lack of resources', 6, 8],
  ])('RFC 8538 4: %s is sent as it is, and the routes are kept', (_name, code, subcode) => {
    const cause = notificationOf(code, subcode);
    const [told, down] = endOf(N_BIT, N_BIT, { type: 'ManualStop', notification: cause, reason: 'stopped' });
    expect(told).toEqual(cause);
    expect(down).toMatchObject({ graceful: true });
  });

  test('RFC 8538 3: before the session is established nothing is wrapped', () => {
    const fsm = fsmIn(
      'OpenConfirm',
      { capabilities: () => capabilitiesOf(OUR_AS, N_BIT) },
      { capabilities: capabilitiesOf(PEER_AS, N_BIT) },
    );
    const stop: FsmEvent = { type: 'ManualStop', notification: notificationOf(6, 2), reason: 'stopped' };
    expect(only(fsm.handle(stop), 'Send')[0]?.message).toEqual(notificationOf(6, 2));
  });

  test.each<[string, GracefulRestartCapability, GracefulRestartCapability]>([
    ['ours alone', N_BIT, PLAIN],
    ["the peer's alone", PLAIN, N_BIT],
    ['a peer without families', N_BIT, N_BIT_HELPER],
  ])('not with %s', (_name, ours, theirs) => {
    expect(graceful(ours, theirs, TOLD)).toBe(false);
    expect(graceful(ours, theirs, EXPIRED)).toBe(false);
  });
});

test('RFC 4724 3: each OPEN asks anew for our capabilities, so the R bit may go out', () => {
  let restarting = true;
  const fsm = fsmIn('Connect', {
    capabilities: () => capabilitiesOf(OUR_AS, gracefulRestart({ restarting })),
  });
  const openSent = () =>
    only(fsm.handle({ type: 'TcpCRAcked', direction }), 'Send').map(({ message }) =>
      message.type === 'OPEN' ? message.capabilities.at(-1) : undefined,
    );
  expect(openSent()).toMatchObject([{ restarting: true }]);
  restarting = false;
  fsm.handle(LOST);
  fsm.handle({ type: 'TimerExpires', direction, timer: 'connectRetry' });
  expect(openSent()).toMatchObject([{ restarting: false }]);
});
