/**
 * What happens in the random walk: every kind of event, where it can happen, and what it means for the world.
 *
 * Owns: the table of kinds, and the draw. Must not know: how an event is carried out.
 */
import {
  BETTER_METRIC,
  type ForeignRoute,
  type NodePlan,
  type NodeState,
  OUR_METRIC,
  pairKey,
  UNDERLAY_MTU,
  WORSE_METRIC,
  type World,
} from './world.js';

/** Happens to one node as a whole. */
type NodeKind =
  | 'linkDown'
  | 'linkUp'
  | 'addressGone'
  | 'addressBack'
  | 'defaultGone'
  | 'defaultBack'
  | 'bridgeDown'
  | 'bridgeUp'
  | 'underlayMtu'
  | 'tunnelDeleted'
  | 'tunnelDown'
  | 'tunnelAddressGone'
  | 'tunnelMtu'
  | 'tunnelTtl'
  | 'oursFlushed'
  | 'spareAdded'
  | 'spareRemoved'
  | 'agentStopped'
  | 'agentKilled'
  | 'agentStarted';

export type WalkEvent =
  | { readonly kind: NodeKind; readonly node: string }
  /** One route of ours is deleted, or led to the default gateway, by somebody who uses our mark. */
  | { readonly kind: 'oneDeleted' | 'oneAltered'; readonly node: string; readonly prefix: string }
  | { readonly kind: 'foreignAdded' | 'foreignRemoved'; readonly node: string; readonly route: ForeignRoute }
  /** The resources ask for a peering of two nodes, or no more. */
  | { readonly kind: 'peeringAdded' | 'peeringRemoved'; readonly node: string; readonly peer: string }
  /** An administrator's word to the agent of `node` about its peer. */
  | {
      readonly kind: 'peerShutDown' | 'peerEnabled' | 'peerReset';
      readonly node: string;
      readonly peer: string;
    }
  | { readonly kind: 'routerStopped' | 'routerStarted' | 'routerPeeringAdded' | 'routerPeeringRemoved' };

export type WalkEventKind = WalkEvent['kind'];

/** A choice among `below` values: 0 <= choice < below. */
export type Choose = (below: number) => number;

interface Row {
  /** How often, against the others; what mends is likelier than what breaks, or the world would stay in pieces. */
  readonly weight: number;
  /** Every event of the kind that can happen now. */
  readonly candidates: (world: World) => readonly WalkEvent[];
}

/** Another MTU of the underlay, and one that somebody gives the tunnel. */
export const SMALL_MTU = 1400;
export const WRONG_TUNNEL_MTU = 1300;

const atNodes =
  (kind: NodeKind, can: (state: NodeState) => boolean): Row['candidates'] =>
  (world) =>
    world.plans.filter(({ name }) => can(world.state(name))).map(({ name }) => ({ kind, node: name }));

const atPrefixes =
  (
    kind: 'oneDeleted' | 'oneAltered',
    can: (state: NodeState, prefix: string) => boolean,
  ): Row['candidates'] =>
  (world) =>
    world.plans.flatMap(({ name }) =>
      allBlocks(world)
        .filter((prefix) => can(world.state(name), prefix))
        .map((prefix) => ({ kind, node: name, prefix })),
    );

const atPairs =
  (
    kind: 'peeringAdded' | 'peeringRemoved' | 'peerShutDown' | 'peerEnabled' | 'peerReset',
    can: (world: World, node: NodePlan, peer: NodePlan) => boolean,
  ): Row['candidates'] =>
  (world) =>
    world.plans.flatMap((node) =>
      world.plans
        .filter((peer) => peer !== node && can(world, node, peer))
        .map((peer) => ({ kind, node: node.name, peer: peer.name })),
    );

const atRouter =
  (
    kind: 'routerStopped' | 'routerStarted' | 'routerPeeringAdded' | 'routerPeeringRemoved',
    can: (world: World) => boolean,
  ): Row['candidates'] =>
  (world) =>
    world.router !== undefined && can(world) ? [{ kind }] : [];

/** The spare subnets too: somebody may be before us there. */
function allBlocks(world: World): readonly string[] {
  return world.plans.flatMap(({ block, spareBlock }) => [block, spareBlock]);
}

const isOnNetwork = ({ link, address }: NodeState) => link && address;
const isPeering = (world: World, node: NodePlan, peer: NodePlan) =>
  world.peerings.has(pairKey(node.name, peer.name));
const isShut = (world: World, node: NodePlan, peer: NodePlan) => world.state(node.name).shut.has(peer.name);
const hasForeign = ({ foreign }: NodeState, prefix: string, metric: number) =>
  foreign.some((route) => route.prefix === prefix && route.metric === metric);

function newForeign(world: World): readonly WalkEvent[] {
  return world.plans.flatMap(({ name }): WalkEvent[] => {
    const state = world.state(name);
    const types: ForeignRoute['type'][] = isOnNetwork(state) ? ['gateway', 'blackhole'] : ['blackhole'];
    return allBlocks(world).flatMap((prefix) =>
      [BETTER_METRIC, OUR_METRIC, WORSE_METRIC]
        .filter((metric) => !hasForeign(state, prefix, metric))
        .flatMap((metric) =>
          types.map(
            (type) => ({ kind: 'foreignAdded', node: name, route: { prefix, metric, type } }) as const,
          ),
        ),
    );
  });
}

const TABLE: Readonly<Record<WalkEventKind, Row>> = {
  linkDown: { weight: 3, candidates: atNodes('linkDown', ({ link }) => link) },
  linkUp: { weight: 20, candidates: atNodes('linkUp', ({ link }) => !link) },
  addressGone: { weight: 2, candidates: atNodes('addressGone', ({ address }) => address) },
  addressBack: { weight: 20, candidates: atNodes('addressBack', ({ address }) => !address) },
  defaultGone: { weight: 1, candidates: atNodes('defaultGone', (state) => state.defaultRoute) },
  defaultBack: {
    weight: 30,
    candidates: atNodes('defaultBack', (state) => !state.defaultRoute && isOnNetwork(state)),
  },
  bridgeDown: { weight: 4, candidates: atNodes('bridgeDown', ({ bridge }) => bridge) },
  bridgeUp: { weight: 8, candidates: atNodes('bridgeUp', ({ bridge }) => !bridge) },
  underlayMtu: { weight: 4, candidates: atNodes('underlayMtu', () => true) },
  tunnelDeleted: { weight: 4, candidates: atNodes('tunnelDeleted', () => true) },
  tunnelDown: { weight: 4, candidates: atNodes('tunnelDown', () => true) },
  tunnelAddressGone: { weight: 4, candidates: atNodes('tunnelAddressGone', () => true) },
  tunnelMtu: { weight: 3, candidates: atNodes('tunnelMtu', () => true) },
  tunnelTtl: { weight: 3, candidates: atNodes('tunnelTtl', () => true) },
  oursFlushed: { weight: 6, candidates: atNodes('oursFlushed', () => true) },
  spareAdded: { weight: 6, candidates: atNodes('spareAdded', ({ spare }) => !spare) },
  spareRemoved: { weight: 6, candidates: atNodes('spareRemoved', ({ spare }) => spare) },
  agentStopped: { weight: 3, candidates: atNodes('agentStopped', ({ agent }) => agent) },
  agentKilled: { weight: 3, candidates: atNodes('agentKilled', ({ agent }) => agent) },
  // An agent refuses to start where the machine does not have its address.
  agentStarted: {
    weight: 20,
    candidates: atNodes('agentStarted', ({ agent, address }) => !agent && address),
  },
  oneDeleted: { weight: 8, candidates: atPrefixes('oneDeleted', () => true) },
  oneAltered: {
    weight: 8,
    // `replace` would take another program's route for ours.
    candidates: atPrefixes(
      'oneAltered',
      (state, prefix) => isOnNetwork(state) && !hasForeign(state, prefix, OUR_METRIC),
    ),
  },
  foreignAdded: { weight: 8, candidates: newForeign },
  foreignRemoved: {
    weight: 8,
    candidates: (world) =>
      world.plans.flatMap(({ name }) =>
        world.state(name).foreign.map((route) => ({ kind: 'foreignRemoved', node: name, route }) as const),
      ),
  },
  peeringAdded: { weight: 6, candidates: atPairs('peeringAdded', (...pair) => !isPeering(...pair)) },
  // What was shut down before is forgotten with the peering; whether the agent sees it go is a question of time.
  peeringRemoved: {
    weight: 3,
    candidates: atPairs(
      'peeringRemoved',
      (world, a, b) => isPeering(world, a, b) && !isShut(world, a, b) && !isShut(world, b, a),
    ),
  },
  peerShutDown: {
    weight: 3,
    candidates: atPairs(
      'peerShutDown',
      (world, a, b) => world.state(a.name).agent && isPeering(world, a, b) && !isShut(world, a, b),
    ),
  },
  peerEnabled: { weight: 8, candidates: atPairs('peerEnabled', isShut) },
  peerReset: {
    weight: 6,
    candidates: atPairs(
      'peerReset',
      (world, a, b) => world.state(a.name).agent && isPeering(world, a, b) && !isShut(world, a, b),
    ),
  },
  routerStopped: { weight: 2, candidates: atRouter('routerStopped', (world) => world.routerRuns) },
  routerStarted: { weight: 8, candidates: atRouter('routerStarted', (world) => !world.routerRuns) },
  routerPeeringAdded: {
    weight: 4,
    candidates: atRouter('routerPeeringAdded', (world) => !world.routerPeering),
  },
  routerPeeringRemoved: {
    weight: 2,
    candidates: atRouter('routerPeeringRemoved', (world) => world.routerPeering),
  },
};

/** Draws the next event of a world; there is always one that can happen. */
export function drawEvent(world: World, choose: Choose): WalkEvent {
  const open = Object.values(TABLE)
    .map(({ weight, candidates }) => ({ weight, events: candidates(world) }))
    .filter(({ events }) => events.length > 0);
  let left = choose(open.reduce((total, { weight }) => total + weight, 0));
  for (const { weight, events } of open) {
    left -= weight;
    const event = left < 0 ? events[choose(events.length)] : undefined;
    if (event !== undefined) return event;
  }
  throw new Error('a world in which nothing can happen');
}

/** The next event that mends what is broken; undefined: nothing is. */
export function mendingEvent(world: World): WalkEvent | undefined {
  for (const kind of MENDING) {
    const [event] = TABLE[kind].candidates(world);
    if (event !== undefined) return event;
  }
  return undefined;
}

const MENDING: readonly WalkEventKind[] = [
  'linkUp',
  'addressBack',
  'defaultBack',
  'bridgeUp',
  'spareRemoved',
  'foreignRemoved',
  'agentStarted',
  'peeringAdded',
  'peerEnabled',
  'routerStarted',
  'routerPeeringAdded',
];

/** Changes the world as the event does. */
export function applyEvent(world: World, event: WalkEvent): void {
  switch (event.kind) {
    case 'routerStopped':
    case 'routerStarted':
      world.routerRuns = event.kind === 'routerStarted';
      return;
    case 'routerPeeringAdded':
    case 'routerPeeringRemoved':
      world.routerPeering = event.kind === 'routerPeeringAdded';
      return;
    case 'peeringAdded':
      world.peerings.add(pairKey(event.node, event.peer));
      return;
    case 'peeringRemoved':
      world.peerings.delete(pairKey(event.node, event.peer));
      return;
    default:
      applyToNode(world.state(event.node), event);
  }
}

type EventAtNode = Exclude<WalkEvent, { readonly kind: `peering${string}` | `router${string}` }>;

function applyToNode(state: NodeState, event: EventAtNode): void {
  switch (event.kind) {
    case 'linkDown':
      state.link = false;
      loseLinkRoutes(state);
      return;
    case 'linkUp':
      state.link = true;
      return;
    case 'addressGone':
      // The last address of a device: its routes go with it, as with the link.
      state.address = false;
      loseLinkRoutes(state);
      return;
    case 'addressBack':
      state.address = true;
      return;
    case 'defaultGone':
    case 'defaultBack':
      state.defaultRoute = event.kind === 'defaultBack';
      return;
    case 'bridgeDown':
    case 'bridgeUp':
      state.bridge = event.kind === 'bridgeUp';
      return;
    case 'underlayMtu':
      state.mtuBytes = state.mtuBytes === UNDERLAY_MTU ? SMALL_MTU : UNDERLAY_MTU;
      return;
    case 'spareAdded':
    case 'spareRemoved':
      state.spare = event.kind === 'spareAdded';
      return;
    case 'agentStopped':
    case 'agentKilled':
      // An agent that starts anew has all peers enabled.
      state.agent = false;
      state.shut = new Set();
      return;
    case 'agentStarted':
      state.agent = true;
      return;
    case 'foreignAdded':
      state.foreign = [...state.foreign, event.route];
      return;
    case 'foreignRemoved':
      state.foreign = state.foreign.filter((route) => route !== event.route);
      return;
    case 'peerShutDown':
      state.shut = new Set([...state.shut, event.peer]);
      return;
    case 'peerEnabled':
      state.shut = new Set([...state.shut].filter((peer) => peer !== event.peer));
      return;
    // What the agent puts right, or what leads back to where it was.
    case 'tunnelDeleted':
    case 'tunnelDown':
    case 'tunnelAddressGone':
    case 'tunnelMtu':
    case 'tunnelTtl':
    case 'oursFlushed':
    case 'oneDeleted':
    case 'oneAltered':
    case 'peerReset':
      return;
    default:
      event satisfies never;
  }
}

function loseLinkRoutes(state: NodeState): void {
  state.defaultRoute = false;
  state.foreign = state.foreign.filter(({ type }) => type !== 'gateway');
}

/** One line for a person who repeats the walk by hand. */
export function eventText(event: WalkEvent): string {
  const { kind, ...rest } = event;
  const words = Object.values(rest).map((value) =>
    typeof value === 'string' ? value : `${value.type} ${value.prefix} metric ${value.metric}`,
  );
  return [kind, ...words].join(' ');
}
