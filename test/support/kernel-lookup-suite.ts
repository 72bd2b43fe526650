/**
 * How an address is reached, by the answer of the kernel. One suite for the
 * fake kernel and the real one.
 */
import { describe, expect, test } from 'vitest';
import { address, prefix } from './addresses.js';
import { KernelSubject, OURS } from './kernel-subject.js';
import type { Machine } from './machine.js';

/** Runs the suite over machines that `make` makes, one per test. */
export function kernelLookupSuite(make: () => Machine): void {
  describe('lookups', () => {
    const on = KernelSubject.forEachTest(make);

    test('an address is on-link, behind a gateway, our own, or unreachable', async () => {
      const eth0 = { interfaceIndex: await on.device('eth0') };
      on.machine.ip('route add 192.168.2.0/24 via 192.168.1.1');
      const asked = ['192.168.1.12', '192.168.2.11', '192.168.1.11', '203.0.113.1', '2001:db8:1::12'];
      expect(await on.machine.kernel.lookup(asked.map(address))).toEqual([
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
        on.machine.ip(`route add ${gateway} via ${gateway} dev eth0 onlink`);
        const [answer] = await on.machine.kernel.lookup([address(gateway)]);
        expect(answer).toMatchObject({ kind: 'onlink', needsOnlink: true });
        const hop = { gateway: address(gateway), interfaceIndex: await on.device('eth0') };
        const [plain, onlink] = [
          await on.route(to, [{ ...hop, onlink: false }]),
          await on.route(to, [{ ...hop, onlink: true }]),
        ];
        expect(await on.codes([{ op: 'add', route: plain }])).toEqual([code]);
        expect(await on.codes([{ op: 'add', route: onlink }])).toEqual(['ok']);
        expect(await on.machine.kernel.routes(OURS)).toEqual([onlink]);
      },
    );

    test.each([
      ['172.31.0.1', '10.244.2.0/24'],
      ['2001:db8:9::1', '2001:db8:2::/48'],
    ])(
      'a host route to a device alone is on-link (%s), and serves as a gateway as it is',
      async (gateway, to) => {
        on.machine.ip(`route add ${gateway} dev eth0`);
        const [answer] = await on.machine.kernel.lookup([address(gateway)]);
        expect(answer?.kind).toBe('onlink');
        expect(answer).not.toHaveProperty('needsOnlink');
        expect(await on.codes([{ op: 'add', route: await on.route(to, [gateway]) }])).toEqual(['ok']);
      },
    );

    test('a blackhole route makes an address unreachable', async () => {
      on.machine.ip('route add default via 192.168.1.1');
      on.machine.ip('route add blackhole 198.51.100.0/24');
      const [answer] = await on.machine.kernel.lookup([address('198.51.100.1')]);
      expect(answer?.kind).toBe('unreachable');
    });
  });
}
