/**
 * Two peers wired back to back in memory, on a fake clock.
 */
import { describe, expect, test } from 'vitest';
import type { FsmConfig } from '../../../../bgp/fsm/index.js';
import { FakeClock } from '../../../support/fake-clock.js';
import {
  CEASE_SHUTDOWN,
  capabilitiesOf,
  fsmConfig,
  gracefulRestart,
  HOLD_TIMER_EXPIRED,
  OUR_AS,
  OUR_ID,
  only,
  PEER_AS,
  PEER_ID,
} from '../../../support/fsm-builders.js';
import { FsmNetwork, FsmSpeaker } from '../../../support/fsm-network.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Node a: AS 64512, 10.0.0.1. */
function configA(overrides: Partial<FsmConfig> = {}): FsmConfig {
  return fsmConfig(overrides);
}

/** Node b: AS 64513, 10.0.0.2, the higher identifier. */
function configB(overrides: Partial<FsmConfig> = {}): FsmConfig {
  return fsmConfig({
    localAs: PEER_AS,
    peerAs: OUR_AS,
    bgpIdentifier: PEER_ID,
    capabilities: () => capabilitiesOf(PEER_AS),
    ...overrides,
  });
}

/** Two speakers, ten milliseconds apart. */
function pair(a: FsmConfig, b: FsmConfig) {
  const clock = new FakeClock();
  const network = new FsmNetwork({ clock, delayMs: () => 10, random: () => 0.5 });
  const [speakerA, speakerB] = network.pair(a, b);
  return { clock, network, a: speakerA, b: speakerB };
}

function startBoth(...speakers: readonly FsmSpeaker[]): void {
  for (const speaker of speakers) speaker.handle({ type: 'ManualStart' });
}

test('one dials, the other listens: both agree on one session', () => {
  const { clock, network, a, b } = pair(configA({ holdTimeSeconds: 30 }), configB({ dial: 'never' }));
  startBoth(a, b);
  clock.advance(SECOND);
  expect(network.connections).toBe(1);
  expect(a.model.fsm.session).toMatchObject({ direction: 'outgoing', peerAs: PEER_AS, holdTimeSeconds: 30 });
  expect(b.model.fsm.session).toMatchObject({ direction: 'incoming', peerAs: OUR_AS, holdTimeSeconds: 30 });
});

test.each([
  ['a hold time of 3 s', 3],
  ['a hold time of 90 s', 90],
  ['no hold time', 0],
])('RFC 4271 4.4: an idle session stays up for an hour with %s', (_name, holdTimeSeconds) => {
  const { clock, a, b } = pair(configA({ holdTimeSeconds }), configB({ dial: 'never' }));
  startBoth(a, b);
  clock.advance(60 * MINUTE);
  expect([a.state, b.state]).toEqual(['Established', 'Established']);
  expect([a.model.sessions, b.model.sessions]).toEqual([1, 1]);
});

test('RFC 4271 6.5: a dead path is noticed by both within the hold time, and the session comes back', () => {
  const { clock, network, a, b } = pair(configA(), configB({ dial: 'never' }));
  startBoth(a, b);
  clock.advance(MINUTE);
  network.goSilent();
  clock.advance(90 * SECOND);
  for (const { sessionDowns } of [a, b]) {
    expect(sessionDowns).toEqual([
      {
        reason: 'the hold timer expired',
        by: 'us',
        graceful: false,
        notification: HOLD_TIMER_EXPIRED,
      },
    ]);
  }
  clock.advance(2 * SECOND);
  expect([a.state, b.state]).toEqual(['Established', 'Established']);
});

describe('RFC 4271 6.8: both dial at the same moment', () => {
  test.each([
    ['b has the higher identifier', OUR_ID, PEER_ID, 'incoming', 'outgoing'],
    ['a has the higher identifier', PEER_ID, OUR_ID, 'outgoing', 'incoming'],
  ] as const)('%s: its connection is the one session on both sides', (_name, idA, idB, atA, atB) => {
    const { clock, network, a, b } = pair(configA({ bgpIdentifier: idA }), configB({ bgpIdentifier: idB }));
    startBoth(a, b);
    clock.advance(SECOND);
    expect(network.connections).toBe(1);
    expect(a.model.fsm.session?.direction).toBe(atA);
    expect(b.model.fsm.session?.direction).toBe(atB);
    clock.advance(10 * MINUTE);
    expect([a.model.sessions, b.model.sessions]).toEqual([1, 1]);
    expect([...only(a.actions, 'AttemptFailed'), ...only(b.actions, 'AttemptFailed')]).toEqual([]);
  });
});

describe('a mesh pair: the higher address dials, the lower one listens', () => {
  const lower = configA({ dial: { afterSeconds: 30 } });

  test('there is one connection and no collision', () => {
    const { clock, a, b } = pair(lower, configB());
    startBoth(a, b);
    clock.advance(MINUTE);
    expect(a.model.fsm.session?.direction).toBe('incoming');
    expect([...only(a.actions, 'Connect'), ...only(b.actions, 'Close')]).toEqual([]);
  });

  test('a dialler that never dials is dialled after 30 s', () => {
    const { clock, a, b } = pair(lower, configB({ dial: 'never' }));
    startBoth(a, b);
    clock.advance(30 * SECOND);
    expect(a.state).toBe('Connect');
    clock.advance(SECOND);
    expect(a.model.fsm.session?.direction).toBe('outgoing');
  });
});

test('an unreachable peer is tried again and again, and found', () => {
  const { clock, network, a, b } = pair(configA(), configB({ dial: 'never' }));
  network.reachable = false;
  startBoth(a, b);
  clock.advance(MINUTE);
  expect(a.state).toBe('Active');
  expect(only(a.actions, 'AttemptFailed').length).toBeGreaterThan(5);
  network.reachable = true;
  clock.advance(10 * SECOND);
  expect([a.state, b.state]).toEqual(['Established', 'Established']);
});

test('a stopped peer stays down on both sides until it is started', () => {
  const { clock, network, a, b } = pair(configA(), configB());
  startBoth(a, b);
  clock.advance(MINUTE);
  b.handle({ type: 'ManualStop', notification: CEASE_SHUTDOWN, reason: 'stopped by the operator' });
  clock.advance(10 * MINUTE);
  expect(b.state).toBe('Idle');
  expect(a.sessionDowns).toMatchObject([{ by: 'peer', notification: CEASE_SHUTDOWN }]);
  expect(network.connections).toBe(0);
  b.handle({ type: 'ManualStart' });
  clock.advance(20 * SECOND);
  expect([a.state, b.state]).toEqual(['Established', 'Established']);
});

describe('RFC 4724: the peer restarts', () => {
  const theirs = () => capabilitiesOf(PEER_AS, gracefulRestart());
  const ours = () => capabilitiesOf(OUR_AS, gracefulRestart());

  test('its new connection replaces a session whose end nobody noticed, and the routes stay', () => {
    const { clock, network, a, b } = pair(
      configA({ capabilities: ours, dial: 'never' }),
      configB({ capabilities: theirs }),
    );
    startBoth(a, b);
    clock.advance(MINUTE);
    network.goSilent();
    const reborn = new FsmSpeaker(network, configB({ capabilities: theirs }));
    reborn.peer = a;
    a.peer = reborn;
    reborn.handle({ type: 'ManualStart' });
    clock.advance(SECOND);
    expect(a.sessionDowns).toMatchObject([{ graceful: true }]);
    expect([a.state, reborn.state]).toEqual(['Established', 'Established']);
    expect([a.model.sessions, reborn.model.sessions]).toEqual([2, 1]);
  });

  test('it closes without a word and comes back', () => {
    const { clock, a, b } = pair(
      configA({ capabilities: ours, dial: 'never' }),
      configB({ capabilities: theirs }),
    );
    startBoth(a, b);
    clock.advance(MINUTE);
    b.handle({ type: 'ManualStop', reason: 'restarting' });
    clock.advance(SECOND);
    expect(a.sessionDowns).toMatchObject([{ graceful: true, by: 'machine' }]);
    startBoth(b);
    clock.advance(SECOND);
    expect([a.state, b.state]).toEqual(['Established', 'Established']);
  });
});
