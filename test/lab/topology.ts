/**
 * The lab's machines and wires as values, read from a file in deploy/lab/.
 *
 * Owns: the format and its checks. Must not know: namespaces, programs, packets. Addresses stay text here: they come
 * from a file, go to `ip` and are compared with what a packet shows.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import {
  formatIpAddress,
  ipv4,
  parseCidr,
  parseIpv4,
  parsePrefix,
  prefixAddress,
  prefixContainsAddress,
  prefixLength,
  prefixOf,
} from '../../bgp/net/index.js';

/** One end of a wire. */
export interface Interface {
  readonly device: string;
  readonly network: string;
  readonly address: string;
  readonly lengthBits: number;
}

export interface StaticRoute {
  readonly prefix: string;
  readonly via: string;
}

interface MachineBase {
  readonly name: string;
  readonly interfaces: readonly Interface[];
  /** The default gateway among them, as 0.0.0.0/0. */
  readonly routes: readonly StaticRoute[];
}

/** Runs the agent. */
export interface NodeMachine extends MachineBase {
  readonly kind: 'node';
  readonly podSubnet: string;
  /** What the agent gives its tunnel device: the first address of the pod subnet. */
  readonly tunnelAddress: string;
}

/** A router that learns the pod subnets by BGP from `neighbors`. */
export interface BirdMachine extends MachineBase {
  readonly kind: 'bird';
  readonly config: string;
  readonly neighbors: readonly string[];
}

export interface PodMachine extends MachineBase {
  readonly kind: 'pod';
  readonly node: string;
}

export interface PlainMachine extends MachineBase {
  readonly kind: 'router' | 'client';
}

export type Machine = NodeMachine | BirdMachine | PodMachine | PlainMachine;
export type MachineKind = Machine['kind'];

/** An L2 network: a bridge in a namespace of its own, or the pods' bridge inside its node. */
export interface Network {
  readonly name: string;
  readonly prefix: string;
  /** The node that holds the bridge; undefined: the network is a switch of its own. */
  readonly node?: string;
}

export interface Topology {
  readonly description: string;
  /** The cluster resources that all agents read. */
  readonly clusterFile: string;
  readonly networks: ReadonlyMap<string, Network>;
  readonly machines: ReadonlyMap<string, Machine>;
  /** Per kind: path under /proc/sys/net/ipv4 (`*`: every entry) -> value. */
  readonly sysctls: Readonly<Record<MachineKind, Readonly<Record<string, number>>>>;
}

/** The file is wrong; the message names it and every fault. */
export class TopologyError extends Error {
  readonly code = 'TOPOLOGY_INVALID';
}

/** The device that every machine's first wire has; the pods' bridge of a node. */
export const POD_BRIDGE = 'br0';

const MACHINE_NAME = '^[a-z][a-z0-9-]{0,14}$'; // also a device name on the switch: IFNAMSIZ is 16 with the zero
const strict = { additionalProperties: false };
const Sysctls = Type.Record(Type.String(), Type.Integer());
const MachineFile = Type.Object(
  {
    kind: Type.Enum(['node', 'bird', 'router', 'client']),
    interfaces: Type.Record(Type.String(), Type.String(), { minProperties: 1 }),
    gateway: Type.Optional(Type.String()),
    routes: Type.Optional(Type.Record(Type.String(), Type.String())),
    pods: Type.Optional(
      Type.Object(
        { subnet: Type.String(), names: Type.Array(Type.String({ pattern: MACHINE_NAME }), { minItems: 1 }) },
        strict,
      ),
    ),
    config: Type.Optional(Type.String()),
    neighbors: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
  },
  strict,
);
const TopologyFile = Type.Object(
  {
    description: Type.String(),
    cluster: Type.String(),
    networks: Type.Record(Type.String({ pattern: MACHINE_NAME }), Type.String()),
    machines: Type.Record(Type.String({ pattern: MACHINE_NAME }), MachineFile),
    sysctls: Type.Object(
      { node: Sysctls, bird: Sysctls, router: Sysctls, client: Sysctls, pod: Sysctls },
      strict,
    ),
  },
  strict,
);
type MachineFile = Static<typeof MachineFile>;

/**
 * Reads and checks a topology.
 *
 * @throws TopologyError with every fault at once
 */
export function loadTopology(path: string): Topology {
  const file: unknown = parse(readFileSync(path, 'utf8'));
  const faults: string[] = [];
  if (!Value.Check(TopologyFile, file)) {
    for (const error of Value.Errors(TopologyFile, file)) {
      faults.push(`${error.instancePath || '/'}: ${error.message}`);
    }
    throw new TopologyError([`${path}:`, ...faults].join('\n  '));
  }
  const base = dirname(path);
  const networks = new Map<string, Network>(
    Object.entries(file.networks).map(([name, prefix]) => [name, { name, prefix }]),
  );
  const machines = new Map<string, Machine>();
  const add = (machine: Machine) => {
    if (machines.has(machine.name) || networks.has(machine.name)) faults.push(`${machine.name}: named twice`);
    machines.set(machine.name, machine);
  };
  for (const [name, entry] of Object.entries(file.machines)) {
    const machine = readMachine(name, entry, networks, base, faults);
    if (machine === undefined) continue;
    add(machine);
    if (machine.kind !== 'node' || entry.pods === undefined) continue;
    const network = { name: `pods of ${name}`, prefix: machine.podSubnet, node: name };
    networks.set(network.name, network);
    entry.pods.names.forEach((pod, index) => {
      const address = nthAddress(network.prefix, index + 2);
      const gateway = nthAddress(network.prefix, 1);
      const wire = { device: 'eth0', network: network.name, address, lengthBits: bits(network.prefix) };
      add({ name: pod, kind: 'pod', node: name, interfaces: [wire], routes: [defaultVia(gateway)] });
    });
  }
  for (const machine of machines.values()) {
    if (machine.kind !== 'bird') continue;
    const strangers = machine.neighbors.filter((name) => machines.get(name)?.kind !== 'node');
    if (strangers.length > 0) faults.push(`${machine.name}: neighbors ${strangers.join(', ')} are no nodes`);
  }
  if (faults.length > 0) throw new TopologyError([`${path}:`, ...faults].join('\n  '));
  const { description, sysctls } = file;
  return { description, clusterFile: resolve(base, file.cluster), networks, machines, sysctls };
}

function readMachine(
  name: string,
  entry: MachineFile,
  networks: ReadonlyMap<string, Network>,
  base: string,
  faults: string[],
): Machine | undefined {
  const fault = (text: string) => {
    faults.push(`/machines/${name}: ${text}`);
    return undefined;
  };
  const interfaces: Interface[] = [];
  for (const [network, address] of Object.entries(entry.interfaces)) {
    const prefix = networks.get(network)?.prefix;
    if (prefix === undefined || parsePrefix(prefix) === undefined) return fault(`no network ${network}`);
    if (!contains(prefix, address)) return fault(`${address} is not in ${network}, ${prefix}`);
    interfaces.push({ device: `eth${interfaces.length}`, network, address, lengthBits: bits(prefix) });
  }
  const routes: StaticRoute[] = Object.entries(entry.routes ?? {}).map(([prefix, via]) => ({ prefix, via }));
  if (entry.gateway !== undefined) routes.push(defaultVia(entry.gateway));
  for (const { prefix, via } of routes) {
    if (parsePrefix(prefix) === undefined) return fault(`${prefix} is no prefix`);
    const near = interfaces.some((wire) => contains(`${wire.address}/${wire.lengthBits}`, via));
    if (!near) return fault(`${via} is on none of its networks`);
  }
  switch (entry.kind) {
    case 'node': {
      const subnet = entry.pods?.subnet;
      if (subnet === undefined || parsePrefix(subnet) === undefined) return fault('a node needs pods.subnet');
      const bridge = { device: POD_BRIDGE, network: `pods of ${name}`, address: nthAddress(subnet, 1) };
      interfaces.push({ ...bridge, lengthBits: bits(subnet) });
      const tunnelAddress = nthAddress(subnet, 0);
      return { name, kind: 'node', interfaces, routes, podSubnet: subnet, tunnelAddress };
    }
    case 'bird': {
      const { config, neighbors } = entry;
      if (config === undefined || neighbors === undefined) return fault('needs config and neighbors');
      return { name, kind: 'bird', interfaces, routes, config: resolve(base, config), neighbors };
    }
    case 'router':
    case 'client':
      return { name, kind: entry.kind, interfaces, routes };
    default:
      return entry.kind satisfies never;
  }
}

/** All machines of a kind, in the order of the file. */
export function machinesOf<Kind extends MachineKind>(
  topology: Topology,
  kind: Kind,
): readonly (Machine & { kind: Kind })[] {
  const isOfKind = (machine: Machine): machine is Machine & { kind: Kind } => machine.kind === kind;
  return [...topology.machines.values()].filter(isOfKind);
}

/** The address that others know a machine by: its first interface's. */
export function mainAddress(machine: Machine): string {
  const first = machine.interfaces[0];
  if (first === undefined) throw new Error(`${machine.name} has no interface`);
  return first.address;
}

/** The name of the L2 network that both machines are on, the pods' own left out; undefined when there is none. */
export function sharedNetwork(a: Machine, b: Machine): string | undefined {
  return a.interfaces.find(
    ({ network, device }) => device !== POD_BRIDGE && b.interfaces.some((other) => other.network === network),
  )?.network;
}

/** Whether `address` lies in `cidr`, which may be an interface address with a length. */
export function contains(cidr: string, address: string): boolean {
  const parsed = parseCidr(cidr);
  const inner = parseIpv4(address);
  if (parsed === undefined || inner === undefined) return false;
  return prefixContainsAddress(prefixOf(parsed.address, parsed.lengthBits), inner);
}

/** The length of `prefix` in bits. */
function bits(prefix: string): number {
  return prefixLength(requirePrefix(prefix));
}

/** The address `index` places after the network address. */
function nthAddress(prefix: string, index: number): string {
  const parsed = requirePrefix(prefix);
  const address = ipv4(Number(prefixAddress(parsed)) + index);
  if (!prefixContainsAddress(parsed, address)) throw new TopologyError(`${prefix} is too small`);
  return formatIpAddress(address);
}

function requirePrefix(text: string): NonNullable<ReturnType<typeof parsePrefix>> {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new TopologyError(`${text} is no prefix`);
  return prefix;
}

function defaultVia(via: string): StaticRoute {
  return { prefix: '0.0.0.0/0', via };
}
