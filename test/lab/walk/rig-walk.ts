/**
 * The random walk on the lab's rig: real agents, BIRD, the kernel of the machine.
 *
 * Owns: carrying out the events, and the wait until all agree. Must not know: which events come, and what must follow.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterText, ROUTER_AS, type SessionTimes } from '../../support/walk/cluster.js';
import { applyEvent, type WalkEvent, WRONG_TUNNEL_MTU } from '../../support/walk/events.js';
import { differences, routerDifferences } from '../../support/walk/expect.js';
import { foreignWords } from '../../support/walk/foreign.js';
import { type NodePlan, World } from '../../support/walk/world.js';
import { ApiError, askApi } from '../api.js';
import { CommandError, mustRun, namespaceName, processesIn, runCommand } from '../namespaces.js';
import { clusterFile, startAgent, startBird } from '../programs.js';
import { labFolder } from '../state.js';
import { type BirdMachine, machinesOf, mainAddress, type NodeMachine, type Topology } from '../topology.js';
import { Sight } from './sight.js';

/** Short, so that a lost peer is given up within the walk; long enough for an agent that starts to be back in time. */
const TIMES: SessionTimes = { holdTime: 6, restartTime: 6 };
/** How long an agent may keep what an earlier run left, while a peer of it is missing. */
const SWEEP_MS = 65_000;
const POLL_MS = 250;
/** Four agents at once need some twenty seconds on the one processor of User-Mode Linux, and more beside other work. */
const ANSWER_PATIENCE_MS = 90_000;
const END_PATIENCE_MS = 10_000;
const TUNNEL = 'podroute0';

/** Done to a device that the agent may be making anew at this moment: that it fails is no fault. */
const MAY_MISS: ReadonlySet<WalkEvent['kind']> = new Set([
  'oneDeleted',
  'oursFlushed',
  'tunnelDeleted',
  'tunnelDown',
  'tunnelAddressGone',
  'tunnelMtu',
  'tunnelTtl',
]);

export class RigWalk {
  readonly world: World;
  readonly #lab: string;
  readonly #agentFile: string;
  readonly #nodes: ReadonlyMap<string, NodeMachine>;
  readonly #router: BirdMachine | undefined;
  readonly #sights = new Map<string, Sight>();
  readonly #startedAtMs = new Map<string, number>();
  readonly #starting = new Map<string, Promise<void>>();

  constructor(lab: string, topology: Topology, agentFile: string) {
    this.#lab = lab;
    this.#agentFile = agentFile;
    const nodes = machinesOf(topology, 'node');
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    const [bird] = machinesOf(topology, 'bird');
    this.#router =
      bird === undefined ? undefined : { ...bird, config: join(labFolder(lab), 'walk-bird.conf') };
    const router = bird && { name: bird.name, address: mainAddress(bird), neighbors: bird.neighbors };
    this.world = new World(nodes.map(planOf), router);
  }

  async start(): Promise<void> {
    writeFileSync(clusterFile(this.#lab), this.#resources());
    if (this.#router !== undefined) {
      const neighbors = this.world.plans.filter(({ name }) => this.#router?.neighbors.includes(name));
      writeFileSync(this.#router.config, birdText(mainAddress(this.#router), neighbors));
      startBird(this.#lab, this.#router).release();
    }
    for (const { name } of this.world.plans) this.#sights.set(name, await Sight.open(this.#lab, name));
    for (const { name } of this.world.plans) this.#startAgent(name);
  }

  async close(): Promise<void> {
    for (const sight of this.#sights.values()) await sight.close();
  }

  /** Lets an event happen, in the world and on the rig. */
  async happen(event: WalkEvent): Promise<void> {
    const resources = this.#resources();
    applyEvent(this.world, event);
    await this.#carryOut(event);
    if (this.#resources() !== resources) writeFileSync(clusterFile(this.#lab), this.#resources());
  }

  /** Waits until kernel, RIB and API of every node agree with the world. @returns what does not after `patienceMs` */
  async check(patienceMs: number, mayKeepLeftovers: boolean): Promise<readonly string[]> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      // The kernels are read when the agents are content: each reading is a process.
      const said = await this.#look(mayKeepLeftovers, false);
      const faults = said.length > 0 ? said : await this.#look(mayKeepLeftovers, true);
      if (faults.length === 0 || Date.now() > deadline) return faults;
      await sleep(POLL_MS);
    }
  }

  /** Devices and rules of every node. */
  async inventory(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const [name, sight] of this.#sights) {
      found.push(...(await sight.inventory()).map((line) => `${name}: ${line}`));
    }
    return found;
  }

  async #look(mayKeepLeftovers: boolean, withKernel: boolean): Promise<readonly string[]> {
    const found = await Promise.all(
      this.world.plans.map((plan) => this.#lookAt(plan, mayKeepLeftovers, withKernel)),
    );
    const ofRouter = withKernel && this.world.routerRuns ? await this.#lookAtRouter() : [];
    return [...found.flat(), ...ofRouter];
  }

  async #lookAt(plan: NodePlan, mayKeepLeftovers: boolean, withKernel: boolean): Promise<readonly string[]> {
    const sight = this.#sight(plan.name);
    const isFresh = mayKeepLeftovers && Date.now() - (this.#startedAtMs.get(plan.name) ?? 0) < SWEEP_MS;
    try {
      await this.#ready(plan.name);
      const isRunning = this.world.state(plan.name).agent;
      const agent = isRunning ? await sight.agent(isFresh) : undefined;
      const tunnel = await sight.tunnel();
      return differences(this.world, plan, {
        ...(withKernel ? { lines: await sight.lines() } : {}),
        ...(agent === undefined ? {} : { agent }),
        ...(tunnel === undefined ? {} : { tunnel }),
      });
    } catch (error) {
      if (error instanceof ApiError) return [error.message];
      throw error;
    }
  }

  async #lookAtRouter(): Promise<readonly string[]> {
    const name = this.#router?.name ?? '';
    const json = await mustRun(['ip', '-j', '-netns', this.#ns(name), 'route', 'show', 'proto', '12']);
    return routerDifferences(this.world, JSON.parse(json));
  }

  async #carryOut(event: WalkEvent): Promise<void> {
    switch (event.kind) {
      case 'agentStopped':
      case 'agentKilled':
        await this.#ready(event.node);
        await this.#end(event.node, event.kind === 'agentStopped' ? 'SIGTERM' : 'SIGKILL');
        return;
      case 'agentStarted':
        this.#startAgent(event.node);
        return;
      case 'peerShutDown':
        await this.#administer(event.node, event.peer, 'shutdown');
        return;
      case 'peerEnabled':
        await this.#administer(event.node, event.peer, 'enable');
        return;
      case 'peerReset':
        await this.#administer(event.node, event.peer, 'reset');
        return;
      case 'routerStopped':
        await this.#end(this.#router?.name ?? '', 'SIGTERM');
        return;
      case 'routerStarted':
        if (this.#router !== undefined) startBird(this.#lab, this.#router).release();
        return;
      case 'spareAdded':
      case 'spareRemoved':
      case 'peeringAdded':
      case 'peeringRemoved':
      case 'routerPeeringAdded':
      case 'routerPeeringRemoved':
        // The resources say it all.
        return;
      default: {
        // An agent does not start on a machine without its address.
        if (event.kind === 'addressGone') await this.#ready(event.node);
        const argv = ['ip', '-netns', this.#ns(event.node), ...this.#words(event).split(' ')];
        const { status, stderr } = await runCommand(argv);
        if (status !== 0 && !MAY_MISS.has(event.kind)) throw new CommandError(`${argv.join(' ')}: ${stderr}`);
      }
    }
  }

  /** What the administrator of the node types after `ip`. */
  #words(event: Extract<WalkEvent, { readonly node: string }>): string {
    const plan = this.world.plan(event.node);
    const address = `${plan.address}/${plan.lengthBits} dev eth0`;
    switch (event.kind) {
      case 'linkDown':
        return 'link set eth0 down';
      case 'linkUp':
        return 'link set eth0 up';
      case 'bridgeDown':
        return 'link set br0 down';
      case 'bridgeUp':
        return 'link set br0 up';
      case 'addressGone':
        return `address delete ${address}`;
      case 'addressBack':
        return `address add ${address}`;
      case 'defaultGone':
        return `route delete default via ${plan.gateway}`;
      case 'defaultBack':
        return `route add default via ${plan.gateway}`;
      case 'underlayMtu':
        return `link set eth0 mtu ${this.world.state(event.node).mtuBytes}`;
      case 'tunnelDeleted':
        return `link delete ${TUNNEL}`;
      case 'tunnelDown':
        return `link set ${TUNNEL} down`;
      case 'tunnelAddressGone':
        return `address flush dev ${TUNNEL}`;
      case 'tunnelMtu':
        return `link set ${TUNNEL} mtu ${WRONG_TUNNEL_MTU}`;
      case 'tunnelTtl':
        return `link set ${TUNNEL} type ipip ttl 32`;
      case 'oursFlushed':
        return 'route flush proto 179';
      case 'oneDeleted':
        return `route delete ${event.prefix} proto 179`;
      case 'oneAltered':
        return `route replace ${event.prefix} via ${plan.gateway} dev eth0 proto 179 metric 2048`;
      case 'foreignAdded':
        return `route replace ${foreignWords(plan, event.route)}`;
      case 'foreignRemoved':
        return `route delete ${foreignWords(plan, event.route)}`;
      default:
        throw new Error(`${event.kind} is no word to ip`);
    }
  }

  /** The agent may be about to read that it has the peer. */
  async #administer(node: string, peer: string, action: 'shutdown' | 'enable' | 'reset'): Promise<void> {
    await this.#ready(node);
    const path = `/peers/${this.world.plan(peer).address}/${action}`;
    await this.#patiently(() => askApi(this.#lab, node, path, { text: 'the walk says so' }));
  }

  /** Goes on at once: an agent that starts is an event among others. {@link #ready} waits for it. */
  #startAgent(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    const program = startAgent(this.#lab, node, this.#agentFile);
    program.release();
    this.#startedAtMs.set(name, Date.now());
    const ready = this.#patiently(async () => {
      const end = program.ended();
      if (end !== undefined) throw new Error(`the agent of ${name} ended: ${end}`);
      return askApi(this.#lab, name, '/status');
    });
    ready.catch(() => {}); // whoever waits for it is told
    this.#starting.set(name, ready);
  }

  /** The agent of the node has started, if it was. @throws where it ended or does not answer */
  async #ready(name: string): Promise<void> {
    await this.#starting.get(name);
  }

  async #patiently(ask: () => Promise<unknown>): Promise<void> {
    const deadline = Date.now() + ANSWER_PATIENCE_MS;
    for (;;) {
      try {
        await ask();
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || Date.now() > deadline) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  /** Ends the programs of a machine and waits until they are gone. */
  async #end(machine: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const deadline = Date.now() + END_PATIENCE_MS;
    const living = () => processesIn([this.#ns(machine)]);
    for (const pid of living()) process.kill(pid, signal);
    while (living().length > 0) {
      if (Date.now() > deadline) throw new Error(`${machine}: process ${living()} does not end by ${signal}`);
      await sleep(20);
    }
  }

  #resources(): string {
    return clusterText(this.world, TIMES);
  }

  #ns(machine: string): string {
    return namespaceName(this.#lab, machine);
  }

  #sight(name: string): Sight {
    const sight = this.#sights.get(name);
    if (sight === undefined) throw new Error(`nobody looks at ${name}`);
    return sight;
  }
}

function planOf(node: NodeMachine, index: number): NodePlan {
  const [underlay] = node.interfaces;
  const gateway = node.routes.find(({ prefix }) => prefix === '0.0.0.0/0')?.via;
  const [pods] = node.podSubnets;
  if (underlay === undefined || gateway === undefined || pods === undefined) {
    throw new Error(`${node.name} has no default gateway or no pods`);
  }
  return {
    name: node.name,
    address: underlay.address,
    lengthBits: underlay.lengthBits,
    gateway,
    network: underlay.network,
    block: pods.prefix,
    spareBlock: `10.244.${101 + index}.0/24`,
  };
}

/** As deploy/bird/tor.conf, but impatient: BIRD waits minutes after errors, unless told otherwise. */
function birdText(address: string, neighbors: readonly NodePlan[]): string {
  const sessions = neighbors.map(
    (node, index) => `protocol bgp node${index} from node { neighbor ${node.address} as 64512; }`,
  );
  return `
router id ${address};
protocol device { }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
template bgp node {
  local ${address} as ${ROUTER_AS};
  graceful restart on;
  connect delay time 1; connect retry time 2; error wait time 1, 2;
  ipv4 { import where net ~ [ 10.244.0.0/16+ ]; export none; };
}
${sessions.join('\n')}
`;
}
