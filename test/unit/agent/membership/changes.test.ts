/** What a change of the resources means for the sessions. */
import { describe, expect, test } from 'vitest';
import {
  type Membership,
  type PeerSpec,
  planLocalChanges,
  planMembership,
  planPeerChanges,
} from '../../../../agent/membership/index.js';
import { parseIpv4, parseIpv6, parsePrefix } from '../../../../bgp/net/index.js';
import { CLUSTER, node, resources } from '../../../support/manifests.js';

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
    [{ place: 'cluster' }, 'place outside -> cluster', true],
    [{ dial: { afterSeconds: 30 } }, 'dial now -> after 30 s', true],
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
