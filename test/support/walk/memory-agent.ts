/**
 * The agent of one node without a machine: the parts that the agent wires together, on a memory network, a fake kernel
 * and a clock that the test holds. What it reads and what it answers is what the real one reads and answers.
 */
import { pino } from 'pino';
import { type Membership, planMembership } from '../../../agent/membership/index.js';
import {
  localRoutesOf,
  nextHopFacts,
  nodeFactsOf,
  peerConfigs,
  policyGroundsOf,
  policyOf,
  progressOf,
  routeChangeOf,
} from '../../../agent/plan.js';
import { parseResources } from '../../../agent/resources/index.js';
import { Secrets } from '../../../agent/secrets.js';
import { AgentView } from '../../../agent/views/agent-view.js';
import { Speaker } from '../../../bgp/speaker/index.js';
import { Dataplane, type NextHopFacts } from '../../../ipip/index.js';
import { address } from '../addresses.js';
import { memorySettings } from '../agent-settings.js';
import type { FakeClock } from '../fake-clock.js';
import type { FakeMachine } from '../fake-machine.js';
import type { MemoryNetwork } from '../memory-transport.js';

export interface MemoryAgentOptions {
  readonly node: string;
  readonly machine: FakeMachine;
  readonly network: MemoryNetwork;
  readonly clock: FakeClock;
  /** What an earlier run left goes after this time. */
  readonly sweepAfterMs: number;
}

export class MemoryAgent {
  readonly speaker: Speaker;
  readonly dataplane: Dataplane;
  readonly view: AgentView;
  readonly #node: string;
  #isStopping = false;
  #membership: Membership;
  /** What the data plane has this node say of itself. */
  #facts: NextHopFacts | undefined;
  #factsOf: ReturnType<typeof nextHopFacts>;

  /** Starts in the order of the real agent: the kernel is read before the first word to a peer. */
  static async start(options: MemoryAgentOptions, resources: string): Promise<MemoryAgent> {
    const found: { leftovers: number; facts?: NextHopFacts; agent?: MemoryAgent } = { leftovers: 0 };
    const dataplane: Dataplane = new Dataplane({
      kernel: options.machine.kernel,
      sysctl: options.machine.sysctl,
      clock: options.clock,
      settings: { sweepAfterMs: options.sweepAfterMs },
      report: (event) => {
        if (event.kind === 'started') found.leftovers = event.leftoverRoutes;
      },
      onFactsChanged: (facts) => {
        found.facts = facts;
        found.agent?.factsChanged(facts);
      },
    });
    const membership = membershipOf(resources, options.node);
    await dataplane.start();
    dataplane.setNode(nodeFactsOf(membership));
    const agent = new MemoryAgent(options, membership, dataplane, found.leftovers > 0);
    found.agent = agent;
    if (found.facts !== undefined) agent.factsChanged(found.facts);
    await agent.speaker.start();
    agent.#tellSpeaker();
    return agent;
  }

  private constructor(
    { node, network, clock }: MemoryAgentOptions,
    membership: Membership,
    dataplane: Dataplane,
    restarted: boolean,
  ) {
    this.#node = node;
    this.#membership = membership;
    this.#factsOf = nextHopFacts(membership);
    this.dataplane = dataplane;
    const speaker: Speaker = new Speaker({
      localAs: membership.localAs,
      bgpIdentifier: membership.bgpIdentifier,
      listen: { port: membership.listenPort },
      policy: policyOf(policyGroundsOf(membership)),
      transport: network.transportOf(membership.nodeAddress),
      clock,
      random: () => 0.5,
      log: pino({ level: 'silent' }),
      restarted,
      onBestPaths: (changes) => {
        if (this.#isStopping) return;
        dataplane.applyChanges(changes.map((change) => routeChangeOf(change, this.#factsOf)));
      },
      onPeersChanged: () => {
        if (!this.#isStopping) dataplane.setPeers(progressOf(speaker.peers()));
      },
    });
    this.speaker = speaker;
    this.view = new AgentView({
      settings: memorySettings(node),
      alarms: { list: () => [] },
      storeName: 'file:/dev/null',
      store: () => ({ state: 'ok', reason: '', sinceMs: 0, notes: [] }),
      entry: () => undefined,
      version: 'test',
      clock,
      nat: undefined,
      speaker: () => speaker,
      dataplane,
      membership: () => this.#membership,
    });
  }

  /** Takes over changed resources. */
  change(resources: string): void {
    this.#membership = membershipOf(resources, this.#node);
    this.#factsOf = nextHopFacts(this.#membership);
    this.dataplane.setNode(nodeFactsOf(this.#membership));
    this.#tellSpeaker();
  }

  factsChanged(facts: NextHopFacts): void {
    this.#facts = facts;
    this.speaker.setLocalRoutes(localRoutesOf(this.#membership, facts));
  }

  /** The peer's name, by its address. */
  peerAt(peerAddress: string): string {
    const peer = this.speaker.peers().find(({ config }) => config.address === address(peerAddress));
    if (peer === undefined) throw new Error(`${this.#node} has no peer ${peerAddress}`);
    return peer.config.id;
  }

  /** Connections end without a word, routes stay: whether it was stopped or killed, the network sees the same. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.speaker.stop();
    await this.dataplane.stop();
  }

  #tellSpeaker(): void {
    this.speaker.setPolicy(policyOf(policyGroundsOf(this.#membership)));
    this.speaker.setLocalRoutes(localRoutesOf(this.#membership, this.#facts));
    this.speaker.setPeers(peerConfigs(this.#membership, Secrets.none));
  }
}

function membershipOf(text: string, node: string): Membership {
  const result = parseResources([{ path: 'cluster.yaml', text }]);
  if ('errors' in result) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  const plan = planMembership(result.resources, node);
  if ('problem' in plan) throw new Error(plan.problem);
  return plan.membership;
}
