/**
 * The one mesh that all lines of a file are played on, one after another, and how a line is judged.
 *
 * Owns: the programs around the mesh (generator, watches), the measurement and its figures. Must not know: what a line does.
 */
import { expect, onTestFailed } from 'vitest';
import { machinesOf, mainAddress } from '../lab/topology.js';
import type { FlowReport } from './account.js';
import { Mesh } from './mesh.js';
import { RouteWatch } from './route-watch.js';
import { type Direction, figuresOf, type Measurement, Traffic } from './traffic.js';
import { WireWatch } from './wire-watch.js';

/** Timers as an agent has them without any configuration. */
const USUAL_TIMERS = { holdTime: 90, maxRestartTime: 120 };
/** IPv6 takes two seconds to be sure of an address after its link came up (RFC 4862 section 5.4). */
const REST_PATIENCE = { timeout: 5000, interval: 500 };

/** What was there, by machine. */
type Dump = Awaited<ReturnType<Mesh['dump']>>;

export class Stage {
  readonly mesh: Mesh;
  #running:
    | {
        readonly traffic: Traffic;
        readonly wire: WireWatch;
        readonly routes: RouteWatch;
        readonly before: Dump;
      }
    | undefined;

  /** @param topologyFile default: deploy/lab/mesh.yaml */
  constructor(topologyFile?: string) {
    this.mesh = new Mesh(`traffic-${process.pid}`, topologyFile);
  }

  /** Pods of one network, in deploy/lab/mesh.yaml. */
  get direct(): readonly Direction[] {
    return this.mesh.between('pod-a1', 'pod-b1');
  }

  /** Pods of two networks there. */
  get tunnelled(): readonly Direction[] {
    return this.mesh.between('pod-a2', 'pod-c1');
  }

  get both(): readonly Direction[] {
    return [...this.direct, ...this.tunnelled];
  }

  /** Builds the mesh and starts everything. */
  async build(): Promise<void> {
    const { mesh } = this;
    await mesh.build(USUAL_TIMERS);
    const routers = machinesOf(mesh.topology, 'bird').map(mainAddress);
    const wire = await WireWatch.start(mesh.lab, 'node-a', routers);
    await mesh.start();
    const traffic = await Traffic.start(mesh.lab);
    const routes = new RouteWatch(mesh.lab, mesh.nodes);
    this.#running = { traffic, wire, routes, before: await mesh.dump([...mesh.topology.machines.keys()]) };
  }

  async remove(): Promise<void> {
    this.#running?.traffic.stop();
    await Promise.all([this.#running?.wire.stop(), this.#running?.routes.stop()]);
    await this.mesh.remove();
  }

  /** All of BGP that passed node-a, since before the first start. */
  get wire(): WireWatch {
    return this.#stage.wire;
  }

  get routes(): RouteWatch {
    return this.#stage.routes;
  }

  /** Measures, prints the figures, and sees that nothing but the network can have lost a packet. */
  async measure(
    title: string,
    flows: readonly Direction[],
    during: () => Promise<void>,
    packetsPerSecond?: number,
  ): Promise<Measurement> {
    onTestFailed(() => {
      process.stdout.write(this.mesh.logs());
    });
    const began = performance.now();
    const measurement = await this.#stage.traffic.measure(flows, during, packetsPerSecond);
    const seconds = (performance.now() - began) / 1000;
    for (const line of figuresOf(measurement)) figure(`${title}, ${seconds.toFixed(1)} s: ${line}`);
    expect(measurement.instrument).toMatchObject({ socketDrops: 0, backlogDrops: 0, refused: 0 });
    return measurement;
  }

  /**
   * Restarts of whichever kind: not a packet lost, none doubled, not a route taken away meanwhile.
   *
   * @param leaving prefixes whose routes are to go, because nobody else has them
   */
  async losesNothing(
    title: string,
    flows: readonly Direction[],
    during: () => Promise<void>,
    packetsPerSecond?: number,
    leaving: readonly string[] = [],
  ): Promise<void> {
    const since = this.routes.events.length;
    const measurement = await this.measure(title, flows, during, packetsPerSecond);
    // First what may be the reason of the rest.
    const isUnasked = (event: string) => !leaving.some((prefix) => event.includes(`: Deleted ${prefix} `));
    expect(this.routes.deleted(since).filter(isUnasked)).toEqual([]);
    expect(lossesOf(measurement)).toEqual([]);
    expect(measurement.flows.map(({ duplicates }) => duplicates)).toEqual(flows.map(() => 0));
  }

  /** Routes, rules, addresses and devices are those of the beginning. */
  async isAsBefore(machines: readonly string[] = this.mesh.nodes): Promise<void> {
    const { before } = this.#stage;
    const wanted = Object.fromEntries(machines.map((machine) => [machine, before[machine]]));
    await expect.poll(() => this.mesh.dump(machines), REST_PATIENCE).toEqual(wanted);
  }

  get usualTimers(): typeof USUAL_TIMERS {
    return USUAL_TIMERS;
  }

  get #stage() {
    if (this.#running === undefined) throw new Error('the stage is not built');
    return this.#running;
  }
}

/** What begins a line with a figure, in the output of the test command. */
export const FIGURE = 'traffic: ';

export function figure(text: string): void {
  process.stdout.write(`${FIGURE}${text}\n`);
}

export function lossesOf({ flows }: Measurement): readonly FlowReport[] {
  return flows.filter(({ lost }) => lost > 0);
}
