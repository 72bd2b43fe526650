/**
 * Two BIRD 2 routers announce one prefix: the agent's kernel shares its traffic between them. A third one, which the
 * agent tells everything, hears of the best path alone.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { Bird } from '../support/bird.js';
import { must } from '../support/machine.js';
import { manifest, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const SHARED4 = '10.244.9.0/24';
const SHARED6 = 'fd00:244::9:0/122';

/** Router `host` of AS 65000 + host. */
const routerConf = (host: number, routes4: string, routes6: string) => `
router id 192.0.2.${host};
protocol device {}
protocol static static4 { ipv4; ${routes4} }
protocol static static6 { ipv6; ${routes6} }
protocol bgp agent {
  local 192.0.2.${host} as ${65000 + host};
  neighbor 192.0.2.1 as 64512;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; next hop address fd00:2::${host}; };
}
`;
const sharing = (host: number) =>
  routerConf(host, `route ${SHARED4} blackhole;`, `route ${SHARED6} blackhole;`);

const ALL = [{ action: 'Accept' }];
const CLUSTER = [
  pool(),
  manifest('IPPool', 'pods6', { cidr: 'fd00:244::/64', blockSize: 122 }),
  manifest('Node', 'node-a', {
    bgp: { ipv4Address: '192.0.2.1/24', ipv6Address: 'fd00:2::1/64', asNumber: 64512 },
    podCIDRs: ['10.244.1.0/24'],
  }),
  manifest('BGPFilter', 'tell-all', { exportV4: ALL, exportV6: ALL }),
  manifest('BGPPeer', 'one', { peerIP: '192.0.2.2', asNumber: 65002 }),
  manifest('BGPPeer', 'two', { peerIP: '192.0.2.3', asNumber: 65003 }),
  manifest('BGPPeer', 'observer', { peerIP: '192.0.2.4', asNumber: 65004, filters: ['tell-all'] }),
].join('\n---\n');

describe('the agent and two BIRD 2 routers that announce one prefix', () => {
  let folder: string;
  let machines: readonly Namespace[];
  let agent: AgentProcess;
  let two: Bird;
  let observer: Bird;

  const machine = (number: number) => must(machines[number]);

  /** Gateways of our route in the kernel, as `ip` shows them. */
  const gateways = (to: string) => {
    const family = to.includes(':') ? '-6' : '-4';
    const shown = machine(0).ip(family, 'route', 'show', to, 'proto', '179');
    return Array.from(shown.matchAll(/via (\S+)/g), (match) => match[1]);
  };

  const installed = (...hosts: readonly number[]) =>
    until(`the kernel has ${hosts.length} ways to both prefixes`, () => {
      const has = (to: string, net: string) =>
        gateways(to).join() === hosts.map((host) => `${net}${host}`).join();
      return has(SHARED4, '192.0.2.') && has(SHARED6, 'fd00:2::');
    });

  /** Announcements and withdrawals that the observer has got. */
  const heard = () => {
    const shown = observer.ask('show', 'protocols', 'all', 'agent');
    return Array.from(shown.matchAll(/Import (?:updates|withdraws): +(\d+)/g), (match) => match[1]);
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podroute-multipath-'));
    machines = Namespace.bridged(
      'multipath',
      [1, 2, 3, 4].map((host) => [`192.0.2.${host}/24`, `fd00:2::${host}/64`]),
    );
    const bird = (number: number, conf: string) => {
      const own = join(folder, `bird-${number}`);
      mkdirSync(own);
      return new Bird(machine(number), own, conf);
    };
    const one = bird(1, sharing(2));
    two = bird(2, sharing(3));
    observer = bird(3, routerConf(4, '', ''));
    agent = new AgentProcess(machine(0), folder, 'node-a');
    agent.configure(CLUSTER);
    await Promise.all([agent.start(), one.start(), two.start(), observer.start()]);
    await installed(2, 3);
    await until('the observer knows both prefixes', () =>
      [SHARED4, SHARED6].every((to) => observer.ask('show', 'route', to).includes(to)),
    );
  });

  afterAll(async () => {
    for (const each of machines ?? []) await each.remove();
    rmSync(folder, { recursive: true });
  });

  test('the route shows both next hops, who told of each, and the best one as what it was learned from', async () => {
    for (const [to, net] of [
      [SHARED4, '192.0.2.'],
      [SHARED6, 'fd00:2::'],
    ] as const) {
      const route = (await agent.routes()).find(({ prefix }) => prefix === to);
      expect(route).toMatchObject({
        learnedFrom: { peer: 'peer/one', asn: 65002 },
        nextHops: [
          { address: `${net}2`, device: 'eth0', mode: 'direct', peer: 'peer/one' },
          { address: `${net}3`, device: 'eth0', mode: 'direct', peer: 'peer/two' },
        ],
        kernel: {
          nextHops: [
            { gateway: `${net}2`, device: 'eth0', weight: 1, state: 'ok' },
            { gateway: `${net}3`, device: 'eth0', weight: 1, state: 'ok' },
          ],
        },
        state: 'ok',
      });
    }
  });

  test('one router that goes and comes back changes the kernel, and the observer hears nothing of it', async () => {
    const before = heard();
    expect(before.length).toBeGreaterThan(0);
    two.ask('disable', 'agent');
    await installed(2);
    two.ask('enable', 'agent');
    await installed(2, 3);
    expect(heard()).toEqual(before);
  });

  test('--max-paths 1: the best path alone, in the place of what an earlier run left', async () => {
    await agent.stop();
    expect(gateways(SHARED4)).toHaveLength(2);
    agent = new AgentProcess(machine(0), folder, 'node-a', ['--max-paths', '1']);
    await agent.start();
    await installed(2);
    expect((await agent.peer('peer/two')).state).toBe('Established');
  });
});
