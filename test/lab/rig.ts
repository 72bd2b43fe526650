/**
 * Builds a topology from network namespaces, bridges and virtual wires, and takes it away again.
 *
 * Wires are made with both ends in their namespaces, so that nothing ever shows in the machine's own one. Few `ip`
 * processes with many lines each: starting a process is the slow part inside User-Mode Linux.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess, isAlive } from '../support/process-identity.js';
import { inNamespace } from './libc.js';
import { mustRun, namespaceName, namespacePath, namespacesOf, processesIn } from './namespaces.js';
import {
  contains,
  type Interface,
  isBridge,
  isMember,
  type Machine,
  type Network,
  onLinkPrefixes,
  outerWires,
  type StaticRoute,
  type Topology,
} from './topology.js';

/** Sysctls by path under /proc/sys/net/ipv4 that override the topology's for nodes. */
export type NodeSysctls = Readonly<Record<string, number>>;

const LINK_PATIENCE_MS = 10_000;

/** The bridge of a switch. */
export const SWITCH_BRIDGE = 'br0';

/** A wire's MAC address, made from its IP address: frames in a capture can be told apart without asking the kernel. */
export function macOf(wire: Interface): string {
  const bytes = wire.address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['02', '00', ...bytes].join(':');
}

/** Machines and networks that stand. */
export type Rig = Pick<Topology, 'machines' | 'networks'>;

const NOTHING: Rig = { machines: new Map(), networks: new Map() };

/** Makes every namespace, wire, address, route and sysctl of the topology. */
export function buildRig(lab: string, topology: Topology, nodeSysctls: NodeSysctls): Promise<void> {
  return growRig(lab, NOTHING, topology, nodeSysctls);
}

/** Makes what the topology has beyond `standing`: networks, machines, and the bridges of machines that stand. */
export async function growRig(
  lab: string,
  standing: Rig,
  topology: Topology,
  nodeSysctls: NodeSysctls,
): Promise<void> {
  const ns = (name: string) => namespaceName(lab, name);
  const all = [...topology.machines.values()];
  const machines = all.filter(({ name }) => !standing.machines.has(name));
  const networks = [...topology.networks.values()];
  const switches = networks.filter(
    ({ name, bridge }) => bridge === undefined && !standing.networks.has(name),
  );
  const names = [...machines, ...switches].map(({ name }) => name);
  await ipBatch(names.map((name) => `netns add ${ns(name)}`));
  // Before the wires: conf/default is what a new interface starts with.
  for (const machine of machines) applySysctls(lab, topology, machine, nodeSysctls);
  const wires = machines.flatMap((machine) =>
    outerWires(topology, machine).map((wire) =>
      wireLine(lab, machine, wire, topology.networks.get(wire.network)),
    ),
  );
  await ipBatch(wires);
  const grown = networks.filter(({ name }) => standing.networks.has(name));
  await Promise.all([
    ...switches.map((network) => ipBatch(bridgeLines(topology, network, machines), ns(network.name))),
    ...grown.map((network) => ipBatch(portLines(topology, network, machines), ns(placeOf(network).machine))),
    ...all.map((machine) => ipBatch(machineLines(topology, machine, machines, standing), ns(machine.name))),
  ]);
  await linksRunning(lab, all);
}

/**
 * Waits until every interface runs. The kernel says so up to a second after both ends of a wire are up; a machine of
 * metal has that behind it before its programs start.
 */
async function linksRunning(lab: string, machines: readonly Machine[]): Promise<void> {
  const deadline = Date.now() + LINK_PATIENCE_MS;
  for (const { name, interfaces } of machines) {
    const path = namespacePath(namespaceName(lab, name));
    // Node lists interfaces that are up and running, of the namespace that its thread is in.
    const isRunning = () => {
      const running = Object.keys(inNamespace(path, networkInterfaces));
      return interfaces.every(({ device }) => running.includes(device));
    };
    while (!isRunning()) {
      if (Date.now() > deadline) throw new Error(`an interface of ${name} does not come up`);
      await sleep(20);
    }
  }
}

/** Ends every process of the lab's namespaces, then the namespaces. Safe when there is nothing. */
export function removeRig(lab: string): Promise<void> {
  return removeNamespaces(namespacesOf(lab));
}

/** Takes machines away with their processes and both ends of their wires. Safe when some of it is not there. */
export async function shrinkRig(lab: string, topology: Topology, names: readonly string[]): Promise<void> {
  const switches = [...topology.networks.values()].filter(({ bridge }) => bridge === undefined);
  for (const network of switches) {
    // The kernel takes a wire away some time after the namespace of one end: a name that comes back needs it gone.
    const namespace = namespaceName(lab, network.name);
    const devices: readonly { ifname: string }[] = JSON.parse(
      await mustRun(['ip', '-netns', namespace, '-j', 'link', 'show']),
    );
    const ports = devices.map(({ ifname }) => ifname).filter((device) => names.includes(device));
    await ipBatch(
      ports.map((port) => `link delete dev ${port}`),
      namespace,
    );
  }
  const standing = namespacesOf(lab);
  await removeNamespaces(names.map((name) => namespaceName(lab, name)).filter((ns) => standing.includes(ns)));
}

async function removeNamespaces(names: readonly string[]): Promise<void> {
  await endProcesses(names);
  await ipBatch(names.map((name) => `netns delete ${name}`));
}

/** SIGTERM, and SIGKILL for those that do not listen. */
export async function endProcesses(names: readonly string[]): Promise<void> {
  for (const [signal, graceMs] of [
    ['SIGTERM', 3000],
    ['SIGKILL', 3000],
  ] as const) {
    const living = processesIn(names).flatMap((pid) => identifyProcess(pid) ?? []);
    for (const { pid } of living) kill(pid, signal);
    const deadline = Date.now() + graceMs;
    while (living.some(isAlive) && Date.now() < deadline) await sleep(20);
  }
  const left = processesIn(names);
  if (left.length > 0) throw new Error(`processes ${left.join(', ')} do not end`);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** A wire between a machine and its network's bridge, on the switch or in the pod's node. */
function wireLine(lab: string, machine: Machine, wire: Interface, network: Network | undefined): string {
  if (network === undefined) throw new Error(`${machine.name}: no network ${wire.network}`);
  const mtu = network.mtuBytes === undefined ? '' : `mtu ${network.mtuBytes} `;
  const here = `name ${wire.device} address ${macOf(wire)} ${mtu}netns ${namespaceName(lab, machine.name)}`;
  const there = `name ${machine.name} ${mtu}netns ${namespaceName(lab, network.bridge?.node ?? network.name)}`;
  return `link add ${here} type veth peer ${there}`;
}

/** The machine, or the switch, that has a network's bridge, and the bridge. */
function placeOf({ name, bridge }: Network): { readonly machine: string; readonly device: string } {
  return bridge === undefined
    ? { machine: name, device: SWITCH_BRIDGE }
    : { machine: bridge.node, device: bridge.device };
}

/** A bridge and its ports. */
function bridgeLines(topology: Topology, network: Network, machines: readonly Machine[]): readonly string[] {
  const { device } = placeOf(network);
  return [
    `link add name ${device} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    ...portLines(topology, network, machines),
    `link set dev ${device} up`,
  ];
}

/** The far ends of these machines' wires on a network, each named after its machine. */
function portLines(topology: Topology, network: Network, machines: readonly Machine[]): readonly string[] {
  return machines
    .filter((machine) => outerWires(topology, machine).some((wire) => wire.network === network.name))
    .map(({ name }) => `link set dev ${name} master ${placeOf(network).device} up`);
}

/** What a machine has beyond what stands of it. */
function machineLines(
  topology: Topology,
  machine: Machine,
  machines: readonly Machine[],
  standing: Rig,
): readonly string[] {
  const own = standing.machines.get(machine.name);
  const wires = machine.interfaces.filter(
    ({ device }) => own?.interfaces.some((wire) => wire.device === device) !== true,
  );
  return [
    ...(own === undefined ? ['link set dev lo up'] : []),
    ...wires.flatMap((wire) => {
      const network = topology.networks.get(wire.network);
      const isOwn = network !== undefined && isBridge(topology, machine, wire);
      return [
        ...(isOwn ? bridgeLines(topology, network, machines) : []),
        `address add ${wire.address}/${wire.lengthBits} dev ${wire.device}`,
        `link set dev ${wire.device} up`,
      ];
    }),
    ...(own === undefined ? machine.routes.map((route) => routeLine(machine, route)) : []),
  ];
}

function routeLine(machine: Machine, { prefix, via, device }: StaticRoute): string {
  if (via === undefined) return `route add ${prefix} dev ${device}`;
  const wire = machine.interfaces.find((each) => each.device === device);
  // A machine with a /32 knows of no link that its gateway could be on, until it is told.
  const isNear = wire !== undefined && onLinkPrefixes(machine, wire).some((near) => contains(near, via));
  return `route add ${prefix} via ${via} dev ${device}${isNear ? '' : ' onlink'}`;
}

function applySysctls(lab: string, topology: Topology, machine: Machine, nodeSysctls: NodeSysctls): void {
  const values = { ...topology.sysctls[machine.kind], ...(isMember(machine) ? nodeSysctls : {}) };
  inNamespace(namespacePath(namespaceName(lab, machine.name)), () => {
    for (const [path, value] of Object.entries(values)) {
      for (const file of expand(path)) writeFileSync(file, String(value));
    }
  });
}

/** The files that a sysctl path with at most one `*` stands for. */
function expand(path: string): readonly string[] {
  const [folder = '', rest] = join('/proc/sys/net/ipv4', path).split('/*');
  return rest === undefined ? [folder] : readdirSync(folder).map((entry) => `${folder}/${entry}${rest}`);
}

async function ipBatch(lines: readonly string[], namespace?: string): Promise<void> {
  if (lines.length === 0) return;
  const where = namespace === undefined ? [] : ['-netns', namespace];
  await mustRun(['ip', ...where, '-batch', '-'], `${lines.join('\n')}\n`);
}
