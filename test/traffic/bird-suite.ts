/** BIRD and podroute as each other's helpers in graceful restart. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { until } from '../support/until.js';
import { BirdMember } from './bird-member.js';
import type { Stage } from './stage.js';

export function birdSuite(stage: Stage): void {
  const { mesh } = stage;
  describe('BIRD and graceful restart', () => {
    test('BIRD helps: the router of the client keeps the routes of an agent that restarts', async () => {
      const flows = [...mesh.between('client', 'pod-a1'), ...mesh.between('client', 'pod-c1')];
      await stage.losesNothing('BIRD helps an agent', flows, async () => {
        await mesh.restart('node-a', 'SIGKILL');
        await mesh.settled();
      });
      await stage.isAsBefore();
    });

    describe('a member of the mesh', () => {
      const node = mesh.node('node-d');
      const others = mesh.nodes.filter((name) => name !== node.name);
      const flows = [...mesh.between('pod-a1', 'pod-d1'), ...mesh.between('pod-c1', 'pod-d2')];
      let bird: BirdMember;

      const settled = async () => {
        await until('BIRD has settled', () => bird.hasSettled(), 40_000);
        await mesh.settled(others);
      };

      beforeAll(async () => {
        bird = new BirdMember(mesh.lab, mesh.topology, node);
        await mesh.stop(node.name);
        await mesh.ip(node.name, 'route flush proto 179', 'link delete podroute0', ...bird.preparation);
        bird.start();
        await settled();
      }, 60_000);

      afterAll(async () => {
        await bird.stop('SIGTERM');
        await mesh.ip(node.name, ...bird.removal);
        mesh.startAgent(node.name);
        await mesh.settled();
      }, 60_000);

      test('podroute helps: BIRD is killed with -9 and started with -R', async () => {
        await stage.losesNothing('podroute helps BIRD', flows, async () => {
          await bird.stop('SIGKILL');
          await mesh.noticed(node.name, others);
          bird.start('-R');
          await settled();
        });
      });

      test('BIRD helps: an agent in each subnet restarts', async () => {
        await stage.losesNothing('BIRD, of the mesh, helps agents', flows, async () => {
          await Promise.all([mesh.stop('node-a', 'SIGTERM'), mesh.stop('node-c', 'SIGKILL')]);
          await mesh.noticed('node-a', ['node-b']);
          for (const name of ['node-a', 'node-c']) mesh.startAgent(name);
          await settled();
        });
      });
    });

    test('an agent takes the place of BIRD again, and all is as before', async () => {
      await stage.isAsBefore();
    });
  });
}
