/**
 * Clusters of two sizes and both shapes: every kernel has every route, and as many messages went as the shape asks for,
 * not one more.
 */
import { describe, expect, test } from 'vitest';
import { REFLECTORS, type Shape } from './cluster.js';
import { measure } from './measure.js';
import type { Tally } from './message-tally.js';

/** Families of a session: each table ends with an End-of-RIB (RFC 4724 section 2), which is an UPDATE. */
const FAMILIES = 2;

/** What the two ends of a session say for themselves: OPEN, the KEEPALIVE that confirms, the own block, the ends. */
function ofSessions(sessions: number) {
  const ends = 2 * sessions;
  return { open: ends, keepalive: ends, update: ends * (1 + FAMILIES) };
}

/** What is expected of a cluster of `nodes`: from cold, when one joins, when that one leaves. */
const EXPECTED: Readonly<Record<Shape, (nodes: number) => readonly (readonly [number, Counts])[]>> = {
  mesh: (nodes) => {
    const sessions = (size: number) => (size * (size - 1)) / 2;
    return [
      [sessions(nodes), ofSessions(sessions(nodes))],
      [sessions(nodes + 1), ofSessions(nodes)],
      // The routes end with the session.
      [sessions(nodes), ofSessions(0)],
    ];
  },
  reflectors: (nodes) => {
    const clients = nodes - REFLECTORS;
    const between = (REFLECTORS * (REFLECTORS - 1)) / 2;
    const sessions = (size: number) => REFLECTORS * (size - REFLECTORS) + between;
    // Each reflector tells all others of a client's block, and its clients of another reflector's.
    const passedOn = REFLECTORS * (clients * (nodes - REFLECTORS) + (REFLECTORS - 1) * clients);
    const cold = ofSessions(sessions(nodes));
    const joined = ofSessions(REFLECTORS);
    const toOthers = REFLECTORS * (nodes - 1);
    return [
      [sessions(nodes), { ...cold, update: cold.update + passedOn }],
      // The new block to all others, and all others' blocks to the new one.
      [sessions(nodes + 1), { ...joined, update: joined.update + 2 * toOthers }],
      [sessions(nodes), { ...ofSessions(0), update: toOthers }],
    ];
  },
};

type Counts = Pick<Tally, 'open' | 'keepalive' | 'update'>;

describe.each<[number, Shape]>([
  [12, 'mesh'],
  [12, 'reflectors'],
  [30, 'mesh'],
  [30, 'reflectors'],
])('%i nodes, %s', (nodes, shape) => {
  test('converge from cold, with one more and with one less, by exactly the messages that it takes', async () => {
    const { cold, join, leave } = await measure(nodes, shape);
    const found = [cold, join, leave].map(({ sessions, messages }) => {
      const { open, keepalive, update, notification, refresh } = messages;
      expect({ notification, refresh }).toEqual({ notification: 0, refresh: 0 });
      return [sessions, { open, keepalive, update }];
    });
    expect(found).toEqual(EXPECTED[shape](nodes));
  });
});
