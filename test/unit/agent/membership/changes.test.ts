/** What a change of the resources means for the sessions. */
import { describe, expect, test } from 'vitest';
import {
  leavingPeers,
  type Membership,
  type PeerSpec,
  planLocalChanges,
  planMembership,
  planPeerChanges,
} from '../../../../agent/membership/index.js';
import { parseIpv4, parseIpv6, parsePrefix } from '../../../../bgp/net/index.js';
import { CLUSTER, configuration, manifest, node, peer, resources } from '../../../support/manifests.js';

function plan(nodeName: string, documents: readonly string[] = CLUSTER): Membership {
  const result = planMembership(resources(...documents), nodeName);
  if ('problem' in result) throw new Error(result.problem);
  return result.membership;
}

const [tor] = plan('node-a').peers.filter(({ id }) => id === 'peer/tor');
const address = (text: string) => parseIpv4(text) ?? never();

function changed(change: Partial<PeerSpec>) {
  if (tor === undefined) throw new Error('the test cluster has no tor');
  return planPeerChanges([tor], [{ ...tor, ...change }]).changed;
}

describe('changes of peers', () => {
  test('the same resources change nothing', () => {
    expect(planPeerChanges(plan('node-a').peers, plan('node-a').peers)).toEqual({
      added: [],
      removed: [],
      changed: [],
    });
  });

  test('a node more and a node less', () => {
    const after = [...CLUSTER.slice(0, 4), node('e', '192.168.1.15/24')];
    const changes = planPeerChanges(plan('node-a').peers, plan('node-a', after).peers);
    expect(changes.added.map(({ id }) => id)).toEqual(['mesh/node-e']);
    expect(changes.removed.map(({ id }) => id)).toEqual(['mesh/node-d', 'peer/tor']);
    expect(changes.changed).toEqual([]);
  });

  test.each<[Partial<PeerSpec>, string, boolean]>([
    [{ address: address('192.168.1.2') }, 'address 192.168.1.1 -> 192.168.1.2', true],
    [{ port: 1790 }, 'port 179 -> 1790', true],
    [{ asn: 65002 }, 'AS number 65001 -> 65002', true],
    [{ type: 'ibgp' }, 'type ebgp -> ibgp', true],
    [{ sourceAddress: address('192.168.1.99') }, 'source address 192.168.1.11 -> 192.168.1.99', true],
    [{ place: 'cluster' }, 'place outside -> cluster', false],
    [{ gateway: address('192.168.1.254') }, 'gateway none -> 192.168.1.254', false],
    [
      { options: { password: { type: 'secret', name: 'bgp', key: 'tor' } } },
      'password none -> in key tor of Secret bgp',
      true,
    ],
    [{ dial: { afterSeconds: 30 } }, 'dial now -> after 30 s', false],
    [{ localAs: 65009 }, 'local AS number 64512 -> 65009', true],
    [{ options: { password: { type: 'file', path: '/run/tor' } } }, 'password none -> in /run/tor', true],
    [{ options: { password: { type: 'env', name: 'TOR' } } }, 'password none -> in $TOR', true],
    [{ options: { restartTimeSeconds: 60 } }, 'restart time default -> 60 s', true],
    [{ options: { holdTimeSeconds: 30 } }, 'hold time default -> 30 s', true],
    [{ options: { ttlSecurityHops: 1 } }, 'TTL security none -> 1', true],
    [{ options: { allowedOwnAs: 2 } }, 'own AS numbers allowed none -> 2', false],
    [
      { options: { maxPrefixes: { limit: 10, action: 'stop' } } },
      'limit of prefixes none -> 10 (stop)',
      false,
    ],
    [{ options: { role: 'customer' } }, 'role none -> customer', true],
    [{ routeReflectorClient: true }, 'reflection client no -> yes', false],
    [{ nextHop: 'keep' }, 'next hop auto -> keep', false],
    [{ description: 'other' }, 'description BGPPeer tor -> other', false],
  ])('%o: %s, reset: %s', (change, reason, needsReset) => {
    expect(changed(change)).toMatchObject([{ reasons: [reason], needsReset }]);
  });

  test('several changes are all named, and one of them is enough for a reset', () => {
    expect(changed({ description: 'other', asn: 65002 })).toMatchObject([
      { reasons: ['AS number 65001 -> 65002', 'description BGPPeer tor -> other'], needsReset: true },
    ]);
  });
});

describe('a changeover', () => {
  const reflecting = (isOn: boolean) => (isOn ? { routeReflectorClusterID: '244.0.0.1' } : {});
  /** node-d reflects, or not; the mesh is on, or not. */
  const cluster = (isMesh: boolean, isReflection: boolean) => [
    ...CLUSTER.slice(0, 4),
    node('d', '192.168.2.12/24', ['10.244.4.0/24'], reflecting(isReflection)),
    configuration({ nodeToNodeMeshEnabled: isMesh }),
    ...(isReflection ? [peer('reflectors', { nodeSelector: 'all()', peerSelector: "rack == 'd'" })] : []),
  ];
  const [mesh, both, reflection, nothing] = [
    cluster(true, false),
    cluster(true, true),
    cluster(false, true),
    cluster(false, false),
  ].map((documents) => plan('node-a', documents));

  function changesOf(before: Membership | undefined, after: Membership | undefined) {
    if (before === undefined || after === undefined) throw new Error('wrong test data');
    const { added, removed, changed } = planPeerChanges(before.peers, after.peers);
    return {
      added: added.map(({ id }) => id),
      removed: removed.map(({ id }) => id),
      changed: changed.map(({ reasons, needsReset }) => [reasons[0], needsReset]),
      leaving: [...leavingPeers(before, after)],
    };
  }

  test('a node that is a peer by another resource now is the same peer', () => {
    expect(changesOf(mesh, both)).toEqual({
      added: [],
      removed: [],
      changed: [['name mesh/node-d -> peer/reflectors/node-d', false]],
      leaving: [],
    });
  });

  test('nodes of a mesh that ends may leave routes, with reflectors in place and without', () => {
    const leaving = ['mesh/node-b', 'mesh/node-c'];
    expect(changesOf(mesh, reflection)).toMatchObject({ removed: leaving, leaving });
    expect(changesOf(both, reflection)).toMatchObject({ changed: [], removed: leaving, leaving });
    expect(changesOf(mesh, nothing).leaving).toEqual([...leaving, 'mesh/node-d']);
  });

  test('a BGPPeer that is deleted leaves none', () => {
    const removed = ['peer/reflectors/node-d'];
    expect(changesOf(reflection, nothing)).toMatchObject({ removed, leaving: [] });
  });

  test('reflectors in the place of others: those may leave routes', () => {
    const other = plan('node-a', [
      ...cluster(false, false),
      peer('reflectors', { nodeSelector: 'all()', peerSelector: "rack == 'c'" }),
    ]);
    expect(changesOf(reflection, other)).toMatchObject({
      added: ['peer/reflectors/node-c'],
      leaving: ['peer/reflectors/node-d'],
    });
  });

  test('a Node that is deleted, and a router, leave none', () => {
    const after = plan('node-a', [...CLUSTER.slice(0, 4), configuration({ nodeToNodeMeshEnabled: false })]);
    expect(changesOf(plan('node-a'), after)).toMatchObject({
      removed: ['mesh/node-b', 'mesh/node-c', 'mesh/node-d', 'peer/tor'],
      leaving: ['mesh/node-b', 'mesh/node-c'],
    });
  });
});

describe('filters change without a reset', () => {
  const withFilter = (action: string, ...names: readonly string[]) =>
    plan('node-a', [
      ...CLUSTER.slice(0, -1),
      ...['edge', 'other'].map((name) =>
        manifest('BGPFilter', name, {
          importV6: [{ action, cidr: 'fd00::/8', matchOperator: 'In' }],
        }),
      ),
      peer('tor', { nodeSelector: "rack == 'a'", peerIP: '192.168.1.1', asNumber: 65001, filters: names }),
    ]).peers;
  const reasons = (before: readonly PeerSpec[], after: readonly PeerSpec[]) =>
    planPeerChanges(before, after).changed.map(({ reasons, needsReset }) => ({ reasons, needsReset }));

  test('another rule in the same filter', () => {
    expect(reasons(withFilter('Accept', 'edge'), withFilter('Reject', 'edge'))).toEqual([
      { reasons: ['filter rules changed'], needsReset: false },
    ]);
  });

  test('a filter more, and the order', () => {
    expect(reasons(withFilter('Accept', 'edge'), withFilter('Accept', 'other', 'edge'))).toEqual([
      { reasons: ['filters edge -> other, edge', 'filter rules changed'], needsReset: false },
    ]);
  });

  test('a filter that the peer does not name', () => {
    expect(reasons(withFilter('Accept'), withFilter('Reject'))).toEqual([]);
  });
});

test('one key for another needs no reset, a first or a last one does', () => {
  if (tor === undefined) throw new Error('the test cluster has no tor');
  const withKey = (name?: string) => ({
    ...tor,
    options: name === undefined ? {} : { password: { type: 'env' as const, name } },
  });
  const resets = (before?: string, after?: string) =>
    planPeerChanges([withKey(before)], [withKey(after)]).changed.map(({ needsReset }) => needsReset);
  expect(resets('A', 'B')).toEqual([false]);
  expect(resets('A')).toEqual([true]);
  expect(resets(undefined, 'B')).toEqual([true]);
  expect(resets('A', 'A')).toEqual([]);
});

describe('changes of the own node', () => {
  const before = plan('node-a');

  test('none', () => {
    expect(planLocalChanges(before, plan('node-a'))).toEqual({ reasons: [], needsReset: false });
  });

  test.each<[Partial<Membership>, string, boolean]>([
    [{ localAs: 64513 }, 'AS number 64512 -> 64513', true],
    [{ bgpIdentifier: address('1.1.1.1') }, 'BGP identifier 192.168.1.11 -> 1.1.1.1', true],
    [{ nodeAddress: address('192.168.1.99') }, 'node address 192.168.1.11 -> 192.168.1.99', true],
    [{ nodeAddress6: parseIpv6('2001:db8::1') ?? never() }, 'IPv6 node address none -> 2001:db8::1', true],
    [
      { nodeSubnet: parsePrefix('192.168.0.0/16') ?? never() },
      'node network 192.168.1.0/24 -> 192.168.0.0/16',
      false,
    ],
    [{ clusterId: address('244.0.0.1') }, 'cluster id none -> 244.0.0.1', false],
    [
      { advertisements: [parsePrefix('10.96.0.0/12') ?? never()] },
      'advertisements none -> 10.96.0.0/12',
      false,
    ],
    [
      { prefixCommunities: [{ cidr: parsePrefix('10.96.0.0/12') ?? never(), communities: [1] }] },
      'communities of announced prefixes changed',
      false,
    ],
    [{ listenPort: 1790 }, 'listen port 179 -> 1790', true],
    [{ listenAddress: address('192.168.1.11') }, 'listen address any -> 192.168.1.11', true],
  ])('%o: %s, reset: %s', (change, reason, needsReset) => {
    expect(planLocalChanges(before, { ...before, ...change })).toEqual({ reasons: [reason], needsReset });
  });

  test('blocks and pools change without a word about sessions', () => {
    const blocks = [parsePrefix('10.244.99.0/24') ?? never()];
    expect(planLocalChanges(before, { ...before, blocks, pools: [] }).reasons).toEqual([]);
  });
});

function never(): never {
  throw new Error('wrong test data');
}
