import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mainAddress, modeTowards, podOwner, type Topology } from './topology.js';
import { loadTopology, TopologyError } from './topology-file.js';

const CLUSTER = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: { name: pods }
spec: { cidr: 10.244.0.0/16, ipipMode: CrossSubnet, blockSize: 24 }
`;

function text(machines: string): string {
  const kinds = ['node', 'bird-node', 'bird', 'router', 'client', 'pod']
    .map((kind) => `${kind}: {}`)
    .join(', ');
  return `
description: a test
cluster: cluster.yaml
networks: { net-a: 192.168.1.0/24, net-n: { prefix: 192.168.9.0/24, mtu: 1400 } }
machines: { ${machines} }
sysctls: { ${kinds} }
`;
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-topology-'));
  writeFileSync(join(folder, 'cluster.yaml'), CLUSTER);
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(machines: string): Topology {
  const path = join(folder, 'topology.yaml');
  writeFileSync(path, text(machines));
  return loadTopology(path);
}

const pods = 'pods: { subnet: 10.244.1.0/24, names: [pod-a] }';

describe('a topology file', () => {
  test.each([
    [
      'a pod subnet outside every pool',
      'n: { kind: node, interfaces: { net-a: 192.168.1.1 }, pods: { subnet: 10.9.0.0/24, names: [p] } }',
      /10\.9\.0\.0\/24 is in no IPPool/,
    ],
    [
      'a node without pods',
      'n: { kind: node, interfaces: { net-a: 192.168.1.1 } }',
      /\/machines\/n: needs pods/,
    ],
    [
      'a BIRD node without its files',
      `n: { kind: bird-node, interfaces: { net-a: 192.168.1.1 }, ${pods} }`,
      /needs config and setup/,
    ],
    [
      'an address of another network',
      `n: { kind: node, interfaces: { net-a: 10.0.0.1 }, ${pods} }`,
      /10\.0\.0\.1 is not in net-a/,
    ],
    [
      'a length that is neither',
      `n: { kind: node, interfaces: { net-a: 192.168.1.1/28 }, ${pods} }`,
      /the length is that of 192\.168\.1\.0\/24, or 32/,
    ],
    [
      'a gateway of nowhere',
      `n: { kind: node, interfaces: { net-a: 192.168.1.1 }, gateway: 10.0.0.1, ${pods} }`,
      /10\.0\.0\.1 is on none of its networks/,
    ],
    [
      'a kind that is none',
      'n: { kind: toaster, interfaces: { net-a: 192.168.1.1 } }',
      /\/machines\/n\/kind/,
    ],
    [
      'a name given twice',
      `pod-a: { kind: node, interfaces: { net-a: 192.168.1.1 }, ${pods} }`,
      /pod-a: named twice/,
    ],
  ])('with %s is refused', (_name, machines, fault) => {
    expect(() => load(machines)).toThrow(TopologyError);
    expect(() => load(machines)).toThrow(fault);
  });

  test('a /32 needs its gateway told to be on link; a route can say who else is', () => {
    const interfaces = 'kind: node, interfaces: { net-a: 192.168.1.11/32 }, gateway: 192.168.1.254';
    const { machines, networks } = load(`
      near: { ${interfaces}, routes: { 192.168.1.0/24: on-link }, ${pods} },
      far: { kind: node, interfaces: { net-a: 192.168.1.12/32, net-n: 192.168.9.1 }, gateway: 192.168.1.254, pods: { subnet: 10.244.2.0/24, names: [pod-b], mtu: 1480 } }`);
    expect(machines.get('near')?.routes).toEqual([
      { prefix: '192.168.1.0/24', via: undefined, device: 'eth0' },
      { prefix: '0.0.0.0/0', via: '192.168.1.254', device: 'eth0' },
    ]);
    expect(networks.get('net-n')?.mtuBytes).toBe(1400);
    expect(networks.get('pods of far')?.mtuBytes).toBe(1480);
    expect(machines.get('pod-b')).toMatchObject({ kind: 'pod', node: 'far' });
  });

  test('direct needs both ends to find the other on link; the mode of the pool goes before', () => {
    const entry = (address: number, routes: string, subnet: string) =>
      `{ kind: node, interfaces: { net-a: 192.168.1.${address}/32 }, ${routes} pods: { subnet: ${subnet}, names: [p${address}] } }`;
    const onLink = 'routes: { 192.168.1.0/24: on-link },';
    const topology = load(
      `a: ${entry(1, onLink, '10.244.1.0/24')}, b: ${entry(2, onLink, '10.244.2.0/24')}, c: ${entry(3, '', '10.244.3.0/24')}`,
    );
    const [a, b, c] = ['10.244.1.9', '10.244.2.9', '10.244.3.9'].map(
      (address) => podOwner(topology, address)?.owner,
    );
    if (a === undefined || b === undefined || c === undefined) throw new Error('three members were written');
    expect(mainAddress(b)).toBe('192.168.1.2');
    const mode = (from: typeof a, to: typeof a, ipipMode: 'Always' | 'CrossSubnet' | 'Never') =>
      modeTowards(from, to, { prefix: '10.244.9.0/24', ipipMode });
    expect([mode(a, b, 'CrossSubnet'), mode(a, b, 'Never'), mode(a, b, 'Always')]).toEqual([
      'direct',
      'direct',
      'ipip',
    ]);
    expect([mode(a, c, 'CrossSubnet'), mode(c, a, 'CrossSubnet'), mode(a, c, 'Never')]).toEqual([
      'ipip',
      'ipip',
      'none',
    ]);
  });
});
