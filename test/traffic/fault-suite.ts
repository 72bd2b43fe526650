/** What an administrator or a bad cable does to a node: repaired, and how long it took. */
import { describe, expect, test } from 'vitest';
import { getRoutes } from '../lab/api.js';
import { until } from '../support/until.js';
import { figure, lossesOf, type Stage } from './stage.js';
import type { Direction } from './traffic.js';

export function faultSuite(stage: Stage): void {
  const { mesh } = stage;
  describe('faults by hand', () => {
    const deadRoutes = async () =>
      (await getRoutes(mesh.lab, 'node-a')).filter(({ state }) => state !== 'ok');
    const fromA = stage.both.filter(({ from }) => from.startsWith('pod-a'));
    const DEFAULT_ROUTE = 'route add default via 192.168.1.254';

    /** A fault on node-a, mended by its agent alone, or by `mend` and then by the agent; the time counts from the last. */
    async function repairs(
      title: string,
      {
        fault,
        mend,
        interrupts,
      }: {
        readonly fault: readonly string[];
        readonly mend?: readonly string[];
        readonly interrupts: readonly Direction[];
      },
    ): Promise<void> {
      let mendedMs: number | undefined;
      const measurement = await stage.measure(title, stage.both, async () => {
        await mesh.ip('node-a', ...fault);
        if (mend !== undefined) {
          await until('the agent tells of the fault', async () => (await deadRoutes()).length > 0);
          await mesh.ip('node-a', ...mend);
          mendedMs = Date.now();
        }
        await mesh.settled();
      });
      // Nobody but the agent mends what has no `mend`: then the time is that of the interruption as the packets show it.
      const outages = measurement.flows.flatMap((flow) => flow.outages);
      const recoveredMs = Math.max(
        ...outages.map(
          ({ sinceMs = 0, untilMs = Number.POSITIVE_INFINITY }) => untilMs - (mendedMs ?? sinceMs),
        ),
      );
      figure(`${title}: packets flow again after ${recoveredMs.toFixed(0)} ms`);
      expect(
        lossesOf(measurement)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(interrupts.map(({ from, to }) => `${from} to ${to}`).sort());
      expect(recoveredMs).toBeLessThan(1000);
      await stage.isAsBefore();
    }

    test('our routes are flushed', async () => {
      await repairs('our routes flushed', { fault: ['route flush proto 179'], interrupts: fromA });
    });

    test('the tunnel is deleted', async () => {
      await repairs('the tunnel deleted', { fault: ['link delete podroute0'], interrupts: stage.tunnelled });
    });

    test('the link goes down and up', async () => {
      await repairs('the link down and up', {
        fault: ['link set dev eth0 down'],
        mend: ['link set dev eth0 up', DEFAULT_ROUTE],
        interrupts: stage.both,
      });
    });

    test('the address is removed and returns', async () => {
      await repairs('the address removed and returned', {
        fault: ['address delete 192.168.1.11/24 dev eth0'],
        mend: ['address add 192.168.1.11/24 dev eth0', DEFAULT_ROUTE],
        // What node-b sends to the machine behind the address it knows arrives and is forwarded.
        interrupts: stage.both.filter(({ from }) => from !== 'pod-b1'),
      });
    });
  });
}
