/**
 * The world of the random walk as values: what is up, what is configured, and what an administrator has put there.
 *
 * Owns: the state, and what follows from it about sessions. Must not know: kernels, agents, how anything comes to be.
 * Nothing here is taken from the agent: it is the model that the agent is measured against.
 */

/** The fixed part of a node. */
export interface NodePlan {
  readonly name: string;
  readonly address: string;
  readonly lengthBits: number;
  /** The router on its network, its default gateway. */
  readonly gateway: string;
  /** The L2 network that it is on. */
  readonly network: string;
  /** The pod subnet that it always has; its bridge is in it. */
  readonly block: string;
  /** The pod subnet that it may have beside; it sorts behind `block`. */
  readonly spareBlock: string;
}

/** A route of another program. `gateway`: through the default gateway, so it goes with the link; `blackhole` stays. */
export interface ForeignRoute {
  readonly prefix: string;
  readonly metric: number;
  readonly type: 'gateway' | 'blackhole';
}

/** What can change of a node. */
export interface NodeState {
  /** eth0 is up. */
  link: boolean;
  /** eth0 has the node's address. */
  address: boolean;
  /** The default route that the administrator made; the kernel takes it with the link and does not bring it back. */
  defaultRoute: boolean;
  /** The pods' bridge is up. */
  bridge: boolean;
  agent: boolean;
  /** The resources give it its spare subnet too. */
  spare: boolean;
  mtuBytes: number;
  foreign: readonly ForeignRoute[];
  /** Peers that its running agent was told to shut down. */
  shut: ReadonlySet<string>;
}

/** A router outside of the cluster that learns the pod subnets. */
export interface RouterPlan {
  readonly name: string;
  readonly address: string;
  /** The nodes that peer with it; all on its own network. */
  readonly neighbors: readonly string[];
}

/** Our metric, a better and a worse one. */
export const OUR_METRIC = 2048;
export const BETTER_METRIC = 512;
export const WORSE_METRIC = 4096;
export const UNDERLAY_MTU = 1500;

export class World {
  readonly plans: readonly NodePlan[];
  readonly router: RouterPlan | undefined;
  readonly #states: ReadonlyMap<string, NodeState>;
  /** Peerings between nodes that the resources ask for, by {@link pairKey}. */
  readonly peerings = new Set<string>();
  routerRuns: boolean;
  routerPeering: boolean;

  /** Everything is up, every node peers with every other. */
  constructor(plans: readonly NodePlan[], router?: RouterPlan) {
    this.plans = plans;
    this.router = router;
    this.routerRuns = router !== undefined;
    this.routerPeering = router !== undefined;
    this.#states = new Map(plans.map((plan) => [plan.name, upright()]));
    for (const [a, b] of this.pairs()) this.peerings.add(pairKey(a.name, b.name));
  }

  state(name: string): NodeState {
    const state = this.#states.get(name);
    if (state === undefined) throw new Error(`no node ${name}`);
    return state;
  }

  plan(name: string): NodePlan {
    const plan = this.plans.find((candidate) => candidate.name === name);
    if (plan === undefined) throw new Error(`no node ${name}`);
    return plan;
  }

  pairs(): readonly (readonly [NodePlan, NodePlan])[] {
    return this.plans.flatMap((a, index) => this.plans.slice(index + 1).map((b) => [a, b] as const));
  }

  /** The pod subnets of a node, as the resources give them. */
  blocks({ name, block, spareBlock }: NodePlan): readonly string[] {
    return this.state(name).spare ? [block, spareBlock] : [block];
  }

  /** Whether packets go both ways between two nodes' own addresses. */
  isReachable(a: NodePlan, b: NodePlan): boolean {
    const [one, other] = [this.state(a.name), this.state(b.name)];
    if (!(one.link && one.address && other.link && other.address)) return false;
    return a.network === b.network || (one.defaultRoute && other.defaultRoute);
  }

  /** Whether a session between two nodes comes up, and stays. */
  hasSession(a: NodePlan, b: NodePlan): boolean {
    const [one, other] = [this.state(a.name), this.state(b.name)];
    return (
      a.name !== b.name &&
      one.agent &&
      other.agent &&
      this.isReachable(a, b) &&
      this.peerings.has(pairKey(a.name, b.name)) &&
      !one.shut.has(b.name) &&
      !other.shut.has(a.name)
    );
  }

  /** Whether the router's session with a neighbour of it comes up. */
  hasRouterSession(node: NodePlan): boolean {
    const { link, address, agent } = this.state(node.name);
    const isNeighbor = this.router?.neighbors.includes(node.name) === true;
    return isNeighbor && this.routerRuns && this.routerPeering && link && address && agent;
  }
}

export function pairKey(a: string, b: string): string {
  return [a, b].sort().join(' ');
}

function upright(): NodeState {
  return {
    link: true,
    address: true,
    defaultRoute: true,
    bridge: true,
    agent: true,
    spare: false,
    mtuBytes: UNDERLAY_MTU,
    foreign: [],
    shut: new Set(),
  };
}
