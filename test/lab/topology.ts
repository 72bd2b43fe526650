/**
 * The lab's machines and wires as values, and what can be asked of them.
 *
 * Owns: the shape of a topology. Must not know: files, namespaces, programs, packets. Addresses stay text here: they
 * come from a file, go to `ip` and are compared with what a packet shows.
 */
import { parseCidr, parseIpv4, prefixContainsAddress, prefixOf } from '../../bgp/net/index.js';

/** What a machine may be called: its name is also that of a device on the switch, and IFNAMSIZ is 16 with the zero. */
export const MACHINE_NAME = '^[a-z][a-z0-9-]{0,14}$';

/** One end of a wire. */
export interface Interface {
  readonly device: string;
  readonly network: string;
  readonly address: string;
  /** Of the address: 32 where the machine learns from a route alone who its neighbours are. */
  readonly lengthBits: number;
}

/** `via` an address; undefined: the prefix is on the link of `device`. */
export interface StaticRoute {
  readonly prefix: string;
  readonly via: string | undefined;
  readonly device: string;
}

interface MachineBase {
  readonly name: string;
  readonly interfaces: readonly Interface[];
  /** The default gateway among them, as 0.0.0.0/0. */
  readonly routes: readonly StaticRoute[];
}

/** When packets into a pool go through IPIP: `ipipMode` of the IPPool. */
export type IpipMode = 'Always' | 'CrossSubnet' | 'Never';

/** Pods of one member, behind a bridge of their own. */
export interface PodSubnet {
  readonly prefix: string;
  /** That of its pool. */
  readonly ipipMode: IpipMode;
}

interface MemberBase extends MachineBase {
  readonly podSubnets: readonly PodSubnet[];
  /** The prefix of the first of them. */
  readonly podSubnet: string;
  /** What its tunnel device has: the first address of its first pod subnet. */
  readonly tunnelAddress: string;
}

/** Runs the agent. */
export interface NodeMachine extends MemberBase {
  readonly kind: 'node';
}

/** A node of the mesh that runs BIRD instead of the agent. */
export interface BirdNodeMachine extends MemberBase {
  readonly kind: 'bird-node';
  readonly config: string;
  /** A shell script that makes its tunnel and sets what the kernel must have set. */
  readonly setup: string;
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

/** A machine with pods: one of the mesh. */
export type Member = NodeMachine | BirdNodeMachine;
export type Machine = Member | BirdMachine | PodMachine | PlainMachine;
export type MachineKind = Machine['kind'];

/** An L2 network: a bridge in a namespace of its own, or the pods' bridge inside its node. */
export interface Network {
  readonly name: string;
  readonly prefix: string;
  /** What its wires carry; undefined: what the kernel gives them. */
  readonly mtuBytes?: number;
  /** The node and its device that is the bridge; undefined: the network is a switch of its own. */
  readonly bridge?: { readonly node: string; readonly device: string };
}

export interface Topology {
  readonly description: string;
  /** The cluster resources that all agents read. */
  readonly clusterFile: string;
  /**
   * Where nodes enter themselves: what an empty store is given before, and what when they are in it, as files; undefined:
   * the topology has no such variant.
   */
  readonly joining: { readonly before: string; readonly after: string | undefined } | undefined;
  readonly networks: ReadonlyMap<string, Network>;
  readonly machines: ReadonlyMap<string, Machine>;
  /** Per kind: path under /proc/sys/net/ipv4 (`*`: every entry) -> value. */
  readonly sysctls: Readonly<Record<MachineKind, Readonly<Record<string, number>>>>;
}

/** The topology before these members have pod subnets: without their pods, and the bridges that those are behind. */
export function withoutPods(topology: Topology, members: readonly string[]): Topology {
  const isTheirs = ({ bridge }: Network) => bridge !== undefined && members.includes(bridge.node);
  const networks = new Map([...topology.networks].filter(([, network]) => !isTheirs(network)));
  const machines = [...topology.machines.values()]
    .filter((machine) => machine.kind !== 'pod' || !members.includes(machine.node))
    .map((machine): [string, Machine] => [
      machine.name,
      { ...machine, interfaces: machine.interfaces.filter(({ network }) => networks.has(network)) },
    ]);
  return { ...topology, networks, machines: new Map(machines) };
}

/** All machines of a kind, in the order of the file. */
export function machinesOf<Kind extends MachineKind>(
  topology: Topology,
  kind: Kind,
): readonly (Machine & { kind: Kind })[] {
  const isOfKind = (machine: Machine): machine is Machine & { kind: Kind } => machine.kind === kind;
  return [...topology.machines.values()].filter(isOfKind);
}

/** Whether pods live behind a machine. */
export function isMember(machine: Machine): machine is Member {
  return machine.kind === 'node' || machine.kind === 'bird-node';
}

/** All machines of the mesh, in the order of the file. */
export function membersOf(topology: Topology): readonly Member[] {
  return [...topology.machines.values()].filter(isMember);
}

/** The wires of a machine that leave it: not the bridges of its pods. */
export function outerWires(topology: Topology, machine: Machine): readonly Interface[] {
  return machine.interfaces.filter((wire) => !isBridge(topology, machine, wire));
}

/** Whether an interface is the bridge of the machine's own pods. */
export function isBridge(topology: Topology, machine: Machine, wire: Interface): boolean {
  return topology.networks.get(wire.network)?.bridge?.node === machine.name;
}

/** The address that others know a machine by: its first interface's. */
export function mainAddress(machine: Machine): string {
  const first = machine.interfaces[0];
  if (first === undefined) throw new Error(`${machine.name} has no interface`);
  return first.address;
}

/** The name of the L2 network that both machines are on, the pods' own left out; undefined when there is none. */
export function sharedNetwork(topology: Topology, a: Machine, b: Machine): string | undefined {
  return outerWires(topology, a).find(({ network }) =>
    b.interfaces.some((other) => other.network === network),
  )?.network;
}

/** What a machine takes to be on the link of an interface, by its address and its routes. */
export function onLinkPrefixes(machine: Machine, wire: Interface): readonly string[] {
  const routes = machine.routes.filter(({ device, via }) => device === wire.device && via === undefined);
  return [`${wire.address}/${wire.lengthBits}`, ...routes.map(({ prefix }) => prefix)];
}

/** The interface on whose link a machine takes `address` to be; undefined: it needs a gateway. */
export function onLinkWire(machine: Machine, address: string): Interface | undefined {
  return machine.interfaces.find((wire) =>
    onLinkPrefixes(machine, wire).some((prefix) => contains(prefix, address)),
  );
}

/** How packets of `from` reach a pod subnet of another member; `none`: they must not. */
export function modeTowards(
  from: Member,
  owner: Member,
  { ipipMode }: PodSubnet,
): 'direct' | 'ipip' | 'none' {
  if (ipipMode === 'Always') return 'ipip';
  const isNear = (a: Member, b: Member) => onLinkWire(a, mainAddress(b)) !== undefined;
  // Both ends use the same mode: one that needs a gateway towards the other is answered by its tunnel too.
  if (isNear(from, owner) && isNear(owner, from)) return 'direct';
  return ipipMode === 'Never' ? 'none' : 'ipip';
}

/** The member whose pods have `address`, and the subnet it is in. */
export function podOwner(
  topology: Topology,
  address: string,
): { readonly owner: Member; readonly subnet: PodSubnet } | undefined {
  for (const owner of membersOf(topology)) {
    const subnet = owner.podSubnets.find(({ prefix }) => contains(prefix, address));
    if (subnet !== undefined) return { owner, subnet };
  }
  return undefined;
}

/** Whether `address` lies in `cidr`, which may be an interface address with a length. */
export function contains(cidr: string, address: string): boolean {
  const parsed = parseCidr(cidr);
  const inner = parseIpv4(address);
  if (parsed === undefined || inner === undefined) return false;
  return prefixContainsAddress(prefixOf(parsed.address, parsed.lengthBits), inner);
}
