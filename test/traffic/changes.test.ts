/**
 * What changes around a mesh while packets flow: the MTU of the underlay, a member that runs BIRD and is restarted, and
 * a prefix that two nodes announce, of which one goes and comes. All on the machines of deploy/lab/varied.yaml; where the
 * running kernel has no ipip, inside User-Mode Linux. Needs root and the packages of `npm test`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { getRoutes, getStatus } from '../lab/api.js';
import { mustRun, namespaceName } from '../lab/namespaces.js';
import { birdSocket } from '../lab/programs.js';
import { labFolder } from '../lab/state.js';
import { machinesOf } from '../lab/topology.js';
import { type TransferResult, transfer } from '../lab/transfer.js';
import { must } from '../support/machine.js';
import { withIpip } from '../support/uml-file.js';
import { until } from '../support/until.js';
import { FIGURE, figure, Stage } from './stage.js';
import type { Direction } from './traffic.js';

const TOPOLOGY = new URL('../../deploy/lab/varied.yaml', import.meta.url).pathname;
const BIRD_NODE = 'node-e';
/** How long traffic is measured while nothing happens. */
const WINDOW_MS = 1000;
/** Every question costs the one processor of User-Mode Linux some of the time that the answer takes to come. */
const POLL_MS = 200;
/** The agent hears of it by an event; its next look by itself would be after 90 s. */
const FOLLOW_MS = 5000;
/** Slow enough that a transfer sees the MTU change; how long the changes take is for nobody to know. */
const PACED_SECONDS = 3;

withIpip(import.meta.url, { timeoutMs: 420_000, memoryMib: 1536, figures: FIGURE }, () => {
  describe('a mesh around which things change', { timeout: 120_000 }, () => {
    const stage = new Stage(TOPOLOGY);
    const { mesh } = stage;
    beforeAll(() => stage.build(), 120_000);
    afterAll(() => stage.remove());

    describe('the MTU of the underlay', () => {
      const nodes = ['node-a', 'node-b', 'node-c'];
      let underlayMtu = 1500;

      /** All of net-a, as an administrator would: never a port that carries less than the machines behind it. */
      async function setUnderlayMtu(mtu: number): Promise<void> {
        const machines = [...nodes, 'router-a'];
        const setSwitch = () =>
          mesh.ip('net-a', ...machines.map((port) => `link set dev ${port} mtu ${mtu}`));
        const isRaised = mtu > underlayMtu;
        if (isRaised) await setSwitch();
        await Promise.all(machines.map((machine) => mesh.ip(machine, `link set dev eth0 mtu ${mtu}`)));
        if (!isRaised) await setSwitch();
        underlayMtu = mtu;
      }

      const tunnelMtus = () =>
        Promise.all(nodes.map(async (node) => (await getStatus(mesh.lab, node)).dataplane.tunnel?.mtu));

      async function tunnelsFollow(mtu: number): Promise<void> {
        const began = performance.now();
        const haveFollowed = async () => (await tunnelMtus()).every((one) => one === mtu);
        await until(`the tunnels have MTU ${mtu}`, haveFollowed, FOLLOW_MS, POLL_MS);
        const ms = performance.now() - began;
        figure(`tunnels follow to MTU ${mtu} within ${ms.toFixed(0)} ms`);
        for (const node of nodes)
          expect(await mesh.ip(node, 'link show podroute0')).toContain(` mtu ${mtu} `);
      }

      test('is followed by every tunnel while packets flow, down and up, without a restart', async () => {
        const flows = [...mesh.between('pod-a1', 'pod-d1'), ...mesh.between('pod-b1', 'pod-e1')];
        let isBack = false;
        /** One transfer after another until the MTU is back: every change meets one that is under way. */
        async function bulk(from: string, to: string): Promise<TransferResult[]> {
          const order = {
            from,
            to,
            address: mesh.addressOf(to),
            bytes: 10_000_000,
            overSeconds: PACED_SECONDS,
          };
          const results: TransferResult[] = [];
          do results.push(await transfer(mesh.lab, order, 30_000));
          while (!isBack);
          return results;
        }
        let results: readonly TransferResult[] = [];
        await stage.losesNothing('the MTU of net-a to 1300 and back', flows, async () => {
          const transfers = Promise.all([bulk('pod-a1', 'pod-d1'), bulk('pod-d1', 'pod-b1')]);
          await setUnderlayMtu(1300);
          await tunnelsFollow(1280);
          await setUnderlayMtu(1500);
          await tunnelsFollow(1480);
          isBack = true;
          results = (await transfers).flat();
        });
        expect(results.filter(({ fault }) => fault !== undefined)).toEqual([]);
        for (const { seconds } of results)
          figure(`10 MB by TCP, paced over ${PACED_SECONDS} s, meanwhile: ${seconds.toFixed(2)} s`);
      });
    });

    describe('a member that runs BIRD', () => {
      const flows = [...mesh.between('pod-e1', 'pod-a1'), ...mesh.between('pod-e1', 'pod-d1')];

      test('killed with -9 and started with -R: nothing is lost, its peers keep its routes (RFC 4724 4.2)', async () => {
        await stage.losesNothing('BIRD killed and started', flows, async () => {
          await mesh.stop(BIRD_NODE, 'SIGKILL');
          await mesh.noticed(BIRD_NODE, mesh.nodes);
          mesh.startBird(BIRD_NODE, ['-R']);
          await mesh.settled();
        });
      });

      test('taken down by "birdc graceful restart" and started with -R: nothing is lost', async () => {
        await stage.losesNothing('BIRD restarted by its operator', flows, async () => {
          await birdc('graceful restart');
          await mesh.noticed(BIRD_NODE, mesh.nodes);
          await mesh.stop(BIRD_NODE);
          mesh.startBird(BIRD_NODE, ['-R']);
          await mesh.settled();
        });
      });

      test('keeps the routes of agents that restart beside it and across the router (RFC 4724 4.2)', async () => {
        await stage.losesNothing('agents of both subnets restarted', flows, async () => {
          await mesh.restart('node-a', 'SIGTERM');
          await mesh.restart('node-d', 'SIGKILL');
          await mesh.settled();
        });
      });
    });

    function birdc(command: string): Promise<string> {
      return mustRun(['/usr/sbin/birdc', '-s', birdSocket(mesh.lab, BIRD_NODE), ...command.split(' ')]);
    }

    describe('a prefix that two nodes announce, one of them by BIRD', () => {
      const PREFIX = '10.244.64.0/24';
      const AGENT_NODE = 'node-d';
      const senders = ['node-a', 'node-b', 'node-c'];
      const owners = [AGENT_NODE, BIRD_NODE];
      const [agentHop, birdHop] = owners.map((owner) => mesh.addressOf(owner));
      const addresses = [1, 2, 3, 4, 5, 6].map((host) => `10.244.64.${host}`);
      const flows = ['pod-a1', 'pod-b1', 'pod-c1'].flatMap((from) =>
        addresses.map((address): Direction => ({ from, to: AGENT_NODE, address, alsoTo: [BIRD_NODE] })),
      );
      const PACKETS_PER_SECOND = 100;
      const HOLD_SECONDS = 6;
      const RESTART_SECONDS = 4;
      const PATIENCE_MS = 60_000;

      const losesNothing = (title: string, during: () => Promise<void>, leaving?: readonly string[]) =>
        stage.losesNothing(title, flows, during, PACKETS_PER_SECOND, leaving);

      /** The gateways that each sender's agent has read back from its kernel, sorted. */
      const gateways = () =>
        Promise.all(
          senders.map(async (node) => {
            const row = (await getRoutes(mesh.lab, node)).find(({ prefix }) => prefix === PREFIX);
            return (row?.kernel?.nextHops ?? []).map(({ gateway }) => gateway).sort();
          }),
        );

      const goBy = (what: string, ...hops: readonly (string | undefined)[]) => {
        const wanted = [...hops].sort().join();
        const isSo = async () => (await gateways()).every((list) => list.join() === wanted);
        return until(what, isSo, PATIENCE_MS, POLL_MS);
      };
      const goByBoth = () => goBy('both next hops share the traffic', agentHop, birdHop);

      beforeAll(async () => {
        const served = addresses.map((address) => `address add ${address}/32 dev lo`);
        for (const owner of owners) await mesh.ip(owner, ...served);
        const config = must(machinesOf(mesh.topology, 'bird-node')[0]).config;
        const file = join(labFolder(mesh.lab), 'anycast.conf');
        const text = readFileSync(config, 'utf8').replace(
          ' restart on;',
          ` restart on; graceful restart time ${RESTART_SECONDS};`,
        );
        writeFileSync(file, `${text}\nprotocol static anycast { ipv4; route ${PREFIX} blackhole; }\n`);
        await birdc(`configure "${file}"`);
        mesh.setTimers({ holdTime: HOLD_SECONDS, maxRestartTime: RESTART_SECONDS });
        mesh.changeResources((text) =>
          text.replace('10.244.192.0/24]', `10.244.192.0/24]\n  anycastCIDRs: [${PREFIX}]`),
        );
        await goByBoth();
        await until('all sessions have the short timers', () => mesh.haveHoldTime(HOLD_SECONDS));
      });

      test('is one multipath route through the tunnel, and both get a share', async () => {
        for (const node of senders) {
          const row = must((await getRoutes(mesh.lab, node)).find(({ prefix }) => prefix === PREFIX));
          expect(row).toMatchObject({ mode: 'ipip', state: 'ok' });
          expect(row.nextHops.map(({ device }) => device)).toEqual(['podroute0', 'podroute0']);
        }
        const ways = await waysOfFlows();
        expect(new Set(ways.values())).toEqual(new Set([agentHop, birdHop]));
        await losesNothing('both next hops at rest', () => sleep(WINDOW_MS));
      });

      test('shrinks when one withdraws and grows when it announces again: nothing is lost', async () => {
        await losesNothing('BIRD withdraws and announces again', async () => {
          await birdc('disable anycast');
          await goBy('BIRD has withdrawn', agentHop);
          await birdc('enable anycast');
          await goByBoth();
        });
      });

      test('shrinks when an agent is stopped and its restart time is over, and grows when it is back', async () => {
        const agentNode = machinesOf(mesh.topology, 'node').find(({ name }) => name === AGENT_NODE);
        const blocks = must(agentNode).podSubnets.map(({ prefix }) => prefix);
        await losesNothing(
          'an agent gone for longer than its restart time',
          async () => {
            await mesh.stop(AGENT_NODE);
            await goBy('the restart time is over', birdHop);
            mesh.startAgent(AGENT_NODE);
            await goByBoth();
          },
          blocks,
        );
      });

      test('one next hop loses its link: nothing is lost on the other, and all use it until the link is back', async () => {
        const ways = await waysOfFlows();
        const downAndUp = async () => {
          await mesh.ip('net-b', `link set dev ${BIRD_NODE} down`);
          await goBy('the hold time and the restart time are over', agentHop);
          await mesh.ip('net-b', `link set dev ${BIRD_NODE} up`);
          await goByBoth();
        };
        const measurement = await stage.measure('BIRD link down', flows, downAndUp, PACKETS_PER_SECOND);
        const survivors = measurement.flows.filter(({ name }) => ways.get(name) === agentHop);
        expect(survivors.length).toBeGreaterThan(0);
        expect(survivors.filter(({ lost }) => lost > 0)).toEqual([]);
        for (const { name, lost, outages } of measurement.flows) {
          if (ways.get(name) !== birdHop) continue;
          // Cut once, from the link's end to the moment that its share went the other way.
          expect(lost, name).toBeGreaterThan(0);
          expect(outages, name).toHaveLength(1);
        }
      });

      /** By the name of the flow: the next hop that the sender's kernel hashes it to. */
      async function waysOfFlows(): Promise<ReadonlyMap<string, string | undefined>> {
        const ways = new Map<string, string | undefined>();
        for (const { from, address } of flows) {
          const pod = must(machinesOf(mesh.topology, 'pod').find(({ name }) => name === from));
          const get = `route get ${address} from ${mesh.addressOf(from)} iif br0`;
          const said = await mustRun(['ip', '-netns', namespaceName(mesh.lab, pod.node), ...get.split(' ')]);
          ways.set(`${from} to ${address}`, / via (\S+)/.exec(said)?.[1]);
        }
        return ways;
      }
    });
  });
});
