/**
 * The random walk in memory and virtual time: agents on fake kernels, one network, one clock.
 *
 * Owns: carrying out the events. Must not know: which ones come, and what must follow.
 */

import { formatIpAddress } from '../../../bgp/net/index.js';
import type { IpipParameters, KernelLink } from '../../../ipip/kernel/kernel.js';
import { address } from '../addresses.js';
import { FakeClock } from '../fake-clock.js';
import type { FakeCall } from '../fake-kernel.js';
import { FakeMachine } from '../fake-machine.js';
import { MemoryNetwork } from '../memory-transport.js';
import { clusterText, type SessionTimes } from './cluster.js';
import { applyEvent, type WalkEvent, WRONG_TUNNEL_MTU } from './events.js';
import { differences, type Seen } from './expect.js';
import { foreignWords } from './foreign.js';
import { MemoryAgent } from './memory-agent.js';
import { type NodePlan, World } from './world.js';

const TIMES: SessionTimes = { holdTime: 9, restartTime: 5 };
const SWEEP_AFTER_MS = 12_000;
/** Hold time, restart time, the longest idle hold and the sweep, one after the other, with room; less than the 90 s of a
 * read-back, so that whatever is put right was heard of. */
const QUIET_MS = 60_000;
const TUNNEL = 'podroute0';

export class MemoryWalk {
  readonly world: World;
  readonly clock = new FakeClock(1_800_000_000_000);
  readonly #network = new MemoryNetwork(this.clock);
  readonly #machines = new Map<string, FakeMachine>();
  readonly #agents = new Map<string, MemoryAgent>();

  constructor(plans: readonly NodePlan[]) {
    this.world = new World(plans);
    for (const plan of plans) this.#machines.set(plan.name, makeMachine(plan));
  }

  async start(): Promise<void> {
    for (const { name } of this.world.plans) await this.#startAgent(name);
  }

  async stop(): Promise<void> {
    for (const agent of this.#agents.values()) await agent.stop();
  }

  /** Lets an event happen, in the world and in memory. */
  async happen(event: WalkEvent): Promise<void> {
    const before = this.#reachability();
    const resources = this.#resources();
    applyEvent(this.world, event);
    await this.#carryOut(event);
    this.#reachability().forEach((isReachable, index) => {
      const [a, b] = this.world.pairs()[index] ?? [];
      if (a === undefined || b === undefined || isReachable === before[index]) return;
      const ends = [address(a.address), address(b.address)] as const;
      if (isReachable) this.#network.heal(...ends);
      else this.#network.silence(...ends);
    });
    if (this.#resources() === resources) return;
    for (const agent of this.#agents.values()) agent.change(this.#resources());
  }

  /** The next such call to the kernel of a node fails; with `events`, what it announces next is lost, and it says so. */
  fail(node: string, call: FakeCall | 'events', errno: string): void {
    const { kernel } = this.#machine(node);
    if (call === 'events') kernel.loseNextEvent();
    else kernel.failNext(call, errno);
  }

  /** Lets time pass, and everything that follows from it happen. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.now() + ms;
    for (;;) {
      await settled();
      const { nextMs } = this.clock;
      if (nextMs === undefined || nextMs > endMs) break;
      this.clock.advance(nextMs - this.clock.now());
    }
    this.clock.advance(endMs - this.clock.now());
    await settled();
  }

  /** Waits until nothing follows any more, and compares. @returns what is not as it must be */
  async check(): Promise<readonly string[]> {
    await this.pass(QUIET_MS);
    const found = await Promise.all(
      this.world.plans.map(async (plan) => differences(this.world, plan, await this.#see(plan.name))),
    );
    return found.flat();
  }

  async #see(name: string): Promise<Seen> {
    const machine = this.#machine(name);
    const agent = this.#agents.get(name);
    const device = (await machine.kernel.links()).find((link) => link.name === TUNNEL);
    return {
      lines: machine.routes(),
      ...(agent === undefined
        ? {}
        : {
            agent: {
              routes: agent.view.routes(),
              peers: agent.view.peers(),
              isFresh: false,
              tunnel: agent.view.status().dataplane.tunnel,
            },
          }),
      ...(device?.ipip === undefined
        ? {}
        : { tunnel: tunnelDevice(device, device.ipip, machine.addresses(TUNNEL)) }),
    };
  }

  async #carryOut(event: WalkEvent): Promise<void> {
    switch (event.kind) {
      case 'agentStopped':
      case 'agentKilled':
        await this.#agents.get(event.node)?.stop();
        this.#agents.delete(event.node);
        return;
      case 'agentStarted':
        await this.#startAgent(event.node);
        return;
      case 'peerShutDown':
      case 'peerEnabled':
      case 'peerReset':
        this.#administer(event.kind, event.node, event.peer);
        return;
      case 'spareAdded':
      case 'spareRemoved':
      case 'peeringAdded':
      case 'peeringRemoved':
      case 'routerStopped':
      case 'routerStarted':
      case 'routerPeeringAdded':
      case 'routerPeeringRemoved':
        return;
      default:
        this.#onMachine(event);
    }
  }

  #administer(kind: 'peerShutDown' | 'peerEnabled' | 'peerReset', node: string, peer: string): void {
    const agent = this.#agents.get(node);
    if (agent === undefined) throw new Error(`no agent runs on ${node}`);
    const id = agent.peerAt(this.world.plan(peer).address);
    if (kind === 'peerShutDown') agent.speaker.shutdownPeer(id);
    else if (kind === 'peerEnabled') agent.speaker.enablePeer(id);
    else agent.speaker.resetPeer(id);
  }

  #onMachine(event: Extract<WalkEvent, { readonly node: string }>): void {
    const machine = this.#machine(event.node);
    const plan = this.world.plan(event.node);
    const { kernel } = machine;
    const ours = kernel.allRoutes().filter((route) => route.protocol === 179);
    const hasTunnel = kernel.hasDevice(TUNNEL);
    switch (event.kind) {
      case 'linkDown':
      case 'linkUp':
        machine.ip(`link set eth0 ${event.kind === 'linkUp' ? 'up' : 'down'}`);
        return;
      case 'bridgeDown':
      case 'bridgeUp':
        machine.ip(`link set br0 ${event.kind === 'bridgeUp' ? 'up' : 'down'}`);
        return;
      case 'addressGone':
      case 'addressBack':
        machine.ip(
          `address ${event.kind === 'addressBack' ? 'add' : 'delete'} ${plan.address}/${plan.lengthBits} dev eth0`,
        );
        return;
      case 'defaultGone':
      case 'defaultBack':
        machine.ip(
          `route ${event.kind === 'defaultBack' ? 'add' : 'delete'} default via ${plan.gateway} dev eth0`,
        );
        return;
      case 'underlayMtu':
        machine.ip(`link set eth0 mtu ${this.world.state(event.node).mtuBytes}`);
        return;
      case 'tunnelDeleted':
        if (hasTunnel) machine.ip(`link delete ${TUNNEL}`);
        return;
      case 'tunnelDown':
        if (hasTunnel) machine.ip(`link set ${TUNNEL} down`);
        return;
      case 'tunnelMtu':
        if (hasTunnel) machine.ip(`link set ${TUNNEL} mtu ${WRONG_TUNNEL_MTU}`);
        return;
      case 'tunnelTtl':
        if (hasTunnel) machine.ip(`link set ${TUNNEL} type ipip ttl 32`);
        return;
      case 'tunnelAddressGone':
        for (const text of hasTunnel ? machine.addresses(TUNNEL) : []) {
          machine.ip(`address delete ${text} dev ${TUNNEL}`);
        }
        return;
      case 'oursFlushed':
        for (const route of ours) kernel.foreign('delete', route);
        return;
      case 'oneDeleted':
        for (const route of ours) {
          if (machine.lineOf(route).includes(`${event.prefix} `)) kernel.foreign('delete', route);
        }
        return;
      case 'oneAltered':
        machine.ip(`route replace ${event.prefix} via ${plan.gateway} dev eth0 proto 179 metric 2048`);
        return;
      case 'foreignAdded':
        machine.ip(`route replace ${foreignWords(plan, event.route)}`);
        return;
      case 'foreignRemoved':
        machine.ip(`route delete ${foreignWords(plan, event.route)}`);
        return;
      default:
        throw new Error(`${event.kind} does not happen to a machine`);
    }
  }

  #reachability(): readonly boolean[] {
    return this.world.pairs().map(([a, b]) => this.world.isReachable(a, b));
  }

  #resources(): string {
    return clusterText(this.world, TIMES);
  }

  async #startAgent(node: string): Promise<void> {
    const { clock } = this;
    const options = { node, machine: this.#machine(node), network: this.#network, clock };
    let isOver = false;
    const starting = MemoryAgent.start({ ...options, sweepAfterMs: SWEEP_AFTER_MS }, this.#resources());
    const over = starting.finally(() => {
      isOver = true;
    });
    over.catch(() => {}); // it is thrown below
    // A kernel that fails is asked again after a pause.
    for (await settled(); !isOver; await settled()) {
      this.clock.advance((this.clock.nextMs ?? this.clock.now()) - this.clock.now());
    }
    const agent = await over;
    this.#agents.set(node, agent);
  }

  #machine(name: string): FakeMachine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new Error(`no machine ${name}`);
    return machine;
  }
}

/** The tunnel device as it is compared. */
export function tunnelDevice(
  { mtuBytes, up }: KernelLink,
  { local, ttl }: IpipParameters,
  addresses: readonly string[],
): NonNullable<Seen['tunnel']> {
  return { local: formatIpAddress(local), ttl, mtuBytes, addresses, up };
}

function makeMachine({ address: own, lengthBits, gateway, block }: NodePlan): FakeMachine {
  const machine = new FakeMachine({ hasIpip: true });
  machine.addDevice('eth0', `${own}/${lengthBits}`);
  machine.addDevice('br0', block.replace('.0/', '.1/'));
  machine.ip(`route add default via ${gateway} dev eth0`);
  return machine;
}

/** Everything that waits for no timer has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
