/**
 * What one size and shape of a cluster costs: to come up from cold, one more node, one less.
 *
 * Owns: the steps and what is read before and after each. Must not know: how figures are shown.
 */
import { liveHeapBytes } from '../support/heap.js';
import type { Shape } from './cluster.js';
import type { Tally } from './message-tally.js';
import { Simulation } from './simulation.js';

/** One step until every node had settled. */
export interface StepCost {
  /** After it, in the whole cluster. */
  readonly sessions: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  /** What it would have taken with a millisecond for each way and no time for work. */
  readonly virtualMs: number;
  readonly messages: Tally;
}

export interface ClusterCost {
  readonly nodes: number;
  readonly shape: Shape;
  readonly heapBytesPerNode: number;
  readonly cold: StepCost;
  readonly join: StepCost;
  readonly leave: StepCost;
}

/** Shorter than any keepalive interval. */
const REST_MS = 5_000;

/** @throws Error where a node does not get every route, or has one too many */
export async function measure(nodes: number, shape: Shape): Promise<ClusterCost> {
  const before = await heapAtRest();
  const simulation = new Simulation(shape);
  const cold = await step(simulation, () => simulation.join(...Array.from({ length: nodes }, (_, i) => i)));
  const heapBytesPerNode = Math.round(((await heapAtRest()) - before) / nodes);
  const join = await step(simulation, () => simulation.join(nodes));
  const leave = await step(simulation, () => simulation.leave(nodes));
  await simulation.stop();
  return { nodes, shape, heapBytesPerNode, cold, join, leave };
}

/** What one collection lets go of may keep more alive until the next one. */
async function heapAtRest(): Promise<number> {
  for (let collections = 0; collections < 2; collections++) {
    await new Promise((resolve) => setImmediate(resolve));
    liveHeapBytes();
  }
  return liveHeapBytes();
}

async function step(simulation: Simulation, act: () => Promise<void>): Promise<StepCost> {
  simulation.tally.take();
  const cpu = process.cpuUsage();
  const began = performance.now();
  await act();
  const virtualMs = await simulation.converge();
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  // What is on its way when the last route is there belongs to the step, and is the same however fast the machine is.
  await simulation.pass(REST_MS);
  const faults = simulation.faults();
  if (faults.length > 0) throw new Error(`after ${virtualMs} ms:\n${faults.slice(0, 10).join('\n')}`);
  const { sessions } = simulation;
  return { sessions, wallMs, cpuMs: (user + system) / 1000, virtualMs, messages: simulation.tally.take() };
}
