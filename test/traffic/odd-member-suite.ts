/** A mesh with a member of another version: whoever restarts, no packet is lost. */
import { describe, expect, test } from 'vitest';
import { parsePrefix } from '../../bgp/net/index.js';
import { getRoutes } from '../lab/api.js';
import { inside, mustRun, namespaceName } from '../lab/namespaces.js';
import { podrouteCommand } from '../lab/programs.js';
import { must } from '../support/machine.js';
import { until } from '../support/until.js';
import type { Mesh } from './mesh.js';
import { OddMember } from './odd-member.js';
import type { Stage } from './stage.js';
import { announces, endsTable, restartFlags } from './wire-watch.js';

export function oddMemberSuite(stage: Stage): void {
  const { mesh } = stage;
  describe('a member of another version: no facts, no N bit, unknown attributes', () => {
    const node = mesh.node('node-d');
    const others = mesh.nodes.filter((name) => name !== node.name);
    const addressOf = (name: string) => mesh.addressOf(name);
    const flows = [...mesh.between('pod-a1', 'pod-d1'), ...mesh.between('pod-c1', 'pod-d2')];
    const odd = new OddMember(mesh.lab, { ...node, address: mesh.addressOf(node.name) });

    const join = async (name: string) => {
      odd.keepAlive();
      await odd.join(addressOf(name));
      odd.endTable(addressOf(name));
    };

    test('it takes the place of an agent', async () => {
      await stage.losesNothing('a member of another version takes over', flows, async () => {
        await mesh.stop(node.name);
        await mesh.noticed(node.name, others);
        for (const other of others) await join(other);
        await mesh.settled(others);
      });
      const [route] = (await getRoutes(mesh.lab, 'node-a')).filter(({ prefix }) => prefix === node.podSubnet);
      expect(route).toMatchObject({ state: 'ok', mode: 'ipip' });
    });

    test('an agent beside it restarts: RFC 4724 section 4.1, R until recovery is over, nothing withheld', async () => {
      const [own, tor] = [addressOf('node-a'), addressOf('tor')];
      const prefix = must(parsePrefix(mesh.node('node-a').podSubnet));
      const since = stage.wire.heard.length;
      let middle = 0;
      let end = 0;
      await stage.losesNothing('an agent restarts beside it', flows, async () => {
        await mesh.restart('node-a', 'SIGTERM');
        await odd.join(own);
        await mesh.settled(['node-a'], ['ok', 'stale']);
        // It tells its own subnet and ends its table, to everyone, while this one's end has not come.
        for (const name of ['node-b', 'node-c', 'node-d', 'tor']) {
          const toPeer = () =>
            stage.wire.heard.slice(since).filter(({ from, to }) => from === own && to === addressOf(name));
          await until(
            `${name} is told`,
            () => toPeer().some((entry) => announces(entry, prefix)) && toPeer().some(endsTable),
          );
        }
        middle = stage.wire.heard.length;
        await resetPeer(mesh, 'node-a', 'peer/nodes/node-c');
        await until('a new OPEN during recovery', () => stage.wire.opens(own, middle).length > 0);
        await mesh.settled(['node-a'], ['ok', 'stale']);
        odd.endTable(own);
        await mesh.settled(['node-a', 'node-c']);
        end = stage.wire.heard.length;
        await resetPeer(mesh, 'node-a', 'peer/nodes/node-c');
        await until('a new OPEN after recovery', () => stage.wire.opens(own, end).length > 0);
        await mesh.settled(['node-a', 'node-c']);
      });
      const during = stage.wire
        .opens(own, since)
        .slice(0, stage.wire.opens(own, since).length - stage.wire.opens(own, end).length);
      expect(new Set(during.map(({ to }) => to))).toEqual(
        new Set([...others.filter((name) => name !== 'node-a').map(addressOf), addressOf(node.name), tor]),
      );
      expect(during.map(restartFlags)).toEqual(during.map(() => ({ restarting: true, forwarding: true })));
      expect(stage.wire.opens(own, end).map(restartFlags)).toEqual([{ restarting: false, forwarding: true }]);
    });

    test('an agent beside it is killed', async () => {
      await stage.losesNothing('an agent is killed beside it', flows, async () => {
        await mesh.restart('node-c', 'SIGKILL');
        await join('node-c');
        await mesh.settled(others);
      });
    });

    test('it restarts itself', async () => {
      await stage.losesNothing('it restarts itself', flows, async () => {
        odd.die();
        await mesh.noticed(node.name, others);
        for (const other of others) await join(other);
        await mesh.settled(others);
      });
    });

    test('an agent takes its place again', async () => {
      await stage.losesNothing('an agent takes its place again', flows, async () => {
        odd.die();
        await mesh.noticed(node.name, others);
        mesh.startAgent(node.name);
        await mesh.settled();
      });
      await stage.isAsBefore();
    });
  });
}

/** An administrator's reset, by the command that is one. */
async function resetPeer(mesh: Mesh, on: string, peer: string): Promise<void> {
  const command = [podrouteCommand(mesh.lab), 'peer', 'reset', peer];
  await mustRun(inside(namespaceName(mesh.lab, on), command));
}
