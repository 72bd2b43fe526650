/**
 * RFC 8950 and RFC 2545 where there is nothing but link-local addresses: a session between them, IPv4 and IPv6 pods over
 * it, between two agents and between an agent and BIRD 2. Pods of both families reach each other over a link without
 * any IPv4 address, and the nodes' global IPv6 addresses are on no link: they would be next hops out of reach.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { Bird } from '../support/bird.js';
import { configuration, node, peer, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

/** The first of the two machines of a link, and the second. */
const ENDS = [1, 2].map((number) => ({
  name: `node-${'_ab'[number]}`,
  linkLocal: `fe80::${number}`,
  nodeAddress: `192.168.255.${number}`,
  nodeAddress6: `fd00::${number}`,
  block: `10.244.${number}.0/24`,
  block6: `fd00:244:${number}::/64`,
  pod: `10.244.${number}.1`,
  pod6: `fd00:244:${number}::1`,
}));
const [A, B] = ENDS as [(typeof ENDS)[0], (typeof ENDS)[0]];

const cluster = (...peers: readonly string[]) =>
  [
    pool(),
    pool('pods6', 'fd00:244::/32', { ipipMode: 'Never', blockSize: 122 }),
    configuration({ nodeToNodeMeshEnabled: false }),
    node('a', `${A.nodeAddress}/32`, [A.block, A.block6], { ipv6Address: `${A.nodeAddress6}/128` }),
    node('b', `${B.nodeAddress}/32`, [B.block, B.block6], { ipv6Address: `${B.nodeAddress6}/128` }),
    ...peers,
  ].join('\n---\n');

const BIRD_CONF = `
router id ${B.nodeAddress};
protocol device {}
protocol kernel { ipv4 { export where source = RTS_BGP; }; }
protocol kernel { ipv6 { export where source = RTS_BGP; }; }
protocol static { ipv4; route ${B.block} blackhole; }
protocol static { ipv6; route ${B.block6} blackhole; }
protocol bgp node_a {
  local ${B.linkLocal} as 65001;
  neighbor ${A.linkLocal}%eth0 as 64512;
  connect delay time 1; connect retry time 2; error wait time 1, 4;
  ipv4 { extended next hop on; import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; };
}
`;

let folder: string;
let machines: readonly [Namespace, Namespace];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-link-local-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(() => {
  machines = Namespace.linked('linklocal', [], []) as [Namespace, Namespace];
  ENDS.forEach((end, index) => {
    const machine = machines[index as 0 | 1];
    machine.ip('link', 'set', 'eth0', 'down');
    // Its one address is known then.
    machine.ip('link', 'set', 'eth0', 'addrgenmode', 'none');
    machine.ip('link', 'set', 'eth0', 'up');
    machine.ip('address', 'add', `${end.linkLocal}/64`, 'dev', 'eth0', 'nodad');
    for (const address of [end.nodeAddress, end.pod]) {
      machine.ip('address', 'add', `${address}/32`, 'dev', 'lo');
    }
    for (const address of [end.nodeAddress6, end.pod6]) {
      machine.ip('address', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
    }
  });
});

afterEach(() => Promise.all(machines.map((machine) => machine.remove())));

async function startAgent(end: typeof A, other: typeof A, asNumber: number): Promise<AgentProcess> {
  const own = join(folder, `${end.name}-to-${asNumber}`);
  mkdirSync(own);
  const agent = new AgentProcess(machines[end === A ? 0 : 1], own, end.name);
  const peerIP = `${other.linkLocal}%eth0`;
  agent.configure(cluster(peer('neighbour', { node: end.name, peerIP, asNumber })));
  await agent.start();
  return agent;
}

/** The agent has the routes of the other end, over its link-local address, in the kernel and in its answer. */
async function reaches(agent: AgentProcess, other: typeof A): Promise<void> {
  for (const prefix of [other.block, other.block6]) {
    const row = await until(`${prefix} is installed`, async () =>
      (await agent.routes()).find((each) => each.prefix === prefix && each.state === 'ok'),
    );
    expect(row).toMatchObject({
      mode: 'direct',
      reason: expect.stringContaining(`next hop ${other.linkLocal} is on the same L2 network (eth0)`),
      nextHops: [{ address: other.linkLocal, device: 'eth0', mode: 'direct' }],
      kernel: { nextHops: [{ gateway: other.linkLocal, device: 'eth0', onlink: false }] },
    });
  }
}

function pingsFromPod(machine: Namespace, from: typeof A, to: typeof A): void {
  machine.run('ping', '-n', '-c', '1', '-W', '5', '-I', from.pod, to.pod);
  machine.run('ping', '-n', '-c', '1', '-W', '5', '-I', from.pod6, to.pod6);
}

test('RFC 8950 §3, RFC 2545 §3: two agents on a link-local session, pods of both families over it', async () => {
  const [a, b] = await Promise.all([startAgent(A, B, 64512), startAgent(B, A, 64512)]);
  await Promise.all([reaches(a, B), reaches(b, A)]);
  expect(await a.peer('peer/neighbour')).toMatchObject({
    address: `${B.linkLocal}%eth0`,
    state: 'Established',
  });
  pingsFromPod(machines[0], A, B);
  const shown = machines[0].ip('route', 'show', B.block);
  expect(shown).toContain(`via inet6 ${B.linkLocal} dev eth0`);
  expect(shown).toContain(`src ${A.nodeAddress}`);
  const row = (await a.routes()).find(({ prefix }) => prefix === B.block);
  expect(row?.nextHops[0]?.neighbour).toMatch(/^(reachable|stale|delay)$/);
});

test('RFC 8950 §3, RFC 2545 §3: an agent and BIRD on a link-local session, pods of both families over it', async () => {
  const [, machineB] = machines;
  mkdirSync(join(folder, 'bird'));
  const bird = new Bird(machineB, join(folder, 'bird'), BIRD_CONF);
  await bird.start();
  const a = await startAgent(A, B, 65001);
  await reaches(a, B);
  await until('BIRD has the routes of the agent', () => {
    const routes = machineB.ip('route', 'show', A.block) + machineB.ip('-6', 'route', 'show', A.block6);
    return (
      routes.includes(`${A.block} via inet6 ${A.linkLocal}`) &&
      routes.includes(`${A.block6} via ${A.linkLocal}`)
    );
  });
  pingsFromPod(machines[0], A, B);
  pingsFromPod(machineB, B, A);
});
