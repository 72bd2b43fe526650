/**
 * Reads a topology from its file in deploy/lab/, and from the cluster file that it names.
 *
 * Owns: the format and its checks. Must not know: namespaces, programs, packets.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import { formatConfigError, parseResources } from '../../agent/resources/index.js';
import {
  formatIpAddress,
  formatPrefix,
  ipv4,
  parsePrefix,
  prefixAddress,
  prefixContainsAddress,
  prefixLength,
} from '../../bgp/net/index.js';
import {
  contains,
  type Interface,
  type IpipMode,
  isMember,
  MACHINE_NAME,
  type Machine,
  type Network,
  type PodSubnet,
  type StaticRoute,
  type Topology,
} from './topology.js';

/** The file is wrong; the message names it and every fault. */
export class TopologyError extends Error {
  readonly code = 'TOPOLOGY_INVALID';
}

/** Instead of a gateway: the prefix is on the link of the first interface. */
const ON_LINK = 'on-link';
const HOST_BITS = 32;

const strict = { additionalProperties: false };
const Sysctls = Type.Record(Type.String(), Type.Integer());
const Mtu = Type.Integer({ minimum: 576, maximum: 65_535 });
const Pods = Type.Object(
  {
    subnet: Type.String(),
    names: Type.Array(Type.String({ pattern: MACHINE_NAME }), { minItems: 1 }),
    mtu: Type.Optional(Mtu),
  },
  strict,
);
const MachineFile = Type.Object(
  {
    kind: Type.Enum(['node', 'bird-node', 'bird', 'router', 'client']),
    interfaces: Type.Record(Type.String(), Type.String(), { minProperties: 1 }),
    gateway: Type.Optional(Type.String()),
    routes: Type.Optional(Type.Record(Type.String(), Type.String())),
    pods: Type.Optional(Type.Union([Pods, Type.Array(Pods, { minItems: 1 })])),
    config: Type.Optional(Type.String()),
    setup: Type.Optional(Type.String()),
    neighbors: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
  },
  strict,
);
const NetworkFile = Type.Union([Type.String(), Type.Object({ prefix: Type.String(), mtu: Mtu }, strict)]);
const Joining = Type.Object({ before: Type.String(), after: Type.Optional(Type.String()) }, strict);
const TopologyFile = Type.Object(
  {
    description: Type.String(),
    cluster: Type.String(),
    joining: Type.Optional(Joining),
    networks: Type.Record(Type.String({ pattern: MACHINE_NAME }), NetworkFile),
    machines: Type.Record(Type.String({ pattern: MACHINE_NAME }), MachineFile),
    sysctls: Type.Object(
      { node: Sysctls, 'bird-node': Sysctls, bird: Sysctls, router: Sysctls, client: Sysctls, pod: Sysctls },
      strict,
    ),
  },
  strict,
);
/** One entry of `machines`. */
export type MachineFile = Static<typeof MachineFile>;
/** The file as it is written. */
export type TopologyFile = Static<typeof TopologyFile>;
type Pods = Static<typeof Pods>;

/** What the entries of a file are read against. */
interface Context {
  readonly networks: Map<string, Network>;
  readonly ipipModeOf: (prefix: string) => IpipMode | undefined;
  /** The folder of the file. */
  readonly base: string;
  readonly faults: string[];
}

/**
 * Reads a topology file, whatever its entries mean.
 *
 * @throws TopologyError with every fault at once
 */
export function readTopologyFile(path: string): TopologyFile {
  const file: unknown = parse(readFileSync(path, 'utf8'));
  if (Value.Check(TopologyFile, file)) return file;
  const faults = [...Value.Errors(TopologyFile, file)].map(
    ({ instancePath, message }) => `${instancePath || '/'}: ${message}`,
  );
  throw faultsIn(path, faults);
}

function faultsIn(path: string, faults: readonly string[]): TopologyError {
  return new TopologyError([`${path}:`, ...faults].join('\n  '));
}

/**
 * Reads and checks a topology.
 *
 * @throws TopologyError with every fault at once
 */
export function loadTopology(path: string): Topology {
  const file = readTopologyFile(path);
  const faults: string[] = [];
  const base = dirname(path);
  const clusterFile = resolve(base, file.cluster);
  const networks = new Map(
    Object.entries(file.networks).map(([name, entry]): [string, Network] => [
      name,
      typeof entry === 'string'
        ? { name, prefix: entry }
        : { name, prefix: entry.prefix, mtuBytes: entry.mtu },
    ]),
  );
  const context: Context = { networks, ipipModeOf: ipipModes(clusterFile, faults), base, faults };
  const machines = new Map<string, Machine>();
  const add = (machine: Machine) => {
    if (machines.has(machine.name) || networks.has(machine.name)) faults.push(`${machine.name}: named twice`);
    machines.set(machine.name, machine);
  };
  for (const [name, entry] of Object.entries(file.machines)) {
    const machine = readMachine(name, entry, context);
    if (machine === undefined) continue;
    add(machine);
    if (isMember(machine)) for (const pod of podsOf(machine, entry)) add(pod);
  }
  for (const machine of machines.values()) {
    if (machine.kind !== 'bird') continue;
    const strangers = machine.neighbors.filter((name) => machines.get(name)?.kind !== 'node');
    if (strangers.length > 0) faults.push(`${machine.name}: neighbors ${strangers.join(', ')} are no nodes`);
  }
  if (faults.length > 0) throw faultsIn(path, faults);
  const { description, sysctls, joining } = file;
  const files = joining && {
    before: resolve(base, joining.before),
    after: joining.after === undefined ? undefined : resolve(base, joining.after),
  };
  return { description, clusterFile, joining: files, networks, machines, sysctls };
}

/** The pools of the cluster, asked for the mode of a pod subnet. */
function ipipModes(path: string, faults: string[]): Context['ipipModeOf'] {
  const result = parseResources([{ path, text: readFileSync(path, 'utf8') }]);
  if ('errors' in result) {
    faults.push(...result.errors.map(formatConfigError));
    return () => undefined;
  }
  const { pools } = result.resources;
  return (prefix) =>
    pools.find(({ cidr }) => contains(formatPrefix(cidr), prefix.split('/')[0] ?? ''))?.ipipMode;
}

function readMachine(name: string, entry: MachineFile, context: Context): Machine | undefined {
  const fault = (text: string) => {
    context.faults.push(`/machines/${name}: ${text}`);
    return undefined;
  };
  const interfaces: Interface[] = [];
  for (const [network, text] of Object.entries(entry.interfaces)) {
    const prefix = context.networks.get(network)?.prefix;
    if (prefix === undefined || parsePrefix(prefix) === undefined) return fault(`no network ${network}`);
    const [address = '', length] = text.split('/');
    if (!contains(prefix, address)) return fault(`${address} is not in ${network}, ${prefix}`);
    const lengthBits = length === undefined ? bits(prefix) : Number(length);
    if (lengthBits !== bits(prefix) && lengthBits !== HOST_BITS) {
      return fault(`${text}: the length is that of ${prefix}, or ${HOST_BITS}`);
    }
    interfaces.push({ device: `eth${interfaces.length}`, network, address, lengthBits });
  }
  const routes: StaticRoute[] = [];
  const entries = Object.entries(entry.routes ?? {});
  if (entry.gateway !== undefined) entries.push(['0.0.0.0/0', entry.gateway]);
  for (const [prefix, via] of entries) {
    if (parsePrefix(prefix) === undefined) return fault(`${prefix} is no prefix`);
    const wire =
      via === ON_LINK
        ? interfaces[0]
        : interfaces.find(({ network }) => contains(context.networks.get(network)?.prefix ?? '', via));
    if (wire === undefined) return fault(`${via} is on none of its networks`);
    routes.push({ prefix, via: via === ON_LINK ? undefined : via, device: wire.device });
  }
  switch (entry.kind) {
    case 'node':
    case 'bird-node': {
      const podSubnets: PodSubnet[] = [];
      for (const { subnet, mtu } of podLists(entry)) {
        if (parsePrefix(subnet) === undefined) return fault(`pods.subnet: ${subnet} is no prefix`);
        const ipipMode = context.ipipModeOf(subnet);
        if (ipipMode === undefined) return fault(`${subnet} is in no IPPool of the cluster`);
        const network = podNetwork(name, podSubnets.length);
        const device = `br${podSubnets.length}`;
        const bridge = { node: name, device };
        const own = { name: network, prefix: subnet, bridge, ...(mtu !== undefined && { mtuBytes: mtu }) };
        context.networks.set(network, own);
        interfaces.push({ device, network, address: nthAddress(subnet, 1), lengthBits: bits(subnet) });
        podSubnets.push({ prefix: subnet, ipipMode });
      }
      const [first] = podSubnets;
      if (first === undefined) return fault('needs pods');
      const podSubnet = first.prefix;
      const member = {
        name,
        interfaces,
        routes,
        podSubnets,
        podSubnet,
        tunnelAddress: nthAddress(podSubnet, 0),
      };
      if (entry.kind === 'node') return { ...member, kind: 'node' };
      const { config, setup } = entry;
      if (config === undefined || setup === undefined) return fault('needs config and setup');
      const files = { config: resolve(context.base, config), setup: resolve(context.base, setup) };
      return { ...member, ...files, kind: 'bird-node' };
    }
    case 'bird': {
      const { config, neighbors } = entry;
      if (config === undefined || neighbors === undefined) return fault('needs config and neighbors');
      return { name, kind: 'bird', interfaces, routes, config: resolve(context.base, config), neighbors };
    }
    case 'router':
    case 'client':
      return { name, kind: entry.kind, interfaces, routes };
    default:
      return entry.kind satisfies never;
  }
}

/** The pods of a machine by subnet. */
export function podLists({ pods }: MachineFile): readonly Pods[] {
  return pods === undefined ? [] : Array.isArray(pods) ? pods : [pods];
}

/** What the network of a node's pods is called, for its first, second ... subnet. */
function podNetwork(node: string, index: number): string {
  return index === 0 ? `pods of ${node}` : `pods of ${node} (${index + 1})`;
}

/** A member's pods: the addresses of a subnet from the second on; the first is the bridge's. */
function podsOf({ name: node }: Machine, entry: MachineFile): readonly Machine[] {
  return podLists(entry).flatMap(({ subnet, names }, index) =>
    names.map((name, number): Machine => {
      const network = podNetwork(node, index);
      const address = nthAddress(subnet, number + 2);
      const gateway = { prefix: '0.0.0.0/0', via: nthAddress(subnet, 1), device: 'eth0' };
      const wire = { device: 'eth0', network, address, lengthBits: bits(subnet) };
      return { name, kind: 'pod', node, interfaces: [wire], routes: [gateway] };
    }),
  );
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
