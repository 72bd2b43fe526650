/**
 * Pure: a place for one more node in a topology, and which nodes can go.
 *
 * Owns: what is free (names, addresses, pod subnets), found the same way each time. Must not know: files, namespaces.
 */
import type { IpPool, Resources } from '../../agent/resources/index.js';
import {
  formatIpAddress,
  formatPrefix,
  ipv4,
  type Prefix,
  parseIpv4,
  parsePrefix,
  prefixAddress,
  prefixContains,
  prefixesOverlap,
  prefixLength,
  prefixOf,
} from '../../bgp/net/index.js';
import {
  MACHINE_NAME,
  type Machine,
  machinesOf,
  mainAddress,
  membersOf,
  type NodeMachine,
  outerWires,
  type Topology,
} from './topology.js';

/** What was asked for cannot be; the message is one sentence for the one who asked. */
export class GrowthError extends Error {
  readonly code = 'LAB_GROWTH';
}

/** What may be said of a new node. */
export interface NodeWish {
  readonly name: string;
  /** Undefined: the first network with nodes. */
  readonly network: string | undefined;
  readonly pods: number;
}

/** Where a new node is, but for the subnet of its pods. */
export interface Place {
  readonly name: string;
  readonly network: string;
  readonly address: string;
  readonly lengthBits: number;
  readonly gateway: string | undefined;
  readonly podNames: readonly string[];
}

const HOST_BITS = 32;

/** Finds a place for a new node. @throws GrowthError */
export function placeFor(topology: Topology, { name, network: wished, pods }: NodeWish): Place {
  const podNames = Array.from(
    { length: pods },
    (_, index) => `pod-${name.replace(/^node-/, '')}${index + 1}`,
  );
  for (const machine of [name, ...podNames]) {
    if (!new RegExp(MACHINE_NAME).test(machine)) {
      throw new GrowthError(`${machine} is no name for a machine: 1 to 15 of a-z, 0-9 and -, a letter first`);
    }
    if (topology.machines.has(machine) || topology.networks.has(machine)) {
      throw new GrowthError(`${machine} is there already: choose another name`);
    }
  }
  const homes = homesOf(topology);
  const network = wished ?? [...homes.keys()][0] ?? '';
  const neighbours = homes.get(network);
  const prefix = parsePrefix(topology.networks.get(network)?.prefix ?? '');
  if (neighbours === undefined || prefix === undefined) {
    throw new GrowthError(`${network} is no network with nodes: choose ${[...homes.keys()].join(' or ')}`);
  }
  return {
    name,
    network,
    address: freeAddress(topology, network, prefix, neighbours),
    lengthBits: prefixLength(prefix),
    gateway: neighbours[0]?.routes.find((route) => route.prefix === '0.0.0.0/0')?.via,
    podNames,
  };
}

/** The next pod subnet after those in use, of the pool that the first node's is from. @throws GrowthError */
export function freePodSubnet(topology: Topology, { nodes, blocks, pools }: Resources): string {
  const subnets = membersOf(topology).flatMap(({ podSubnets }) => podSubnets.map(({ prefix }) => prefix));
  const inTopology = subnets.flatMap((text) => parsePrefix(text) ?? []);
  const taken = [
    ...inTopology,
    ...nodes.flatMap(({ podCIDRs }) => podCIDRs),
    ...blocks.map(({ cidr }) => cidr),
  ];
  const pool = pools.find(({ cidr }) => inTopology[0] !== undefined && prefixContains(cidr, inTopology[0]));
  if (pool === undefined) throw new GrowthError('no IPPool of the cluster holds the pods of the first node');
  const inPool = taken.filter((prefix) => prefixesOverlap(pool.cidr, prefix));
  const blocksOfPool = 2 ** (pool.blockSize - prefixLength(pool.cidr));
  const highest = Math.max(...inPool.map((prefix) => blockNumber(pool, prefix)));
  for (let step = 1; step <= blocksOfPool; step += 1) {
    const block = blockOf(pool, (highest + step) % blocksOfPool);
    if (!inPool.some((prefix) => prefixesOverlap(prefix, block))) return formatPrefix(block);
  }
  throw new GrowthError(`IPPool ${pool.name} has no free subnet: remove a node first`);
}

/** A node that others can do without. @throws GrowthError */
export function leaverOf(topology: Topology, name: string): NodeMachine {
  const nodes = machinesOf(topology, 'node');
  const node = nodes.find((each) => each.name === name);
  if (node === undefined) {
    const kind = topology.machines.get(name)?.kind;
    const what = kind === undefined ? `there is no ${name}` : `${name} is a ${kind} and runs no agent`;
    throw new GrowthError(`${what}: nodes are ${nodes.map((each) => each.name).join(', ')}`);
  }
  for (const { network } of outerWires(topology, node)) {
    if (homesOf(topology).get(network)?.length === 1) {
      throw new GrowthError(`${name} is the last node of ${network}: add another one there first`);
    }
  }
  for (const bird of machinesOf(topology, 'bird')) {
    if (bird.neighbors.length === 1 && bird.neighbors[0] === name) {
      throw new GrowthError(
        `${name} is the last neighbour of ${bird.name}, which would know no pod any more`,
      );
    }
  }
  return node;
}

/** The networks that members are on, with those whose main address is there. */
function homesOf(topology: Topology): ReadonlyMap<string, readonly Machine[]> {
  const homes = new Map<string, Machine[]>();
  for (const member of membersOf(topology)) {
    const network = member.interfaces[0]?.network ?? '';
    homes.set(network, [...(homes.get(network) ?? []), member]);
  }
  return homes;
}

/** The first free one after the members of a network, or else before them. */
function freeAddress(
  topology: Topology,
  network: string,
  prefix: Prefix,
  members: readonly Machine[],
): string {
  const taken = new Set(
    [...topology.machines.values()].flatMap(({ interfaces }) => interfaces.map(({ address }) => address)),
  );
  const base = Number(prefixAddress(prefix));
  const hosts = 2 ** (HOST_BITS - prefixLength(prefix)) - 2;
  const highest = Math.max(...members.map((member) => Number(parseIpv4(mainAddress(member))) - base));
  for (let step = 0; step < hosts; step += 1) {
    const address = formatIpAddress(ipv4(base + 1 + ((highest + step) % hosts)));
    if (!taken.has(address)) return address;
  }
  throw new GrowthError(`${network}, ${formatPrefix(prefix)}, has no free address: remove a node first`);
}

/** How many blocks of a pool are before a prefix in it. */
function blockNumber(pool: IpPool, prefix: Prefix): number {
  const offset = Number(prefixAddress(prefix)) - Number(prefixAddress(pool.cidr));
  return Math.floor(offset / 2 ** (HOST_BITS - pool.blockSize));
}

function blockOf(pool: IpPool, number: number): Prefix {
  const address = Number(prefixAddress(pool.cidr)) + number * 2 ** (HOST_BITS - pool.blockSize);
  return prefixOf(ipv4(address), pool.blockSize);
}
