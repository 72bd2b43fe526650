/**
 * Restarts and faults of a mesh under traffic, counted packet by packet: 1000 numbered UDP packets a second in each
 * direction between two pods of one network and, at once, between two pods that IPIP connects. Where the running kernel
 * has no ipip, this same file runs inside User-Mode Linux. Needs root and the packages of `npm test`.
 *
 * One mesh for all lines: each leaves it as it found it. Every line prints its figures.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kernelShortfall } from '../../deploy/kernel.mjs';
import { namespacesOf } from '../lab/namespaces.js';
import { runInUml } from '../support/uml.js';
import { birdSuite } from './bird-suite.js';
import { deathSuite } from './death-suite.js';
import { faultSuite } from './fault-suite.js';
import { instrumentSuite } from './instrument-suite.js';
import { oddMemberSuite } from './odd-member-suite.js';
import { reflectionSuite } from './reflection-suite.js';
import { restartSuite, wireSuite } from './restart-suite.js';
import { FIGURE, Stage } from './stage.js';

const UML_TIMEOUT_MS = 540_000;

if (kernelShortfall() === undefined) {
  describe('a mesh under traffic', { timeout: 120_000 }, () => {
    const stage = new Stage();
    beforeAll(() => stage.build(), 120_000);
    afterAll(() => stage.remove());

    instrumentSuite(stage);
    restartSuite(stage);
    oddMemberSuite(stage);
    wireSuite(stage);
    birdSuite(stage);
    faultSuite(stage);
    deathSuite(stage);
    // The last, because reflectors go on for a while.
    reflectionSuite(stage);

    test('nothing is left of all this: no route, rule, address, device or namespace', async () => {
      await stage.isAsBefore([...stage.mesh.topology.machines.keys()]);
      await stage.remove();
      expect(namespacesOf(stage.mesh.lab)).toEqual([]);
    });
  });
} else {
  test(
    'this file in User-Mode Linux, whose kernel has ipip',
    async () => {
      const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];
      const options = ['--configLoader', 'runner', '--reporter=verbose', 'test/traffic/traffic.test.ts'];
      // Its one processor, held up for a second, makes up for it in one go: the queue to itself must take that.
      const roomy = 'echo 20000 >/proc/sys/net/core/netdev_max_backlog; exec "$@"';
      const { status, stdout, stderr } = await runInUml({
        command: ['sh', '-c', roomy, 'sh', process.execPath, ...vitest, ...options],
        env: { CI: '1', NO_COLOR: '1' },
        timeoutMs: UML_TIMEOUT_MS,
        memoryMib: 1536,
      });
      const figures = stdout.split('\n').filter((line) => line.startsWith(FIGURE));
      process.stdout.write(`${figures.join('\n')}\n`);
      expect(status, `${stdout}\n${stderr}`).toBe(0);
      expect(stdout).toMatch(/Tests +(\d+) passed \(\1\)/);
      expect(figures.length).toBeGreaterThan(0);
    },
    UML_TIMEOUT_MS,
  );
}
