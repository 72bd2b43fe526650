/**
 * The agent with everything on, and what is left of it after `podroute cleanup`: nothing. Needs root, iproute2, nftables
 * and BIRD (which advertises a router here). The tunnel's part is in test/kernel/ipip/tunnel.test.ts.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { Bird } from '../support/bird.js';
import { manifest, node, pool } from '../support/manifests.js';
import { netAtRest, netDump } from '../support/net-dump.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const PROGRAM = new URL('../../dist/podroute.js', import.meta.url).pathname;

const ROUTER = `
router id 192.0.2.2;
protocol device { }
protocol radv {
  interface "eth0" { min ra interval 3; max ra interval 4; default lifetime 1800; prefix 2001:db8::/64; };
}
`;

/** @param pools what is added to the specs of the pools of both families */
function resources(pools: object): string {
  return [
    pool('pods', '10.244.0.0/16', pools),
    manifest('IPPool', 'pods6', { cidr: 'fd00:244::/32', blockSize: 122, ...pools }),
    node('a', '192.0.2.1/24', ['10.244.1.0/24', 'fd00:244:1::/64'], { ipv6Address: '2001:db8::1/64' }),
    node('b', '192.0.2.2/24', ['10.244.2.0/24', 'fd00:244:2::/64'], { ipv6Address: '2001:db8::2/64' }),
  ].join('\n---\n');
}

let folder: string;
let left: Namespace;
let right: Namespace;
let agent: AgentProcess;
let other: AgentProcess;
let before: ReturnType<typeof netDump>;

const confDir = (letter: string) => join(folder, letter, 'net.d');

function agentIn(namespace: Namespace, letter: string): AgentProcess {
  const own = join(folder, letter);
  const configurations = confDir(letter);
  mkdirSync(configurations, { recursive: true });
  writeFileSync(join(configurations, '99-loopback.conf'), '{"type": "loopback"}');
  const flags = ['--cni-conf-dir', configurations];
  const started = new AgentProcess(namespace, own, `node-${letter}`, flags);
  started.configure(resources({ natOutgoing: true }));
  return started;
}

/** The command with the settings of the agent on the left, by variables as its unit would have them. */
function cleanup(...args: readonly string[]): SpawnSyncReturns<string> {
  const argv = ['netns', 'exec', left.name, process.execPath, PROGRAM, 'cleanup', ...args];
  const env = {
    ...process.env,
    PODROUTE_RUN_DIR: agent.runDir,
    PODROUTE_STATE_DIR: join(agent.folder, 'state'),
    PODROUTE_CNI_CONF_DIR: confDir('a'),
    PODROUTE_API: `unix:${join(agent.folder, 'api.sock')}`,
  };
  return spawnSync('ip', argv, { encoding: 'utf8', env });
}

const sysctl = (name: string) => left.run('sysctl', '-n', name).trim();
const subnetEnv = () => readFileSync(join(agent.runDir, 'subnet.env'), 'utf8');
const routerKnown = () => left.ip('-6', 'route', 'show', 'default').includes('proto ra');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-cleanup-'));
  [left, right] = Namespace.linked(
    'cleanup',
    ['192.0.2.1/24', '2001:db8::1/64'],
    ['192.0.2.2/24', '2001:db8::2/64'],
  );
  left.ip('route', 'add', 'default', 'via', '192.0.2.2');
  left.ip('route', 'add', '10.9.0.0/16', 'via', '192.0.2.2', 'proto', 'static', 'metric', '2048');
  left.run('nft', 'add', 'table', 'ip', 'others');
  // As a distribution has them.
  left.run('sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1', 'net.ipv4.conf.eth0.rp_filter=1');
  left.run('sysctl', '-qw', 'net.ipv4.conf.all.accept_redirects=0', 'net.ipv6.conf.eth0.accept_ra=1');
  right.run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
  await new Bird(right, folder, ROUTER).start();
  await until('the machine has learned its way out from the router', routerKnown);
  await netAtRest(left.name);
  before = netDump(left.name);

  agent = agentIn(left, 'a');
  other = agentIn(right, 'b');
  await Promise.all([agent.start(), other.start()]);
  await until('everything is on', async () => {
    const { dataplane } = await agent.status();
    const routes = await agent.routes();
    const learned = routes.filter(({ state, mode }) => state === 'ok' && mode === 'direct');
    return learned.length === 2 && dataplane.nat?.state === 'on';
  });
});

afterAll(async () => {
  await left?.remove();
  await right?.remove();
  rmSync(folder, { recursive: true });
});

describe('while the agent runs', () => {
  test('IPv6 is forwarded, and the route from the router advertisement stays', async () => {
    expect(sysctl('net.ipv6.conf.all.forwarding')).toBe('1');
    expect(sysctl('net.ipv6.conf.eth0.accept_ra')).toBe('2');
    expect(routerKnown()).toBe(true);
  });

  test('/status tells of NAT, of the pods, and of what was changed', async () => {
    const { dataplane, pods } = await agent.status();
    expect(dataplane.nat).toEqual({
      state: 'on',
      pools: ['10.244.0.0/16', 'fd00:244::/32'],
      reason: null,
      repairs: 0,
    });
    expect(pods).toEqual({ subnets: ['10.244.1.0/24', 'fd00:244:1::/64'], mtu: 1480 });
    expect(dataplane.settings).toEqual([
      { name: 'net.ipv4.ip_forward', value: '1', before: '0' },
      { name: 'net.ipv6.conf.eth0.accept_ra', value: '2', before: '1' },
      { name: 'net.ipv6.conf.all.forwarding', value: '1', before: '0' },
    ]);
  });

  test('subnet.env follows the MTU of the underlay and the mode of the pool', async () => {
    expect(subnetEnv()).toBe(
      [
        'FLANNEL_NETWORK=10.244.0.0/16',
        'FLANNEL_SUBNET=10.244.1.1/24',
        'FLANNEL_IPV6_NETWORK=fd00:244::/32',
        'FLANNEL_IPV6_SUBNET=fd00:244:1::1/64',
        'FLANNEL_MTU=1480',
        'FLANNEL_IPMASQ=true',
        '',
      ].join('\n'),
    );
    left.ip('link', 'set', 'eth0', 'mtu', '1400');
    await until('the MTU is followed', () => subnetEnv().includes('FLANNEL_MTU=1380\n'));
    left.ip('link', 'set', 'eth0', 'mtu', '1500');
    await until('the MTU is followed back', () => subnetEnv().includes('FLANNEL_MTU=1480\n'));
    agent.configure(resources({ natOutgoing: true, ipipMode: 'Never' }));
    await until('no pool allows IPIP', () => subnetEnv().includes('FLANNEL_MTU=1500\n'));
    agent.configure(resources({ natOutgoing: true }));
    await until('a pool allows it again', () => subnetEnv().includes('FLANNEL_MTU=1480\n'));
  });

  test('NAT comes and goes with natOutgoing', async () => {
    const tables = () => left.run('nft', 'list', 'tables').trim().split('\n').sort();
    const [foreign, ...ours] = ['table ip others', 'table ip podroute', 'table ip6 podroute'];
    expect(tables()).toEqual([foreign, ...ours]);
    agent.configure(resources({}));
    await until('the tables are gone', () => tables().length === 1);
    await until('and the status says so', async () => (await agent.status()).dataplane.nat === null);
    agent.configure(resources({ natOutgoing: true }));
    await until('they are back', () => tables().length === 3);
  });

  test.each([[[]], [['--dry-run']]])('cleanup %j refuses, and names the process', (flags) => {
    const { status, stdout, stderr } = cleanup(...flags);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^podroute cleanup: podroute \(pid \d+\) is at work with the runtime folder .*; stop it first/,
    );
    expect(stdout).toBe('');
  });

  test('another agent does not start over it', () => {
    const flags = ['--node-name', 'node-a', '--datastore', `file:${join(agent.folder, 'cluster.yaml')}`];
    const argv = [PROGRAM, 'agent', ...flags, '--run-dir', agent.runDir, '--api', '127.0.0.1:0'];
    const again = spawnSync('ip', ['netns', 'exec', left.name, process.execPath, ...argv], {
      encoding: 'utf8',
    });
    expect(again.status).toBe(1);
    expect(again.stderr).toMatch(/^podroute: podroute \(pid \d+\) is at work with the runtime folder/);
  });
});

describe('once it is stopped', () => {
  let dryLines: readonly string[];

  beforeAll(async () => {
    // What an earlier run changed is known to a later one, however the earlier ended.
    await agent.stop('SIGKILL');
    await agent.start();
    await until('NAT is in force', async () => (await agent.status()).dataplane.nat?.state === 'on');
    await agent.stop();
  });

  test('a dry run names everything and touches nothing', () => {
    const now = netDump(left.name);
    const { status, stdout, stderr } = cleanup('--dry-run');
    expect(stderr).toBe('A dry run: what follows would be done, and nothing is.\n');
    expect(status).toBe(0);
    dryLines = stdout.trimEnd().split('\n');
    expect([...dryLines].sort()).toEqual(
      [
        'removed table ip podroute',
        'removed table ip6 podroute',
        'removed route blackhole 10.244.1.0/24',
        'removed route blackhole fd00:244:1::/64',
        'removed route 10.244.2.0/24 via 192.0.2.2 dev eth0',
        'removed route fd00:244:2::/64 via 2001:db8::2 dev eth0',
        'restored setting net.ipv4.ip_forward = 0 (was 1)',
        'restored setting net.ipv6.conf.all.forwarding = 0 (was 1)',
        'restored setting net.ipv6.conf.eth0.accept_ra = 1 (was 2)',
        `removed file ${join(confDir('a'), '10-podroute.conflist')}`,
        ...['lock', 'settings.json', 'subnet.env'].map((name) => `removed file ${join(agent.runDir, name)}`),
        `removed folder ${agent.runDir}`,
      ].sort(),
    );
    expect(netDump(left.name)).toEqual(now);
    expect(readdirSync(agent.runDir).sort()).toEqual(['lock', 'settings.json', 'subnet.env']);
    expect(readdirSync(confDir('a')).sort()).toEqual(['10-podroute.conflist', '99-loopback.conf']);
  });

  test('as JSON, the same', () => {
    const { dryRun, items } = JSON.parse(cleanup('--dry-run', '-o', 'json').stdout);
    expect(dryRun).toBe(true);
    const shown = items.map(
      (item: Record<string, unknown>) => `${item['outcome']} ${item['kind']} ${item['what']}`,
    );
    expect(shown).toEqual(dryLines);
  });

  test('the same lines, and the machine is as it was before the first start', () => {
    const { status, stdout, stderr } = cleanup();
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout.trimEnd().split('\n')).toEqual(dryLines);
    expect(netDump(left.name)).toEqual(before);
    expect(existsSync(agent.runDir)).toBe(false);
    expect(readdirSync(confDir('a'))).toEqual(['99-loopback.conf']);
  });

  test('what another program has there by our name stays', () => {
    const theirs = join(confDir('a'), '10-podroute.conflist');
    writeFileSync(theirs, '{"cniVersion": "1.0.0", "name": "another", "plugins": []}');
    expect(cleanup().stdout).toBe('There is nothing of podroute on this machine.\n');
    expect(existsSync(theirs)).toBe(true);
  });

  test('a state that cannot be removed is said, and the rest goes', () => {
    const state = join(agent.folder, 'state');
    // A folder where the file should be: no unlink removes that, whoever asks.
    mkdirSync(join(state, 'datastore.json'), { recursive: true });
    const { status, stdout, stderr } = cleanup();
    expect(stderr).toBe('');
    expect(stdout).toMatch(new RegExp(`^failed folder ${state}: .*datastore\\.json`, 'm'));
    expect(status).toBe(1);
    rmSync(state, { recursive: true });
  });

  test('a second run finds nothing', () => {
    const { status, stdout } = cleanup();
    expect(stdout).toBe('There is nothing of podroute on this machine.\n');
    expect(status).toBe(0);
    expect(existsSync(agent.runDir)).toBe(false);
  });
});
