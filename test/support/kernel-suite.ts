/**
 * What the data plane relies on of a kernel: one suite for the fake and the real one. Where the two differ, the fake is
 * wrong.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  interfaceIndex,
  type KernelEvent,
  type KernelNextHop,
  type KernelRoute,
  MAIN_TABLE,
  type RouteOperation,
} from '../../ipip/kernel/kernel.js';
import { address, prefix } from './addresses.js';
import { type Machine, must } from './machine.js';
import { until } from './until.js';

const OURS = 179;
const METRIC = 2048;

/** Runs the suite over machines that `make` makes, one per test. */
export function kernelSuite(make: () => Machine): void {
  let machine: Machine;
  let events: KernelEvent[];

  beforeEach(async () => {
    machine = make();
    events = [];
    machine.addDevice('eth0', '192.168.1.11/24', '2001:db8:1::11/64');
    await machine.kernel.open((heard) => events.push(...heard));
  });

  afterEach(async () => {
    await machine.kernel.close();
    await machine.remove();
  });

  const device = async (name: string) =>
    must((await machine.kernel.links()).find((link) => link.name === name)).index;

  async function route(
    to: string,
    via: readonly (string | KernelNextHop)[],
    change: Partial<KernelRoute> = {},
  ): Promise<KernelRoute> {
    const output = await device('eth0');
    return {
      prefix: prefix(to),
      table: MAIN_TABLE,
      tos: 0,
      metric: METRIC,
      protocol: OURS,
      type: via.length === 0 ? 'blackhole' : 'unicast',
      nextHops: via.map((hop) =>
        typeof hop === 'string' ? { gateway: address(hop), interfaceIndex: output, onlink: false } : hop,
      ),
      ...change,
    };
  }

  async function codes(operations: readonly RouteOperation[]): Promise<readonly string[]> {
    const results = await machine.kernel.apply(operations);
    return results.map((result) => result.error?.code ?? 'ok');
  }

  describe('routes', () => {
    test.each([
      ['10.244.2.0/24', ['192.168.1.12'], '10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048'],
      ['10.244.1.0/24', [], 'blackhole 10.244.1.0/24 proto 179 metric 2048'],
      [
        '2001:db8:2::/48',
        ['2001:db8:1::12'],
        '2001:db8:2::/48 via 2001:db8:1::12 dev eth0 proto 179 metric 2048',
      ],
      ['2001:db8:3::/48', [], 'blackhole 2001:db8:3::/48 proto 179 metric 2048'],
    ])('%s: what is added is echoed, read back the same, seen by ip, and deleted', async (to, via, line) => {
      const wanted = await route(to, via);
      const [result] = await machine.kernel.apply([{ op: 'add', route: wanted }]);
      expect(result?.route).toEqual(wanted);
      expect(machine.routes()).toEqual([line]);
      expect(await machine.kernel.routes(OURS)).toEqual([wanted]);
      expect(await codes([{ op: 'delete', route: wanted }])).toEqual(['ok']);
      expect(machine.routes()).toEqual([]);
    });

    test.each([
      ['10.244.2.0/24', ['192.168.1.12', '192.168.1.13']],
      ['2001:db8:2::/48', ['2001:db8:1::12', '2001:db8:1::13']],
    ])('%s: several next hops are one route', async (to, via) => {
      const wanted = await route(to, via);
      expect(await codes([{ op: 'add', route: wanted }])).toEqual(['ok']);
      expect(await machine.kernel.routes(OURS)).toEqual([wanted]);
      expect(await codes([{ op: 'delete', route: wanted }])).toEqual(['ok']);
      expect(await machine.kernel.routes(OURS)).toEqual([]);
    });

    test.each([
      ['10.244.2.0/24', '192.168.1.'],
      ['2001:db8:2::/48', '2001:db8:1::'],
    ])(
      '%s: next hops come and go in place, and each change is echoed as it is read back',
      async (to, net) => {
        const via = (...hosts: readonly number[]) =>
          route(
            to,
            hosts.map((host) => `${net}${host}`),
          );
        await machine.kernel.apply([{ op: 'add', route: await via(12, 13) }]);
        for (const wanted of [await via(13), await via(13, 14, 12), await via(14, 15), await route(to, [])]) {
          const [result] = await machine.kernel.apply([{ op: 'replace', route: wanted }]);
          expect(result?.route).toEqual(wanted);
          expect(await machine.kernel.routes(OURS)).toEqual([wanted]);
        }
        const again = await via(12, 13);
        expect(await codes([{ op: 'replace', route: again }])).toEqual(['ok']);
        expect(await machine.kernel.routes(OURS)).toEqual([again]);
      },
    );

    test.each(['10.244.2.0/24', '2001:db8:2::/48'])(
      '%s: as many next hops as a setting allows',
      async (to) => {
        const output = await device('eth0');
        const hosts = Array.from({ length: 256 }, (_, host) =>
          to.includes(':') ? `fd00::${host + 1}` : `10.9.0.${host}`,
        );
        const wanted = await route(
          to,
          hosts.map((host) => ({ gateway: address(host), interfaceIndex: output, onlink: true })),
        );
        const [result] = await machine.kernel.apply([{ op: 'add', route: wanted }]);
        expect(result?.route).toEqual(wanted);
        expect(await machine.kernel.routes(OURS)).toEqual([wanted]);
        expect(await codes([{ op: 'delete', route: wanted }])).toEqual(['ok']);
        expect(await machine.kernel.routes(OURS)).toEqual([]);
      },
    );

    test.each([
      ['10.244.2.0/24', '192.168.1.12', '192.168.1.13'],
      ['2001:db8:2::/48', '2001:db8:1::12', '2001:db8:1::13'],
    ])('%s: weights are kept and read back', async (to, one, other) => {
      const plain = await route(to, [one, other]);
      const [first, second] = plain.nextHops as [KernelNextHop, KernelNextHop];
      const weighted = { ...plain, nextHops: [{ ...first, weight: 256 }, second] };
      await machine.kernel.apply([{ op: 'add', route: weighted }]);
      expect(await machine.kernel.routes(OURS)).toEqual([weighted]);
      expect(await codes([{ op: 'replace', route: plain }])).toEqual(['ok']);
      expect(await machine.kernel.routes(OURS)).toEqual([plain]);
    });

    test('IPv6 takes no next hop twice: the reason why the plan names each once', async () => {
      const twice = await route('2001:db8:2::/48', ['2001:db8:1::12', '2001:db8:1::12']);
      expect(await codes([{ op: 'add', route: twice }])).toEqual(['KERNEL_EEXIST']);
    });

    test.each([
      ['10.244.2.0/24', '192.168.1.12', '192.168.2.12'],
      ['2001:db8:2::/48', '2001:db8:1::12', '2001:db8:5::12'],
    ])('%s: of two next hops one goes dead with its link, and comes back with it', async (to, one, other) => {
      machine.addDevice('eth1', '192.168.2.11/24', '2001:db8:5::11/64');
      const plain = await route(to, [
        one,
        { gateway: address(other), interfaceIndex: await device('eth1'), onlink: false },
      ]);
      await machine.kernel.apply([{ op: 'add', route: plain }]);
      machine.ip('link set eth1 down');
      const [first, second] = plain.nextHops as [KernelNextHop, KernelNextHop];
      expect(await machine.kernel.routes(OURS)).toEqual([
        { ...plain, nextHops: [first, { ...second, state: 'dead' }] },
      ]);
      machine.ip('link set eth1 up');
      // The carrier follows a moment later; until then the next hop is there, as `linkdown`.
      await until('the next hop is alive', async () => {
        const [found] = await machine.kernel.routes(OURS);
        return found?.nextHops.every(({ state }) => state === undefined);
      });
      expect(await machine.kernel.routes(OURS)).toEqual([plain]);
    });

    test('an onlink next hop need not be on a connected subnet', async () => {
      const hop = { gateway: address('172.31.0.1'), interfaceIndex: await device('eth0'), onlink: true };
      const wanted = await route('10.244.2.0/24', [hop]);
      expect(await codes([{ op: 'add', route: wanted }])).toEqual(['ok']);
      expect(await machine.kernel.routes(OURS)).toEqual([wanted]);
    });

    test('a source and an MTU are part of a route, and ip shows them', async () => {
      const wanted = await route('10.244.2.0/24', ['192.168.1.12'], {
        source: address('192.168.1.11'),
        mtuBytes: 1480,
      });
      const [result] = await machine.kernel.apply([{ op: 'add', route: wanted }]);
      expect(result?.route).toEqual(wanted);
      expect(machine.routes()).toEqual([
        '10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 src 192.168.1.11 metric 2048 mtu 1480',
      ]);
      const smaller = { ...wanted, mtuBytes: 1380 };
      expect(await codes([{ op: 'replace', route: smaller }])).toEqual(['ok']);
      expect(await machine.kernel.routes(OURS)).toEqual([smaller]);
      expect(await codes([{ op: 'delete', route: wanted }])).toEqual(['ok']);
    });

    test.each([
      ['10.244.2.0/24', '192.168.1.12', '192.168.1.99', 'Invalid prefsrc address'],
      ['2001:db8:2::/48', '2001:db8:1::12', '2001:db8:1::99', 'Invalid source address'],
    ])('%s: a source that the machine does not have is refused', async (to, via, source, words) => {
      const [result] = await machine.kernel.apply([
        { op: 'add', route: await route(to, [via], { source: address(source) }) },
      ]);
      expect(result?.error?.code).toBe('KERNEL_EINVAL');
      expect(result?.error?.message).toContain(words);
    });

    test('RFC 8950: an IPv4 route through an IPv6 gateway, global or link-local', async () => {
      const global = await route('10.244.2.0/24', ['2001:db8:1::12']);
      const linkLocal = await route('10.244.3.0/24', ['fe80::12']);
      expect(
        await codes([
          { op: 'add', route: global },
          { op: 'add', route: linkLocal },
        ]),
      ).toEqual(['ok', 'ok']);
      expect(machine.routes()).toEqual([
        '10.244.2.0/24 via inet6 2001:db8:1::12 dev eth0 proto 179 metric 2048',
        '10.244.3.0/24 via inet6 fe80::12 dev eth0 proto 179 metric 2048',
      ]);
      expect(await machine.kernel.routes(OURS)).toEqual([global, linkLocal]);
      expect(await codes([{ op: 'delete', route: global }])).toEqual(['ok']);
      expect(await machine.kernel.routes(OURS)).toEqual([linkLocal]);
    });

    test('routes of other protocols are read with theirs', async () => {
      machine.ip('route add 10.99.0.0/16 via 192.168.1.1 proto 4 metric 512');
      const foreign = (await machine.kernel.routes()).find(
        (found) => found.prefix === prefix('10.99.0.0/16'),
      );
      expect(foreign).toEqual(await route('10.99.0.0/16', ['192.168.1.1'], { protocol: 4, metric: 512 }));
      expect(await machine.kernel.routes(OURS)).toEqual([]);
    });
  });

  describe('keys and owners', () => {
    test('add is refused where another program has the key, and its route stays', async () => {
      machine.ip('route add 10.244.2.0/24 via 192.168.1.1 proto 4 metric 2048');
      expect(await codes([{ op: 'add', route: await route('10.244.2.0/24', ['192.168.1.12']) }])).toEqual([
        'KERNEL_EEXIST',
      ]);
      expect(machine.routes()).toEqual(['10.244.2.0/24 via 192.168.1.1 dev eth0 proto 4 metric 2048']);
    });

    test('another metric is another key: both routes are there', async () => {
      machine.ip('route add 10.244.2.0/24 via 192.168.1.1 proto 4 metric 512');
      expect(await codes([{ op: 'add', route: await route('10.244.2.0/24', ['192.168.1.12']) }])).toEqual([
        'ok',
      ]);
      expect(machine.routes()).toHaveLength(2);
    });

    test('replace changes a route in place', async () => {
      await machine.kernel.apply([{ op: 'add', route: await route('10.244.2.0/24', ['192.168.1.12']) }]);
      const changed = await route('10.244.2.0/24', ['192.168.1.13']);
      expect(await codes([{ op: 'replace', route: changed }])).toEqual(['ok']);
      expect(await machine.kernel.routes(OURS)).toEqual([changed]);
    });

    test('replace by the same route is no error', async () => {
      const same = await route('10.244.2.0/24', ['192.168.1.12']);
      await machine.kernel.apply([{ op: 'add', route: same }]);
      expect(await codes([{ op: 'replace', route: same }])).toEqual(['ok']);
    });

    test('replace does not make a route that is there a second time', async () => {
      const second = '10.244.2.0/24 via 192.168.1.13 dev eth0 proto 179 metric 2048';
      await machine.kernel.apply([{ op: 'add', route: await route('10.244.2.0/24', ['192.168.1.12']) }]);
      machine.ip(`route append ${second}`);
      expect(await codes([{ op: 'replace', route: await route('10.244.2.0/24', ['192.168.1.13']) }])).toEqual(
        ['KERNEL_EEXIST'],
      );
      expect(machine.routes()).toHaveLength(2);
    });

    test('replace does not make a route', async () => {
      expect(await codes([{ op: 'replace', route: await route('10.244.2.0/24', ['192.168.1.12']) }])).toEqual(
        ['KERNEL_ENOENT'],
      );
      expect(machine.routes()).toEqual([]);
    });

    test('replace takes the route of another program: the reason why ours is never planned over one', async () => {
      machine.ip('route add 10.244.2.0/24 via 192.168.1.1 proto 4 metric 2048');
      expect(await codes([{ op: 'replace', route: await route('10.244.2.0/24', ['192.168.1.12']) }])).toEqual(
        ['ok'],
      );
      expect(machine.routes()).toEqual(['10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048']);
    });

    test.each(['10.244.2.0/24', '2001:db8:2::/48'])(
      '%s: delete leaves the route of another program at the same key',
      async (to) => {
        const via = to.includes(':') ? '2001:db8:1::1' : '192.168.1.1';
        machine.ip(`route add ${to} via ${via} dev eth0 proto 4 metric 2048`);
        expect(await codes([{ op: 'delete', route: await route(to, [via]) }])).toEqual(['KERNEL_ESRCH']);
        expect(machine.routes()).toHaveLength(1);
      },
    );

    test('delete leaves a route of ours with another next hop', async () => {
      await machine.kernel.apply([{ op: 'add', route: await route('10.244.2.0/24', ['192.168.1.12']) }]);
      expect(await codes([{ op: 'delete', route: await route('10.244.2.0/24', ['192.168.1.13']) }])).toEqual([
        'KERNEL_ESRCH',
      ]);
      expect(machine.routes()).toHaveLength(1);
    });
  });

  describe('refusals', () => {
    test('in a batch of more than one datagram, the refused ones are told and the others done', async () => {
      const operations: RouteOperation[] = [];
      for (let index = 0; index < 1200; index++) {
        const to = `10.${100 + Math.floor(index / 256)}.${index % 256}.0/24`;
        // Every 100th, and the last, through a gateway that nothing leads to.
        const isBad = index % 100 === 50 || index === 1199;
        operations.push({ op: 'add', route: await route(to, [isBad ? '172.31.0.1' : '192.168.1.12']) });
      }
      const results = await machine.kernel.apply(operations);
      const refused = results.flatMap((result, index) => (result.error === undefined ? [] : [index]));
      expect(refused).toEqual([50, 150, 250, 350, 450, 550, 650, 750, 850, 950, 1050, 1150, 1199]);
      expect(results[50]?.error?.message).toContain('Nexthop has invalid gateway');
      expect(machine.routes()).toHaveLength(1200 - refused.length);
    });

    test.each([
      ['is down', 0, false, 'KERNEL_ENETUNREACH'],
      ['is down', 0, true, 'KERNEL_ENETDOWN'],
      ['does not exist', 4711, false, 'KERNEL_ENETUNREACH'],
      ['does not exist', 4711, true, 'KERNEL_ENODEV'],
    ])(
      'a device that %s (index off by %i, onlink %s) takes no routes',
      async (_what, offset, onlink, code) => {
        const index = interfaceIndex((await device('eth0')) + offset);
        if (offset === 0) machine.ip('link set eth0 down');
        const hop = { gateway: address('192.168.1.12'), interfaceIndex: index, onlink };
        expect(await codes([{ op: 'add', route: await route('10.244.2.0/24', [hop]) }])).toEqual([code]);
      },
    );

    test('this process may change routes', async () => {
      await expect(machine.kernel.checkPermission()).resolves.toBeUndefined();
    });
  });

  describe('lookups', () => {
    test('an address is on-link, behind a gateway, our own, or unreachable', async () => {
      const eth0 = { interfaceIndex: await device('eth0') };
      machine.ip('route add 192.168.2.0/24 via 192.168.1.1');
      const asked = ['192.168.1.12', '192.168.2.11', '192.168.1.11', '203.0.113.1', '2001:db8:1::12'];
      expect(await machine.kernel.lookup(asked.map(address))).toEqual([
        { kind: 'onlink', ...eth0, prefix: prefix('192.168.1.0/24') },
        {
          kind: 'gateway',
          gateway: address('192.168.1.1'),
          ...eth0,
          prefix: prefix('192.168.2.0/24'),
        },
        { kind: 'local' },
        { kind: 'unreachable', reason: 'network is unreachable (ENETUNREACH)' },
        { kind: 'onlink', ...eth0, prefix: prefix('2001:db8:1::/64') },
      ]);
    });

    test.each([
      ['172.31.0.1', '10.244.2.0/24', 'KERNEL_ENETUNREACH'],
      ['2001:db8:9::1', '2001:db8:2::/48', 'KERNEL_EHOSTUNREACH'],
    ])(
      'a host route to the address itself is on-link (%s); as a gateway it needs RTNH_F_ONLINK',
      async (gateway, to, code) => {
        machine.ip(`route add ${gateway} via ${gateway} dev eth0 onlink`);
        const [answer] = await machine.kernel.lookup([address(gateway)]);
        expect(answer).toMatchObject({ kind: 'onlink', needsOnlink: true });
        const hop = { gateway: address(gateway), interfaceIndex: await device('eth0') };
        const [plain, onlink] = [
          await route(to, [{ ...hop, onlink: false }]),
          await route(to, [{ ...hop, onlink: true }]),
        ];
        expect(await codes([{ op: 'add', route: plain }])).toEqual([code]);
        expect(await codes([{ op: 'add', route: onlink }])).toEqual(['ok']);
        expect(await machine.kernel.routes(OURS)).toEqual([onlink]);
      },
    );

    test.each([
      ['172.31.0.1', '10.244.2.0/24'],
      ['2001:db8:9::1', '2001:db8:2::/48'],
    ])(
      'a host route to a device alone is on-link (%s), and serves as a gateway as it is',
      async (gateway, to) => {
        machine.ip(`route add ${gateway} dev eth0`);
        const [answer] = await machine.kernel.lookup([address(gateway)]);
        expect(answer?.kind).toBe('onlink');
        expect(answer).not.toHaveProperty('needsOnlink');
        expect(await codes([{ op: 'add', route: await route(to, [gateway]) }])).toEqual(['ok']);
      },
    );

    test('a blackhole route makes an address unreachable', async () => {
      machine.ip('route add default via 192.168.1.1');
      machine.ip('route add blackhole 198.51.100.0/24');
      const [answer] = await machine.kernel.lookup([address('198.51.100.1')]);
      expect(answer?.kind).toBe('unreachable');
    });
  });

  describe('events', () => {
    const routeEvents = () => events.filter((event) => event.kind === 'route');

    test("another program's routes are heard, with what they replace; ours are not", async () => {
      const own = await route('10.244.2.0/24', ['192.168.1.12']);
      events.length = 0;
      await machine.kernel.apply([{ op: 'add', route: own }]);
      await machine.kernel.apply([{ op: 'delete', route: own }]);
      machine.ip('route add 10.99.0.0/16 via 192.168.1.1 proto 4');
      machine.ip('route replace 10.99.0.0/16 via 192.168.1.2 proto 4');
      machine.ip('route delete 10.99.0.0/16 via 192.168.1.2 proto 4');
      await until('the deletion is heard', () =>
        routeEvents().some((event) => event.kind === 'route' && event.change === 'gone'),
      );
      const foreign = (via: string) => route('10.99.0.0/16', [via], { protocol: 4, metric: 0 });
      expect(routeEvents()).toEqual([
        { kind: 'route', change: 'new', route: await foreign('192.168.1.1'), replaced: false },
        { kind: 'route', change: 'new', route: await foreign('192.168.1.2'), replaced: true },
        { kind: 'route', change: 'gone', route: await foreign('192.168.1.2'), replaced: false },
      ]);
    });

    test('a link that goes down takes its IPv4 routes with it, and of that nothing is heard', async () => {
      await machine.kernel.apply([
        { op: 'add', route: await route('10.244.2.0/24', ['192.168.1.12']) },
        { op: 'add', route: await route('10.244.1.0/24', []) },
      ]);
      events.length = 0;
      machine.ip('link set eth0 down');
      await until('the link is heard', () =>
        events.some((event) => event.kind === 'link' && !event.link.up && event.link.name === 'eth0'),
      );
      expect(machine.routes()).toEqual(['blackhole 10.244.1.0/24 proto 179 metric 2048']);
      const gone = routeEvents().filter(
        (event) => event.kind === 'route' && event.route.prefix === prefix('10.244.2.0/24'),
      );
      expect(gone).toEqual([]);
      machine.ip('link set eth0 up');
      await until('the link is up', () =>
        events.some((event) => event.kind === 'link' && event.link.up && event.link.name === 'eth0'),
      );
      expect(machine.routes()).toEqual(['blackhole 10.244.1.0/24 proto 179 metric 2048']);
    });

    // Newer kernels tell of the former; none tells of the latter.
    test('an address takes the IPv4 routes along that name it as their source, and comes off the IPv6 ones', async () => {
      machine.addDevice('eth1', '192.168.9.1/24', '2001:db8:9::1/64');
      const named = await route('10.244.2.0/24', ['192.168.1.12'], { source: address('192.168.9.1') });
      const named6 = await route('2001:db8:2::/48', ['2001:db8:1::12'], {
        source: address('2001:db8:9::1'),
      });
      const other = await route('10.244.3.0/24', ['192.168.1.12']);
      await machine.kernel.apply([named, named6, other].map((each) => ({ op: 'add', route: each })));
      events.length = 0;
      machine.ip('address delete 192.168.9.1/24 dev eth1');
      machine.ip('address delete 2001:db8:9::1/64 dev eth1');
      await until('both are heard', () => events.filter((event) => event.kind === 'address').length >= 2);
      const { source: _source, ...bare6 } = named6;
      expect(await machine.kernel.routes(OURS)).toEqual([other, bare6]);
    });

    test('neighbours are read, and heard of as they change and go', async () => {
      const eth0 = await device('eth0');
      const [four, six] = [address('192.168.1.12'), address('2001:db8:1::12')];
      machine.ip('neigh replace 192.168.1.12 lladdr 02:00:00:00:00:12 dev eth0 nud stale');
      machine.ip('neigh replace 2001:db8:1::12 lladdr 02:00:00:00:00:12 dev eth0 nud permanent');
      const known = await machine.kernel.neighbours();
      expect(known).toContainEqual({ index: eth0, address: four, state: 'stale' });
      expect(known).toContainEqual({ index: eth0, address: six, state: 'permanent' });
      events.length = 0;
      machine.ip('neigh replace 192.168.1.12 lladdr 02:00:00:00:00:12 dev eth0 nud reachable');
      machine.ip('neigh delete 192.168.1.12 dev eth0');
      const ofFour = () =>
        events.flatMap((event) =>
          event.kind === 'neighbour' && event.neighbour.address === four
            ? [`${event.change} ${event.neighbour.state}`]
            : [],
        );
      await until('its end is heard', () => ofFour().some((text) => text.startsWith('gone')));
      expect(ofFour()[0]).toBe('new reachable');
    });

    test('addresses that come and go are heard', async () => {
      events.length = 0;
      machine.ip('address add 192.168.9.1/24 dev eth0');
      await until('the address is heard', () => events.some((event) => event.kind === 'address'));
    });
  });

  test('links and addresses are read with what they are', async () => {
    const links = await machine.kernel.links();
    const eth0 = must(links.find((link) => link.name === 'eth0'));
    expect(eth0).toMatchObject({ up: true, carrier: true, mtuBytes: 1500 });
    expect(await machine.kernel.addresses()).toContainEqual({
      index: eth0.index,
      address: address('192.168.1.11'),
      lengthBits: 24,
    });
  });
}
