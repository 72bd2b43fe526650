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

/** What a peer is of which nothing special is said. */
const PLAIN = { routeReflectorClient: false, nextHop: 'auto', filters: [], options: {} };

describe('reversePeering', () => {
  const reversed = (reversePeering: string) => [
    node('a', '192.168.1.11/24'),
    node('r', '192.168.1.21/24'),
    configuration({ nodeToNodeMeshEnabled: false }),
    peer('up', { nodeSelector: "rack == 'a'", peerSelector: "rack == 'r'", reversePeering }),
  ];

  test('Auto: the selected nodes peer back', () => {
    expect(ids(plan('node-a', ...reversed('Auto')))).toEqual(['peer/up/node-r']);
    expect(ids(plan('node-r', ...reversed('Auto')))).toEqual(['peer/up/node-a']);
  });

  test('Manual: they do so where a BGPPeer of their own says it', () => {
    expect(ids(plan('node-a', ...reversed('Manual')))).toEqual(['peer/up/node-r']);
    expect(ids(plan('node-r', ...reversed('Manual')))).toEqual([]);
    const back = peer('down', {
      nodeSelector: "rack == 'r'",
      peerSelector: "rack == 'a'",
      reversePeering: 'Manual',
    });
    expect(ids(plan('node-r', ...reversed('Manual'), back))).toEqual(['peer/down/node-a']);
  });
});

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
      localAs: 64512,
      type: 'ibgp',
      place: 'cluster',
      dial: 'now',
      sourceAddress: parseIpv4('192.168.1.12'),
      ...PLAIN,
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
      localAs: 64512,
      type: 'ebgp',
      place: 'outside',
      dial: 'now',
      sourceAddress: parseIpv4('192.168.1.11'),
      ...PLAIN,
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

describe('route reflectors (RFC 4456), as in Calico', () => {
  const reflector = { routeReflectorClusterID: '244.0.0.1' };
  const documents = [
    pool(),
    node('a', '192.168.1.11/24', ['10.244.1.0/24']),
    node('b', '192.168.1.12/24', ['10.244.2.0/24']),
    node('r', '192.168.1.21/24', [], reflector),
    node('s', '192.168.1.22/24', [], reflector),
    node('t', '192.168.1.23/24', [], { routeReflectorClusterID: '244.0.0.2' }),
    peer('reflectors', { nodeSelector: 'all()', peerSelector: "rack in {'r', 's', 't'}" }),
  ];
  const clientsOf = (name: string) =>
    plan(name, ...documents)
      .peers.filter(({ routeReflectorClient }) => routeReflectorClient)
      .map(({ node }) => node);

  test('the cluster id is that of the Node', () => {
    expect(plan('node-r', ...documents).clusterId).toBe(parseIpv4('244.0.0.1'));
    expect(plan('node-a', ...documents)).not.toHaveProperty('clusterId');
  });

  test('reflectors leave the mesh, the other nodes stay in it', () => {
    expect(ids(plan('node-a', ...documents))).toEqual([
      'mesh/node-b',
      'peer/reflectors/node-r',
      'peer/reflectors/node-s',
      'peer/reflectors/node-t',
    ]);
    expect(ids(plan('node-r', ...documents.slice(0, -1)))).toEqual([]);
  });

  test('a reflector reflects for all iBGP peers but the reflectors of its own cluster', () => {
    expect(clientsOf('node-r')).toEqual(['node-a', 'node-b', 'node-t']);
    expect(clientsOf('node-t')).toEqual(['node-a', 'node-b', 'node-r', 'node-s']);
    expect(clientsOf('node-a')).toEqual([]);
  });

  test('an iBGP router is a client, an eBGP router is none', () => {
    const tor = (asNumber: number) => peer('tor', { peerIP: '192.168.1.1', asNumber, node: 'node-r' });
    const isClient = (asNumber: number) =>
      peerOf(plan('node-r', ...documents, tor(asNumber)), 'peer/tor')?.routeReflectorClient;
    expect(isClient(64512)).toBe(true);
    expect(isClient(65001)).toBe(false);
  });
});

describe('how a session is run', () => {
  const nodes = [pool(), node('a', '192.168.1.11/24'), node('b', '192.168.1.12/24')];
  const tor = (spec: object) => peer('tor', { peerIP: '192.168.1.1', asNumber: 65001, ...spec });

  test('localASNumber is what the router sees, and decides between iBGP and eBGP', () => {
    expect(peerOf(plan('node-a', ...nodes, tor({ localASNumber: 65001 })), 'peer/tor')).toMatchObject({
      localAs: 65001,
      type: 'ibgp',
    });
    expect(plan('node-a', ...nodes, tor({ localASNumber: 65001 })).localAs).toBe(64512);
  });

  test('passive waits for the router', () => {
    expect(peerOf(plan('node-a', ...nodes, tor({ passive: true })), 'peer/tor')?.dial).toBe('never');
  });

  test('filters are those named, in that order, with their rules', () => {
    const filter = (name: string) => manifest('BGPFilter', name, { importV4: [{ action: 'Accept' }] });
    const documents = [
      ...nodes,
      filter('one'),
      filter('two'),
      filter('three'),
      tor({ filters: ['two', 'one'] }),
    ];
    const { filters } = peerOf(plan('node-a', ...documents), 'peer/tor') ?? never();
    expect(filters.map(({ name }) => name)).toEqual(['two', 'one']);
    expect(filters[0]?.importV4).toEqual([{ action: 'Accept', operations: [] }]);
  });

  test('the options of a BGPPeer among nodes hold at both ends', () => {
    const documents = [
      ...nodes,
      peer('pair', {
        nodeSelector: "rack == 'a'",
        peerSelector: "rack == 'b'",
        password: { env: 'SECRET' },
        nextHopMode: 'Self',
      }),
    ];
    const expected = { nextHop: 'self', options: { password: { type: 'env', name: 'SECRET' } } };
    expect(peerOf(plan('node-a', ...documents), 'peer/pair/node-b')).toMatchObject(expected);
    expect(peerOf(plan('node-b', ...documents), 'peer/pair/node-a')).toMatchObject(expected);
  });

  test('password and restart time of the mesh are those of the BGPConfiguration, for the mesh alone', () => {
    const mesh = { nodeMeshPassword: { file: '/run/mesh' }, nodeMeshMaxRestartTime: '5m0s' };
    const membership = plan('node-a', ...nodes, tor({}), configuration(mesh));
    const options = { password: { type: 'file', path: '/run/mesh' }, restartTimeSeconds: 300 };
    expect(peerOf(membership, 'mesh/node-b')?.options).toEqual(options);
    expect(peerOf(membership, 'peer/tor')?.options).toEqual({});
  });

  test('peerRange is for whoever connects, and no peer before', () => {
    const range = peer('leafs', {
      nodeSelector: "rack == 'a'",
      peerRange: '192.168.1.128/25',
      asNumber: 65001,
      maxPeers: 7,
      password: { env: 'SECRET' },
    });
    const membership = plan('node-a', ...nodes, range);
    expect(ids(membership)).toEqual(['mesh/node-b']);
    expect(membership.dynamicPeers).toEqual([
      {
        id: 'dynamic/leafs',
        name: 'leafs',
        range: parsePrefix('192.168.1.128/25'),
        asn: 65001,
        limit: 7,
        localAs: 64512,
        ...PLAIN,
        options: { password: { type: 'env', name: 'SECRET' } },
      },
    ]);
    expect(plan('node-b', ...nodes, range).dynamicPeers).toEqual([]);
  });

  test('what is announced beside the blocks comes from the BGPConfiguration', () => {
    const membership = plan(
      'node-a',
      ...nodes,
      configuration({
        serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
        prefixAdvertisements: [{ cidr: '10.96.0.0/12', communities: ['65000:1'] }],
      }),
    );
    expect(membership.advertisements.map(formatPrefix)).toEqual(['10.96.0.0/12']);
    expect(membership.prefixCommunities).toEqual([
      { cidr: parsePrefix('10.96.0.0/12'), communities: [65000 * 65536 + 1] },
    ]);
  });
});

function never(): never {
  throw new Error('the plan has no such peer');
}
