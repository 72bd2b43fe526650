/** The instrument itself: that it sees the way of the packets, and counts what is lost. */
import { writeFileSync } from 'node:fs';
import { setTimeout as pass } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { inNamespace } from '../lab/libc.js';
import { namespaceName, namespacePath } from '../lab/namespaces.js';
import { must } from '../support/machine.js';
import { longestLoss } from './account.js';
import type { Stage } from './stage.js';

export function instrumentSuite(stage: Stage): void {
  const { mesh } = stage;
  describe('the instrument', () => {
    test('direct and tunnelled packets take the way they should', async () => {
      const tunnelPackets = () => mesh.sentBy('node-a', 'podroute0');
      const before = tunnelPackets();
      const { flows } = await stage.measure('half a second of rest', stage.both, () => pass(500));
      expect(flows.map(({ lost }) => lost)).toEqual([0, 0, 0, 0]);
      const sent = must(flows.find(({ name }) => name === 'pod-a2 to pod-c1')).sent;
      // Those, the few that went ahead to find the way, and none of the packets that go direct.
      expect(tunnelPackets() - before).toBeGreaterThanOrEqual(sent);
      expect(tunnelPackets() - before).toBeLessThan(sent * 1.5);
    });

    test('a cut of 50 ms is counted', async () => {
      // node-a forwards nothing that its pods send, and is otherwise as before.
      const forward = (value: 0 | 1) =>
        inNamespace(namespacePath(namespaceName(mesh.lab, 'node-a')), () =>
          writeFileSync('/proc/sys/net/ipv4/conf/br0/forwarding', String(value)),
        );
      let cutMs = 0;
      const { flows } = await stage.measure('a cut of 50 ms', stage.both, async () => {
        const began = performance.now();
        forward(0);
        await pass(50);
        forward(1);
        cutMs = performance.now() - began;
      });
      for (const flow of flows) {
        const expected = flow.name.startsWith('pod-a') ? cutMs : 0;
        // Packets that were held up on either edge of the cut, while others had the processor.
        expect(flow.lost, flow.name).toBeGreaterThanOrEqual(expected * 0.4);
        expect(flow.lost, flow.name).toBeLessThanOrEqual(expected * 1.6);
        expect(longestLoss(flow), flow.name).toBe(flow.lost);
      }
    });
  });
}
