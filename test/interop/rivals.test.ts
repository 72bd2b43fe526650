/**
 * Two agents whose files give both the same pod subnet: seen in BGP, without a store. One keeps it, the other stops
 * announcing it, both say so, and the other takes it up again when the first has gone.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { manifest, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const SHARED = '10.244.1.0/24';

/** The file of one machine, in which it has the subnet and the other one has another. */
function cluster(holder: string): string {
  const nodes = [1, 2, 3].map((host) =>
    manifest('Node', `node-${host}`, {
      bgp: { ipv4Address: `192.0.2.${host}/24` },
      podCIDRs: [`node-${host}` === holder ? SHARED : `10.244.${10 + host}.0/24`],
    }),
  );
  return [pool(), ...nodes].join('\n---\n');
}

describe('a pod subnet that two nodes have', () => {
  let folder: string;
  let machines: readonly Namespace[];
  let first: AgentProcess;
  let second: AgentProcess;
  let third: AgentProcess;

  const alarmsOf = async (agent: AgentProcess) => (await agent.status()).alarms.map(({ text }) => text);
  const thirdGoesBy = (address: string) =>
    until(`the third node has the subnet from ${address} alone`, async () => {
      const row = (await third.routes()).find(({ prefix }) => prefix === SHARED);
      return row?.nextHops.map((hop) => hop.address).join() === address;
    });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-rivals-'));
    machines = Namespace.bridged('rivals', [['192.0.2.1/24'], ['192.0.2.2/24'], ['192.0.2.3/24']]);
    [first, second, third] = machines.map((machine, index) => {
      const own = join(folder, String(index + 1));
      mkdirSync(own);
      return new AgentProcess(machine, own, `node-${index + 1}`, ['--dataplane', 'off']);
    }) as [AgentProcess, AgentProcess, AgentProcess];
    first.configure(cluster('node-1'));
    second.configure(cluster('node-2'));
    third.configure(cluster('node-1'));
    await second.start();
    await third.start();
    await thirdGoesBy('192.0.2.2');
  });

  afterAll(async () => {
    for (const machine of machines ?? []) await machine.remove();
    rmSync(folder, { recursive: true });
  });

  test('the lower identifier keeps it, whoever was there first; both say so', async () => {
    await first.start();
    await thirdGoesBy('192.0.2.1');
    const lost = await until('the loser says so', async () => (await alarmsOf(second)).join());
    expect(lost).toContain(`the pod subnet ${SHARED} of this node is announced by 192.0.2.1`);
    expect(lost).toContain('this node has stopped announcing it');
    const won = await until('the winner says so', async () => (await alarmsOf(first)).join());
    expect(won).toContain(
      'by 192.0.2.2 (told by mesh/node-2) too: this node has the lower BGP identifier and keeps it',
    );
    // What it has lost are routes, not sessions.
    expect((await second.peer('mesh/node-3')).counters.flaps).toBe(0);
  });

  test('when the winner gives it up, the other one announces it again, and its alarm is over', async () => {
    first.configure(cluster('nobody'));
    await thirdGoesBy('192.0.2.2');
    await until('the alarm is over', async () => (await alarmsOf(second)).length === 0);
    // Its people may not have looked yet.
    expect(await alarmsOf(first)).toHaveLength(1);
  });
});
