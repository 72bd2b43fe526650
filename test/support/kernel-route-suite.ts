/**
 * What a route can be: next hops, weights, source, MTU, and what is read back of it. One suite for the
 * fake kernel and the real one.
 */
import { describe, expect, test } from 'vitest';
import type { KernelNextHop } from '../../ipip/kernel/kernel.js';
import { address, prefix } from './addresses.js';
import { KernelSubject, OURS } from './kernel-subject.js';
import type { Machine } from './machine.js';
import { until } from './until.js';

/** Runs the suite over machines that `make` makes, one per test. */
export function kernelRouteSuite(make: () => Machine): void {
  describe('routes', () => {
    const on = KernelSubject.forEachTest(make);

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
      const wanted = await on.route(to, via);
      const [result] = await on.machine.kernel.apply([{ op: 'add', route: wanted }]);
      expect(result?.route).toEqual(wanted);
      expect(on.machine.routes()).toEqual([line]);
      expect(await on.machine.kernel.routes(OURS)).toEqual([wanted]);
      expect(await on.codes([{ op: 'delete', route: wanted }])).toEqual(['ok']);
      expect(on.machine.routes()).toEqual([]);
    });

    test.each([
      ['10.244.2.0/24', ['192.168.1.12', '192.168.1.13']],
      ['2001:db8:2::/48', ['2001:db8:1::12', '2001:db8:1::13']],
    ])('%s: several next hops are one route', async (to, via) => {
      const wanted = await on.route(to, via);
      expect(await on.codes([{ op: 'add', route: wanted }])).toEqual(['ok']);
      expect(await on.machine.kernel.routes(OURS)).toEqual([wanted]);
      expect(await on.codes([{ op: 'delete', route: wanted }])).toEqual(['ok']);
      expect(await on.machine.kernel.routes(OURS)).toEqual([]);
    });

    test.each([
      ['10.244.2.0/24', '192.168.1.'],
      ['2001:db8:2::/48', '2001:db8:1::'],
    ])(
      '%s: next hops come and go in place, and each change is echoed as it is read back',
      async (to, net) => {
        const via = (...hosts: readonly number[]) =>
          on.route(
            to,
            hosts.map((host) => `${net}${host}`),
          );
        await on.machine.kernel.apply([{ op: 'add', route: await via(12, 13) }]);
        for (const wanted of [
          await via(13),
          await via(13, 14, 12),
          await via(14, 15),
          await on.route(to, []),
        ]) {
          const [result] = await on.machine.kernel.apply([{ op: 'replace', route: wanted }]);
          expect(result?.route).toEqual(wanted);
          expect(await on.machine.kernel.routes(OURS)).toEqual([wanted]);
        }
        const again = await via(12, 13);
        expect(await on.codes([{ op: 'replace', route: again }])).toEqual(['ok']);
        expect(await on.machine.kernel.routes(OURS)).toEqual([again]);
      },
    );

    test.each(['10.244.2.0/24', '2001:db8:2::/48'])(
      '%s: as many next hops as a setting allows',
      async (to) => {
        const output = await on.device('eth0');
        const hosts = Array.from({ length: 256 }, (_, host) =>
          to.includes(':') ? `fd00::${host + 1}` : `10.9.0.${host}`,
        );
        const wanted = await on.route(
          to,
          hosts.map((host) => ({ gateway: address(host), interfaceIndex: output, onlink: true })),
        );
        const [result] = await on.machine.kernel.apply([{ op: 'add', route: wanted }]);
        expect(result?.route).toEqual(wanted);
        expect(await on.machine.kernel.routes(OURS)).toEqual([wanted]);
        expect(await on.codes([{ op: 'delete', route: wanted }])).toEqual(['ok']);
        expect(await on.machine.kernel.routes(OURS)).toEqual([]);
      },
    );

    test.each([
      ['10.244.2.0/24', '192.168.1.12', '192.168.1.13'],
      ['2001:db8:2::/48', '2001:db8:1::12', '2001:db8:1::13'],
    ])('%s: weights are kept and read back', async (to, one, other) => {
      const plain = await on.route(to, [one, other]);
      const [first, second] = plain.nextHops as [KernelNextHop, KernelNextHop];
      const weighted = { ...plain, nextHops: [{ ...first, weight: 256 }, second] };
      await on.machine.kernel.apply([{ op: 'add', route: weighted }]);
      expect(await on.machine.kernel.routes(OURS)).toEqual([weighted]);
      expect(await on.codes([{ op: 'replace', route: plain }])).toEqual(['ok']);
      expect(await on.machine.kernel.routes(OURS)).toEqual([plain]);
    });

    test('IPv6 takes no next hop twice: the reason why the plan names each once', async () => {
      const twice = await on.route('2001:db8:2::/48', ['2001:db8:1::12', '2001:db8:1::12']);
      expect(await on.codes([{ op: 'add', route: twice }])).toEqual(['KERNEL_EEXIST']);
    });

    test.each([
      ['10.244.2.0/24', '192.168.1.12', '192.168.2.12'],
      ['2001:db8:2::/48', '2001:db8:1::12', '2001:db8:5::12'],
    ])('%s: of two next hops one goes dead with its link, and comes back with it', async (to, one, other) => {
      on.machine.addDevice('eth1', '192.168.2.11/24', '2001:db8:5::11/64');
      const plain = await on.route(to, [
        one,
        { gateway: address(other), interfaceIndex: await on.device('eth1'), onlink: false },
      ]);
      await on.machine.kernel.apply([{ op: 'add', route: plain }]);
      on.machine.ip('link set eth1 down');
      const [first, second] = plain.nextHops as [KernelNextHop, KernelNextHop];
      expect(await on.machine.kernel.routes(OURS)).toEqual([
        { ...plain, nextHops: [first, { ...second, state: 'dead' }] },
      ]);
      on.machine.ip('link set eth1 up');
      // The carrier follows a moment later; until then the next hop is there, as `linkdown`.
      await until('the next hop is alive', async () => {
        const [found] = await on.machine.kernel.routes(OURS);
        return found?.nextHops.every(({ state }) => state === undefined);
      });
      expect(await on.machine.kernel.routes(OURS)).toEqual([plain]);
    });

    test('an onlink next hop need not be on a connected subnet', async () => {
      const hop = { gateway: address('172.31.0.1'), interfaceIndex: await on.device('eth0'), onlink: true };
      const wanted = await on.route('10.244.2.0/24', [hop]);
      expect(await on.codes([{ op: 'add', route: wanted }])).toEqual(['ok']);
      expect(await on.machine.kernel.routes(OURS)).toEqual([wanted]);
    });

    test('a source and an MTU are part of a route, and ip shows them', async () => {
      const wanted = await on.route('10.244.2.0/24', ['192.168.1.12'], {
        source: address('192.168.1.11'),
        mtuBytes: 1480,
      });
      const [result] = await on.machine.kernel.apply([{ op: 'add', route: wanted }]);
      expect(result?.route).toEqual(wanted);
      expect(on.machine.routes()).toEqual([
        '10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 src 192.168.1.11 metric 2048 mtu 1480',
      ]);
      const smaller = { ...wanted, mtuBytes: 1380 };
      expect(await on.codes([{ op: 'replace', route: smaller }])).toEqual(['ok']);
      expect(await on.machine.kernel.routes(OURS)).toEqual([smaller]);
      expect(await on.codes([{ op: 'delete', route: wanted }])).toEqual(['ok']);
    });

    test.each([
      ['10.244.2.0/24', '192.168.1.12', '192.168.1.99', 'Invalid prefsrc address'],
      ['2001:db8:2::/48', '2001:db8:1::12', '2001:db8:1::99', 'Invalid source address'],
    ])('%s: a source that the machine does not have is refused', async (to, via, source, words) => {
      const [result] = await on.machine.kernel.apply([
        { op: 'add', route: await on.route(to, [via], { source: address(source) }) },
      ]);
      expect(result?.error?.code).toBe('KERNEL_EINVAL');
      expect(result?.error?.message).toContain(words);
    });

    test('RFC 8950: an IPv4 route through an IPv6 gateway, global or link-local', async () => {
      const global = await on.route('10.244.2.0/24', ['2001:db8:1::12']);
      const linkLocal = await on.route('10.244.3.0/24', ['fe80::12']);
      expect(
        await on.codes([
          { op: 'add', route: global },
          { op: 'add', route: linkLocal },
        ]),
      ).toEqual(['ok', 'ok']);
      expect(on.machine.routes()).toEqual([
        '10.244.2.0/24 via inet6 2001:db8:1::12 dev eth0 proto 179 metric 2048',
        '10.244.3.0/24 via inet6 fe80::12 dev eth0 proto 179 metric 2048',
      ]);
      expect(await on.machine.kernel.routes(OURS)).toEqual([global, linkLocal]);
      expect(await on.codes([{ op: 'delete', route: global }])).toEqual(['ok']);
      expect(await on.machine.kernel.routes(OURS)).toEqual([linkLocal]);
    });

    test('routes of other protocols are read with theirs', async () => {
      on.machine.ip('route add 10.99.0.0/16 via 192.168.1.1 proto 4 metric 512');
      const foreign = (await on.machine.kernel.routes()).find(
        (found) => found.prefix === prefix('10.99.0.0/16'),
      );
      expect(foreign).toEqual(await on.route('10.99.0.0/16', ['192.168.1.1'], { protocol: 4, metric: 512 }));
      expect(await on.machine.kernel.routes(OURS)).toEqual([]);
    });
  });
}
