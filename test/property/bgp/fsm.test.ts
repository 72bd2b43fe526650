/**
 * What holds for a PeerFsm whatever happens, and in whatever order.
 *
 * The rules for one peer are in test/support/fsm-model.ts, one message each; every run of every property here passes
 * all of them after every event.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConnectionEvent, Direction, FsmConfig, FsmEvent, FsmTimer } from '../../../bgp/fsm/index.js';
import { ipv4 } from '../../../bgp/net/index.js';
import type { Capability, GracefulRestartCapability, OpenMessage } from '../../../bgp/wire/index.js';
import { FakeClock } from '../../support/fake-clock.js';
import {
  CEASE_COLLISION,
  CEASE_SHUTDOWN,
  capabilitiesOf,
  fsmConfig,
  gracefulRestart,
  KEEPALIVE,
  notificationOf,
  OUR_AS,
  OUR_ID,
  PEER_AS,
  PEER_ID,
  peerOpen,
  received,
  UPDATE,
} from '../../support/fsm-builders.js';
import { FsmModel } from '../../support/fsm-model.js';
import { FsmNetwork } from '../../support/fsm-network.js';

const capability: fc.Arbitrary<GracefulRestartCapability> = fc
  .record({ notification: fc.boolean(), helper: fc.boolean() })
  .map(({ notification, helper }) =>
    gracefulRestart(helper ? { notification, families: [] } : { notification }),
  );

const optionalCapability: fc.Arbitrary<readonly Capability[]> = fc.oneof(
  fc.constant([]),
  capability.map((one) => [one]),
);

const dial: fc.Arbitrary<FsmConfig['dial']> = fc.constantFrom<FsmConfig['dial'][]>('now', 'never', {
  afterSeconds: 30,
});

const config: fc.Arbitrary<FsmConfig> = fc
  .record({
    dial,
    holdTimeSeconds: fc.constantFrom(0, 3, 90),
    peerAs: fc.constantFrom(PEER_AS, OUR_AS),
    ours: optionalCapability,
  })
  .map(({ ours, ...rest }) => fsmConfig({ ...rest, capabilities: () => capabilitiesOf(OUR_AS, ...ours) }));

/** An OPEN of the peer; `asn` is filled in where it must be right. */
const open = fc
  .record({
    asn: fc.constantFrom(PEER_AS, OUR_AS),
    holdTimeSeconds: fc.constantFrom(0, 3, 90),
    bgpIdentifier: fc.constantFrom(PEER_ID, ipv4(0x0a000000), OUR_ID),
    more: optionalCapability,
  })
  .map(({ more, ...rest }) => peerOpen({ ...rest, capabilities: capabilitiesOf(rest.asn, ...more) }));

const direction = fc.constantFrom<Direction[]>('outgoing', 'incoming');

/** Everything that can be told to a PeerFsm, in any state. */
const anyEvent: fc.Arbitrary<FsmEvent> = fc
  .record({
    direction,
    open,
    timer: fc.constantFrom<FsmTimer[]>('connectRetry', 'hold', 'keepalive', 'idleHold', 'delayedDial'),
    notification: fc.constantFrom(
      CEASE_COLLISION,
      CEASE_SHUTDOWN,
      notificationOf(6, 9),
      notificationOf(2, 2),
    ),
  })
  .chain(({ direction, open, timer, notification }) => {
    const ofConnection: readonly ConnectionEvent[] = [
      { type: direction === 'outgoing' ? 'TcpCRAcked' : 'TcpConnectionConfirmed' },
      { type: 'TcpConnectionFails', reason: 'connection reset' },
      { type: 'TimerExpires', timer },
      { type: 'MessageErr', notification: notificationOf(3, 1), reason: 'malformed' },
      received(open),
      received(KEEPALIVE),
      received(UPDATE),
      received({ type: 'ROUTE-REFRESH', family: 'ipv4', subtype: 0 }),
      received(notification),
    ];
    return fc.constantFrom<FsmEvent[]>(
      ...ofConnection.map((one) => ({ ...one, direction })),
      { type: 'ManualStart' },
      { type: 'AutomaticStart' },
      { type: 'ManualStop', reason: 'stopped' },
      { type: 'ManualStop', reason: 'stopped', notification },
      { type: 'AutomaticStop', reason: 'limit', notification: notificationOf(6, 1) },
    );
  });

/** What would bring a connection one step nearer to a session: lists of nothing but chance hardly ever have one. */
function helpful(model: FsmModel, on: Direction, { peerAs }: FsmConfig, open: OpenMessage): FsmEvent {
  const connection = model.connections.get(on);
  if (connection?.phase === 'dialling') return { type: 'TcpCRAcked', direction: on };
  if (connection !== undefined) {
    const message = connection.received.includes('OPEN') ? KEEPALIVE : { ...open, asn: peerAs };
    return { ...received(message), direction: on };
  }
  if (on === 'incoming') return { type: 'TcpConnectionConfirmed', direction: on };
  const waiting = (['idleHold', 'connectRetry', 'delayedDial'] as const).find((timer) =>
    model.timers.has(`outgoing/${timer}`),
  );
  return waiting === undefined
    ? { type: 'AutomaticStart' }
    : { type: 'TimerExpires', direction: on, timer: waiting };
}

/** One step: an event, or the helpful one at that moment. */
type Step = (model: FsmModel, config: FsmConfig) => FsmEvent;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: anyEvent.map(
      (event): Step =>
        () =>
          event,
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(direction, open).map(
      ([on, message]): Step =>
        (model, peer) =>
          helpful(model, on, peer, message),
    ),
  },
);

const steps = fc.array(step, { maxLength: 60, size: 'max' });

/** A started peer after these steps. */
function walk(peer: FsmConfig, list: readonly Step[]): FsmModel {
  const model = new FsmModel(peer);
  model.handle({ type: 'ManualStart' });
  for (const one of list) model.handle(one(model, peer));
  return model;
}

describe('any list of events', () => {
  test('keeps every rule of the model', () => {
    let sessions = 0;
    let replaced = 0;
    fc.assert(
      fc.property(config, steps, (peer, list) => {
        const model = walk(peer, list);
        sessions += model.sessions;
        replaced += model.replacedSessions;
      }),
      { numRuns: 2000 },
    );
    // Else the lists would say little about sessions, and nothing about restarts.
    expect(sessions).toBeGreaterThan(1000);
    expect(replaced).toBeGreaterThan(20);
  });

  test('leaves a peer that ManualStop brings to Idle, silent, from wherever it is', () => {
    fc.assert(
      fc.property(config, steps, (peer, list) => {
        const model = walk(peer, list);
        model.handle({ type: 'ManualStop', reason: 'stopped', notification: CEASE_SHUTDOWN });
        expect([...model.connections, ...model.timers]).toEqual([]);
        expect(
          model.handle({ type: 'AutomaticStop', reason: 'limit', notification: CEASE_SHUTDOWN }),
        ).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test('is followed by a session if nothing more goes wrong', () => {
    fc.assert(
      fc.property(config, steps, open, (peer, list, message) => {
        fc.pre(peer.peerAs !== peer.localAs || message.bgpIdentifier !== peer.bgpIdentifier);
        const model = walk(peer, list);
        model.handle({ type: 'ManualStart' });
        for (let count = 0; count < 8 && !model.isUp; count += 1) {
          const furthest = [...model.connections].find(([, { received }]) => received.includes('OPEN'));
          const on = furthest?.[0] ?? (peer.dial === 'never' ? 'incoming' : 'outgoing');
          model.handle(helpful(model, on, peer, message));
        }
        expect(model.fsm.state).toBe('Established');
      }),
      { numRuns: 500 },
    );
  });
});

/** A small generator of 0 <= x < 1 (mulberry32), so that a failing run can be repeated from its seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const trouble = fc.record({
  afterMs: fc.integer({ min: 0, max: 5000 }),
  kind: fc.constantFrom('break', 'silence', 'unreachable', 'reachable', 'stop', 'start', 'limit'),
  which: fc.nat(3),
});

describe('two peers with any delays, and connections that fail at any moment', () => {
  test('have one session on both sides soon after the failures stop, and keep it', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer(),
          maxDelayMs: fc.constantFrom(1, 50, 2000),
          dials: fc.tuple(dial, dial).filter(([one, another]) => one !== 'never' || another !== 'never'),
          aIsHigher: fc.boolean(),
          holdTimeSeconds: fc.constantFrom(9, 90),
          capabilities: fc.tuple(optionalCapability, optionalCapability),
          troubles: fc.array(trouble, { maxLength: 12 }),
        }),
        ({ seed, maxDelayMs, dials, aIsHigher, holdTimeSeconds, capabilities, troubles }) => {
          const random = randomFrom(seed);
          const clock = new FakeClock();
          const network = new FsmNetwork({ clock, delayMs: () => 1 + random() * maxDelayMs, random });
          const [a, b] = network.pair(
            fsmConfig({
              dial: dials[0],
              holdTimeSeconds,
              bgpIdentifier: aIsHigher ? PEER_ID : OUR_ID,
              capabilities: () => capabilitiesOf(OUR_AS, ...capabilities[0]),
            }),
            fsmConfig({
              dial: dials[1],
              localAs: PEER_AS,
              peerAs: OUR_AS,
              bgpIdentifier: aIsHigher ? OUR_ID : PEER_ID,
              capabilities: () => capabilitiesOf(PEER_AS, ...capabilities[1]),
            }),
          );
          const start = { type: 'ManualStart' } as const;
          a.handle(start);
          b.handle(start);
          for (const { afterMs, kind, which } of troubles) {
            clock.advance(afterMs);
            const speaker = which % 2 === 0 ? a : b;
            if (kind === 'break') network.breakConnection(which);
            if (kind === 'silence') network.goSilent();
            if (kind === 'unreachable') network.reachable = false;
            if (kind === 'reachable') network.reachable = true;
            if (kind === 'stop') speaker.handle({ type: 'ManualStop', reason: 'stopped' });
            if (kind === 'start') speaker.handle(start);
            if (kind === 'limit') {
              speaker.handle({ type: 'AutomaticStop', reason: 'limit', notification: notificationOf(6, 1) });
            }
          }
          network.reachable = true;
          a.handle(start);
          b.handle(start);
          // The longest wait is that of OpenSent on a connection that fell silent: four minutes.
          clock.advance(400_000);
          expect([a.state, b.state]).toEqual(['Established', 'Established']);
          expect(network.connections).toBe(1);
          expect([a.model.fsm.session?.direction, b.model.fsm.session?.direction].sort()).toEqual([
            'incoming',
            'outgoing',
          ]);
          const sessions = [a.model.sessions, b.model.sessions];
          clock.advance(600_000);
          expect([a.model.sessions, b.model.sessions]).toEqual(sessions);
        },
      ),
      { numRuns: 300 },
    );
  });
});
