/**
 * What one route of ours says to the kernel: its source, its family, its flags, and what is shown of the machines that
 * take its packets. One suite for the fake and the real kernel.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { address as ip, address4 as ip4, address6 as ip6, prefix } from './addresses.js';
import type { Machine } from './machine.js';
import { FACTS, learned, ourRoutes, Plane } from './plane.js';
import { until } from './until.js';

/** Runs the suite over machines that `make` makes, one per test. */
export function routeSuite(make: () => Machine): void {
  let machine: Machine;
  let plane: Plane;

  beforeEach(async () => {
    machine = make();
    machine.addDevice('eth0', '192.168.1.11/24');
    plane = new Plane(machine);
    await plane.dataplane.start();
    plane.dataplane.setNode({ ...FACTS, pools: [] });
    await plane.dataplane.settled();
  });

  afterEach(async () => {
    await plane.dataplane.stop();
    await machine.remove();
  });

  describe("the source of the node's own packets", () => {
    const NAMED = '10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 src 192.168.1.111 metric 2048';
    const PLAIN = '10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048';

    /** The node's address is the second one of eth0, as behind a VIP. */
    async function second(): Promise<void> {
      machine.ip('address add 192.168.1.111/24 dev eth0');
      plane.dataplane.setNode({ ...FACTS, nodeAddress: ip4('192.168.1.111'), pools: [] });
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      await until('it is named', () => plane.route('10.244.2.0/24').kernel?.source !== undefined);
    }

    test('is named where the kernel would choose another address', async () => {
      await second();
      expect(ourRoutes(machine)).toEqual([NAMED]);
      expect(plane.route('10.244.2.0/24').kernel?.source).toBe(ip('192.168.1.111'));
    });

    test('that goes: the route is back without it, and says so; that returns: it is named again', async () => {
      await second();
      machine.ip('address delete 192.168.1.111/24 dev eth0');
      await plane.changed(() => plane.route('10.244.2.0/24').reason.includes('without 192.168.1.111'));
      expect(ourRoutes(machine)).toEqual([PLAIN]);
      expect(plane.route('10.244.2.0/24')).toMatchObject({
        state: 'ok',
        reason:
          "next hop 192.168.1.12 is on the same L2 network (eth0); without 192.168.1.111 as the source of this node's own packets, because no device that is up has that address",
      });
      machine.ip('address add 192.168.1.111/24 dev eth0');
      await until('it is named', () => plane.route('10.244.2.0/24').kernel?.source !== undefined);
      expect(ourRoutes(machine)).toEqual([NAMED]);
      expect(plane.route('10.244.2.0/24').reason).not.toContain('without');
    });

    test('that somebody takes off the route is put back, and counted', async () => {
      await second();
      const { drift } = plane.dataplane.counters();
      machine.ip(`route replace ${PLAIN}`);
      await plane.changed(() => plane.dataplane.counters().drift > drift);
      expect(ourRoutes(machine)).toEqual([NAMED]);
    });
  });

  describe('IPv6', () => {
    beforeEach(async () => {
      machine.addDevice('eth6', '2001:db8:1::11/64');
      plane.dataplane.setNode({
        ...FACTS,
        nodeAddress6: ip6('2001:db8:1::11'),
        blocks: [...FACTS.blocks, prefix('fd00:244:1::/64')],
        pools: [],
      });
      await plane.dataplane.settled();
    });

    test('an own subnet is a blackhole, and stays one beneath the bridge', async () => {
      const blackhole = 'blackhole fd00:244:1::/64 proto 179 metric 2048';
      expect(machine.routes()).toContain(blackhole);
      expect(plane.route('fd00:244:1::/64')).toMatchObject({ mode: 'blackhole', state: 'blackhole' });
      machine.addDevice('cni0', 'fd00:244:1::1/64');
      await plane.changed(() => plane.state('fd00:244:1::/64') === 'ok');
      expect(plane.route('fd00:244:1::/64')).toMatchObject({ mode: 'local' });
      expect(machine.routes()).toContain(blackhole);
    });

    test('a learned route is direct, follows another next hop in place, and goes', async () => {
      await plane.apply(learned('fd00:244:2::/64', '2001:db8:1::12'));
      const line = (via: string) => `fd00:244:2::/64 via ${via} dev eth6 proto 179 metric 2048`;
      expect(ourRoutes(machine)).toContain(line('2001:db8:1::12'));
      expect(plane.route('fd00:244:2::/64')).toMatchObject({ mode: 'direct', state: 'ok' });
      await plane.apply(learned('fd00:244:2::/64', '2001:db8:1::13'));
      expect(ourRoutes(machine)).toContain(line('2001:db8:1::13'));
      expect(ourRoutes(machine)).not.toContain(line('2001:db8:1::12'));
      await plane.apply('fd00:244:2::/64');
      expect(plane.state('fd00:244:2::/64')).toBeUndefined();
    });

    test('a second global address: the route names that of the node', async () => {
      const source = () => plane.route('fd00:244:2::/64').kernel?.source;
      machine.ip('address add 2001:db8:1::5/64 dev eth6');
      await plane.apply(learned('fd00:244:2::/64', '2001:db8:1::12'));
      await until('it is named', () => source() === ip('2001:db8:1::11'));
      machine.ip('address delete 2001:db8:1::5/64 dev eth6');
      await until('it is not named', () => source() === undefined);
      expect(ourRoutes(machine)).toContain(
        'fd00:244:2::/64 via 2001:db8:1::12 dev eth6 proto 179 metric 2048',
      );
    });

    test.each([
      ['RFC 8950: an IPv4 route over IPv6', '2001:db8:1::12', {}],
      ['RFC 2545: over a link-local next hop', 'fe80::12', { device: 'eth6' }],
    ])('%s', async (_name, via, rest) => {
      for (const to of ['10.244.2.0/24', 'fd00:244:2::/64']) {
        await plane.apply({ ...learned(to), nextHops: [{ address: ip(via), ...rest }] });
        expect(plane.route(to)).toMatchObject({
          mode: 'direct',
          state: 'ok',
          nextHops: [{ address: ip(via), device: 'eth6', mode: 'direct' }],
          kernel: { nextHops: [{ gateway: ip(via), device: 'eth6', onlink: false }] },
        });
      }
      // What the kernel would take as source over an IPv6 next hop is not defined.
      expect(ourRoutes(machine)).toContain(
        `10.244.2.0/24 via inet6 ${via} dev eth6 proto 179 src 192.168.1.11 metric 2048`,
      );
    });
  });

  describe('next hops that no connected network holds', () => {
    test.each([
      ['by a route to the device alone', '172.31.0.12 dev eth0', ''],
      ['by an onlink route to itself', '172.31.0.12 via 172.31.0.12 dev eth0 onlink', ' onlink'],
    ])('are direct: %s', async (_name, toNextHop, flag) => {
      machine.ip(`route add ${toNextHop}`);
      await plane.apply(learned('10.244.2.0/24', '172.31.0.12'));
      expect(ourRoutes(machine)).toEqual([
        `10.244.2.0/24 via 172.31.0.12 dev eth0 proto 179 metric 2048${flag}`,
      ]);
      expect(plane.route('10.244.2.0/24')).toMatchObject({ mode: 'direct', state: 'ok' });
    });
  });

  describe('neighbours', () => {
    const LLADDR = 'lladdr 02:00:00:00:00:12';
    const shown = () => plane.route('10.244.2.0/24').nextHops.map(({ neighbour }) => neighbour);

    test('of next hops in use are shown, from the start and as they change, and decide nothing', async () => {
      machine.ip(`neigh replace 192.168.1.12 ${LLADDR} dev eth0 nud stale`);
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      await until('the neighbour is shown', () => shown()[0] === 'stale');
      const listed = () =>
        plane.dataplane.routes().find((row) => row.prefix === prefix('10.244.2.0/24'))?.nextHops[0]
          ?.neighbour;
      expect(listed()).toBe('stale');
      const { applied, readBacks } = plane.dataplane.counters();
      machine.ip('neigh replace 192.168.1.12 dev eth0 nud failed');
      await until('its failure is shown', () => shown()[0] === 'failed');
      expect(plane.route('10.244.2.0/24')).toMatchObject({
        mode: 'direct',
        state: 'ok',
        reason: expect.stringContaining('next hop 192.168.1.12 does not answer ARP'),
      });
      machine.ip(`neigh replace 192.168.1.12 ${LLADDR} dev eth0 nud permanent`);
      await until('its return is shown', () => shown()[0] === 'permanent');
      expect(listed()).toBe('permanent');
      expect(plane.route('10.244.2.0/24').reason).not.toContain('ARP');
      expect(plane.dataplane.counters()).toMatchObject({ applied, readBacks });
    });

    test('an agent that starts knows them at once', async () => {
      machine.ip(`neigh replace 192.168.1.12 ${LLADDR} dev eth0 nud permanent`);
      await plane.dataplane.stop();
      plane = new Plane(machine);
      await plane.dataplane.start();
      plane.dataplane.setNode({ ...FACTS, pools: [] });
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      expect(shown()).toEqual(['permanent']);
    });
  });
}
