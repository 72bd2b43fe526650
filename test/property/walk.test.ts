/**
 * The random walk in memory: whatever happens to links, addresses, peers, agents and routes, and
 * whatever the kernel refuses meanwhile, in the end kernel, tables and
 * API of every node agree with what the world says. fast-check prints the seed and the shortest walk that fails; SEED=n
 * repeats it, WALKS=n takes more walks.
 */
import fc from 'fast-check';
import { test } from 'vitest';
import { drawEvent, eventText } from '../support/walk/events.js';
import { MemoryWalk } from '../support/walk/memory-walk.js';
import type { NodePlan } from '../support/walk/world.js';

const PLANS: readonly NodePlan[] = [
  ['node-a', 1, 11],
  ['node-b', 1, 12],
  ['node-c', 2, 13],
].map(([name, network, host], index) => ({
  name: String(name),
  address: `192.168.${network}.${host}`,
  lengthBits: 24,
  gateway: `192.168.${network}.254`,
  network: `net-${network}`,
  block: `10.244.${index + 1}.0/24`,
  spareBlock: `10.244.${index + 101}.0/24`,
}));

/** The walk itself asks the kernels for their links; all else is asked by agents alone. */
const CALLS = [
  ...(['addresses', 'routes', 'lookup', 'apply', 'events', 'add', 'replace', 'delete'] as const),
  ...(['createIpip', 'changeIpip', 'setMtu', 'setUp', 'addAddress', 'removeAddress'] as const),
];
const fault = fc.record({
  node: fc.constantFrom(...PLANS.map(({ name }) => name)),
  call: fc.constantFrom(...CALLS),
  errno: fc.constantFrom('EINTR', 'ENOBUFS', 'ENOMEM', 'EBUSY', 'EINVAL', 'ENETUNREACH', 'ENODEV'),
});

/** Which event, among all that can happen; how long until the next; and whether the network is left to settle first. */
const step = fc.record({
  kind: fc.nat(),
  candidate: fc.nat(),
  pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 6_000 })),
  fault: fc.option(fault, { freq: 4, nil: undefined }),
  isChecked: fc.oneof(
    { weight: 11, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
});

test('after any walk, kernel, RIB and API agree on every node', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 48, size: 'max' }), async (steps) => {
      const walk = new MemoryWalk(PLANS);
      const events: string[] = [];
      await walk.start();
      const check = async () => {
        const faults = await walk.check();
        if (faults.length > 0) throw new Error(`${faults.join('\n')}\nafter:\n  ${events.join('\n  ')}`);
      };
      await check();
      for (const { kind, candidate, pauseMs, fault: failure, isChecked } of steps) {
        if (failure !== undefined) {
          events.push(`the next ${failure.call} of ${failure.node} fails: ${failure.errno}`);
          walk.fail(failure.node, failure.call, failure.errno);
        }
        const numbers = [kind, candidate];
        const event = drawEvent(walk.world, (below) => (numbers.shift() ?? 0) % below);
        events.push(`${eventText(event)}, then ${pauseMs} ms`);
        await walk.happen(event);
        await walk.pass(pauseMs);
        if (isChecked) await check();
      }
      await check();
      await walk.stop();
    }),
    {
      interruptAfterTimeLimit: 120_000,
      markInterruptAsFailure: true,
      numRuns: Number(process.env['WALKS'] ?? 20),
      ...(process.env['SEED'] === undefined ? {} : { seed: Number(process.env['SEED']) }),
    },
  );
}, 600_000);
