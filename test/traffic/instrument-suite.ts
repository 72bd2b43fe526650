/** The instrument itself: that it sees the way of the packets, and counts what is lost. */
import { writeFileSync } from 'node:fs';
import { setTimeout as pass } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { inNamespace } from '../lab/libc.js';
import { namespaceName, namespacePath } from '../lab/namespaces.js';
import { must } from '../support/machine.js';
import { longestLoss } from './account.js';
import type { Stage } from './stage.js';

const CUT_MS = 50;
/** With a greater part of it in doubt, a cut might not be counted and nobody would know. */
const MOST_BLUR = 0.8;
const MAX_ATTEMPTS = 8;

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
      for (let attempt = 1; ; attempt += 1) {
        let cutMs = 0;
        const { flows, instrument } = await stage.measure('a cut of 50 ms', stage.both, async () => {
          const began = performance.now();
          forward(0);
          await pass(CUT_MS);
          forward(1);
          cutMs = performance.now() - began;
        });
        // Packets that were due in the cut can be sent after it, and the other way round, where the sender had to wait.
        const blurMs = instrument.longestPauseMs + 5;
        if (blurMs > CUT_MS * MOST_BLUR) {
          if (attempt === MAX_ATTEMPTS) throw new Error('this machine is too busy to show 50 ms');
          continue;
        }
        for (const flow of flows) {
          const expected = flow.name.startsWith('pod-a') ? cutMs : 0;
          expect(Math.abs(flow.lost - expected), flow.name).toBeLessThanOrEqual(expected === 0 ? 0 : blurMs);
          expect(longestLoss(flow), flow.name).toBe(flow.lost);
        }
        return;
      }
    });
  });
}
