/**
 * Routes with several next hops on the running kernel, in network namespaces of their own: under traffic, and when
 * somebody else changes them. Needs root and iproute2. The variant through the tunnel is in tunnel.test.ts.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { plainCrossroads } from '../../support/crossroads.js';
import { RealMachine } from '../../support/machine.js';
import { multipathSuite } from '../../support/multipath-suite.js';
import { changes, FACTS, learned, Plane } from '../../support/plane.js';

describe.each(['ipv4', 'ipv6'] as const)('%s: three plain next hops', (family) => {
  multipathSuite(() => plainCrossroads(family));
});

describe.each([
  ['10.244.2.0/24', '192.168.1.12', '192.168.1.13', '192.168.1.14'],
  ['2001:db8:2::/48', '2001:db8:1::12', '2001:db8:1::13', '2001:db8:1::14'],
])('%s with two next hops, which somebody changes', (to, one, other, third) => {
  const ROUTE = `${to} proto 179 metric 2048`;
  let machine: RealMachine;
  let plane: Plane;

  beforeEach(async () => {
    machine = new RealMachine();
    machine.addDevice('eth0', '192.168.1.11/24', '2001:db8:1::11/64');
    plane = new Plane(machine);
    await plane.dataplane.start();
    plane.dataplane.setNode({ ...FACTS, pools: [] });
    plane.dataplane.applyChanges(changes(learned(to, one, other)));
    await plane.dataplane.settled();
  });

  afterEach(async () => {
    await plane.dataplane.stop();
    await machine.remove();
  });

  test.each([
    ['to another weight', `route replace ${ROUTE} nexthop via ${one} weight 9 nexthop via ${other}`],
    ['to one of them', `route replace ${ROUTE} via ${other} dev eth0`],
    ['by one more', `route replace ${ROUTE} nexthop via ${one} nexthop via ${other} nexthop via ${third}`],
    ['to one other', `route replace ${ROUTE} nexthop via ${one} nexthop via ${third}`],
    ['to none', `route delete ${ROUTE}`],
  ])('%s: it is put right within a second, and counted', async (_name, command) => {
    const before = await machine.kernel.routes(179);
    const { drift } = plane.dataplane.counters();
    machine.ip(command);
    const atMs = performance.now();
    await plane.changed(() => plane.dataplane.counters().drift > drift);
    expect(performance.now() - atMs).toBeLessThan(1_000);
    expect(await machine.kernel.routes(179)).toEqual(before);
    expect(plane.state(to)).toBe('ok');
  });
});

describe('an IPv6 route with two next hops, whose kernel announces parts of it', () => {
  const TO = '2001:db8:2::/48';

  test.each([
    ['loses one', `route delete ${TO} via 2001:db8:1::13 proto 179 metric 2048`],
    ['gets one more', `route append ${TO} via 2001:db8:1::14 proto 179 metric 2048`],
  ])('%s: it is put right within a second', async (_name, command) => {
    const machine = new RealMachine();
    machine.addDevice('eth0', '192.168.1.11/24', '2001:db8:1::11/64');
    const plane = new Plane(machine);
    await plane.dataplane.start();
    plane.dataplane.setNode({ ...FACTS, blocks: [], pools: [] });
    plane.dataplane.applyChanges(changes(learned(TO, '2001:db8:1::12', '2001:db8:1::13')));
    await plane.dataplane.settled();
    const before = await machine.kernel.routes(179);
    machine.ip(command);
    const atMs = performance.now();
    await plane.changed(() => plane.dataplane.counters().drift > 0);
    expect(performance.now() - atMs).toBeLessThan(1_000);
    expect(await machine.kernel.routes(179)).toEqual(before);
    await plane.dataplane.stop();
    await machine.remove();
  });
});
