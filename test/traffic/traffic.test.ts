/**
 * Restarts and faults of a mesh under traffic, counted packet by packet: 1000 numbered UDP packets a second in each
 * direction between two pods of one network and, at once, between two pods that IPIP connects. Where the running kernel
 * has no ipip, this same file runs inside User-Mode Linux. Needs root and the packages of `npm test`.
 *
 * The lines build on each other: one mesh, and every line leaves it as it found it.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { parsePrefix } from '../../bgp/net/index.js';
import { kernelShortfall } from '../../deploy/kernel.mjs';
import { getRoutes, getStatus } from '../lab/api.js';
import { inNamespace } from '../lab/libc.js';
import { inside, mustRun, namespaceName, namespacePath } from '../lab/namespaces.js';
import { podrouteCommand } from '../lab/programs.js';
import { labFolder } from '../lab/state.js';
import { must } from '../support/machine.js';
import { runInUml } from '../support/uml.js';
import { until } from '../support/until.js';
import { longestLoss } from './account.js';
import { BirdMember } from './bird-member.js';
import { AGENT, Mesh } from './mesh.js';
import { OddMember } from './odd-member.js';
import { RouteWatch } from './route-watch.js';
import { type Direction, describeMeasurement, type Measurement, Traffic } from './traffic.js';
import { announces, endsTable, WireWatch } from './wire-watch.js';

const UML_TIMEOUT_MS = 540_000;
/** The figures, in the output of the test command. */
const FIGURES = 'traffic: ';

if (kernelShortfall() === undefined) restarts();
else {
  test(
    'this file in User-Mode Linux, whose kernel has ipip',
    async () => {
      const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];
      const options = ['--configLoader', 'runner', '--reporter=verbose', 'test/traffic/traffic.test.ts'];
      const { status, stdout, stderr } = await runInUml({
        command: [process.execPath, ...vitest, ...options],
        env: { CI: '1', NO_COLOR: '1' },
        timeoutMs: UML_TIMEOUT_MS,
        memoryMib: 1536,
      });
      process.stdout.write(
        stdout
          .split('\n')
          .filter((line) => line.includes(FIGURES))
          .join('\n'),
      );
      expect(status, `${stdout}\n${stderr}`).toBe(0);
      expect(stdout).toMatch(/Tests +(\d+) passed \(\1\)/);
    },
    UML_TIMEOUT_MS,
  );
}

function restarts(): void {
  describe('a mesh under traffic', { timeout: 120_000 }, () => {
    const mesh = new Mesh(`traffic-${process.pid}`);
    let traffic: Traffic;
    let wire: WireWatch;
    let routes: RouteWatch;
    let everything: Awaited<ReturnType<Mesh['dump']>>;
    let atRest: Awaited<ReturnType<Mesh['dump']>>;

    const direct = mesh.between('pod-a1', 'pod-b1');
    const tunnelled = mesh.between('pod-a2', 'pod-c1');
    const both = [...direct, ...tunnelled];

    beforeAll(async () => {
      await mesh.build({ holdTime: 90, maxRestartTime: 120 });
      wire = await WireWatch.start(mesh.lab, 'node-a', [mesh.addressOf('tor')]);
      await mesh.start();
      traffic = await Traffic.start(mesh.lab);
      routes = new RouteWatch(mesh.lab, mesh.nodes);
      everything = await mesh.dump([...mesh.topology.machines.keys()]);
      atRest = await mesh.dump(mesh.nodes);
    }, 120_000);

    afterAll(async () => {
      traffic?.stop();
      await Promise.all([wire?.stop(), routes?.stop()]);
      await mesh.remove();
    });

    /** Measures, prints the figures, and sees that nothing but the network can have lost a packet. */
    async function measure(
      title: string,
      flows: readonly Direction[],
      during: () => Promise<void>,
    ): Promise<Measurement> {
      onTestFailed(() => {
        process.stdout.write(mesh.logs());
      });
      const began = performance.now();
      const measurement = await traffic.measure(flows, during);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      process.stdout.write(describeMeasurement(`${FIGURES}${title}, ${seconds} s`, measurement));
      expect(measurement.instrument).toMatchObject({ socketDrops: 0, backlogDrops: 0, refused: 0 });
      return measurement;
    }

    const lossesOf = ({ flows }: Measurement) => flows.filter(({ lost }) => lost > 0);

    /** Restarts of whichever kind: not a packet lost, not a route taken away, and all as before. */
    async function losesNothing(
      title: string,
      flows: readonly Direction[],
      during: () => Promise<void>,
    ): Promise<void> {
      const since = routes.events.length;
      const measurement = await measure(title, flows, during);
      expect(lossesOf(measurement)).toEqual([]);
      expect(measurement.flows.map(({ duplicates }) => duplicates)).toEqual(flows.map(() => 0));
      expect(routes.deleted(since)).toEqual([]);
    }

    async function isAsBefore(): Promise<void> {
      expect(await mesh.dump(mesh.nodes)).toEqual(atRest);
    }

    describe('the instrument', () => {
      test('direct and tunnelled packets take the way they should', async () => {
        const tunnelPackets = () => mesh.sentBy('node-a', 'podroute0');
        const before = tunnelPackets();
        const { flows } = await measure('a moment of rest', both, async () => {});
        expect(flows.map(({ lost }) => lost)).toEqual([0, 0, 0, 0]);
        const sent = must(flows.find(({ name }) => name === 'pod-a2 to pod-c1')).sent;
        expect(tunnelPackets() - before).toBe(sent);
      });

      test('a cut of 50 ms is counted', async () => {
        // node-a forwards nothing that its pods send, and is otherwise as before.
        const forward = (value: 0 | 1) =>
          inNamespace(namespacePath(namespaceName(mesh.lab, 'node-a')), () =>
            writeFileSync('/proc/sys/net/ipv4/conf/br0/forwarding', String(value)),
          );
        let cutMs = 0;
        const { flows } = await measure('a cut of 50 ms', both, async () => {
          const began = performance.now();
          forward(0);
          await new Promise((resolve) => setTimeout(resolve, 50));
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

    describe('agents restart', () => {
      afterAll(isAsBefore);

      test('stopped and started', async () => {
        await losesNothing('an agent stopped and started', both, async () => {
          await mesh.restart('node-a', 'SIGTERM');
          await mesh.settled();
        });
      });

      test('killed with -9 and started', async () => {
        await losesNothing('an agent killed with -9 and started', both, async () => {
          await mesh.restart('node-c', 'SIGKILL');
          await mesh.settled();
        });
      });

      test('stopped, and another build started', async () => {
        const folder = join(labFolder(mesh.lab), 'upgraded');
        const upgraded = anotherBuild(folder, '9.9.9');
        await losesNothing('an agent upgraded', both, async () => {
          await mesh.restart('node-a', 'SIGTERM', upgraded);
          await mesh.settled();
        });
        expect(await getStatus(mesh.lab, 'node-a')).toMatchObject({ version: '9.9.9' });
      });

      test('all of the mesh, one by one', async () => {
        await losesNothing('all agents one by one', both, async () => {
          for (const node of mesh.nodes) {
            await mesh.restart(node, 'SIGTERM');
            await mesh.settled();
          }
        });
        expect(await getStatus(mesh.lab, 'node-a')).not.toMatchObject({ version: '9.9.9' });
      });
    });

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
        await losesNothing('a member of another version takes over', flows, async () => {
          await mesh.stop(node.name);
          await mesh.noticed(node.name, others);
          for (const other of others) await join(other);
          await mesh.settled(others);
        });
        const [route] = (await getRoutes(mesh.lab, 'node-a')).filter(
          ({ prefix }) => prefix === node.podSubnet,
        );
        expect(route).toMatchObject({ state: 'ok', mode: 'ipip' });
      });

      test('an agent beside it restarts: RFC 4724 section 4.1, R until recovery is over, nothing withheld', async () => {
        const [own, tor] = [addressOf('node-a'), addressOf('tor')];
        const prefix = must(parsePrefix(mesh.node('node-a').podSubnet));
        const since = wire.heard.length;
        let middle = 0;
        let end = 0;
        await losesNothing('an agent restarts beside it', flows, async () => {
          await mesh.restart('node-a', 'SIGTERM');
          await odd.join(own);
          await mesh.settled(['node-a'], ['ok', 'stale']);
          // It tells its own subnet and ends its table, to everyone, while this one's end has not come.
          for (const name of ['node-b', 'node-c', 'node-d', 'tor']) {
            const toPeer = () =>
              wire.heard.slice(since).filter(({ from, to }) => from === own && to === addressOf(name));
            await until(
              `${name} is told`,
              () => toPeer().some((entry) => announces(entry, prefix)) && toPeer().some(endsTable),
            );
          }
          middle = wire.heard.length;
          await resetPeer('node-a', 'peer/nodes/node-c');
          await until('a new OPEN during recovery', () => wire.opens(own, middle).length > 0);
          await mesh.settled(['node-a'], ['ok', 'stale']);
          odd.endTable(own);
          await mesh.settled(['node-a', 'node-c']);
          end = wire.heard.length;
          await resetPeer('node-a', 'peer/nodes/node-c');
          await until('a new OPEN after recovery', () => wire.opens(own, end).length > 0);
          await mesh.settled(['node-a', 'node-c']);
        });
        const during = wire
          .opens(own, since)
          .slice(0, wire.opens(own, since).length - wire.opens(own, end).length);
        expect(new Set(during.map(({ to }) => to))).toEqual(
          new Set([...others.filter((name) => name !== 'node-a').map(addressOf), addressOf(node.name), tor]),
        );
        expect(during.map(restartFlags)).toEqual(during.map(() => ({ restarting: true, forwarding: true })));
        expect(wire.opens(own, end).map(restartFlags)).toEqual([{ restarting: false, forwarding: true }]);
      });

      test('an agent beside it is killed', async () => {
        await losesNothing('an agent is killed beside it', flows, async () => {
          await mesh.restart('node-c', 'SIGKILL');
          await join('node-c');
          await mesh.settled(others);
        });
      });

      test('it restarts itself', async () => {
        await losesNothing('it restarts itself', flows, async () => {
          odd.die();
          await mesh.noticed(node.name, others);
          for (const other of others) await join(other);
          await mesh.settled(others);
        });
      });

      test('an agent takes its place again', async () => {
        await losesNothing('an agent takes its place again', flows, async () => {
          odd.die();
          await mesh.noticed(node.name, others);
          mesh.startAgent(node.name);
          await mesh.settled();
        });
        await isAsBefore();
      });
    });

    describe('RFC 4724 section 3 on the wire', () => {
      test('the first start of all: no R, no F', () => {
        const own = mesh.addressOf('node-a');
        const firstOfEach = new Map(
          wire
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
        const since = wire.heard.length;
        mesh.startAgent('node-a');
        await mesh.settled();
        const flags = wire.opens(own, since).map(restartFlags);
        expect(flags).toEqual(flags.map(() => ({ restarting: false, forwarding: false })));
        expect(flags.length).toBeGreaterThanOrEqual(4);
        await isAsBefore();
      });
    });

    describe('BIRD and graceful restart', () => {
      test('BIRD helps: the router of the client keeps the routes of an agent that restarts', async () => {
        const flows = [...mesh.between('client', 'pod-a1'), ...mesh.between('client', 'pod-c1')];
        await losesNothing('BIRD helps an agent', flows, async () => {
          await mesh.restart('node-a', 'SIGKILL');
          await mesh.settled();
        });
        await isAsBefore();
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
          await isAsBefore();
        }, 60_000);

        test('podroute helps: BIRD is killed with -9 and started with -R', async () => {
          await losesNothing('podroute helps BIRD', flows, async () => {
            await bird.stop('SIGKILL');
            await mesh.noticed(node.name, others);
            bird.start('-R');
            await settled();
          });
        });

        test('BIRD helps: an agent in each subnet restarts', async () => {
          await losesNothing('BIRD, of the mesh, helps agents', flows, async () => {
            await mesh.restart('node-a', 'SIGTERM', AGENT, others);
            await settled();
            await mesh.restart('node-c', 'SIGKILL', AGENT, others);
            await settled();
          });
        });
      });
    });

    describe('faults by hand', () => {
      const deadRoutes = async () =>
        (await getRoutes(mesh.lab, 'node-a')).filter(({ state }) => state !== 'ok');
      const fromA = both.filter(({ from }) => from.startsWith('pod-a'));
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
        let atMs = 0;
        const measurement = await measure(title, both, async () => {
          atMs = Date.now();
          await mesh.ip('node-a', ...fault);
          if (mend !== undefined) {
            await until('the agent tells of the fault', async () => (await deadRoutes()).length > 0);
            atMs = Date.now();
            await mesh.ip('node-a', ...mend);
          }
          await mesh.settled();
        });
        const ends = measurement.flows.flatMap(({ outages }) => outages.map(({ untilMs }) => untilMs));
        const recoveredMs = Math.max(...ends.map((end) => (end ?? Number.POSITIVE_INFINITY) - atMs));
        process.stdout.write(`${FIGURES}${title}: packets flow again after ${recoveredMs.toFixed(0)} ms\n`);
        expect(
          lossesOf(measurement)
            .map(({ name }) => name)
            .sort(),
        ).toEqual(interrupts.map(({ from, to }) => `${from} to ${to}`).sort());
        expect(recoveredMs).toBeLessThan(1000);
        await isAsBefore();
      }

      test('our routes are flushed', async () => {
        await repairs('our routes flushed', { fault: ['route flush proto 179'], interrupts: fromA });
      });

      test('the tunnel is deleted', async () => {
        await repairs('the tunnel deleted', { fault: ['link delete podroute0'], interrupts: tunnelled });
      });

      test('the link goes down and up', async () => {
        await repairs('the link down and up', {
          fault: ['link set dev eth0 down'],
          mend: ['link set dev eth0 up', DEFAULT_ROUTE],
          interrupts: both,
        });
      });

      test('the address is removed and returns', async () => {
        await repairs('the address removed and returned', {
          fault: ['address delete 192.168.1.11/24 dev eth0'],
          mend: ['address add 192.168.1.11/24 dev eth0', DEFAULT_ROUTE],
          interrupts: both,
        });
      });
    });

    describe('the death of a node', () => {
      const dead = mesh.node('node-d');
      const others = mesh.nodes.filter((name) => name !== dead.name);
      const watched = [...others, 'tor'];
      const timers = { holdTime: 5, maxRestartTime: 3 };

      test('shorter timers apply live', async () => {
        await losesNothing('new timers for all sessions', both, async () => {
          mesh.setTimers(timers);
          await until('all sessions have the new hold time', () => mesh.haveHoldTime(timers.holdTime));
          await mesh.settled();
        });
        await isAsBefore();
      });

      test('its routes go, nothing else moves; it comes back', async () => {
        const before = await mesh.dump(watched);
        const since = routes.events.length;
        const measurement = await measure('the death of a node', both, async () => {
          const pulledMs = Date.now();
          const elapsed = () => ((Date.now() - pulledMs) / 1000).toFixed(1);
          await mesh.ip('net-b', `link set dev ${dead.name} down`);
          await until('its own agent tells of it', async () => {
            const own = await getRoutes(mesh.lab, dead.name);
            return own.some(({ state }) => state !== 'ok');
          });
          process.stdout.write(`${FIGURES}its own agent told after ${elapsed()} s\n`);
          expect(Date.now() - pulledMs).toBeLessThan(1500);
          for (const other of others) {
            await until(`${other} gives its routes up`, async () => {
              const all = await getRoutes(mesh.lab, other);
              return all.every(({ prefix }) => prefix !== dead.podSubnet);
            });
          }
          process.stdout.write(`${FIGURES}the others gave its routes up after ${elapsed()} s\n`);
          const without = Object.entries(before).map(([name, lines]) => [
            name,
            lines.filter((line) => !line.startsWith(dead.podSubnet)),
          ]);
          expect(await mesh.dump(watched)).toEqual(Object.fromEntries(without));
          const upMs = Date.now();
          await mesh.ip('net-b', `link set dev ${dead.name} up`);
          await mesh.settled();
          process.stdout.write(`${FIGURES}it was back after ${((Date.now() - upMs) / 1000).toFixed(1)} s\n`);
        });
        expect(lossesOf(measurement)).toEqual([]);
        const moved = routes.events.slice(since).filter((event) => !event.startsWith(`${dead.name}:`));
        expect(moved.filter((event) => !event.includes(dead.podSubnet))).toEqual([]);
        await isAsBefore();
      });

      afterAll(async () => {
        mesh.setTimers({ holdTime: 90, maxRestartTime: 120 });
        await until('all sessions have the old hold time', () => mesh.haveHoldTime(90));
        await mesh.settled();
      });
    });

    test('nothing is left of all this', async () => {
      expect(await mesh.dump([...mesh.topology.machines.keys()])).toEqual(everything);
    });

    /** An administrator's reset, by the command that is one. */
    async function resetPeer(on: string, peer: string): Promise<void> {
      const command = [podrouteCommand(mesh.lab), 'peer', 'reset', peer];
      await mustRun(inside(namespaceName(mesh.lab, on), command));
    }
  });
}

/** RFC 4724 section 3: the R bit, and whether all families have the F bit. */
function restartFlags({ message }: ReturnType<WireWatch['opens']>[number]) {
  const capability = message.capabilities.find(({ kind }) => kind === 'gracefulRestart');
  if (capability?.kind !== 'gracefulRestart') return undefined;
  const { restarting, families } = capability;
  return { restarting, forwarding: families.length > 0 && families.every((family) => family.forwarding) };
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
