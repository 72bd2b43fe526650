/** Agents that stop, are killed, are upgraded: no packet is lost, and what they say of it on the wire is true. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { getStatus } from '../lab/api.js';
import { labFolder } from '../lab/state.js';
import { AGENT } from './mesh.js';
import type { Stage } from './stage.js';
import { restartFlags } from './wire-watch.js';

export function restartSuite(stage: Stage): void {
  const { mesh } = stage;
  describe('agents restart', () => {
    test('stopped and started', async () => {
      await stage.losesNothing('an agent stopped and started', stage.both, async () => {
        await mesh.restart('node-a', 'SIGTERM');
        await mesh.settled();
      });
    });

    test('killed with -9 and started', async () => {
      await stage.losesNothing('an agent killed with -9 and started', stage.both, async () => {
        await mesh.restart('node-c', 'SIGKILL');
        await mesh.settled();
      });
    });

    test('stopped, and another build started', async () => {
      const folder = join(labFolder(mesh.lab), 'upgraded');
      const upgraded = anotherBuild(folder, '9.9.9');
      await stage.losesNothing('an agent upgraded', stage.both, async () => {
        await mesh.restart('node-a', 'SIGTERM', upgraded);
        await mesh.settled();
      });
      expect(await getStatus(mesh.lab, 'node-a')).toMatchObject({ version: '9.9.9' });
    });

    test('all of the mesh, one by one', async () => {
      await stage.losesNothing('all agents one by one', stage.both, async () => {
        for (const node of mesh.nodes) {
          await mesh.restart(node, 'SIGTERM');
          await mesh.settled();
        }
      });
      expect(await getStatus(mesh.lab, 'node-a')).not.toMatchObject({ version: '9.9.9' });
    });

    test('all of the mesh at once, killed with -9', async () => {
      await stage.losesNothing('all agents at once, killed with -9', stage.both, async () => {
        await Promise.all(mesh.nodes.map((node) => mesh.stop(node, 'SIGKILL')));
        for (const node of mesh.nodes) mesh.startAgent(node);
        await mesh.settled();
      });
      await stage.isAsBefore();
    });
  });
}

/** After all other restarts: of the first start, and of one that has lost its routes. */
export function wireSuite(stage: Stage): void {
  const { mesh } = stage;
  describe('RFC 4724 section 3 on the wire', () => {
    test('the first start of all: no R, no F', () => {
      const own = mesh.addressOf('node-a');
      const firstOfEach = new Map(
        stage.wire
          .opens(own)
          .toReversed()
          .map((entry) => [entry.to, restartFlags(entry)]),
      );
      expect([...firstOfEach.values()]).toEqual(
        Array.from({ length: 4 }, () => ({ restarting: false, forwarding: false })),
      );
    });

    test('started after its routes were flushed: nothing was kept, so no R, no F', async () => {
      const own = mesh.addressOf('node-a');
      await mesh.stop('node-a');
      await mesh.ip('node-a', 'route flush proto 179');
      const since = stage.wire.heard.length;
      mesh.startAgent('node-a');
      await mesh.settled();
      const flags = stage.wire.opens(own, since).map(restartFlags);
      expect(flags).toEqual(flags.map(() => ({ restarting: false, forwarding: false })));
      expect(flags.length).toBeGreaterThanOrEqual(4);
      await stage.isAsBefore();
    });
  });
}

/** The agent as a later version would be installed: a bundle of its own that says so. */
function anotherBuild(folder: string, version: string): string {
  mkdirSync(folder, { recursive: true });
  // The native package stays outside of the bundle and is found from where it lies.
  symlinkSync(join(AGENT, '../../node_modules'), join(folder, 'node_modules'));
  const bundle = readFileSync(AGENT, 'utf8');
  const changed = bundle.replace(/^( *name: "podroute",\n *version: )"[^"]+",$/m, `$1"${version}",`);
  if (changed === bundle) throw new Error('the bundle does not hold its version where it was');
  const file = join(folder, 'podroute.js');
  writeFileSync(file, changed);
  return file;
}
