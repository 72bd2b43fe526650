/** What the cluster resources mean for one node: its own values, its peers, and who connects. */
import { describe, expect, test } from 'vitest';
import { type Membership, type PeerSpec, planMembership } from '../../../../agent/membership/index.js';
import {
  formatIpAddress,
  formatPrefix,
  parseIpv4,
  parseIpv6,
  parsePrefix,
} from '../../../../bgp/net/index.js';
import { CLUSTER, configuration, manifest, node, peer, pool, resources } from '../../../support/manifests.js';

function plan(nodeName: string, ...documents: readonly string[]): Membership {
  const result = planMembership(resources(...documents), nodeName);
  if ('problem' in result) throw new Error(result.problem);
  return result.membership;
}

function peerOf(membership: Membership, id: string): PeerSpec | undefined {
  return membership.peers.find((candidate) => candidate.id === id);
}

const ids = (membership: Membership) => membership.peers.map((spec) => spec.id);

describe('the own node', () => {
  test('its values come from its Node and the BGPConfiguration', () => {
    const membership = plan('node-a', ...CLUSTER, configuration({ asNumber: 64513, listenPort: 1790 }));
    expect(membership).toMatchObject({
      nodeName: 'node-a',
      localAs: 64513,
      bgpIdentifier: parseIpv4('192.168.1.11'),
      nodeAddress: parseIpv4('192.168.1.11'),
      nodeSubnet: parsePrefix('192.168.1.0/24'),
      listenPort: 1790,
      blocks: [parsePrefix('10.244.1.0/24')],
    });
    expect(membership).not.toHaveProperty('listenAddress');
    expect(membership).not.toHaveProperty('nodeAddress6');
    expect(membership.pools.map(({ name }) => name)).toEqual(['pods']);
  });

  test('an AS number of the Node goes before that of the BGPConfiguration', () => {
    expect(plan('node-a', node('a', '192.168.1.11/24', [], { asNumber: 64999 })).localAs).toBe(64999);
  });

  test('bindMode NodeIP listens on the node address', () => {
    const membership = plan('node-a', ...CLUSTER, configuration({ bindMode: 'NodeIP' }));
    expect(membership.listenAddress).toBe(parseIpv4('192.168.1.11'));
  });

  test('blocks are in prefix order', () => {
    const membership = plan(
      'node-a',
      pool(),
      node('a', '192.168.1.11/24', ['10.244.10.0/24', '10.244.9.0/24']),
    );
    expect(membership.blocks.map(formatPrefix)).toEqual(['10.244.9.0/24', '10.244.10.0/24']);
  });

  test('a node that is missing: the problem names those that exist, or the one that was meant', () => {
    expect(planMembership(resources(...CLUSTER), 'elsewhere')).toEqual({
      problem:
        'this node is called "elsewhere", but no Node of the resources is; there is node-a, node-b, node-c, node-d; set --node-name or add the Node',
    });
    expect(planMembership(resources(...CLUSTER), 'nodea')).toEqual({
      problem: expect.stringContaining('did you mean "node-'),
    });
    expect(planMembership(resources(pool()), 'node-a')).toEqual({
      problem: expect.stringContaining('there is no Node at all'),
    });
  });

  test('a node without an address', () => {
    expect(planMembership(resources(manifest('Node', 'node-x', {})), 'node-x')).toEqual({
      problem: 'Node/node-x has no spec.bgp.ipv4Address; add its address, like 192.168.1.11/24',
    });
  });
});

describe('the node-to-node mesh', () => {
  test('every other node is a peer', () => {
    expect(ids(plan('node-b', ...CLUSTER))).toEqual(['mesh/node-a', 'mesh/node-c', 'mesh/node-d']);
    expect(peerOf(plan('node-b', ...CLUSTER), 'mesh/node-a')).toEqual({
      id: 'mesh/node-a',
      address: parseIpv4('192.168.1.11'),
      port: 179,
      asn: 64512,
      type: 'ibgp',
      place: 'cluster',
      dial: 'now',
      sourceAddress: parseIpv4('192.168.1.12'),
      node: 'node-a',
      description: 'node-a (192.168.1.11), node-to-node mesh',
    });
  });

  test('the higher address connects, as a number and not as a text', () => {
    const documents = [node('a', '192.168.1.9/24'), node('b', '192.168.1.10/24')];
    expect(peerOf(plan('node-b', ...documents), 'mesh/node-a')?.dial).toBe('now');
    expect(peerOf(plan('node-a', ...documents), 'mesh/node-b')?.dial).toEqual({ afterSeconds: 30 });
  });

  test('nodes of different AS numbers speak eBGP and are still the cluster', () => {
    const documents = [node('a', '192.168.1.11/24', [], { asNumber: 64999 }), node('b', '192.168.1.12/24')];
    expect(peerOf(plan('node-a', ...documents), 'mesh/node-b')).toMatchObject({
      asn: 64512,
      type: 'ebgp',
      place: 'cluster',
    });
    expect(peerOf(plan('node-b', ...documents), 'mesh/node-a')).toMatchObject({
      asn: 64999,
      type: 'ebgp',
      place: 'cluster',
    });
  });

  test('the listen port of the cluster is the port of every node', () => {
    const membership = plan('node-a', ...CLUSTER, configuration({ listenPort: 1790 }));
    expect(peerOf(membership, 'mesh/node-b')?.port).toBe(1790);
  });

  test('nodes without an address are left out', () => {
    expect(ids(plan('node-b', manifest('Node', 'node-x', {}), node('b', '192.168.1.12/24')))).toEqual([]);
  });

  test('it can be turned off', () => {
    expect(ids(plan('node-a', ...CLUSTER, configuration({ nodeToNodeMeshEnabled: false })))).toEqual([
      'peer/tor',
    ]);
  });
});

describe('BGPPeers by address', () => {
  test('a router is dialled at once, and is outside', () => {
    expect(peerOf(plan('node-a', ...CLUSTER), 'peer/tor')).toEqual({
      id: 'peer/tor',
      address: parseIpv4('192.168.1.1'),
      port: 179,
      asn: 65001,
      type: 'ebgp',
      place: 'outside',
      dial: 'now',
      sourceAddress: parseIpv4('192.168.1.11'),
      description: 'BGPPeer tor',
    });
  });

  test.each([
    ['node', { node: 'node-b' }, ['node-b']],
    ['nodeSelector', { nodeSelector: "rack in {'a', 'd'}" }, ['node-a', 'node-d']],
    ['neither', {}, ['node-a', 'node-b', 'node-c', 'node-d']],
  ])('selected by %s', (_name, local, expected) => {
    const documents = [
      ...CLUSTER.slice(0, -1),
      peer('tor', { ...local, peerIP: '192.168.1.1', asNumber: 64512 }),
    ];
    const having = ['a', 'b', 'c', 'd']
      .map((letter) => plan(`node-${letter}`, ...documents))
      .filter((membership) => peerOf(membership, 'peer/tor')?.type === 'ibgp');
    expect(having.map(({ nodeName }) => nodeName)).toEqual(expected);
  });

  test('a port beside the address goes before 179; the listen port of the cluster is not that of a router', () => {
    const documents = [node('a', '192.168.1.11/24'), configuration({ listenPort: 1790 })];
    const withPort = peer('tor', { peerIP: '192.168.1.1:1179', asNumber: 65001 });
    const without = peer('tor', { peerIP: '192.168.1.1', asNumber: 65001 });
    expect(plan('node-a', ...documents, withPort).peers[0]?.port).toBe(1179);
    expect(plan('node-a', ...documents, without).peers[0]?.port).toBe(179);
  });

  test('sourceAddress None leaves the choice to the kernel', () => {
    const documents = [
      node('a', '192.168.1.11/24'),
      peer('tor', { peerIP: '192.168.1.1', asNumber: 65001, sourceAddress: 'None' }),
    ];
    expect(plan('node-a', ...documents).peers[0]).not.toHaveProperty('sourceAddress');
  });

  test('an IPv6 router is reached from the IPv6 address of the node', () => {
    const membership = plan(
      'node-a',
      node('a', '192.168.1.11/24', [], { ipv6Address: '2001:db8::11/64' }),
      peer('tor', { peerIP: '2001:db8::1', asNumber: 65001 }),
    );
    expect(membership.nodeAddress6).toBe(parseIpv6('2001:db8::11'));
    expect(membership.peers[0]).toMatchObject({ sourceAddress: parseIpv6('2001:db8::11') });
  });

  test('an address of a node is that node: the cluster, its port, its turn to dial, no second session by the mesh', () => {
    const documents = [
      node('a', '192.168.1.11/24'),
      node('b', '192.168.1.12/24'),
      configuration({ listenPort: 1790 }),
      peer('to-b', { peerIP: '192.168.1.12', asNumber: 64512 }),
    ];
    const [only, ...others] = plan('node-a', ...documents).peers;
    expect(others).toEqual([]);
    expect(only).toMatchObject({
      id: 'peer/to-b',
      place: 'cluster',
      port: 1790,
      node: 'node-b',
      dial: { afterSeconds: 30 },
    });
    expect(ids(plan('node-b', ...documents))).toEqual(['mesh/node-a']);
  });
});

describe('BGPPeers by label', () => {
  const reflectors = [
    ...CLUSTER.slice(0, -1),
    configuration({ nodeToNodeMeshEnabled: false }),
    peer('edge', { nodeSelector: "rack == 'a'", peerSelector: "rack in {'b', 'c'}" }),
  ];

  test('the selected nodes peer back', () => {
    expect(ids(plan('node-a', ...reflectors))).toEqual(['peer/edge/node-b', 'peer/edge/node-c']);
    expect(ids(plan('node-b', ...reflectors))).toEqual(['peer/edge/node-a']);
    expect(ids(plan('node-d', ...reflectors))).toEqual([]);
  });

  test('they are the cluster, and take turns like the mesh', () => {
    expect(peerOf(plan('node-a', ...reflectors), 'peer/edge/node-b')).toMatchObject({
      place: 'cluster',
      type: 'ibgp',
      dial: { afterSeconds: 30 },
    });
    expect(peerOf(plan('node-b', ...reflectors), 'peer/edge/node-a')?.dial).toBe('now');
  });

  test('two that select the same node are one session, by the first name', () => {
    const membership = plan('node-a', ...reflectors, peer('another', { peerSelector: "rack == 'b'" }));
    expect(ids(membership)).toEqual(['peer/another/node-b', 'peer/edge/node-c']);
  });

  test('no node peers with itself', () => {
    const membership = plan('node-a', ...CLUSTER.slice(0, -1), peer('all', { peerSelector: 'all()' }));
    expect(membership.peers.map(({ address }) => formatIpAddress(address))).toEqual([
      '192.168.1.12',
      '192.168.2.11',
      '192.168.2.12',
    ]);
  });
});
