/**
 * One simulated agent: the parts that the agent wires together, on a memory network, a kernel in memory and a clock that
 * moves by itself.
 *
 * Owns: the order of start, and what changed resources set in motion, both as in agent/agent.ts. Must not know: the
 * other nodes.
 */
import { isDeepStrictEqual } from 'node:util';
import { pino } from 'pino';
import { type Membership, planMembership } from '../../agent/membership/index.js';
import { NodeDataplane } from '../../agent/node-dataplane.js';
import { NodeSpeaker } from '../../agent/node-speaker.js';
import type { ResourcesResult } from '../../agent/resources/index.js';
import { Secrets } from '../../agent/secrets.js';
import { formatPrefix, type Prefix } from '../../bgp/net/index.js';
import type { Clock } from '../../bgp/speaker/index.js';
import { address } from '../support/addresses.js';
import { memorySettings } from '../support/agent-settings.js';
import { FakeMachine } from '../support/fake-machine.js';
import type { MemoryDatastore } from '../support/memory-datastore.js';
import type { MemoryNetwork } from '../support/memory-transport.js';
import type { NodePlan } from './cluster.js';

const ROUTE_PROTOCOL = 179;

export interface SimGround {
  readonly network: MemoryNetwork;
  readonly clock: Clock;
  readonly datastore: MemoryDatastore;
}

export class SimNode {
  readonly plan: NodePlan;
  readonly #machine = new FakeMachine({ hasIpip: true });
  readonly #datastore: MemoryDatastore;
  readonly #dataplane: NodeDataplane;
  readonly #speaker: NodeSpeaker;
  #membership: Membership;
  /** What its operator would be alarmed of: nothing of this is wrong in a simulation. */
  readonly alarms: object[] = [];
  /** Prefixes that had no route for a moment, once they had one. */
  readonly lost: Prefix[] = [];

  static async start(plan: NodePlan, ground: SimGround): Promise<SimNode> {
    const found: { node?: SimNode } = {};
    const first = await ground.datastore.start({
      resourcesChanged: (result) => found.node?.take(result),
      healthChanged: () => {},
    });
    const node = new SimNode(plan, ground, membershipOf(first, plan.name));
    found.node = node;
    await node.#begin();
    return node;
  }

  private constructor(plan: NodePlan, { network, clock, datastore }: SimGround, membership: Membership) {
    this.plan = plan;
    this.#membership = membership;
    this.#datastore = datastore;
    this.#machine.addDevice('eth0', `${plan.address}/16`);
    this.#machine.addDevice('br0', plan.bridge);
    const log = pino({ level: 'silent' });
    const settings = memorySettings(plan.name);
    const { kernel, sysctl } = this.#machine;
    this.#dataplane = new NodeDataplane(
      {
        settings,
        ground: { kernel, sysctl, clock },
        log,
        follower: {
          onFactsChanged: (facts) => this.#speaker.tellFacts(facts),
          onPodMtuChanged: () => {},
          onPoolConflictsChanged: (conflicts) => this.alarms.push(...conflicts),
        },
      },
      membership,
    );
    this.#speaker = new NodeSpeaker(
      {
        settings,
        log,
        interfaces: { tableFor: () => new Map() },
        ground: { transport: network.transportOf(address(plan.address), 16), clock, random: () => 0.5 },
        follower: {
          onBestPaths: (changes) => {
            for (const { prefix, best } of changes) if (best === undefined) this.lost.push(prefix);
            this.#dataplane.applyChanges(changes);
          },
          onPeersChanged: (peers) => this.#dataplane.setPeers(peers),
          onRivals: (rivals) => this.alarms.push(...rivals),
        },
      },
      { membership, secrets: Secrets.none },
    );
  }

  /** Prefixes in its tables, its own among them. */
  get prefixes(): number {
    return this.#speaker.current.rib.size('ipv4');
  }

  get sessions(): number {
    return this.#speaker.current.peers().filter(({ session }) => session !== undefined).length;
  }

  /** When its session with a peer came up; undefined: it has none. */
  sessionSince({ address: text }: NodePlan): number | undefined {
    const peer = this.#speaker.current.peers().find(({ config }) => config.address === address(text));
    return peer?.session && peer.sinceMs;
  }

  /** `PREFIX via GATEWAY` for every route of ours in its kernel, the own block aside. */
  routes(): readonly string[] {
    return this.#machine
      .routes()
      .filter((line) => line.includes(`proto ${ROUTE_PROTOCOL}`) && !line.startsWith('blackhole'))
      .map((line) => / ?(\S+ via \S+) /.exec(line)?.[1] ?? line);
  }

  /** How many there are, quickly. */
  get routeCount(): number {
    const { kernel } = this.#machine;
    return kernel
      .allRoutes()
      .filter(({ protocol, type }) => protocol === ROUTE_PROTOCOL && type === 'unicast').length;
  }

  /** Changed resources, in the order of the agent. */
  take(result: ResourcesResult): void {
    const before = this.#membership;
    const membership = membershipOf(result, this.plan.name);
    this.#membership = membership;
    this.#speaker.setPlan({ membership, secrets: Secrets.none });
    if (!isDeepStrictEqual(membership.nodes, before.nodes)) {
      const routes = this.#speaker.current.rib.bestRoutes();
      this.#dataplane.setCluster(
        membership,
        Array.from(routes, ({ path, ...route }) => ({ ...route, best: path })),
      );
    }
    this.#dataplane.setMembership(membership);
    this.#speaker.tell();
  }

  async stop(): Promise<void> {
    await this.#datastore.stop();
    this.#dataplane.leaveRoutes();
    await this.#speaker.stop();
    await this.#dataplane.dataplane.stop();
  }

  async #begin(): Promise<void> {
    const { dataplane } = this.#dataplane;
    await dataplane.start();
    this.#dataplane.setMembership(this.#membership);
    await dataplane.settled();
    await this.#speaker.start(false);
  }

  toString(): string {
    return `${this.plan.name}: ${this.prefixes} prefixes, ${this.lost.map(formatPrefix).join(' ')}`;
  }
}

function membershipOf(result: ResourcesResult, node: string): Membership {
  if ('errors' in result) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  const plan = planMembership(result.resources, node);
  if ('problem' in plan) throw new Error(plan.problem);
  return plan.membership;
}
