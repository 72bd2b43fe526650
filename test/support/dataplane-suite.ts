/**
 * What the data plane does to a machine: one suite for the fake and the real kernel. What the machine holds is read as
 * its administrator reads it, not through our port.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { address as ip, prefix } from './addresses.js';
import type { Machine } from './machine.js';
import { changes, FACTS, learned, onItsOwn, ourRoutes, type Plane } from './plane.js';
/** Runs the suite over machines that `make` makes, one per test. */
export function dataplaneSuite(make: () => Machine, planeOn: (machine: Machine) => Plane = onItsOwn): void {
  let machine: Machine;
  let plane: Plane;

  beforeEach(async () => {
    machine = make();
    machine.addDevice('eth0', '192.168.1.11/24');
    machine.ip('route add default via 192.168.1.254');
    plane = planeOn(machine);
    await plane.start();
    plane.dataplane.setNode({ ...FACTS, pools: [{ prefix: prefix('10.244.0.0/16'), ipipMode: 'Never' }] });
    await plane.settled();
  });

  afterEach(async () => {
    await plane.dataplane.stop();
    await machine.remove();
  });

  test('forwarding is on after the start', () => {
    expect(machine.sysctl.read('net/ipv4/ip_forward')).toBe('1');
    expect(plane.events).toContainEqual({
      kind: 'settingChanged',
      setting: 'net.ipv4.ip_forward',
      from: '0',
      to: '1',
    });
  });

  describe('learned routes', () => {
    test('a next hop on the same network: a plain route, direct', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      expect(ourRoutes(machine)).toEqual(['10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048']);
      expect(plane.route('10.244.2.0/24')).toMatchObject({
        learnedFrom: { peer: 'mesh/node-b', asn: 64512, type: 'ibgp' },
        mode: 'direct',
        state: 'ok',
        reason: 'next hop 192.168.1.12 is on the same L2 network (eth0)',
        nextHops: [{ address: ip('192.168.1.12'), device: 'eth0', mode: 'direct' }],
        kernel: {
          type: 'unicast',
          protocol: 179,
          metric: 2048,
          nextHops: [{ gateway: ip('192.168.1.12'), device: 'eth0', onlink: false }],
        },
      });
    });

    test('a next hop behind a gateway, and ipipMode Never: nothing, and the reason', async () => {
      await plane.apply(learned('10.244.3.0/24', '192.168.2.11'));
      expect(ourRoutes(machine)).toEqual([]);
      expect(plane.route('10.244.3.0/24')).toMatchObject({
        mode: 'none',
        state: 'failed',
        reason:
          "next hop 192.168.2.11 is behind gateway 192.168.1.254 (eth0), and the pool's ipipMode is Never",
      });
    });

    test('another next hop replaces the route in place', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      await plane.apply(learned('10.244.2.0/24', '192.168.1.13'));
      expect(ourRoutes(machine)).toEqual(['10.244.2.0/24 via 192.168.1.13 dev eth0 proto 179 metric 2048']);
    });

    test('two next hops become one route with both', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12', '192.168.1.13'));
      expect(ourRoutes(machine)).toEqual(['10.244.2.0/24 proto 179 metric 2048']);
      expect(plane.route('10.244.2.0/24').kernel?.nextHops.map((hop) => hop.gateway)).toEqual([
        ip('192.168.1.12'),
        ip('192.168.1.13'),
      ]);
    });

    test('each next hop is shown with the peer that told of it', async () => {
      const route = learned('10.244.2.0/24', '192.168.1.12', '192.168.1.13');
      const nextHops = route.nextHops.map((hop, index) => ({ ...hop, peer: `mesh/node-${index}` }));
      await plane.apply({ ...route, nextHops });
      expect(plane.route('10.244.2.0/24').nextHops.map(({ peer }) => peer)).toEqual([
        'mesh/node-0',
        'mesh/node-1',
      ]);
    });

    test('next hops that come and go change the route in place; their order is no change', async () => {
      const gateways = () => plane.route('10.244.2.0/24').kernel?.nextHops.map((hop) => hop.gateway);
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12', '192.168.1.13'));
      await plane.apply(learned('10.244.2.0/24', '192.168.1.13'));
      expect(gateways()).toEqual([ip('192.168.1.13')]);
      await plane.apply(learned('10.244.2.0/24', '192.168.1.13', '192.168.1.14'));
      const { applied } = plane.dataplane.counters();
      await plane.apply(learned('10.244.2.0/24', '192.168.1.14', '192.168.1.13'));
      expect(plane.dataplane.counters().applied).toBe(applied);
      expect(gateways()).toEqual([ip('192.168.1.13'), ip('192.168.1.14')]);
      expect(plane.dataplane.counters().drift).toBe(0);
    });

    test('a withdrawn route goes, from the kernel and from the answer', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      await plane.apply('10.244.2.0/24');
      expect(ourRoutes(machine)).toEqual([]);
      expect(plane.state('10.244.2.0/24')).toBeUndefined();
    });

    test('of several changes in one turn the last counts', async () => {
      plane.dataplane.applyChanges(changes(learned('10.244.2.0/24', '192.168.1.12')));
      plane.dataplane.applyChanges(changes('10.244.2.0/24'));
      plane.dataplane.applyChanges(changes(learned('10.244.2.0/24', '192.168.1.13')));
      await plane.settled();
      expect(ourRoutes(machine)).toEqual(['10.244.2.0/24 via 192.168.1.13 dev eth0 proto 179 metric 2048']);
    });

    test('a route that cannot be installed stops no other', async () => {
      await plane.apply(
        learned('10.244.2.0/24', '192.168.1.12'),
        learned('10.244.3.0/24', '192.168.2.11'),
        learned('10.244.4.0/24', '192.168.1.14'),
      );
      expect(ourRoutes(machine)).toHaveLength(2);
      expect(plane.events).toContainEqual(
        expect.objectContaining({ kind: 'routesFailed', count: 1, examples: [prefix('10.244.3.0/24')] }),
      );
    });

    test('a route of a restarting peer stays, as stale', async () => {
      await plane.apply({ ...learned('10.244.2.0/24', '192.168.1.12'), stale: true });
      expect(plane.state('10.244.2.0/24')).toBe('stale');
      expect(ourRoutes(machine)).toHaveLength(1);
    });

    test('a route that holds its own next hop is refused', async () => {
      await plane.apply(learned('192.168.1.0/25', '192.168.1.12'));
      expect(ourRoutes(machine)).toEqual([]);
      expect(plane.route('192.168.1.0/25').reason).toContain('would lead into itself');
    });
  });

  describe("this node's own subnets", () => {
    test('without a bridge: a blackhole', () => {
      expect(machine.routes()).toContain('blackhole 10.244.1.0/24 proto 179 metric 2048');
      expect(plane.route('10.244.1.0/24')).toMatchObject({ mode: 'blackhole', state: 'blackhole' });
    });

    test('with a bridge: local, and the blackhole stays beneath', async () => {
      machine.addDevice('cni0', '10.244.1.1/24');
      await plane.changed(() => plane.state('10.244.1.0/24') === 'ok');
      expect(plane.route('10.244.1.0/24')).toMatchObject({
        mode: 'local',
        reason: 'own subnet, connected to cni0',
      });
      expect(machine.routes()).toContain('blackhole 10.244.1.0/24 proto 179 metric 2048');
    });

    test('routed to another machine by somebody: shadowed', async () => {
      machine.ip('route add 10.244.1.0/24 via 192.168.1.1 proto 4 metric 512');
      await plane.changed(() => plane.state('10.244.1.0/24') === 'shadowed');
      expect(plane.route('10.244.1.0/24')).toMatchObject({
        mode: 'blackhole',
        reason: expect.stringContaining('(protocol 4, metric 512, via 192.168.1.1 dev eth0) wins'),
      });
    });

    test('a subnet that is ours no more loses its blackhole', async () => {
      plane.dataplane.setNode({ ...FACTS, blocks: [], pools: [] });
      await plane.settled();
      expect(machine.routes().filter((line) => line.includes('proto 179'))).toEqual([]);
    });
  });

  describe("other programs' routes", () => {
    const STATIC = '10.244.2.0/24 via 192.168.1.1 dev eth0 proto 4';

    test('one at our metric is a conflict: it stays, ours is not installed', async () => {
      machine.ip(`route add ${STATIC} metric 2048`);
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      expect(machine.routes()).toContain(`${STATIC} metric 2048`);
      expect(ourRoutes(machine)).toEqual([]);
      expect(plane.state('10.244.2.0/24')).toBe('conflict');
    });

    test('when the conflict ends, ours is installed', async () => {
      machine.ip(`route add ${STATIC} metric 2048`);
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      machine.ip(`route delete ${STATIC} metric 2048`);
      await plane.changed(() => plane.state('10.244.2.0/24') === 'ok');
      expect(ourRoutes(machine)).toHaveLength(1);
    });

    test('one of a better metric wins: ours goes beneath it, shadowed, and is back when it goes', async () => {
      machine.ip(`route add ${STATIC} metric 512`);
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      expect(ourRoutes(machine)).toHaveLength(1);
      expect(plane.state('10.244.2.0/24')).toBe('shadowed');
      machine.ip(`route delete ${STATIC} metric 512`);
      await plane.changed(() => plane.state('10.244.2.0/24') === 'ok');
    });

    test('one of a worse metric changes nothing', async () => {
      machine.ip(`route add ${STATIC} metric 4096`);
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      expect(plane.state('10.244.2.0/24')).toBe('ok');
    });

    test('one that takes the place of ours is left there: a conflict', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      machine.ip(`route replace ${STATIC} metric 2048`);
      await plane.changed(() => plane.state('10.244.2.0/24') === 'conflict');
      expect(machine.routes()).toContain(`${STATIC} metric 2048`);
    });
  });

  describe('what happens to the machine', () => {
    test('a route of ours that somebody deletes is put back, and counted', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      const { drift } = plane.dataplane.counters();
      machine.ip('route delete 10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048');
      await plane.changed(() => plane.dataplane.counters().drift > drift);
      expect(ourRoutes(machine)).toHaveLength(1);
    });

    test('the cable is pulled: it is told at once, the route stays, and works as soon as the cable is back', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      const before = ourRoutes(machine);
      machine.ip('link set eth0-peer down');
      await plane.changed(() => plane.state('10.244.2.0/24') === 'failed');
      expect(plane.route('10.244.2.0/24').reason).toBe(
        'next hop 192.168.1.12 is on the same L2 network (eth0); eth0 has no carrier',
      );
      expect(ourRoutes(machine)).toEqual(before);
      machine.ip('link set eth0-peer up');
      await plane.changed(() => plane.state('10.244.2.0/24') === 'ok');
      expect(ourRoutes(machine)).toEqual(before);
    });

    test('a link that bounces: its routes are back', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      machine.ip('link set eth0 down');
      await plane.changed(() => plane.state('10.244.2.0/24') === 'failed');
      expect(ourRoutes(machine)).toEqual([]);
      machine.ip('link set eth0 up');
      await plane.changed(() => plane.state('10.244.2.0/24') === 'ok');
      expect(ourRoutes(machine)).toEqual(['10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048']);
    });

    test('of a route with two ways one goes with its link and comes back with it; the other stays in use', async () => {
      machine.addDevice('eth1', '192.168.5.11/24');
      const ways = () => plane.route('10.244.2.0/24').kernel?.nextHops ?? [];
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12', '192.168.5.12'));
      expect(ways().map(({ device }) => device)).toEqual(['eth0', 'eth1']);
      machine.ip('link set eth1 down');
      await plane.changed(() => ways().length === 1);
      expect(plane.route('10.244.2.0/24')).toMatchObject({
        state: 'ok',
        nextHops: [{ mode: 'direct' }, { mode: 'none' }],
      });
      expect(ourRoutes(machine)).toEqual(['10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048']);
      machine.ip('link set eth1 up');
      await plane.changed(() => ways().length === 2);
      for (const hop of ways()) expect(hop).not.toHaveProperty('state');
    });

    test('a next hop that comes to be on-link makes its route direct, without a word from BGP', async () => {
      await plane.apply(learned('10.244.3.0/24', '192.168.2.11'));
      machine.addDevice('eth1', '192.168.2.1/24');
      await plane.changed(() => plane.state('10.244.3.0/24') === 'ok');
      expect(ourRoutes(machine)).toEqual([
        '10.244.3.0/24 via 192.168.2.11 dev eth1 proto 179 src 192.168.1.11 metric 2048',
      ]);
      expect(plane.events).toContainEqual({
        kind: 'nextHopChanged',
        nextHop: ip('192.168.2.11'),
        from: 'gateway',
        to: 'onlink',
      });
    });

    test('a route to the next hop through a gateway ends being direct', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      machine.ip('route add 192.168.1.12/32 via 192.168.1.254');
      await plane.changed(() => plane.state('10.244.2.0/24') === 'failed');
      expect(ourRoutes(machine)).toEqual([]);
    });
  });

  describe('over a restart of the agent', () => {
    async function restart(): Promise<void> {
      await plane.dataplane.stop();
      plane = planeOn(machine);
      await plane.start();
    }

    const peers = (...endOfRibFrom: readonly string[]) => ({
      anyUp: true,
      endOfRibFrom: new Set(endOfRibFrom.map(ip)),
      allComplete: false,
    });

    test('routes stay when it stops, and are stale and in use when it starts', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      const before = machine.routes();
      await restart();
      expect(machine.routes()).toEqual(before);
      expect(plane.route('10.244.2.0/24')).toMatchObject({ mode: 'direct', state: 'stale' });
      expect(plane.events).toContainEqual({ kind: 'started', leftoverRoutes: 2 });
    });

    test('a route that is announced again is confirmed without being touched', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      await restart();
      plane.dataplane.setNode({ ...FACTS, pools: [] });
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      expect(plane.state('10.244.2.0/24')).toBe('ok');
      expect(plane.dataplane.counters().applied).toBe(0);
    });

    test('a peer whose table is complete without it ends its route, and no other', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'), learned('10.244.4.0/24', '192.168.1.14'));
      await restart();
      plane.dataplane.setNode({ ...FACTS, pools: [] });
      plane.dataplane.setPeers(peers('192.168.1.12'));
      await plane.settled();
      expect(ourRoutes(machine)).toEqual(['10.244.4.0/24 via 192.168.1.14 dev eth0 proto 179 metric 2048']);
      expect(plane.events).toContainEqual({ kind: 'swept', count: 1, why: 'endOfRib' });
    });

    test('all peers complete: nothing of the earlier run is left, foreign routes are', async () => {
      machine.ip('route add 10.244.9.0/24 via 192.168.1.1 proto 4');
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'), learned('10.244.4.0/24', '192.168.1.14'));
      await restart();
      plane.dataplane.setNode({ ...FACTS, pools: [] });
      plane.dataplane.setPeers({ ...peers(), allComplete: true });
      await plane.settled();
      expect(ourRoutes(machine)).toEqual([]);
      expect(machine.routes()).toContain('10.244.9.0/24 via 192.168.1.1 dev eth0 proto 4');
    });

    test('while no peer is up, nothing goes', async () => {
      await plane.apply(learned('10.244.2.0/24', '192.168.1.12'));
      await restart();
      plane.dataplane.setNode({ ...FACTS, pools: [] });
      plane.dataplane.setPeers({ ...peers('192.168.1.12'), anyUp: false, allComplete: true });
      await plane.settled();
      expect(ourRoutes(machine)).toHaveLength(1);
    });
  });
}
