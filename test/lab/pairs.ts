/** Pure: who pings whom in the lab, and what each ping must look like at both ends and on the wires. */
import { type LearnedNextHops, type Path, pathOf } from './paths.js';
import {
  type Machine,
  machinesOf,
  mainAddress,
  membersOf,
  sharedNetwork,
  type Topology,
} from './topology.js';

/** The kinds of pair, sender first. */
export const PAIR_KINDS = ['pod-pod', 'node-pod', 'pod-node', 'client-pod', 'pod-client'] as const;
export type PairKind = (typeof PAIR_KINDS)[number];

/** How far apart the two ends are: on one node, on nodes of one L2 network, or of two. */
export type Distance = 'same node' | 'same network' | 'across';

/** One ping and its expected fate. */
export interface Pair {
  readonly kind: PairKind;
  readonly distance: Distance;
  readonly from: string;
  readonly to: string;
  readonly request: Path;
  readonly reply: Path;
}

/** Every pair of the topology, in both directions. */
export function pairsOf(topology: Topology, learned: LearnedNextHops): readonly Pair[] {
  const ends = {
    pod: machinesOf(topology, 'pod'),
    node: membersOf(topology),
    client: machinesOf(topology, 'client'),
  };
  const pair = (kind: PairKind, from: Machine, to: Machine): Pair => {
    const request = pathOf(topology, from, mainAddress(to), learned);
    const reply =
      request.lostAt === undefined ? pathOf(topology, to, request.source, learned) : unsentReply(request);
    // A host answers from the address that was asked, whichever way the answer leaves by.
    const answer = { ...reply, source: request.destination };
    const distance = distanceOf(topology, from, to);
    return { kind, distance, from: from.name, to: to.name, request, reply: answer };
  };
  const all = (kind: PairKind, senders: readonly Machine[], targets: readonly Machine[]) =>
    senders.flatMap((from) => targets.filter((to) => to !== from).map((to) => pair(kind, from, to)));
  return [
    ...all('pod-pod', ends.pod, ends.pod),
    ...all('node-pod', ends.node, ends.pod),
    ...all('pod-node', ends.pod, ends.node),
    ...all('client-pod', ends.client, ends.pod),
    ...all('pod-client', ends.pod, ends.client),
  ];
}

/** Nothing was asked, so nothing is answered. */
function unsentReply({ source, destination }: Path): Path {
  return { source: destination, destination: source, ttl: 0, legs: [], lostAt: 'its sender' };
}

function distanceOf(topology: Topology, a: Machine, b: Machine): Distance {
  const hostA = hostOf(topology, a);
  const hostB = hostOf(topology, b);
  if (hostA === hostB) return 'same node';
  if (sharedNetwork(topology, hostA, hostB) !== undefined) return 'same network';
  // A client is as near as the router it sits behind.
  const router = [hostA, hostB].find((end) => end.kind === 'client');
  const other = router === hostA ? hostB : hostA;
  const near = machinesOf(topology, 'bird').some(
    (bird) =>
      router !== undefined &&
      sharedNetwork(topology, bird, router) !== undefined &&
      sharedNetwork(topology, bird, other) !== undefined,
  );
  return near ? 'same network' : 'across';
}

function hostOf(topology: Topology, machine: Machine): Machine {
  return machine.kind === 'pod' ? (topology.machines.get(machine.node) ?? machine) : machine;
}
