/**
 * Pure: the way that a packet must take through a topology, worked out from the design's promises and not from what the
 * machines do. What the agents are measured against.
 *
 * Between nodes on one L2 network pods are reached by next hop, between others through IPIP to the owning node, where
 * their pool does not say otherwise; an outer header hides the packet's own TTL from the machines on its way.
 */
import {
  contains,
  type Interface,
  isMember,
  type Machine,
  type Member,
  mainAddress,
  modeTowards,
  onLinkWire,
  podOwner,
  type Topology,
} from './topology.js';

/** One crossing of one L2 network. */
export interface Leg {
  readonly network: string;
  readonly from: string;
  readonly to: string;
  /** Source and destination of the outer header; undefined: the packet is plain. */
  readonly outer?: { readonly source: string; readonly destination: string };
}

/** The way of one packet. */
export interface Path {
  /** The source address that the sender's kernel must choose. */
  readonly source: string;
  readonly destination: string;
  /** The time to live that the destination must see, of the 64 that the sender gave it. */
  readonly ttl: number;
  readonly legs: readonly Leg[];
  /** The machine that has no way for it and drops it: the pool's `ipipMode` is Never. */
  readonly lostAt?: string;
}

/** Next hops that are for the machine itself to choose: what `router` uses towards `prefix`. */
export type LearnedNextHops = (router: string, prefix: string) => string | undefined;

/** There is no way: the topology lacks a route. */
export class NoPathError extends Error {
  readonly code = 'NO_PATH';
}

const INITIAL_TTL = 64;

interface Step {
  /** The address that the packet goes to on the wire, on the network of `wire`. */
  readonly nextHop: string;
  readonly wire: Interface;
  readonly source: string;
  /** Through the tunnel to this node. */
  readonly tunnelTo?: Member;
}

/**
 * The way of a packet from `sender` to `destination`.
 *
 * @throws NoPathError when a machine on the way has no route, or the packet would go round in a circle
 */
export function pathOf(
  topology: Topology,
  sender: Machine,
  destination: string,
  learned: LearnedNextHops,
): Path {
  const legs: Leg[] = [];
  let source: string | undefined;
  let machine = sender;
  let ttl = INITIAL_TTL;
  while (!hasAddress(machine, destination)) {
    if (ttl === 0) throw new NoPathError(`${sender.name} to ${destination}: a loop`);
    if (source !== undefined) ttl -= 1; // forwarded, not sent
    const step = nextStep(topology, machine, destination, learned);
    if (step === undefined) {
      const isMeant = podOwner(topology, destination)?.subnet.ipipMode === 'Never';
      if (!isMeant || source === undefined) {
        throw new NoPathError(`${machine.name} has no route to ${destination}`);
      }
      return { source, destination, ttl, legs, lostAt: machine.name };
    }
    source ??= step.source;
    if (step.tunnelTo === undefined) {
      const next = ownerOf(topology, step.nextHop, step.wire.network);
      legs.push({ network: step.wire.network, from: machine.name, to: next.name });
      machine = next;
    } else {
      const outer = { source: mainAddress(machine), destination: mainAddress(step.tunnelTo) };
      const inside = pathOf(topology, machine, outer.destination, learned);
      legs.push(...inside.legs.map((leg) => ({ ...leg, outer })));
      machine = step.tunnelTo;
    }
  }
  return { source: source ?? destination, destination, ttl, legs };
}

/**
 * What one machine does with a packet: its own networks first, then the longest matching route; undefined where it has
 * none.
 */
function nextStep(
  topology: Topology,
  machine: Machine,
  destination: string,
  learned: LearnedNextHops,
): Step | undefined {
  const wire = onLinkWire(machine, destination);
  if (wire !== undefined) return { nextHop: destination, wire, source: wire.address };

  const pods = podOwner(topology, destination);
  if (pods !== undefined && isMember(machine)) {
    const { owner, subnet } = pods;
    const mode = modeTowards(machine, owner, subnet);
    if (mode === 'direct') return via(topology, machine, mainAddress(owner), destination);
    const [underlay] = machine.interfaces;
    if (underlay === undefined) throw new NoPathError(`${machine.name} has no interface`);
    const tunnel = { nextHop: mainAddress(owner), wire: underlay, tunnelTo: owner };
    if (mode === 'ipip') return { ...tunnel, source: machine.tunnelAddress };
  }
  if (pods !== undefined && machine.kind === 'bird') {
    const nextHop = learned(machine.name, pods.subnet.prefix);
    if (nextHop !== undefined) return via(topology, machine, nextHop, destination);
  }
  const routes = machine.routes
    .filter(({ prefix }) => contains(prefix, destination))
    .sort((a, b) => Number(b.prefix.split('/')[1]) - Number(a.prefix.split('/')[1]));
  const [route] = routes;
  return route && via(topology, machine, route.via ?? destination, destination);
}

/** Out of the interface whose network has `nextHop`, on link by the machine's own account or not. */
function via(topology: Topology, machine: Machine, nextHop: string, destination: string): Step {
  const wire = machine.interfaces.find(({ network }) =>
    contains(topology.networks.get(network)?.prefix ?? '', nextHop),
  );
  if (wire === undefined) throw new NoPathError(`${machine.name} to ${destination}: ${nextHop} is not near`);
  return { nextHop, wire, source: wire.address };
}

function hasAddress(machine: Machine, address: string): boolean {
  if (isMember(machine) && machine.tunnelAddress === address) return true;
  return machine.interfaces.some((wire) => wire.address === address);
}

function ownerOf(topology: Topology, address: string, network: string): Machine {
  for (const machine of topology.machines.values()) {
    if (machine.interfaces.some((wire) => wire.network === network && wire.address === address)) {
      return machine;
    }
  }
  throw new NoPathError(`nobody on ${network} has ${address}`);
}
