/**
 * The lab's own copy of its topology file: the topology as it is now, which grows and shrinks with the lab.
 *
 * Owns: where the copy is and how it is changed. Must not know: how machines are made, what new ones are called.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { labFolder, umlFolder } from './state.js';
import type { Topology } from './topology.js';
import {
  loadTopology,
  type MachineFile,
  podLists,
  readTopologyFile,
  TopologyError,
  type TopologyFile,
} from './topology-file.js';

const HEAD = '# The topology of this lab as it is now, written by the lab.\n\n';

/** In the folder that both sides of a User-Mode Linux machine see, where there is one. */
export function topologyCopy(lab: string): string {
  const shared = umlFolder(lab);
  return join(existsSync(shared) ? shared : labFolder(lab), 'topology.yaml');
}

/**
 * Makes the lab's copy of a topology file.
 *
 * @throws TopologyError
 */
export function copyTopology(lab: string, path: string): Topology {
  const { joining } = loadTopology(path);
  const file = readTopologyFile(path);
  const absolute = (name: string | undefined) => name && resolve(dirname(path), name);
  const machines = Object.entries(file.machines).map(([name, { config, setup, ...entry }]) => {
    const paths = { config: absolute(config), setup: absolute(setup) };
    return [name, { ...entry, ...definedOnly(paths) }];
  });
  return write(topologyCopy(lab), {
    ...file,
    cluster: resolve(dirname(path), file.cluster),
    ...definedOnly({
      joining: joining && { before: joining.before, ...definedOnly({ after: joining.after }) },
    }),
    machines: Object.fromEntries(machines),
  });
}

/** Enters a machine with its pods. @returns the topology with it. @throws TopologyError where it does not fit */
export function addMachine(path: string, name: string, entry: MachineFile): Topology {
  const file = readTopologyFile(path);
  return write(path, { ...file, machines: { ...file.machines, [name]: entry } });
}

/** Takes a machine with its pods out, also from the neighbours of BIRD. @returns the topology without it */
export function dropMachine(path: string, name: string): Topology {
  const file = readTopologyFile(path);
  const left = Object.entries(file.machines)
    .filter(([machine]) => machine !== name)
    .map(([machine, { neighbors, ...entry }]) => {
      const others = neighbors?.filter((neighbor) => neighbor !== name);
      return [machine, { ...entry, ...definedOnly({ neighbors: others }) }];
    });
  return write(path, { ...file, machines: Object.fromEntries(left) });
}

/** Enters the pod subnets that nodes have claimed, in place of those in the file. @returns the topology with them */
export function enterPodSubnets(path: string, subnets: ReadonlyMap<string, string>): Topology {
  const file = readTopologyFile(path);
  const machines = Object.entries(file.machines).map(([name, entry]) => {
    const subnet = subnets.get(name);
    if (subnet === undefined) return [name, entry];
    const [pods, ...more] = podLists(entry);
    if (pods === undefined || more.length > 0) {
      throw new TopologyError(`${name} claims one pod subnet; the topology has ${podLists(entry).length}`);
    }
    return [name, { ...entry, pods: { ...pods, subnet } }];
  });
  return write(path, { ...file, machines: Object.fromEntries(machines) });
}

/** Replaces the file in one step: others may read it at any moment. */
function write(path: string, file: TopologyFile): Topology {
  const draft = `${path}.draft`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(draft, HEAD + stringify(file));
  try {
    const topology = loadTopology(draft);
    renameSync(draft, path);
    return topology;
  } finally {
    rmSync(draft, { force: true });
  }
}

function definedOnly(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
