/** Pods made by the reference CNI plugins on two nodes that a router separates. Needs a kernel with ipip. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AgentProcess } from './agent-process.js';
import { PodRuntime } from './cni.js';
import { node, pool } from './manifests.js';
import { Namespace } from './netns.js';
import { until } from './until.js';

const CLUSTER = [
  pool(),
  node('a', '192.168.1.11/24', ['10.244.1.0/24']),
  node('c', '192.168.2.13/24', ['10.244.3.0/24']),
].join('\n---\n');
/** What the outer header leaves of the underlay's 1500. */
const POD_MTU = 1480;

export function podTunnelSuite(): void {
  test('pods made by CNI plugins reach each other through the tunnel, in packets of their whole MTU', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podroute-pods-'));
    const [near, router] = Namespace.linked('pods', ['192.168.1.11/24'], ['192.168.1.254/24']);
    const far = Namespace.create('pods');
    router.ip('link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', far.name);
    router.ip('address', 'add', '192.168.2.254/24', 'dev', 'eth1');
    router.ip('link', 'set', 'eth1', 'up');
    router.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    far.ip('address', 'add', '192.168.2.13/24', 'dev', 'eth0');
    far.ip('link', 'set', 'eth0', 'up');
    near.ip('route', 'add', 'default', 'via', '192.168.1.254');
    far.ip('route', 'add', 'default', 'via', '192.168.2.254');
    const sites = [near, far].map((machine, index) => {
      const own = join(folder, String(index));
      const configurations = join(own, 'net.d');
      mkdirSync(configurations, { recursive: true });
      const flags = ['--cni-conf-dir', configurations, '--cni-data-dir', join(own, 'data')];
      const agent = new AgentProcess(machine, own, index === 0 ? 'node-a' : 'node-c', flags);
      agent.configure(CLUSTER);
      return { agent, runtime: new PodRuntime(machine, configurations) };
    });
    try {
      await Promise.all(sites.map(({ agent }) => agent.start()));
      for (const { agent } of sites) {
        await until(
          'the other subnet is reached through the tunnel',
          async () => (await agent.routes()).some(({ mode, state }) => mode === 'ipip' && state === 'ok'),
          60_000,
        );
      }
      const [one, two] = sites.map(({ runtime }) => runtime.add());
      expect([one?.mtu(), two?.mtu()]).toEqual([POD_MTU, POD_MTU]);
      expect(one?.reaches(two?.address() ?? '', POD_MTU)).toBe(true);
      expect(two?.reaches(one?.address() ?? '', POD_MTU)).toBe(true);
      for (const address of ['192.168.1.11', '192.168.2.13']) expect(one?.reaches(address)).toBe(true);
    } finally {
      for (const { agent, runtime } of sites) {
        await runtime.close();
        await agent.stop();
      }
      for (const machine of [near, router, far]) await machine.remove();
      rmSync(folder, { recursive: true });
    }
  });
}
