/**
 * Which route an operation meets, whose it is, and what is refused. One suite for the
 * fake kernel and the real one.
 */
import { describe, expect, test } from 'vitest';
import { interfaceIndex, type RouteOperation } from '../../ipip/kernel/kernel.js';
import { address } from './addresses.js';
import { KernelSubject, OURS } from './kernel-subject.js';
import type { Machine } from './machine.js';

/** Runs the suite over machines that `make` makes, one per test. */
export function kernelOwnerSuite(make: () => Machine): void {
  describe('keys and owners', () => {
    const on = KernelSubject.forEachTest(make);

    test('add is refused where another program has the key, and its route stays', async () => {
      on.machine.ip('route add 10.244.2.0/24 via 192.168.1.1 proto 4 metric 2048');
      expect(
        await on.codes([{ op: 'add', route: await on.route('10.244.2.0/24', ['192.168.1.12']) }]),
      ).toEqual(['KERNEL_EEXIST']);
      expect(on.machine.routes()).toEqual(['10.244.2.0/24 via 192.168.1.1 dev eth0 proto 4 metric 2048']);
    });

    test('another metric is another key: both routes are there', async () => {
      on.machine.ip('route add 10.244.2.0/24 via 192.168.1.1 proto 4 metric 512');
      expect(
        await on.codes([{ op: 'add', route: await on.route('10.244.2.0/24', ['192.168.1.12']) }]),
      ).toEqual(['ok']);
      expect(on.machine.routes()).toHaveLength(2);
    });

    test('replace changes a route in place', async () => {
      await on.machine.kernel.apply([
        { op: 'add', route: await on.route('10.244.2.0/24', ['192.168.1.12']) },
      ]);
      const changed = await on.route('10.244.2.0/24', ['192.168.1.13']);
      expect(await on.codes([{ op: 'replace', route: changed }])).toEqual(['ok']);
      expect(await on.machine.kernel.routes(OURS)).toEqual([changed]);
    });

    test('replace by the same route is no error', async () => {
      const same = await on.route('10.244.2.0/24', ['192.168.1.12']);
      await on.machine.kernel.apply([{ op: 'add', route: same }]);
      expect(await on.codes([{ op: 'replace', route: same }])).toEqual(['ok']);
    });

    test('replace does not make a route that is there a second time', async () => {
      const second = '10.244.2.0/24 via 192.168.1.13 dev eth0 proto 179 metric 2048';
      await on.machine.kernel.apply([
        { op: 'add', route: await on.route('10.244.2.0/24', ['192.168.1.12']) },
      ]);
      on.machine.ip(`route append ${second}`);
      expect(
        await on.codes([{ op: 'replace', route: await on.route('10.244.2.0/24', ['192.168.1.13']) }]),
      ).toEqual(['KERNEL_EEXIST']);
      expect(on.machine.routes()).toHaveLength(2);
    });

    test('replace does not make a route', async () => {
      expect(
        await on.codes([{ op: 'replace', route: await on.route('10.244.2.0/24', ['192.168.1.12']) }]),
      ).toEqual(['KERNEL_ENOENT']);
      expect(on.machine.routes()).toEqual([]);
    });

    test('replace takes the route of another program: the reason why ours is never planned over one', async () => {
      on.machine.ip('route add 10.244.2.0/24 via 192.168.1.1 proto 4 metric 2048');
      expect(
        await on.codes([{ op: 'replace', route: await on.route('10.244.2.0/24', ['192.168.1.12']) }]),
      ).toEqual(['ok']);
      expect(on.machine.routes()).toEqual(['10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048']);
    });

    test.each(['10.244.2.0/24', '2001:db8:2::/48'])(
      '%s: delete leaves the route of another program at the same key',
      async (to) => {
        const via = to.includes(':') ? '2001:db8:1::1' : '192.168.1.1';
        on.machine.ip(`route add ${to} via ${via} dev eth0 proto 4 metric 2048`);
        expect(await on.codes([{ op: 'delete', route: await on.route(to, [via]) }])).toEqual([
          'KERNEL_ESRCH',
        ]);
        expect(on.machine.routes()).toHaveLength(1);
      },
    );

    test('delete leaves a route of ours with another next hop', async () => {
      await on.machine.kernel.apply([
        { op: 'add', route: await on.route('10.244.2.0/24', ['192.168.1.12']) },
      ]);
      expect(
        await on.codes([{ op: 'delete', route: await on.route('10.244.2.0/24', ['192.168.1.13']) }]),
      ).toEqual(['KERNEL_ESRCH']);
      expect(on.machine.routes()).toHaveLength(1);
    });
  });

  describe('refusals', () => {
    const on = KernelSubject.forEachTest(make);

    test('in a batch of more than one datagram, the refused ones are told and the others done', async () => {
      const operations: RouteOperation[] = [];
      for (let index = 0; index < 1200; index++) {
        const to = `10.${100 + Math.floor(index / 256)}.${index % 256}.0/24`;
        // Every 100th, and the last, through a gateway that nothing leads to.
        const isBad = index % 100 === 50 || index === 1199;
        operations.push({ op: 'add', route: await on.route(to, [isBad ? '172.31.0.1' : '192.168.1.12']) });
      }
      const results = await on.machine.kernel.apply(operations);
      const refused = results.flatMap((result, index) => (result.error === undefined ? [] : [index]));
      expect(refused).toEqual([50, 150, 250, 350, 450, 550, 650, 750, 850, 950, 1050, 1150, 1199]);
      expect(results[50]?.error?.message).toContain('Nexthop has invalid gateway');
      expect(on.machine.routes()).toHaveLength(1200 - refused.length);
    });

    test.each([
      ['is down', 0, false, 'KERNEL_ENETUNREACH'],
      ['is down', 0, true, 'KERNEL_ENETDOWN'],
      ['does not exist', 4711, false, 'KERNEL_ENETUNREACH'],
      ['does not exist', 4711, true, 'KERNEL_ENODEV'],
    ])(
      'a device that %s (index off by %i, onlink %s) takes no routes',
      async (_what, offset, onlink, code) => {
        const index = interfaceIndex((await on.device('eth0')) + offset);
        if (offset === 0) on.machine.ip('link set eth0 down');
        const hop = { gateway: address('192.168.1.12'), interfaceIndex: index, onlink };
        expect(await on.codes([{ op: 'add', route: await on.route('10.244.2.0/24', [hop]) }])).toEqual([
          code,
        ]);
      },
    );

    test('this process may change routes', async () => {
      await expect(on.machine.kernel.checkPermission()).resolves.toBeUndefined();
    });
  });
}
