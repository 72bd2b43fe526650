/** Our routes straight from the kernel, while no agent runs. */
import { expect, test } from 'vitest';
import { readRoutes } from '../../../ipip/index.js';
import { address, prefix } from '../../support/addresses.js';
import { FakeMachine } from '../../support/fake-machine.js';

const NOW_MS = 1_000;

test('routes of our protocol and no others, with device and mode, changing nothing', async () => {
  const machine = new FakeMachine({ hasIpip: true });
  machine.addDevice('eth0', '192.168.1.11/24');
  machine.ip('link add podroute0 type ipip local 192.168.1.11');
  machine.ip('link set podroute0 up');
  machine.ip('route add 10.99.0.0/16 via 192.168.1.1 proto 4');
  machine.ip('route add 10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048');
  machine.ip('route add 10.244.3.0/24 via 192.168.2.11 dev podroute0 onlink proto 179 metric 2048');
  machine.ip('route add blackhole 10.244.1.0/24 proto 179 metric 2048');
  const before = machine.routes();

  const routes = await readRoutes(machine.kernel, undefined, NOW_MS);

  expect(routes.map(({ mode, state, reason, sinceMs }) => ({ mode, state, reason, sinceMs }))).toEqual(
    ['direct', 'ipip', 'blackhole'].map((mode) => ({
      mode,
      state: 'stale',
      reason: 'read from the kernel; no agent runs',
      sinceMs: NOW_MS,
    })),
  );
  expect(routes[1]).toMatchObject({
    prefix: prefix('10.244.3.0/24'),
    nextHops: [{ address: address('192.168.2.11'), device: 'podroute0', mode: 'ipip' }],
  });
  expect(machine.routes()).toEqual(before);
  expect(machine.kernel.calls).toEqual(['links', 'routes']);
});
