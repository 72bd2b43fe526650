/**
 * A cluster of simulated agents in one process, in virtual time.
 *
 * Owns: the clock, the network, the store that all share, and when the cluster has come to rest. Must not know: what is
 * done with the figures.
 *
 * Virtual time passes only between events, so that a wait costs nothing and the time that a step takes on the wall is
 * the work of all nodes together, one after the other. Delivery takes a millisecond of it.
 */
import type { Change } from '../../agent/datastore/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { MemoryStore } from '../support/memory-datastore.js';
import { MemoryNetwork } from '../support/memory-transport.js';
import { clusterChanges, goneChange, nodeChange, nodePlan, type Shape } from './cluster.js';
import { MessageTally } from './message-tally.js';
import { SimNode } from './sim-node.js';

const START_MS = 1_800_000_000_000;
/** A cluster that needs longer, in virtual time, is stuck. */
const PATIENCE_MS = 300_000;

export class Simulation {
  readonly clock = new FakeClock(START_MS);
  readonly tally = new MessageTally();
  readonly shape: Shape;
  readonly #network = new MemoryNetwork(this.clock);
  readonly #store: MemoryStore;
  readonly #nodes = new Map<number, SimNode>();

  /** @param laterMs how long after a change a client of the store hears of it */
  constructor(shape: Shape, laterMs: () => number = () => 1) {
    this.shape = shape;
    this.#network.onWrite = (bytes) => this.tally.add(bytes);
    this.#store = new MemoryStore({
      name: 'memory:scale',
      nowMs: () => this.clock.now(),
      later: (tell) => {
        this.clock.setTimer(laterMs(), tell);
      },
    });
    this.#store.commit(clusterChanges(shape));
  }

  get nodes(): readonly SimNode[] {
    return [...this.#nodes.values()];
  }

  get sessions(): number {
    return this.nodes.reduce((total, node) => total + node.sessions, 0) / 2;
  }

  /** Enters nodes with these numbers, all in one write, and starts their agents. */
  async join(...indexes: readonly number[]): Promise<void> {
    this.#store.commit(indexes.map((index) => nodeChange(index, this.shape)));
    const starting = indexes.map(async (index) => {
      const ground = { network: this.#network, clock: this.clock, datastore: this.#store.client() };
      this.#nodes.set(index, await SimNode.start(nodePlan(index), ground));
    });
    await Promise.all(starting);
  }

  /** Takes a node out, and stops its agent. */
  async leave(index: number): Promise<void> {
    const node = this.#nodes.get(index);
    if (node === undefined) throw new Error(`there is no node ${index}`);
    this.#nodes.delete(index);
    await node.stop();
    this.#store.commit([goneChange(index)]);
  }

  /** Writes to the store. */
  apply(...changes: readonly Change[]): void {
    this.#store.commit(changes);
  }

  /** Lets time pass until every node has every other's block, in its tables and its kernel. @returns how long, in ms */
  async converge(): Promise<number> {
    const beganMs = this.clock.now();
    const waiting = new Set(this.nodes);
    for (;;) {
      await turn();
      for (const node of waiting) if (this.#isDone(node)) waiting.delete(node);
      if (waiting.size === 0) break;
      const { nextMs } = this.clock;
      if (nextMs === undefined || nextMs - beganMs > PATIENCE_MS) {
        throw new Error(`the cluster does not converge: ${[...waiting].slice(0, 3).join('; ')}`);
      }
      this.clock.advance(nextMs - this.clock.now());
    }
    return this.clock.now() - beganMs;
  }

  /** Lets time pass, and all that follows from it happen. @param look called whenever something may have */
  async pass(ms: number, look: () => void = () => {}): Promise<void> {
    const endMs = this.clock.now() + ms;
    for (;;) {
      await turn();
      look();
      const { nextMs } = this.clock;
      if (nextMs === undefined || nextMs > endMs) break;
      this.clock.advance(nextMs - this.clock.now());
    }
    this.clock.advance(endMs - this.clock.now());
    await turn();
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop();
    this.#nodes.clear();
  }

  /** What is not as it must be: routes to the blocks of all other nodes by their addresses, and nothing else. */
  faults(): readonly string[] {
    const ways = new Map(this.nodes.map(({ plan }) => [plan.name, `${plan.block} via ${plan.address}`]));
    return this.nodes.flatMap((node) => {
      const wanted = [...ways].filter(([name]) => name !== node.plan.name).map(([, way]) => way);
      const found = new Set(node.routes());
      const missing = wanted
        .filter((way) => !found.delete(way))
        .map((way) => `${node.plan.name} lacks ${way}`);
      const alarms = node.alarms.length === 0 ? [] : [`${node.plan.name} has ${node.alarms.length} alarms`];
      return [...missing, ...[...found].map((way) => `${node.plan.name} has ${way}`), ...alarms];
    });
  }

  #isDone(node: SimNode): boolean {
    const { size } = this.#nodes;
    return node.prefixes === size && node.routeCount === size - 1;
  }
}

/** Everything that waits for no timer has happened. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
