/**
 * The tunnel: the device, its routes, and what becomes of both. One suite for the fake kernel and a real one that has
 * ipip; and a short one for kernels that have none.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeFacts } from '../../ipip/index.js';
import { address, address4, prefix } from './addresses.js';
import { type Machine, must } from './machine.js';
import { changes, FACTS, learned, onItsOwn, type Plane } from './plane.js';

const DEVICE = 'podroute0';
/** The route through the tunnel, by the source and the MTU that it names. */
const remoteLine = (source: string, mtu = 1480) =>
  `10.244.3.0/24 via 192.168.2.11 dev podroute0 proto 179 src ${source} metric 2048 onlink mtu ${mtu}`;
const REMOTE_LINE = remoteLine('10.244.1.0');
const DIRECT_LINE = '10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048';

function makePlane(make: () => Machine, planeOn: (machine: Machine) => Plane) {
  const fixture = {} as { machine: Machine; plane: Plane };

  beforeEach(async () => {
    fixture.machine = make();
    fixture.machine.addDevice('eth0', '192.168.1.11/24');
    fixture.machine.ip('route add default via 192.168.1.254');
    fixture.plane = planeOn(fixture.machine);
    await fixture.plane.start();
  });

  afterEach(async () => {
    await fixture.plane.dataplane.stop();
    await fixture.machine.remove();
  });

  return {
    get machine() {
      return fixture.machine;
    },
    get plane() {
      return fixture.plane;
    },
    set plane(plane: Plane) {
      fixture.plane = plane;
    },
    /** The node's facts, with one remote node behind the router and one beside. */
    async run(facts: Partial<NodeFacts> = {}): Promise<void> {
      fixture.plane.dataplane.setNode({ ...FACTS, ...facts });
      fixture.plane.dataplane.applyChanges(
        changes(learned('10.244.2.0/24', '192.168.1.12'), learned('10.244.3.0/24', '192.168.2.11')),
      );
      await fixture.plane.settled();
    },
    learnedRoutes: () =>
      fixture.machine.routes().filter((line) => line.includes(' 179 ') && line.includes(' via ')),
    device: async () => (await fixture.machine.kernel.links()).find((link) => link.name === DEVICE),
  };
}

/** For a kernel that has ipip. */
export function tunnelSuite(make: () => Machine, planeOn: (machine: Machine) => Plane = onItsOwn): void {
  const on = makePlane(make, planeOn);

  test('the device is made as described, and its status says so', async () => {
    await on.run();
    expect(await on.device()).toMatchObject({
      kind: 'ipip',
      up: true,
      mtuBytes: 1480,
      ipip: { local: address4('192.168.1.11'), remote: address4('0.0.0.0'), ttl: 64, pathMtuDiscovery: true },
    });
    expect(on.machine.addresses(DEVICE)).toEqual(['10.244.1.0/32']);
    expect(on.plane.dataplane.tunnel()).toEqual({
      device: DEVICE,
      state: 'up',
      reason: 'set up as described',
      local: address4('192.168.1.11'),
      address: address4('10.244.1.0'),
      mtuBytes: 1480,
    });
  });

  test('a next hop behind a gateway: through the tunnel, onlink; one beside: direct', async () => {
    await on.run();
    expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
    expect(on.plane.route('10.244.3.0/24')).toMatchObject({
      mode: 'ipip',
      state: 'ok',
      reason: 'next hop 192.168.2.11 is behind gateway 192.168.1.254 (eth0)',
      nextHops: [{ address: address('192.168.2.11'), device: DEVICE, mode: 'ipip' }],
      kernel: { nextHops: [{ gateway: address('192.168.2.11'), device: DEVICE, onlink: true }] },
    });
  });

  test('ipipMode Always: through the tunnel, on-link or not', async () => {
    await on.run({ pools: [{ prefix: prefix('10.244.0.0/16'), ipipMode: 'Always' }] });
    expect(on.learnedRoutes()).toEqual([
      '10.244.2.0/24 via 192.168.1.12 dev podroute0 proto 179 src 10.244.1.0 metric 2048 onlink mtu 1480',
      REMOTE_LINE,
    ]);
    expect(on.plane.route('10.244.2.0/24').reason).toContain("the pool's ipipMode is Always");
  });

  test('the device is there before any route needs it: others may send through it', async () => {
    on.plane.dataplane.setNode(FACTS);
    await on.plane.settled();
    expect(await on.device()).toMatchObject({ kind: 'ipip', up: true });
  });

  test('no pool with IPIP: no device', async () => {
    await on.run({ pools: [{ prefix: prefix('10.244.0.0/16'), ipipMode: 'Never' }] });
    expect(await on.device()).toBeUndefined();
    expect(on.plane.dataplane.tunnel().state).toBe('unused');
  });

  test('a pool that turns to Never: its tunnel routes go, and with them the device', async () => {
    await on.run();
    on.plane.dataplane.setNode({
      ...FACTS,
      pools: [{ prefix: prefix('10.244.0.0/16'), ipipMode: 'Never' }],
    });
    await on.plane.settled();
    expect(on.learnedRoutes()).toEqual([DIRECT_LINE]);
    expect(await on.device()).toBeUndefined();
  });

  test('a pool that turned to Never between two runs: the device stays as long as a route is in it', async () => {
    await on.run();
    await on.plane.dataplane.stop();
    on.plane = planeOn(on.machine);
    await on.plane.start();
    on.plane.dataplane.setNode({
      ...FACTS,
      pools: [{ prefix: prefix('10.244.0.0/16'), ipipMode: 'Never' }],
    });
    await on.plane.settled();
    expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
    on.plane.dataplane.setPeers({ anyUp: true, endOfRibFrom: new Set(), allComplete: true });
    await on.plane.settled();
    expect(await on.device()).toBeUndefined();
  });

  test('two next hops, one beside and one behind the gateway, are one route with both', async () => {
    on.plane.dataplane.setNode(FACTS);
    on.plane.dataplane.applyChanges(changes(learned('10.244.5.0/24', '192.168.1.12', '192.168.2.11')));
    await on.plane.settled();
    expect(on.plane.route('10.244.5.0/24')).toMatchObject({
      mode: 'ipip',
      state: 'ok',
      kernel: {
        nextHops: [
          { gateway: address('192.168.1.12'), device: 'eth0', onlink: false },
          { gateway: address('192.168.2.11'), device: DEVICE, onlink: true },
        ],
      },
    });
  });

  test('a next hop that comes to be on-link leaves the tunnel', async () => {
    await on.run();
    on.machine.addDevice('eth1', '192.168.2.1/24');
    await on.plane.changed(() => on.plane.route('10.244.3.0/24').mode === 'direct');
    expect(on.learnedRoutes()).toEqual([
      DIRECT_LINE,
      '10.244.3.0/24 via 192.168.2.11 dev eth1 proto 179 src 192.168.1.11 metric 2048',
    ]);
  });

  test('a prefix that holds the far end of a tunnel is refused', async () => {
    await on.run({ pools: [{ prefix: prefix('0.0.0.0/0'), ipipMode: 'CrossSubnet' }] });
    on.plane.dataplane.applyChanges(changes(learned('192.168.2.0/24', '192.168.3.11')));
    await on.plane.settled();
    expect(on.plane.route('192.168.2.0/24')).toMatchObject({ mode: 'none', state: 'failed' });
    expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
  });

  describe('changes of the device', () => {
    test("the node's address changes: the outer source follows in place", async () => {
      await on.run();
      const before = must(await on.device()).index;
      on.machine.ip('address add 192.168.1.111/24 dev eth0');
      on.plane.dataplane.setNode({ ...FACTS, nodeAddress: address4('192.168.1.111') });
      await on.plane.settled();
      expect(await on.device()).toMatchObject({ index: before, ipip: { local: address4('192.168.1.111') } });
      expect(on.learnedRoutes()).toContain(REMOTE_LINE);
    });

    test('the first subnet changes: the address follows, and no route is lost on the way', async () => {
      await on.run();
      const { applied } = on.plane.dataplane.counters();
      on.plane.dataplane.setNode({ ...FACTS, blocks: [prefix('10.244.7.0/24')] });
      await on.plane.settled();
      expect(on.machine.addresses(DEVICE)).toEqual(['10.244.7.0/32']);
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE, remoteLine('10.244.7.0')]);
      // The new subnet's blackhole, the end of the old one's, and the tunnel route with its new source.
      expect(on.plane.dataplane.counters().applied - applied).toBeLessThanOrEqual(3);
    });

    test('the MTU of the underlay changes: that of the tunnel follows', async () => {
      await on.run();
      on.machine.ip('link set eth0 mtu 1400');
      await on.plane.changed(() => on.plane.dataplane.tunnel().mtuBytes === 1380);
      expect(await on.device()).toMatchObject({ mtuBytes: 1380 });
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE, remoteLine('10.244.1.0', 1380)]);
    });

    test('somebody changes the MTU or the source of a route: it is put right, and counted', async () => {
      await on.run();
      for (const [source, mtu] of [
        ['10.244.1.0', 1200],
        ['192.168.1.11', 1480],
      ] as const) {
        const { drift } = on.plane.dataplane.counters();
        on.machine.ip(`route replace ${remoteLine(source, mtu)}`);
        await on.plane.changed(() => on.plane.dataplane.counters().drift > drift);
        expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
      }
    });

    test('a node without a subnet: its own packets through the tunnel carry the node address', async () => {
      await on.run({ blocks: [] });
      expect(on.machine.addresses(DEVICE)).toEqual([]);
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE, remoteLine('192.168.1.11')]);
    });

    test('the node address goes and returns: nothing leaves unencapsulated, all is told, and all is back', async () => {
      await on.run();
      on.machine.ip('address add 192.168.9.1/24 dev eth0');
      on.machine.ip('address delete 192.168.1.11/24 dev eth0');
      await on.plane.changed(() => on.plane.state('10.244.3.0/24') === 'failed');
      const problem =
        'no device of this machine has the node address 192.168.1.11: what is sent into podroute0 is dropped until it is back';
      expect(on.plane.dataplane.tunnel()).toMatchObject({ state: 'failed', reason: problem, mtuBytes: 1480 });
      expect(on.plane.route('10.244.3.0/24').reason).toContain(problem);
      expect(on.learnedRoutes()).toContain(REMOTE_LINE);
      on.machine.ip('address add 192.168.1.11/24 dev eth0');
      on.machine.ip('route replace default via 192.168.1.254');
      await on.plane.changed(() =>
        ['10.244.2.0/24', '10.244.3.0/24'].every((to) => on.plane.state(to) === 'ok'),
      );
      expect(on.plane.dataplane.tunnel().state).toBe('up');
      // Another address is the first one of the device now, but the kernel goes by the subnet of the gateway.
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
    });

    test('somebody changes its time to live: it is put right', async () => {
      await on.run();
      on.machine.ip(`link set ${DEVICE} type ipip ttl 32`);
      await on.plane.until('its time to live is ours', async () => (await on.device())?.ipip?.ttl === 64);
    });

    test('somebody deletes the device: it is made again, with its routes', async () => {
      await on.run();
      on.machine.ip(`link delete ${DEVICE}`);
      await on.plane.changed(() => on.plane.dataplane.counters().drift > 0);
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
    });

    test('a device of that name with a far end of its own is made anew', async () => {
      on.machine.ip(`link add ${DEVICE} type ipip local 192.168.1.11 remote 192.168.2.11`);
      await on.run();
      expect(await on.device()).toMatchObject({ ipip: { remote: address4('0.0.0.0'), ttl: 64 } });
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
    });

    test('what an earlier run had in a device that is made anew is known to be gone', async () => {
      on.machine.ip(`link add ${DEVICE} type ipip local 192.168.1.11 remote 192.168.2.11`);
      on.machine.ip(`link set ${DEVICE} up`);
      on.machine.ip(`route add 10.244.9.0/24 via 192.168.2.11 dev ${DEVICE} onlink proto 179 metric 2048`);
      await on.plane.dataplane.stop();
      on.plane = planeOn(on.machine);
      await on.plane.start();
      expect(on.plane.state('10.244.9.0/24')).toBe('stale');
      await on.run();
      expect(on.plane.state('10.244.9.0/24')).toBeUndefined();
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
    });

    test('a device of that name of another kind is left, and named', async () => {
      on.machine.ip(`link add ${DEVICE} type bridge`);
      await on.run();
      expect(on.plane.dataplane.tunnel()).toMatchObject({
        state: 'failed',
        reason: expect.stringContaining('podroute0 exists and is no ipip device (bridge)'),
      });
      expect(on.plane.route('10.244.3.0/24')).toMatchObject({ mode: 'ipip', state: 'failed' });
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE]);
    });

    test('another device with the same ends is left, and the reason told', async () => {
      on.machine.ip('link add other0 type ipip local 192.168.1.11');
      await on.run();
      expect(on.plane.dataplane.tunnel()).toMatchObject({
        state: 'failed',
        reason: expect.stringContaining('another ipip device has this node'),
      });
      on.machine.ip('link delete other0');
      await on.plane.changed(() => on.plane.state('10.244.3.0/24') === 'ok');
      expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
    });
  });

  test('when the agent stops, device, address and routes stay; the next one touches none of them', async () => {
    await on.run();
    const before = must(await on.device());
    await on.plane.dataplane.stop();
    on.plane = planeOn(on.machine);
    await on.plane.start();
    expect(on.plane.route('10.244.3.0/24')).toMatchObject({ mode: 'ipip', state: 'stale' });
    await on.run();
    expect(await on.device()).toEqual(before);
    expect(on.learnedRoutes()).toEqual([DIRECT_LINE, REMOTE_LINE]);
    expect(on.plane.dataplane.counters().applied).toBe(0);
  });

  test('a strict reverse path filter is loosened on tunnel and underlay while the tunnel is in use', async () => {
    const filter = (device: string) => on.machine.sysctl.read(`net/ipv4/conf/${device}/rp_filter`) ?? '0';
    on.machine.addDevice('eth1', '192.168.9.1/24');
    for (const device of ['eth0', 'eth1']) on.machine.sysctl.write(`net/ipv4/conf/${device}/rp_filter`, '0');
    on.machine.sysctl.write('net/ipv4/conf/all/rp_filter', '1');
    await on.run();
    expect([filter(DEVICE), filter('eth0'), filter('eth1')]).toEqual(['2', '2', '0']);
    expect(on.plane.dataplane.changedSettings().map(({ name, original }) => [name, original])).toEqual([
      ['net/ipv4/ip_forward', '0'],
      [`net/ipv4/conf/${DEVICE}/rp_filter`, expect.any(String)],
      ['net/ipv4/conf/eth0/rp_filter', '0'],
    ]);
    await on.run({ pools: [{ prefix: prefix('10.244.0.0/16'), ipipMode: 'Never' }] });
    expect(await on.device()).toBeUndefined();
    expect(filter('eth0')).toBe('0');
    expect(on.plane.dataplane.changedSettings().map(({ name }) => name)).toEqual(['net/ipv4/ip_forward']);
  });
}

/** For a kernel that has no ipip. */
export function noTunnelSuite(make: () => Machine): void {
  const on = makePlane(make, onItsOwn);

  test('routes that need the tunnel fail with the remedy; direct ones are installed', async () => {
    await on.run();
    expect(on.plane.route('10.244.3.0/24')).toMatchObject({
      mode: 'ipip',
      state: 'failed',
      reason: expect.stringContaining('this kernel has no ipip device: load it with "modprobe ipip"'),
    });
    expect(on.plane.dataplane.tunnel().state).toBe('failed');
    expect(on.learnedRoutes()).toEqual([DIRECT_LINE]);
  });
}
