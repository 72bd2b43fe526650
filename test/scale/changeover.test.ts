/**
 * A mesh becomes a reflection and a reflection a mesh, whoever hears of it first: no node is without a route to another
 * for a moment, and no session ends that both shapes have.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change } from '../../agent/datastore/index.js';
import {
  meshChange,
  nodeChange,
  peeringChanges,
  REFLECTORS,
  reflectionChange,
  type Shape,
} from './cluster.js';
import { Simulation } from './simulation.js';

const NODES = 6;
const REFLECTION_SESSIONS = REFLECTORS * (NODES - REFLECTORS) + 1;
const MESH_SESSIONS = (NODES * (NODES - 1)) / 2;
/** Between two writes, and longer than the slowest node takes to hear of one. */
const STEP_MS = 30_000;
/** Restart time, the reflection tail and every timer that a changeover starts. */
const AFTERMATH_MS = 400_000;

const reflectors = (shape: Shape) =>
  Array.from({ length: REFLECTORS }, (_, index) => nodeChange(index, shape));

/** The changeovers, each as writes with time between them. */
const WAYS: Readonly<
  Record<string, { from: Shape; writes: readonly (readonly Change[])[]; sessions: number }>
> = {
  'to reflectors, in one write': {
    from: 'mesh',
    writes: [[...reflectors('reflectors'), ...peeringChanges('reflectors')]],
    sessions: REFLECTION_SESSIONS,
  },
  'to reflectors, peerings first and the end of the mesh last': {
    from: 'mesh',
    writes: [[...reflectors('reflectors'), reflectionChange(true)], [meshChange(false)]],
    sessions: REFLECTION_SESSIONS,
  },
  'to a mesh, in one write': {
    from: 'reflectors',
    writes: [[...reflectors('mesh'), ...peeringChanges('mesh')]],
    sessions: MESH_SESSIONS,
  },
  'to a mesh, the mesh first and the end of the reflection last': {
    from: 'reflectors',
    writes: [[meshChange(true)], [...reflectors('mesh'), reflectionChange(false)]],
    sessions: MESH_SESSIONS,
  },
};

async function changeOver(way: string, delaysMs: readonly number[]): Promise<void> {
  const { from, writes, sessions } = WAYS[way] ?? never();
  let heard = 0;
  let isChanging = false;
  const simulation = new Simulation(from, () =>
    isChanging ? (delaysMs[heard++ % delaysMs.length] ?? never()) : 1,
  );
  await simulation.join(...Array.from({ length: NODES }, (_, index) => index));
  await simulation.converge();
  await simulation.pass(STEP_MS);
  const isWhole = () => {
    for (const node of simulation.nodes) {
      expect(node.lost, `${node.plan.name} without a path`).toEqual([]);
      expect(node.routeCount, `routes in the kernel of ${node.plan.name}`).toBe(NODES - 1);
    }
  };
  isWhole();
  // Those with reflectors are in both shapes.
  const common = () =>
    simulation.nodes
      .slice(0, REFLECTORS)
      .map((reflector) => simulation.nodes.map(({ plan }) => reflector.sessionSince(plan)));
  const before = common();
  isChanging = true;
  for (const write of writes) {
    simulation.apply(...write);
    await simulation.pass(STEP_MS, isWhole);
  }
  await simulation.pass(AFTERMATH_MS, isWhole);
  expect(simulation.faults()).toEqual([]);
  expect(simulation.sessions).toBe(sessions);
  expect(common()).toEqual(before);
  await simulation.stop();
}

describe.each(Object.keys(WAYS))('a changeover %s', (way) => {
  test('loses no route, whoever hears of it first', async () => {
    const delays = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: NODES, maxLength: NODES });
    await fc.assert(
      fc.asyncProperty(delays, (delaysMs) => changeOver(way, delaysMs)),
      { numRuns: 8 },
    );
  });
});

test('a BGPPeer that is deleted is no changeover: its sessions and routes go at once', async () => {
  const simulation = new Simulation('reflectors');
  await simulation.join(...Array.from({ length: NODES }, (_, index) => index));
  await simulation.converge();
  simulation.apply(reflectionChange(false));
  await simulation.pass(100);
  expect(simulation.sessions).toBe(0);
  for (const node of simulation.nodes) expect(node.routeCount).toBe(0);
  await simulation.stop();
});

test('a Node that is deleted is gone at once, in the midst of a changeover too', async () => {
  const simulation = new Simulation('mesh');
  await simulation.join(...Array.from({ length: NODES }, (_, index) => index));
  await simulation.converge();
  simulation.apply(meshChange(false), reflectionChange(true));
  await simulation.leave(NODES - 1);
  await simulation.pass(100);
  for (const node of simulation.nodes) expect(node.routeCount).toBe(NODES - 2);
  await simulation.stop();
});

test('a mesh that just ends: the routes stay for the restart time, then they go', async () => {
  const simulation = new Simulation('mesh');
  await simulation.join(0, 2, 3);
  await simulation.converge();
  simulation.apply(meshChange(false));
  await simulation.pass(100_000);
  expect(simulation.sessions).toBe(0);
  for (const node of simulation.nodes) expect(node.routeCount).toBe(2);
  await simulation.pass(30_000);
  for (const node of simulation.nodes) expect(node.routeCount).toBe(0);
  await simulation.stop();
});

function never(): never {
  throw new Error('wrong test data');
}
