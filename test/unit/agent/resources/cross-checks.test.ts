/** The rules between resources: both parties of a conflict are named with their lines. */
import { describe, expect, test } from 'vitest';
import { checkText, parseResources } from '../../../../agent/resources/index.js';
import { configuration, manifest, node, parse, peer, pool } from '../../../support/manifests.js';

function errorsOf(...documents: readonly string[]): string {
  const result = parse(...documents);
  return 'errors' in result ? checkText(result.errors) : '';
}

const POOL = pool();
const NODE_A = node('a', '192.168.1.11/24', ['10.244.1.0/24']);

describe('a conflict is an error', () => {
  test.each<[name: string, documents: readonly string[], expected: string]>([
    [
      'two nodes with one address',
      [NODE_A, POOL, node('b', '192.168.1.11/24', ['10.244.2.0/24'])],
      'cluster.yaml:5: Node/node-b spec.bgp.ipv4Address: 192.168.1.11 is the address of Node/node-a (cluster.yaml:1) too; give each node its own',
    ],
    [
      'two nodes with one subnet',
      [POOL, NODE_A, node('b', '192.168.1.12/24', ['10.244.1.0/24'])],
      'cluster.yaml:5: Node/node-b spec.podCIDRs[0]: 10.244.1.0/24 is a pod subnet of Node/node-a (cluster.yaml:3) too; give each node its own',
    ],
    [
      'a subnet inside that of another node',
      [POOL, NODE_A, node('b', '192.168.1.12/24', ['10.244.3.0/24', '10.244.1.128/25'])],
      'cluster.yaml:5: Node/node-b spec.podCIDRs[1]: 10.244.1.128/25 overlaps 10.244.1.0/24, a pod subnet of Node/node-a (cluster.yaml:3) too; give each node its own',
    ],
    [
      'a subnet in no pool',
      [POOL, node('a', '192.168.1.11/24', ['10.245.1.0/24'])],
      'cluster.yaml:3: Node/node-a spec.podCIDRs[0]: 10.245.1.0/24 lies in no IPPool, so that no other node would import it; take one from a pool, or add an IPPool around it',
    ],
    [
      'a subnet wider than its pool',
      [pool('pods', '10.244.0.0/16'), node('a', '192.168.1.11/24', ['10.0.0.0/8'])],
      'cluster.yaml:3: Node/node-a spec.podCIDRs[0]: 10.0.0.0/8 lies in no IPPool, so that no other node would import it; take one from a pool, or add an IPPool around it',
    ],
    [
      'a subnet in a pool for other nodes',
      [pool('pods', '10.244.0.0/16', { nodeSelector: "rack == 'b'" }), NODE_A],
      'cluster.yaml:3: Node/node-a spec.podCIDRs[0]: 10.244.1.0/24 lies in IPPool/pods (cluster.yaml:1), whose nodeSelector does not match this node; change the selector, the labels or the subnet',
    ],
    [
      'two pools that overlap',
      [POOL, pool('more', '10.244.128.0/17')],
      'cluster.yaml:3: IPPool/more spec.cidr: 10.244.128.0/17 overlaps 10.244.0.0/16 of IPPool/pods (cluster.yaml:1); keep pools apart',
    ],
    [
      'a pool over the node network',
      [pool('pods', '192.168.0.0/16'), node('a', '192.168.1.11/24'), node('b', '192.168.1.12/24')],
      'cluster.yaml:1: IPPool/pods spec.cidr: 192.168.0.0/16 overlaps the node network 192.168.1.0/24 of Node/node-a (cluster.yaml:3); take a range that no machine uses',
    ],
    [
      'a pool inside the node network',
      [pool('pods', '192.168.1.128/25', { blockSize: 26 }), node('a', '192.168.1.11/24')],
      'cluster.yaml:1: IPPool/pods spec.cidr: 192.168.1.128/25 overlaps the node network 192.168.1.0/24 of Node/node-a (cluster.yaml:3); take a range that no machine uses',
    ],
    [
      'a pool over a range of services',
      [pool('pods', '10.96.0.0/11'), configuration({ serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] })],
      'cluster.yaml:1: IPPool/pods spec.cidr: 10.96.0.0/11 overlaps the service range 10.96.0.0/12 of BGPConfiguration/default (cluster.yaml:3); keep pods and services apart',
    ],
    [
      'a pool inside a range of load balancer addresses, disabled or not',
      [
        configuration({ serviceLoadBalancerIPs: [{ cidr: '10.0.0.0/8' }] }),
        pool('pods', '10.244.0.0/16', { disabled: true }),
      ],
      'cluster.yaml:3: IPPool/pods spec.cidr: 10.244.0.0/16 overlaps the service range 10.0.0.0/8 of BGPConfiguration/default (cluster.yaml:1); keep pods and services apart',
    ],
    [
      'a peer of an unknown node',
      [NODE_A, POOL, peer('tor', { node: 'node-x', peerIP: '192.168.1.1', asNumber: 65001 })],
      'cluster.yaml:5: BGPPeer/tor spec.node: "node-x" is no Node of these resources; did you mean "node-a"?',
    ],
    [
      'one name twice',
      [POOL, NODE_A, node('a', '192.168.1.12/24')],
      'cluster.yaml:5: Node/node-a metadata.name: exists already as Node/node-a (cluster.yaml:3); rename or remove one of them',
    ],
    [
      'a peerIP of a node with another AS number',
      [
        POOL,
        NODE_A,
        configuration({ asNumber: 64513 }),
        node('b', '192.168.1.12/24'),
        peer('b', { peerIP: '192.168.1.12', asNumber: 65001 }),
      ],
      'cluster.yaml:9: BGPPeer/b spec.asNumber: 65001 is not the AS number of Node/node-b (cluster.yaml:7), whose address this is; write 64513',
    ],
    [
      'one router twice on one node',
      [
        POOL,
        NODE_A,
        peer('tor', { peerIP: '192.168.1.1', asNumber: 65001 }),
        peer('tor-a', { node: 'node-a', peerIP: '192.168.1.1', asNumber: 65001 }),
      ],
      'cluster.yaml:7: BGPPeer/tor-a spec.peerIP: 192.168.1.1 is a peer of node-a by BGPPeer/tor (cluster.yaml:5) already; keep one of them',
    ],
    [
      'an IPv6 router for a node without IPv6',
      [POOL, NODE_A, peer('tor', { peerIP: '2001:db8::1', asNumber: 65001 })],
      'cluster.yaml:5: BGPPeer/tor spec.peerIP: is IPv6, but Node/node-a (cluster.yaml:3) has none to connect from; add spec.bgp.ipv6Address there, or select other nodes',
    ],
  ])('%s', (_name, documents, expected) => {
    expect(errorsOf(...documents)).toBe(expected);
  });

  test('a wide subnet around several others is a conflict with each of them', () => {
    const errors = errorsOf(
      POOL,
      node('a', '192.168.1.11/24', ['10.244.0.0/20']),
      node('b', '192.168.1.12/24', ['10.244.1.0/24']),
      node('c', '192.168.1.13/24', ['10.244.2.0/24']),
    );
    expect(errors.split('\n')).toEqual([
      expect.stringMatching(/node-b .* overlaps 10\.244\.0\.0\/20/),
      expect.stringMatching(/node-c .* overlaps 10\.244\.0\.0\/20/),
    ]);
  });

  test('one IPv6 address for two nodes', () => {
    const bgp = { ipv6Address: '2001:db8::11/64' };
    expect(errorsOf(node('a', '192.168.1.11/24', [], bgp), node('b', '192.168.1.12/24', [], bgp))).toContain(
      'Node/node-b spec.bgp.ipv6Address: 2001:db8::11 is the address of Node/node-a',
    );
  });

  test('the other party may be in another file', () => {
    const result = parseResources([
      { path: 'a.yaml', text: NODE_A },
      { path: 'b.yaml', text: `\n${node('b', '192.168.1.11/24')}` },
      { path: 'pool.yaml', text: POOL },
    ]);
    expect('errors' in result && checkText(result.errors)).toMatch(
      /^b\.yaml:2: .*Node\/node-a \(a\.yaml:1\)/,
    );
  });

  test('conflicts are told beside the errors of single resources', () => {
    const errors = errorsOf(POOL, NODE_A, node('b', '192.168.1.11/24'), manifest('Node', 'node-c', { x: 1 }));
    expect(errors.split('\n')).toHaveLength(2);
  });
});

describe('what only looks like a conflict is right', () => {
  test.each<[name: string, documents: readonly string[]]>([
    ['a node and a pool of one name', [pool('x', '10.244.0.0/16'), manifest('Node', 'x', {})]],
    [
      'neighbouring subnets',
      [POOL, NODE_A, node('b', '192.168.1.12/24', ['10.244.0.0/24', '10.244.2.0/24'])],
    ],
    ['neighbouring pools', [pool('x', '10.244.0.0/17'), pool('y', '10.244.128.0/17')]],
    [
      'one router on two nodes by two peers',
      [
        POOL,
        NODE_A,
        node('b', '192.168.1.12/24'),
        peer('tor-a', { node: 'node-a', peerIP: '192.168.1.1', asNumber: 65001 }),
        peer('tor-b', { node: 'node-b', peerIP: '192.168.1.1', asNumber: 65001 }),
      ],
    ],
    ['a /31 between two nodes', [node('a', '192.168.1.0/31'), node('b', '192.168.1.1/31')]],
    [
      'an IPv6 block with a next hop',
      [
        pool('six', 'fd00:10:244::/64', { ipipMode: 'Never', blockSize: 122 }),
        node('a', '192.168.1.11/24', ['fd00:10:244::/122'], { ipv6Address: '2001:db8::11/64' }),
      ],
    ],
  ])('%s', (_name, documents) => {
    expect(errorsOf(...documents)).toBe('');
  });
});
