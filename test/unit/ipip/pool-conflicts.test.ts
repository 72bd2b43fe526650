/** Pools and what this machine reaches in another way: which routes count, and that the data plane tells of them live. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PoolConflict } from '../../../ipip/index.js';
import { interfaceIndex, type KernelRoute, MAIN_TABLE } from '../../../ipip/kernel/kernel.js';
import { poolConflictsWithHost } from '../../../ipip/pool-conflicts.js';
import { prefix } from '../../support/addresses.js';
import { FakeMachine } from '../../support/fake-machine.js';
import { FACTS, learned, Plane } from '../../support/plane.js';

const USE = {
  pools: [
    { prefix: prefix('10.244.0.0/16'), ipipMode: 'CrossSubnet' as const },
    { prefix: prefix('fd00:244::/48'), ipipMode: 'Never' as const },
  ],
  blocks: [prefix('10.244.1.0/24'), prefix('fd00:244:0:1::/64')],
};
const MARKS = { routeProtocol: 179, tunnelDevice: 'podroute0' };
const NAMES = new Map(
  ['eth0', 'eth1', 'podroute0', 'veth1'].map((name, at) => [interfaceIndex(at + 2), name]),
);

function route(to: string, device?: string, protocol = 4): KernelRoute {
  const index = [...NAMES].find(([, name]) => name === device)?.[0];
  return {
    prefix: prefix(to),
    table: MAIN_TABLE,
    tos: 0,
    metric: 0,
    protocol,
    type: device === undefined ? 'blackhole' : 'unicast',
    nextHops: index === undefined ? [] : [{ interfaceIndex: index, onlink: false }],
  };
}

function conflicts(...routes: readonly KernelRoute[]): readonly PoolConflict[] {
  return poolConflictsWithHost(
    USE,
    routes.map((each) => [each.prefix, [each]] as const),
    NAMES,
    MARKS,
  );
}

describe('a route of this machine is in the way of a pool', () => {
  test.each([
    ['inside it', route('10.244.9.0/24', 'eth1', 2), 'eth1'],
    ['around it', route('10.0.0.0/8', 'eth0'), 'eth0'],
    ['that is the pool', route('10.244.0.0/16', 'eth0'), 'eth0'],
    ['around a block of this node', route('10.244.0.0/23', 'eth1'), 'eth1'],
    ['that leads nowhere', route('10.244.128.0/17'), undefined],
  ])('%s', (_name, one, device) => {
    expect(conflicts(one)).toEqual([
      { pool: prefix('10.244.0.0/16'), route: one.prefix, ...(device === undefined ? {} : { device }) },
    ]);
  });

  test('IPv6', () => {
    expect(conflicts(route('fd00:244:0:9::/64', 'eth1'))).toEqual([
      { pool: prefix('fd00:244::/48'), route: prefix('fd00:244:0:9::/64'), device: 'eth1' },
    ]);
  });

  test('of many by one device the first in prefix order is named', () => {
    const several = ['10.244.9.0/24', '10.244.3.0/24', '10.244.5.0/24'].map((to) => route(to, 'eth1'));
    expect(conflicts(...several, route('10.244.200.0/24', 'eth0'))).toEqual([
      { pool: prefix('10.244.0.0/16'), route: prefix('10.244.3.0/24'), device: 'eth1' },
      { pool: prefix('10.244.0.0/16'), route: prefix('10.244.200.0/24'), device: 'eth0' },
    ]);
  });
});

test.each([
  ['ours', route('10.244.2.0/24', 'eth0', 179)],
  ['by the tunnel', route('10.244.2.0/24', 'podroute0', 2)],
  ['the bridge of the own block', route('10.244.1.0/24', 'veth1', 2)],
  ['of one pod of the own block', route('10.244.1.7/32', 'veth1', 3)],
  ['of one IPv6 pod of the own block', route('fd00:244:0:1::7/128', 'veth1', 3)],
  ['the default route', route('0.0.0.0/0', 'eth0')],
  ['half a default route', route('0.0.0.0/1', 'eth0')],
  ['elsewhere', route('192.168.1.0/24', 'eth0', 2)],
])("is in nobody's way: %s", (_name, one) => {
  expect(conflicts(one)).toEqual([]);
});

describe('the data plane', () => {
  let machine: FakeMachine;
  let plane: Plane;
  const told = () =>
    plane.events.flatMap((event) => (event.kind === 'poolConflictsChanged' ? [event.conflicts] : []));

  beforeEach(async () => {
    machine = new FakeMachine({ hasIpip: true });
    machine.addDevice('eth0', '192.168.1.11/24');
    machine.addDevice('eth1', '172.30.0.1/24');
    machine.ip('route add default via 192.168.1.254');
    plane = new Plane(machine);
    await plane.dataplane.start();
    plane.dataplane.setNode(FACTS);
    await plane.settled();
    expect(told()).toEqual([]);
  });
  afterEach(async () => {
    await plane.dataplane.stop();
    await machine.remove();
  });

  test('tells of a route that comes and goes, and of nothing of its own or its pods', async () => {
    await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
    machine.ip('route add 10.244.1.7/32 dev eth1');
    machine.ip('route add 10.244.9.0/24 dev eth1');
    await plane.changed(() => told().length > 0);
    machine.ip('route add 10.244.10.0/24 dev eth1');
    machine.ip('route delete 10.244.9.0/24 dev eth1');
    await plane.changed(() => told().length > 1);
    machine.ip('route delete 10.244.10.0/24 dev eth1');
    await plane.changed(() => told().length > 2);
    const conflict = (to: string) => ({ pool: prefix('10.244.0.0/16'), route: prefix(to), device: 'eth1' });
    expect(told()).toEqual([[conflict('10.244.9.0/24')], [conflict('10.244.10.0/24')], []]);
  });

  test('tells of a pool that comes to lie over a route', async () => {
    plane.dataplane.setNode({ ...FACTS, pools: [{ prefix: prefix('172.16.0.0/12'), ipipMode: 'Never' }] });
    await plane.settled();
    expect(told()).toEqual([
      [{ pool: prefix('172.16.0.0/12'), route: prefix('172.30.0.0/24'), device: 'eth1' }],
    ]);
  });
});
