/** A node that dies: its routes go, nothing else moves, and it comes back without anyone's doing. */
import { afterAll, describe, expect, test } from 'vitest';
import { getRoutes } from '../lab/api.js';
import { until } from '../support/until.js';
import { figure, lossesOf, type Stage } from './stage.js';

export function deathSuite(stage: Stage): void {
  const { mesh } = stage;
  describe('the death of a node', () => {
    const dead = mesh.node('node-d');
    const others = mesh.nodes.filter((name) => name !== dead.name);
    const watched = [...others, 'tor'];
    const timers = { holdTime: 5, maxRestartTime: 3 };

    test('shorter timers apply live', async () => {
      await stage.losesNothing('new timers for all sessions', stage.both, async () => {
        mesh.setTimers(timers);
        await until('all sessions have the new hold time', () => mesh.haveHoldTime(timers.holdTime));
        await mesh.settled();
      });
      await stage.isAsBefore();
    });

    test('its routes go, nothing else moves; it comes back', async () => {
      const before = await mesh.dump(watched);
      const since = stage.routes.events.length;
      const measurement = await stage.measure('the death of a node', stage.both, async () => {
        const pulledMs = Date.now();
        const elapsed = () => (Date.now() - pulledMs) / 1000;
        await mesh.ip('net-b', `link set dev ${dead.name} down`);
        await until('its own agent tells of it', async () => {
          const own = await getRoutes(mesh.lab, dead.name);
          return own.some(({ state }) => state !== 'ok');
        });
        figure(`its own agent told after ${elapsed().toFixed(1)} s`);
        // By the link and not by the hold timer.
        expect(elapsed()).toBeLessThan(timers.holdTime / 2);
        for (const other of others) {
          await until(`${other} gives its routes up`, async () => {
            const all = await getRoutes(mesh.lab, other);
            return all.every(({ prefix }) => prefix !== dead.podSubnet);
          });
        }
        const givenUp = elapsed();
        figure(`the others gave its routes up after ${givenUp.toFixed(1)} s`);
        // The last keepalive is up to a third of the hold time old, and then they wait for its restart.
        const { holdTime, maxRestartTime } = timers;
        expect(givenUp).toBeGreaterThan((holdTime * 2) / 3 + maxRestartTime - 0.5);
        expect(givenUp).toBeLessThan(holdTime + maxRestartTime + 3);
        const without = Object.entries(before).map(([name, lines]) => [
          name,
          lines.filter((line) => !line.startsWith(dead.podSubnet)),
        ]);
        // The router follows the nodes by a moment.
        await expect.poll(() => mesh.dump(watched)).toEqual(Object.fromEntries(without));
        const upMs = Date.now();
        await mesh.ip('net-b', `link set dev ${dead.name} up`);
        await mesh.settled();
        figure(`it was back after ${((Date.now() - upMs) / 1000).toFixed(1)} s`);
      });
      expect(lossesOf(measurement)).toEqual([]);
      const moved = stage.routes.events.slice(since).filter((event) => !event.startsWith(`${dead.name}:`));
      expect(moved.filter((event) => !event.includes(dead.podSubnet))).toEqual([]);
      await stage.isAsBefore();
    });

    afterAll(async () => {
      mesh.setTimers(stage.usualTimers);
      await until('all sessions have the old hold time', () => mesh.haveHoldTime(stage.usualTimers.holdTime));
      await mesh.settled();
    });
  });
}
