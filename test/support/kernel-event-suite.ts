/**
 * What the kernel tells of links, addresses, neighbours and routes, and of what it tells nothing. One suite for the
 * fake kernel and the real one.
 */
import { describe, expect, test } from 'vitest';
import { address, prefix } from './addresses.js';
import { KernelSubject, OURS } from './kernel-subject.js';
import { type Machine, must } from './machine.js';
import { until } from './until.js';

/** Runs the suite over machines that `make` makes, one per test. */
export function kernelEventSuite(make: () => Machine): void {
  describe('events', () => {
    const on = KernelSubject.forEachTest(make);

    const routeEvents = () => on.events.filter((event) => event.kind === 'route');

    test("another program's routes are heard, with what they replace; ours are not", async () => {
      const own = await on.route('10.244.2.0/24', ['192.168.1.12']);
      on.events.length = 0;
      await on.machine.kernel.apply([{ op: 'add', route: own }]);
      await on.machine.kernel.apply([{ op: 'delete', route: own }]);
      on.machine.ip('route add 10.99.0.0/16 via 192.168.1.1 proto 4');
      on.machine.ip('route replace 10.99.0.0/16 via 192.168.1.2 proto 4');
      on.machine.ip('route delete 10.99.0.0/16 via 192.168.1.2 proto 4');
      await until('the deletion is heard', () =>
        routeEvents().some((event) => event.kind === 'route' && event.change === 'gone'),
      );
      const foreign = (via: string) => on.route('10.99.0.0/16', [via], { protocol: 4, metric: 0 });
      expect(routeEvents()).toEqual([
        { kind: 'route', change: 'new', route: await foreign('192.168.1.1'), replaced: false },
        { kind: 'route', change: 'new', route: await foreign('192.168.1.2'), replaced: true },
        { kind: 'route', change: 'gone', route: await foreign('192.168.1.2'), replaced: false },
      ]);
    });

    test('a link that goes down takes its IPv4 routes with it, and of that nothing is heard', async () => {
      await on.machine.kernel.apply([
        { op: 'add', route: await on.route('10.244.2.0/24', ['192.168.1.12']) },
        { op: 'add', route: await on.route('10.244.1.0/24', []) },
      ]);
      on.events.length = 0;
      on.machine.ip('link set eth0 down');
      await until('the link is heard', () =>
        on.events.some((event) => event.kind === 'link' && !event.link.up && event.link.name === 'eth0'),
      );
      expect(on.machine.routes()).toEqual(['blackhole 10.244.1.0/24 proto 179 metric 2048']);
      const gone = routeEvents().filter(
        (event) => event.kind === 'route' && event.route.prefix === prefix('10.244.2.0/24'),
      );
      expect(gone).toEqual([]);
      on.machine.ip('link set eth0 up');
      await until('the link is up', () =>
        on.events.some((event) => event.kind === 'link' && event.link.up && event.link.name === 'eth0'),
      );
      expect(on.machine.routes()).toEqual(['blackhole 10.244.1.0/24 proto 179 metric 2048']);
    });

    // Newer kernels tell of the former; none tells of the latter.
    test('an address takes the IPv4 routes along that name it as their source, and comes off the IPv6 ones', async () => {
      on.machine.addDevice('eth1', '192.168.9.1/24', '2001:db8:9::1/64');
      const named = await on.route('10.244.2.0/24', ['192.168.1.12'], { source: address('192.168.9.1') });
      const named6 = await on.route('2001:db8:2::/48', ['2001:db8:1::12'], {
        source: address('2001:db8:9::1'),
      });
      const other = await on.route('10.244.3.0/24', ['192.168.1.12']);
      await on.machine.kernel.apply([named, named6, other].map((each) => ({ op: 'add', route: each })));
      on.events.length = 0;
      on.machine.ip('address delete 192.168.9.1/24 dev eth1');
      on.machine.ip('address delete 2001:db8:9::1/64 dev eth1');
      await until('both are heard', () => on.events.filter((event) => event.kind === 'address').length >= 2);
      const { source: _source, ...bare6 } = named6;
      expect(await on.machine.kernel.routes(OURS)).toEqual([other, bare6]);
    });

    test('neighbours are read, and heard of as they change and go', async () => {
      const eth0 = await on.device('eth0');
      const [four, six] = [address('192.168.1.12'), address('2001:db8:1::12')];
      on.machine.ip('neigh replace 192.168.1.12 lladdr 02:00:00:00:00:12 dev eth0 nud stale');
      on.machine.ip('neigh replace 2001:db8:1::12 lladdr 02:00:00:00:00:12 dev eth0 nud permanent');
      const known = await on.machine.kernel.neighbours();
      expect(known).toContainEqual({ index: eth0, address: four, state: 'stale' });
      expect(known).toContainEqual({ index: eth0, address: six, state: 'permanent' });
      on.events.length = 0;
      on.machine.ip('neigh replace 192.168.1.12 lladdr 02:00:00:00:00:12 dev eth0 nud reachable');
      on.machine.ip('neigh delete 192.168.1.12 dev eth0');
      const ofFour = () =>
        on.events.flatMap((event) =>
          event.kind === 'neighbour' && event.neighbour.address === four
            ? [`${event.change} ${event.neighbour.state}`]
            : [],
        );
      await until('its end is heard', () => ofFour().some((text) => text.startsWith('gone')));
      expect(ofFour()[0]).toBe('new reachable');
    });

    test('addresses that come and go are heard', async () => {
      on.events.length = 0;
      on.machine.ip('address add 192.168.9.1/24 dev eth0');
      await until('the address is heard', () => on.events.some((event) => event.kind === 'address'));
    });
  });

  describe('links and addresses', () => {
    const on = KernelSubject.forEachTest(make);

    test('are read with what they are', async () => {
      const links = await on.machine.kernel.links();
      const eth0 = must(links.find((link) => link.name === 'eth0'));
      expect(eth0).toMatchObject({ up: true, carrier: true, mtuBytes: 1500 });
      expect(await on.machine.kernel.addresses()).toContainEqual({
        index: eth0.index,
        address: address('192.168.1.11'),
        lengthBits: 24,
      });
    });
  });
}
