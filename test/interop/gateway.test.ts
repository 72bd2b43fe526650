/**
 * Peers and the routes of this machine, with BIRD 2: one that is reached through a gateway (`reachableBy`), and filters
 * that ask by which interface a next hop is reached.
 *
 *   agent 192.0.2.1 --- wire --- 192.0.2.254 gateway 198.18.0.1 --- 198.18.0.9 router (BIRD)
 *      |                                                              198.51.100.1 on its loopback
 *     eth1, a wire that leads nowhere
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { Bird } from '../support/bird.js';
import { manifest, node, peer, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const ROUTER_CONF = `
router id 198.18.0.9;
protocol device {}
protocol static { ipv4; route 198.51.100.0/24 blackhole; route 198.51.101.0/24 blackhole; }
filter announce {
  if source != RTS_STATIC then reject;
  if net = 198.51.101.0/24 then bgp_next_hop = 192.0.2.77;
  accept;
}
protocol bgp agent {
  local 198.18.0.9 as 65001;
  neighbor 192.0.2.1 as 64512;
  multihop;
  connect delay time 1; connect retry time 2; error wait time 1, 4;
  ipv4 { import all; export filter announce; };
}
`;

const PREFIX = '198.51.100.0/24';
const THIRD_PARTY = '198.51.101.0/24';
const TO_ROUTER = '198.18.0.9/32';

describe('peers and the routes of the machine, with BIRD 2', () => {
  let folder: string;
  let machines: readonly Namespace[] = [];
  let home: Namespace;
  let agent: AgentProcess;
  let bird: Bird;

  const NODE = [
    pool('pods', '10.244.0.0/16', { ipipMode: 'Never' }),
    node('a', '192.0.2.1/24', ['10.244.1.0/24']),
  ];
  const cluster = (spec: object, rules: readonly object[] = [{ action: 'Accept' }]) =>
    [
      ...NODE,
      manifest('BGPFilter', 'edge', { importV4: rules }),
      peer('far', { peerIP: '198.18.0.9', asNumber: 65001, filters: ['edge'], ...spec }),
    ].join('\n---\n');
  const BEHIND = { reachableBy: '192.0.2.254' };
  const kernelRoute = (prefix: string) => home.ip('route', 'show', prefix, 'proto', '179').trim();
  const established = () =>
    until('the session is established', async () => (await agent.peer('peer/far')).state === 'Established');
  /** The prefixes of the router that the agent uses become exactly these. */
  const agentUses = (...prefixes: readonly string[]) =>
    until(`the agent uses ${prefixes.join(', ') || 'nothing'}`, async () => {
      const used = (await agent.routes()).filter(({ learnedFrom }) => learnedFrom !== null);
      return used.length === prefixes.length && used.every(({ prefix }) => prefixes.includes(prefix));
    });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-gateway-'));
    const router = Namespace.create('gateway');
    machines = [...Namespace.linked('gateway', ['192.0.2.1/24'], ['192.0.2.254/24']), router];
    const [left, gateway] = machines;
    if (left === undefined || gateway === undefined) throw new Error('two were made');
    home = left;
    gateway.ip('link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', router.name);
    gateway.ip('address', 'add', '198.18.0.1/24', 'dev', 'eth1');
    gateway.ip('link', 'set', 'eth1', 'up');
    gateway.ip('route', 'add', PREFIX, 'via', '198.18.0.9');
    gateway.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    router.ip('address', 'add', '198.18.0.9/24', 'dev', 'eth0');
    router.ip('address', 'add', '198.51.100.1/32', 'dev', 'lo');
    router.ip('link', 'set', 'eth0', 'up');
    router.ip('route', 'add', 'default', 'via', '198.18.0.1');
    home.ip('link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth1-end');
    for (const end of ['eth1', 'eth1-end']) home.ip('link', 'set', end, 'up');
    // The default route leads astray: nothing but a route of its own gets a packet to the router.
    home.ip('route', 'add', 'default', 'dev', 'eth1');
    agent = new AgentProcess(home, folder, 'node-a');
    agent.configure(cluster(BEHIND));
    bird = new Bird(router, folder, ROUTER_CONF);
    await Promise.all([agent.start(), bird.start()]);
  });

  afterAll(async () => {
    for (const machine of machines) await machine.remove();
    rmSync(folder, { recursive: true });
  });

  test('reachableBy makes a route to the peer alone, and the session comes up over it', async () => {
    await established();
    expect(kernelRoute(TO_ROUTER)).toBe('198.18.0.9 via 192.0.2.254 dev eth0 metric 2048');
    expect(await agent.routes()).toContainEqual(
      expect.objectContaining({
        prefix: TO_ROUTER,
        learnedFrom: null,
        mode: 'direct',
        state: 'ok',
        reason: 'reachableBy of peer/far: gateway 192.0.2.254 is on the same L2 network (eth0)',
      }),
    );
  });

  test("the router's routes go by the gateway, and packets with them", async () => {
    await until('the route is installed', () => kernelRoute(PREFIX) !== '');
    expect(kernelRoute(PREFIX)).toBe(`${PREFIX} via 192.0.2.254 dev eth0 metric 2048`);
    expect(home.run('ping', '-c', '1', '-W', '5', '198.51.100.1')).toContain('1 received');
  });

  test('a filter takes what leaves by its interface, and follows the machine, live', async () => {
    const { flaps } = (await agent.peer('peer/far')).counters;
    agent.configure(cluster(BEHIND, [{ action: 'Accept', interface: 'eth0' }, { action: 'Reject' }]));
    await agentUses(PREFIX, THIRD_PARTY);
    home.ip('route', 'add', '192.0.2.77/32', 'dev', 'eth1');
    await agentUses(PREFIX);
    expect((await agent.peer('peer/far')).rejected).toEqual([
      { prefix: THIRD_PARTY, reason: 'BGPFilter/edge spec.importV4[1] rejects it' },
    ]);
    agent.configure(cluster(BEHIND, [{ action: 'Accept', interface: '*1' }, { action: 'Reject' }]));
    await agentUses(THIRD_PARTY);
    home.ip('route', 'delete', '192.0.2.77/32', 'dev', 'eth1');
    await agentUses();
    agent.configure(cluster(BEHIND));
    await agentUses(PREFIX, THIRD_PARTY);
    expect((await agent.peer('peer/far')).counters.flaps).toBe(flaps);
  });

  test('a route of another program to the peer is never taken over', async () => {
    home.ip('route', 'add', TO_ROUTER, 'via', '192.0.2.254', 'proto', 'static', 'metric', '100');
    await until('ours is shown as shadowed', async () =>
      (await agent.routes()).some(({ prefix, state }) => prefix === TO_ROUTER && state === 'shadowed'),
    );
    agent.configure(cluster({}));
    await until('ours is gone', () => kernelRoute(TO_ROUTER) === '');
    expect(home.ip('route', 'show', TO_ROUTER)).toContain('proto static metric 100');
    home.ip('route', 'delete', TO_ROUTER, 'proto', 'static', 'metric', '100');
    agent.configure(cluster(BEHIND));
    await until('ours is back', () => kernelRoute(TO_ROUTER) !== '');
    expect((await agent.peer('peer/far')).counters.flaps).toBe(0);
  });

  test('with the peer its route goes, once the router has been told', async () => {
    agent.configure(NODE.join('\n---\n'));
    await until('the route is gone', () => kernelRoute(TO_ROUTER) === '');
    expect(home.ip('route', 'show', 'proto', '179')).toBe('blackhole 10.244.1.0/24 metric 2048 \n');
    await until('BIRD knows', () =>
      /Last error: +Received: Peer de-configured/.test(bird.ask('show', 'protocols', 'all', 'agent')),
    );
  });
});
