import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseResources, type Resources } from '../../agent/resources/index.js';
import { addNode, readCluster, removeNode } from './cluster-nodes.js';
import { freePodSubnet, GrowthError, leaverOf, placeFor } from './growth.js';
import { expectedOnBird } from './routes.js';
import { firstResources } from './stores.js';
import { machinesOf, type Topology, withoutPods } from './topology.js';
import { addMachine, copyTopology, dropMachine, enterPodSubnets, topologyCopy } from './topology-copy.js';
import { loadTopology } from './topology-file.js';

const MESH = new URL('../../deploy/lab/mesh.yaml', import.meta.url).pathname;
const VARIED = new URL('../../deploy/lab/varied.yaml', import.meta.url).pathname;
const LAB = `unit-${process.pid}`;
const mesh = loadTopology(MESH);

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-growth-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function resources(text: string): Resources {
  const result = parseResources([{ path: 'cluster.yaml', text }]);
  if ('errors' in result) throw new Error(result.errors.map(({ message }) => message).join());
  return result.resources;
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof GrowthError) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

const wish = { name: 'node-e', network: undefined, pods: 2 };

describe('a place for one more node', () => {
  test('is after the nodes of its network, with their gateway, and pods named after it', () => {
    expect(placeFor(mesh, wish)).toEqual({
      name: 'node-e',
      network: 'net-a',
      address: '192.168.1.13',
      lengthBits: 24,
      gateway: '192.168.1.254',
      podNames: ['pod-e1', 'pod-e2'],
    });
    const other = placeFor(mesh, { name: 'box', network: 'net-b', pods: 1 });
    expect(other).toMatchObject({ address: '192.168.2.15', podNames: ['pod-box1'] });
  });

  test('is before them where nothing is free after them', () => {
    const full: Topology = {
      ...mesh,
      machines: new Map(
        [...mesh.machines].map(([name, machine]) => {
          const interfaces = machine.interfaces.map((wire) =>
            wire.address === '192.168.1.12' ? { ...wire, address: '192.168.1.253' } : wire,
          );
          return [name, { ...machine, interfaces }];
        }),
      ),
    };
    // .254 is the router's and .1 the BIRD router's.
    expect(placeFor(full, wish).address).toBe('192.168.1.2');
  });

  test.each([
    ['a name in use', { ...wish, name: 'node-a' }, 'node-a is there already: choose another name'],
    ['a name of a network', { ...wish, name: 'net-a' }, 'net-a is there already: choose another name'],
    ['the name of a pod in use', { ...wish, name: 'a' }, 'pod-a1 is there already: choose another name'],
    [
      'a name that is none',
      { ...wish, name: 'Node E' },
      'Node E is no name for a machine: 1 to 15 of a-z, 0-9 and -, a letter first',
    ],
    [
      'a name too long for its pods',
      { ...wish, name: 'a-long-name-at' },
      'pod-a-long-name-at1 is no name for a machine: 1 to 15 of a-z, 0-9 and -, a letter first',
    ],
    [
      'an unknown network',
      { ...wish, network: 'net-z' },
      'net-z is no network with nodes: choose net-a or net-b',
    ],
    [
      'a network without nodes',
      { ...wish, network: 'net-client' },
      'net-client is no network with nodes: choose net-a or net-b',
    ],
  ])('%s is refused', (_name, asked, sentence) => {
    expect(refusal(() => placeFor(mesh, asked))).toBe(sentence);
  });

  const cluster = readFileSync(mesh.clusterFile, 'utf8');
  const extra = (subnet: string) => `${cluster}---
apiVersion: projectcalico.org/v3
kind: Node
metadata: { name: other }
spec: { bgp: { ipv4Address: 10.0.0.9/24 }, podCIDRs: [${subnet}] }
`;

  test.each([
    ['the next one', cluster, '10.244.5.0/24'],
    ['after what the cluster has and the lab does not know', extra('10.244.9.0/24'), '10.244.10.0/24'],
    ['after a larger one', extra('10.244.16.0/20'), '10.244.32.0/24'],
    ['the first one where the last is taken', extra('10.244.255.0/24'), '10.244.0.0/24'],
  ])('its pod subnet is %s', (_name, text, subnet) => {
    expect(freePodSubnet(mesh, resources(text))).toBe(subnet);
  });

  test('a full pool is refused', () => {
    const small = cluster.replace('10.244.0.0/16', '10.244.0.0/22').replace('10.244.4.0/24', '10.244.0.0/24');
    const topology = { ...mesh, machines: new Map([...mesh.machines].filter(([name]) => name !== 'node-d')) };
    expect(refusal(() => freePodSubnet(topology, resources(small)))).toBe(
      'IPPool pods has no free subnet: remove a node first',
    );
  });
});

describe('a node that goes', () => {
  test.each([
    ['node-z', 'there is no node-z: nodes are node-a, node-b, node-c, node-d'],
    ['router', 'router is a router and runs no agent: nodes are node-a, node-b, node-c, node-d'],
    ['pod-a1', 'pod-a1 is a pod and runs no agent: nodes are node-a, node-b, node-c, node-d'],
  ])('%s is refused', (name, sentence) => {
    expect(refusal(() => leaverOf(mesh, name))).toBe(sentence);
  });

  test('the last node of a network and the last neighbour of a router stay', () => {
    const without = (name: string, topology = mesh) => ({
      ...topology,
      machines: new Map([...topology.machines].filter(([machine]) => machine !== name)),
    });
    expect(leaverOf(mesh, 'node-c').name).toBe('node-c');
    expect(refusal(() => leaverOf(without('node-c'), 'node-d'))).toBe(
      'node-d is the last node of net-b: add another one there first',
    );
    const tor = machinesOf(mesh, 'bird')[0];
    if (tor === undefined) throw new Error('the mesh has a BIRD router');
    const machines = new Map(mesh.machines).set('tor', { ...tor, neighbors: ['node-b'] });
    expect(refusal(() => leaverOf({ ...mesh, machines }, 'node-b'))).toBe(
      'node-b is the last neighbour of tor, which would know no pod any more',
    );
  });
});

describe("the lab's copy of its topology", () => {
  beforeEach(() => rmSync(join('/run/podroute-lab', LAB), { recursive: true, force: true }));
  afterAll(() => rmSync(join('/run/podroute-lab', LAB), { recursive: true, force: true }));

  test.each([
    ['mesh.yaml', MESH],
    ['varied.yaml', VARIED],
  ])('of %s says the same, also when it is copied again', (_name, path) => {
    const original = loadTopology(path);
    expect(copyTopology(LAB, path)).toEqual(original);
    expect(copyTopology(LAB, topologyCopy(LAB))).toEqual(original);
  });

  test('grows by a node with its pods, and is as before when it has gone', () => {
    copyTopology(LAB, MESH);
    const path = topologyCopy(LAB);
    const grown = addMachine(path, 'node-e', {
      kind: 'node',
      interfaces: { 'net-a': '192.168.1.13' },
      gateway: '192.168.1.254',
      pods: { subnet: '10.244.5.0/24', names: ['pod-e1'] },
    });
    expect(loadTopology(path)).toEqual(grown);
    expect(grown.machines.get('pod-e1')).toMatchObject({ kind: 'pod', node: 'node-e' });
    // No neighbour of the router, but on its network: what others announce names it as the next hop.
    const [tor] = machinesOf(grown, 'bird');
    const route = tor && expectedOnBird(grown, tor).find(({ prefix }) => prefix === '10.244.5.0/24');
    expect(route?.allowedGateways).toEqual(['192.168.1.13']);
    expect(dropMachine(path, 'node-e')).toEqual(mesh);
  });

  test('takes the pod subnets that nodes have claimed', () => {
    copyTopology(LAB, MESH);
    const claimed = enterPodSubnets(topologyCopy(LAB), new Map([['node-a', '10.244.9.0/24']]));
    expect(claimed.machines.get('node-a')).toMatchObject({
      podSubnet: '10.244.9.0/24',
      tunnelAddress: '10.244.9.0',
    });
    expect(claimed.machines.get('pod-a2')?.interfaces[0]?.address).toBe('10.244.9.3');
    expect(claimed.machines.get('node-b')).toEqual(mesh.machines.get('node-b'));
    copyTopology(LAB, VARIED);
    const two = new Map([['node-b', '10.244.9.0/24']]);
    expect(() => enterPodSubnets(topologyCopy(LAB), two)).toThrow(
      'node-b claims one pod subnet; the topology has 2',
    );
  });

  test('a node that goes is no neighbour any more; what does not fit changes nothing', () => {
    copyTopology(LAB, MESH);
    const path = topologyCopy(LAB);
    const left = dropMachine(path, 'node-a');
    expect(machinesOf(left, 'bird').map(({ neighbors }) => neighbors)).toEqual([['node-b']]);
    expect([...left.machines.keys()].filter((name) => name.endsWith('a') || name.includes('-a'))).toEqual([]);
    const wrong = { kind: 'node', interfaces: { 'net-z': '10.0.0.1' } } as const;
    expect(() => addMachine(path, 'node-e', wrong)).toThrow(/no network net-z/);
    expect(loadTopology(path)).toEqual(left);
    expect(readdirSync(join('/run/podroute-lab', LAB))).toEqual(['topology.yaml']);
  });
});

describe('nodes that claim their pod subnets', () => {
  test('have no pods and no bridge until then; the others have theirs', () => {
    const bare = withoutPods(mesh, ['node-a']);
    const gone = [...mesh.machines.keys()].filter((name) => !bare.machines.has(name));
    expect(gone).toEqual(['pod-a1', 'pod-a2']);
    expect([...mesh.networks.keys()].filter((name) => !bare.networks.has(name))).toEqual(['pods of node-a']);
    const devices = (name: string) => bare.machines.get(name)?.interfaces.map(({ device }) => device);
    expect([devices('node-a'), devices('node-b')]).toEqual([['eth0'], ['eth0', 'br0']]);
  });

  test('only in a topology that says what the store is given', () => {
    expect(firstResources(mesh, 'file')).toBe(mesh.clusterFile);
    expect(firstResources(mesh, 'redis')).toMatch(/deploy\/lab\/joining\.yaml$/);
    const varied = loadTopology(VARIED);
    expect(() => firstResources(varied, 'redis')).toThrow(/leave --datastore redis out/);
  });
});

describe('the Nodes of the cluster file', () => {
  const entry = { name: 'node-e', address: '192.168.1.13/24', podSubnet: '10.244.5.0/24' };
  const names = (path: string) => readCluster(path).nodes.map(({ name }) => name);
  const file = (text: string) => {
    const path = join(folder, 'cluster.yaml');
    writeFileSync(path, text);
    return path;
  };
  const cluster = readFileSync(mesh.clusterFile, 'utf8');

  test('one comes and goes, and the text is what it was', () => {
    const path = file(cluster);
    addNode(path, entry);
    expect(names(path)).toEqual(['node-a', 'node-b', 'node-c', 'node-d', 'node-e']);
    removeNode(path, 'node-e');
    expect(readFileSync(path, 'utf8')).toBe(cluster);
  });

  test('one from the middle takes its own document alone; who is not there is left out', () => {
    const pool = `apiVersion: projectcalico.org/v3
kind: IPPool
metadata: { name: node-b }
spec: { cidr: 10.250.0.0/16, blockSize: 24 }
`;
    const path = file(`${cluster}---\n${pool}`);
    removeNode(path, 'node-b');
    removeNode(path, 'node-b');
    const document = /^apiVersion[^-]*?kind: Node\nmetadata: \{ name: node-b[\s\S]*?---\n/m;
    expect(names(path)).toEqual(['node-a', 'node-c', 'node-d']);
    expect(readFileSync(path, 'utf8')).toBe(`${cluster.replace(document, '')}---\n${pool}`);
  });

  test('a file with faults, or a Node inside a List, is for people to mend', () => {
    expect(refusal(() => addNode(file('kind: [oops'), entry))).toContain('cluster.yaml has faults: ');
    const list = `apiVersion: v1
kind: List
items:
- { apiVersion: projectcalico.org/v3, kind: Node, metadata: { name: node-e }, spec: { bgp: { ipv4Address: 10.0.0.1/24 } } }
`;
    expect(refusal(() => removeNode(file(list), 'node-e'))).toContain('take it out there');
  });
});
