/**
 * Direct or tunnel, decided alike by two agents: what each says of itself travels by a BIRD 2 that knows nothing of it,
 * as their reflector, and by the mesh.
 *
 * Where this kernel has no ipip, the routes of mode `ipip` are not installed; what is decided and said is the same.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { Bird } from '../support/bird.js';
import { configuration, manifest, node, peer, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const REFLECTOR_CONF = `
router id 192.0.2.9;
protocol device {}
template bgp node {
  local 192.0.2.9 as 64512;
  rr client;
  connect delay time 1; connect retry time 2; error wait time 1, 4;
  ipv4 { import all; export all; };
}
protocol bgp node_a from node { neighbor 192.0.2.1 as 64512; }
protocol bgp node_b from node { neighbor 192.0.2.2 as 64512; }
`;
const A = { address: '192.0.2.1', block: '10.244.1.0/24' };
const B = { address: '192.0.2.2', block: '10.244.2.0/24' };

const cluster = (...more: readonly string[]) =>
  [pool(), node('a', `${A.address}/24`, [A.block]), node('b', `${B.address}/24`, [B.block]), ...more].join(
    '\n---\n',
  );
const REFLECTED = cluster(
  configuration({ nodeToNodeMeshEnabled: false }),
  peer('reflector', { peerIP: '192.0.2.9', asNumber: 64512 }),
);

let folder: string;
let machines: readonly Namespace[] = [];
let machineB: Namespace;
let agents: { readonly a: AgentProcess; readonly b: AgentProcess };
let bird: Bird;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-encapsulation-'));
  machines = Namespace.bridged('encap', [['192.0.2.9/24'], [`${A.address}/24`], [`${B.address}/24`]]);
  const [reflector, first, second] = machines;
  if (reflector === undefined || first === undefined || second === undefined)
    throw new Error('three were made');
  machineB = second;
  const folderOf = (name: string) => {
    mkdirSync(join(folder, name));
    return join(folder, name);
  };
  bird = new Bird(reflector, folderOf('bird'), REFLECTOR_CONF);
  agents = {
    a: new AgentProcess(first, folderOf('a'), 'node-a'),
    b: new AgentProcess(second, folderOf('b'), 'node-b'),
  };
  await bird.start();
  for (const agent of [agents.a, agents.b]) {
    agent.configure(REFLECTED);
    await agent.start();
  }
});

afterAll(async () => {
  await Promise.all(machines.map((machine) => machine.remove()));
  rmSync(folder, { recursive: true });
});

/** Both ends come to this way, each for its reason. */
async function bothTake(mode: 'direct' | 'ipip', atA: RegExp, atB: RegExp): Promise<void> {
  await until(`both ends take the way ${mode}`, async () => {
    const toB = (await agents.a.routes()).find(({ prefix }) => prefix === B.block);
    const toA = (await agents.b.routes()).find(({ prefix }) => prefix === A.block);
    expect([toB, toA]).toMatchObject([
      { mode, reason: expect.stringMatching(atA) },
      { mode, reason: expect.stringMatching(atB) },
    ]);
    return true;
  });
}

const SAME_NETWORK = /is on the same L2 network \(eth0\)$/;

test('RFC 9012 §4.1: BIRD reflects what a node says of itself unharmed', async () => {
  await bothTake('direct', SAME_NETWORK, SAME_NETWORK);
  const shown = await until('BIRD has the route of node-a with its facts', () => {
    const text = bird.ask('show', 'route', A.block, 'all');
    return text.includes('ext_community') && text;
  });
  expect(shown).toContain('BGP.ext_community: (generic, 0x30c0000, 0x7)');
  expect(shown).toContain(`BGP.large_community: (64512, 179124, ${0xc0000200})`);
});

test('a host route at one end: both use the tunnel; without it both go direct again', async () => {
  machineB.ip('route', 'add', `${A.address}/32`, 'via', '192.0.2.9');
  await bothTake(
    'ipip',
    /is on the same L2 network \(eth0\), but it does not reach this node directly, so both ends use IPIP/,
    /is behind gateway 192\.0\.2\.9 \(eth0\)/,
  );
  machineB.ip('route', 'delete', `${A.address}/32`, 'via', '192.0.2.9');
  await bothTake('direct', SAME_NETWORK, SAME_NETWORK);
});

test('what is set for a peer at one end counts for both, live', async () => {
  for (const agent of [agents.a, agents.b]) agent.configure(cluster());
  await bothTake('direct', SAME_NETWORK, SAME_NETWORK);
  const toB = { node: 'node-a', peerIP: B.address, asNumber: 64512, encapsulation: 'ipip' };
  for (const agent of [agents.a, agents.b]) agent.configure(cluster(manifest('BGPPeer', 'to-b', toB)));
  await bothTake('ipip', /, and encapsulation is set to ipip/, /, but it sends to this node through IPIP/);
  for (const agent of [agents.a, agents.b]) agent.configure(cluster());
  await bothTake('direct', SAME_NETWORK, SAME_NETWORK);
});
