/**
 * A mesh under traffic: a lab, by default that of deploy/lab/mesh.yaml, whose programs a test stops, kills and starts.
 *
 * Owns: which program runs on which machine, and when the mesh has come to rest. Must not know: traffic.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type ApiRoute, getPeers, getRoutes } from '../lab/api.js';
import { ConvergenceWatch } from '../lab/convergence.js';
import { inNamespace } from '../lab/libc.js';
import { mustRun, namespaceName, namespacePath } from '../lab/namespaces.js';
import {
  clusterFile,
  lastLines,
  type Program,
  prepareFolder,
  setUpBirdNode,
  startAgent,
  startBird,
} from '../lab/programs.js';
import { buildRig } from '../lab/rig.js';
import { expectedOnMember } from '../lab/routes.js';
import { removeLab } from '../lab/run.js';
import { writeLab } from '../lab/state.js';
import {
  type BirdMachine,
  type BirdNodeMachine,
  machinesOf,
  mainAddress,
  type NodeMachine,
  type Topology,
} from '../lab/topology.js';
import { loadTopology } from '../lab/topology-file.js';
import { must } from '../support/machine.js';
import { until } from '../support/until.js';
import type { Direction } from './traffic.js';

const TOPOLOGY = new URL('../../deploy/lab/mesh.yaml', import.meta.url).pathname;
export const AGENT = new URL('../../dist/podroute.js', import.meta.url).pathname;
const CONVERGENCE_PATIENCE_MS = 60_000;
const SETTLE_PATIENCE_MS = 60_000;
/** Every question costs the one processor of User-Mode Linux some of the time that the answer takes to come. */
const POLL_MS = 200;

/** The timers of all sessions between nodes, in seconds. */
export interface NodeTimers {
  readonly holdTime: number;
  readonly maxRestartTime: number;
}

export class Mesh {
  readonly lab: string;
  readonly topology: Topology;
  readonly #topologyFile: string;
  #resources: string;
  #timers: NodeTimers = { holdTime: 90, maxRestartTime: 120 };
  readonly #programs = new Map<string, Program>();

  constructor(lab: string, topologyFile = TOPOLOGY) {
    this.lab = lab;
    this.#topologyFile = topologyFile;
    this.topology = loadTopology(topologyFile);
    this.#resources = readFileSync(this.topology.clusterFile, 'utf8');
  }

  get nodes(): readonly string[] {
    return machinesOf(this.topology, 'node').map(({ name }) => name);
  }

  node(name: string): NodeMachine {
    return must(
      machinesOf(this.topology, 'node').find((node) => node.name === name),
      name,
    );
  }

  /** The address that others know a machine by. */
  addressOf(name: string): string {
    return mainAddress(must(this.topology.machines.get(name), name));
  }

  /** Builds the machines; no program runs yet. */
  async build(timers: NodeTimers): Promise<void> {
    await removeLab(this.lab);
    writeLab({ name: this.lab, topologyFile: this.#topologyFile, inUml: false });
    await buildRig(this.lab, this.topology, {});
    prepareFolder(this.lab, this.topology, AGENT);
    this.setTimers(timers);
  }

  /** Starts BIRD and the agents, and waits for every route in every kernel. */
  async start(): Promise<void> {
    const watch = new ConvergenceWatch(this.lab, this.topology);
    try {
      for (const node of machinesOf(this.topology, 'bird-node')) await setUpBirdNode(this.lab, node);
      for (const bird of this.#birds) this.startBird(bird.name);
      for (const node of this.nodes) this.startAgent(node);
      const isPointless = () => [...this.#programs.values()].some((program) => program.ended() !== undefined);
      const { lastRouteAtMs } = await watch.wait(
        CONVERGENCE_PATIENCE_MS,
        isPointless,
        new AbortController().signal,
      );
      if (lastRouteAtMs === undefined) throw new Error('some routes never came');
    } finally {
      watch.close();
    }
    await this.settled();
  }

  async remove(): Promise<void> {
    for (const program of this.#programs.values()) program.release();
    await removeLab(this.lab);
  }

  /** What all agents read, live. */
  setTimers(nodeTimers: NodeTimers): void {
    this.#timers = nodeTimers;
    const { holdTime, maxRestartTime } = nodeTimers;
    const timers = `holdTime: ${holdTime}s, maxRestartTime: ${maxRestartTime}s`;
    writeFileSync(
      clusterFile(this.lab),
      `${this.#resources}---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: nodes }
spec: { nodeSelector: all(), peerSelector: all(), ${timers} }
`,
    );
  }

  /** Has all agents read the lab's own resources, changed, and no timers. */
  writeResources(change: (resources: string) => string): void {
    writeFileSync(clusterFile(this.lab), change(this.#resources));
  }

  /** Changes what all agents read, live. */
  changeResources(change: (resources: string) => string): void {
    this.#resources = change(this.#resources);
    this.setTimers(this.#timers);
  }

  /** BIRD on a machine that has it, with its configuration from deploy/ or another. */
  startBird(name: string, flags: readonly string[] = [], config?: string): void {
    const machine = must(
      this.#birds.find((one) => one.name === name),
      name,
    );
    const { config: own } = machine;
    this.#programs.set(name, startBird(this.lab, { name, config: config ?? own }, flags));
  }

  get #birds(): readonly (BirdMachine | BirdNodeMachine)[] {
    return [...machinesOf(this.topology, 'bird'), ...machinesOf(this.topology, 'bird-node')];
  }

  startAgent(node: string, agentFile = AGENT): void {
    this.#programs.set(node, startAgent(this.lab, this.node(node), agentFile));
  }

  /** Ends the program of a machine, and waits for its end. */
  async stop(machine: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await must(this.#programs.get(machine), `a program on ${machine}`).end(signal);
    this.#programs.delete(machine);
  }

  /** Ends an agent, waits until the other agents have noticed, and starts it, or another build of it. */
  async restart(node: string, signal: NodeJS.Signals, agentFile = AGENT): Promise<void> {
    await this.stop(node, signal);
    await this.noticed(
      node,
      this.nodes.filter((name) => this.#programs.has(name)),
    );
    this.startAgent(node, agentFile);
  }

  /** Waits until these nodes know that the session with a machine is gone. */
  async noticed(machine: string, nodes: readonly string[]): Promise<void> {
    const address = this.addressOf(machine);
    for (const node of nodes) {
      await until(`${node} has lost its session with ${machine}`, async () => {
        const peer = (await getPeers(this.lab, node)).find((one) => one.address === address);
        return must(peer, `a peer ${address}`).state !== 'Established';
      });
    }
  }

  /**
   * Waits until these nodes have a session with every peer, all routes installed, none of them stale.
   *
   * @param states what a route may be in
   */
  async settled(nodes: readonly string[] = this.nodes, states: readonly string[] = ['ok']): Promise<void> {
    for (const node of nodes) {
      await until(
        `${node} has settled`,
        async () => {
          const peers = await getPeers(this.lab, node);
          if (!peers.every(({ state }) => state === 'Established')) return false;
          const routes = await getRoutes(this.lab, node);
          const expected = expectedOnMember(this.topology, this.node(node));
          const isRight = ({ prefix, state }: ApiRoute) =>
            expected.find((route) => route.prefix === prefix)?.mode === 'none'
              ? state === 'failed'
              : states.includes(state);
          return routes.length === expected.length && routes.every(isRight);
        },
        SETTLE_PATIENCE_MS,
        POLL_MS,
      );
    }
  }

  /** Whether every session between nodes runs with this hold time. */
  async haveHoldTime(seconds: number): Promise<boolean> {
    const peers = await Promise.all(this.nodes.map((node) => getPeers(this.lab, node)));
    return peers
      .flat()
      .filter(({ name }) => name.startsWith('peer/nodes/'))
      .every(({ timers }) => timers.holdTimeSeconds === seconds);
  }

  /** Runs `ip` with these lines in a machine's namespace; what a line prints comes back. */
  ip(machine: string, ...lines: readonly string[]): Promise<string> {
    const namespace = namespaceName(this.lab, machine);
    return mustRun(['ip', '-N', '-o', '-netns', namespace, '-batch', '-'], `${lines.join('\n')}\n`);
  }

  /** Both directions between two machines. */
  between(one: string, other: string): readonly Direction[] {
    return [
      { from: one, to: other, address: this.addressOf(other) },
      { from: other, to: one, address: this.addressOf(one) },
    ];
  }

  /** Routes of all tables, rules, addresses and devices of machines, as text that two moments can be compared by. */
  async dump(machines: readonly string[]): Promise<Readonly<Record<string, readonly string[]>>> {
    const dumps: Record<string, readonly string[]> = {};
    for (const machine of machines) {
      const text = await this.ip(machine, 'route show table all', 'rule show', 'address show', 'link show');
      dumps[machine] = text.split('\n').map(comparable).filter(Boolean).sort();
    }
    return dumps;
  }

  /** How many packets a device of a machine has sent. */
  sentBy(machine: string, device: string): number {
    const path = namespacePath(namespaceName(this.lab, machine));
    const text = inNamespace(path, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
    const fields = must(
      text.split('\n').find((line) => line.trim().startsWith(`${device}:`)),
      device,
    );
    return Number(fields.split(':')[1]?.trim().split(/\s+/)[9]);
  }

  /** The last lines of every program, for a test that failed. */
  logs(): string {
    return [...this.#programs.values()]
      .map((program) => `--- ${program.machine}\n${lastLines(program, 25).join('\n')}\n`)
      .join('');
  }
}

/** A line without what may differ between two equal states: the number of a device, what passes by itself. */
function comparable(line: string): string {
  return line
    .replace(/^\d+: /, '')
    .replace(/ (qdisc \S+|tentative)/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
