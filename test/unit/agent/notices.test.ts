/** What the settings of a node leave without effect, in sentences. */
import { describe, expect, test } from 'vitest';
import { type Membership, planMembership } from '../../../agent/membership/index.js';
import { noticesOf, poolsInTheWay } from '../../../agent/notices.js';
import type { PoolConflict } from '../../../ipip/index.js';
import { prefix } from '../../support/addresses.js';
import { manifest, node, peer, pool, resources } from '../../support/manifests.js';

const tor = (spec: object) => peer('tor', { peerIP: '203.0.113.9', asNumber: 65001, ...spec });
const ON: Settings = { dataplane: true, tunnelDevice: 'podroute0', cniPlugin: 'ptp' };

type Settings = Parameters<typeof noticesOf>[1];

function membership(...documents: readonly string[]): Membership {
  const result = planMembership(resources(...documents), 'node-a');
  if ('problem' in result) throw new Error(result.problem);
  return result.membership;
}

function notices(settings: Settings, ...documents: readonly string[]): readonly string[] {
  return [...noticesOf(membership(node('a', '192.168.1.11/24'), ...documents), settings)];
}

describe('reachableBy', () => {
  const behind = tor({ reachableBy: '192.168.1.254' });

  test('without a data plane makes no route, and it is said where one must be added', () => {
    expect(notices({ ...ON, dataplane: false }, behind)).toEqual([
      'reachableBy of peer/tor has no effect: the data plane is off, so that no route to 203.0.113.9 is made; add one to the machine via 192.168.1.254',
    ]);
  });

  test('with a data plane, or not asked for, is no matter', () => {
    expect(notices(ON, behind)).toEqual([]);
    expect(notices({ ...ON, dataplane: false }, tor({}))).toEqual([]);
  });
});

describe('an interface in a filter', () => {
  const filter = (name: string) =>
    manifest('BGPFilter', 'edge', { exportV4: [{ action: 'Reject', interface: name }] });

  test.each(['podroute0', 'tunl0'])('%s is a tunnel, which no route leaves by', (name) => {
    expect(notices(ON, filter(name), tor({ filters: ['edge'] }))).toEqual([
      `BGPFilter/edge spec.exportV4[0].interface: ${name} is a tunnel and matches no route: a route's interface is the one that its next hop is reached by`,
    ]);
  });

  test('is said once, however many peers have the filter, and not of a filter that none has', () => {
    const two = [
      tor({ filters: ['edge'] }),
      peer('two', { peerIP: '203.0.113.8', asNumber: 65001, filters: ['edge'] }),
    ];
    expect(notices(ON, filter('tunl0'), ...two)).toHaveLength(1);
    expect(notices(ON, filter('tunl0'), tor({}))).toEqual([]);
    expect(notices(ON, filter('eth*'), tor({ filters: ['edge'] }))).toEqual([]);
  });
});

describe('pods', () => {
  const CNI: Settings = { ...ON, cniConfDir: '/etc/cni/net.d' };
  const cluster = [pool(), node('a', '192.168.1.11/24', ['10.244.1.0/24', '10.244.2.0/24'])];

  test('of a subnet that no plugin serves, where a configuration is asked for', () => {
    const bridge: Settings = { ...CNI, cniPlugin: 'bridge' };
    expect([...noticesOf(membership(...cluster), bridge)]).toEqual([
      'no pod gets an address of 10.244.2.0/24: the bridge plugin serves one subnet of each family; set --cni-plugin ptp, which serves all',
    ]);
    expect([...noticesOf(membership(...cluster), CNI)]).toEqual([]);
    expect([...noticesOf(membership(...cluster), { ...ON, cniPlugin: 'bridge' })]).toEqual([]);
  });

  test('without a data plane', () => {
    expect(notices({ ...CNI, dataplane: false })).toEqual([
      expect.stringMatching(/^--cni-conf-dir has no effect: the data plane is off/),
    ]);
  });
});

describe('a pool over what this machine reaches', () => {
  const found = (...conflicts: readonly PoolConflict[]) =>
    poolsInTheWay(membership(pool(), node('a', '192.168.1.11/24')), conflicts);

  test('both are named, and the device', () => {
    const conflict = { pool: prefix('10.244.0.0/16'), route: prefix('10.0.0.0/8') };
    expect(found({ ...conflict, device: 'eth1' })).toEqual([
      'IPPool/pods 10.244.0.0/16 overlaps 10.0.0.0/8, which this machine reaches by eth1: an address of both is reached in one way alone; give the pool a range that nothing else uses, or take the route away',
    ]);
    expect(found(conflict)[0]).toContain('overlaps 10.0.0.0/8, which this machine drops:');
  });

  test('that is gone by now is no matter', () => {
    expect(found({ pool: prefix('10.9.0.0/16'), route: prefix('10.0.0.0/8') })).toEqual([]);
  });
});
