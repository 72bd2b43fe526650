/**
 * Pods made by the reference CNI plugins from what the agent writes for them, on two nodes of a mesh: they have addresses of
 * their node's subnets and reach each other, and new pods have what subnets and MTU have become. Needs root, iproute2 and
 * containernetworking-plugins.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { CniError, type Pod, PodRuntime } from '../support/cni.js';
import { manifest, node, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

/** Of eight addresses five are for pods: not the network's, the gateway's and the broadcast. */
const SMALL = '10.244.1.0/29';
const PODS_OF_SMALL = ['10.244.1.2', '10.244.1.3', '10.244.1.4', '10.244.1.5', '10.244.1.6'];
const SECOND = '10.244.3.0/24';
const IPV6 = 'fd00:244:0:1::/64';

/** Answers every connection with the address that it came from. */
const WHO_ASKS = `require('net').createServer((socket) => socket.end(socket.remoteAddress)).listen(80, '::')`;
const ASK = `
  const socket = require('net').connect({ host: process.argv[1], port: Number(process.argv[2]) });
  socket.setTimeout(5000, () => socket.destroy(new Error('no answer'))).pipe(process.stdout);
  socket.on('error', () => process.exit(1));
`;

let folder: string;
let left: Namespace;
let right: Namespace;
let agent: AgentProcess;
let other: AgentProcess;
let runtime: PodRuntime;
let farRuntime: PodRuntime;
let far: Pod;

const own = (letter: string) => join(folder, letter);
const configurations = (letter: string) => join(own(letter), 'net.d');
const flags = (letter: string, plugin: string) => [
  ...['--cni-conf-dir', configurations(letter), '--cni-plugin', plugin],
  ...['--cni-data-dir', join(own(letter), 'data')],
];

function configure(blocks: readonly string[]): void {
  const resources = [
    pool('pods', '10.244.0.0/16', { natOutgoing: true }),
    manifest('IPPool', 'pods6', { cidr: 'fd00:244::/48', blockSize: 122 }),
    node('a', '192.0.2.1/24', blocks, { ipv6Address: '2001:db8::1/64' }),
    node('b', '192.0.2.2/24', ['10.244.2.0/24', 'fd00:244:0:2::/64'], { ipv6Address: '2001:db8::2/64' }),
  ];
  for (const each of [agent, other]) each.configure(resources.join('\n---\n'));
}

/** Resolves when new pods get addresses of these. */
async function offered(...wanted: readonly string[]): Promise<void> {
  await until(`pods get addresses of ${wanted.join(', ')}`, () => {
    const ranges = runtime.configuration().plugins[0]?.ipam?.ranges.flat() ?? [];
    return ranges.map(({ subnet }) => subnet).join() === wanted.join();
  });
}

const mtu = () => runtime.configuration().plugins[0]?.mtu;
const subnetEnv = () => readFileSync(join(agent.runDir, 'subnet.env'), 'utf8');
const noted = () => readdirSync(join(own('a'), 'data/podroute')).filter((name) => /^[\da-f.:]+$/.test(name));

/** Both nodes have the routes to each other's subnets. */
const meshed = () =>
  until('the nodes have the routes of each other', async () => {
    const routes = [...(await agent.routes()), ...(await other.routes())];
    const learned = routes.filter(({ mode, state }) => mode === 'direct' && state === 'ok');
    return learned.map(({ prefix }) => prefix).includes(SMALL) && learned.length === 4;
  });

/** What a program that waits on a port says of who asks. */
function ask(from: Namespace, address: string, port: number): string {
  return from.run(process.execPath, '-e', ASK, address, String(port)).replace('::ffff:', '');
}

async function listening(pod: Pod): Promise<void> {
  pod.namespace.spawn(process.execPath, ['-e', WHO_ASKS], join(folder, 'listener.log'));
  await until('the pod listens', () => pod.namespace.run('ss', '-Hltn').includes(':80 '));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-cni-'));
  for (const letter of ['a', 'b']) mkdirSync(configurations(letter), { recursive: true });
  [left, right] = Namespace.linked(
    'cni',
    ['192.0.2.1/24', '2001:db8::1/64'],
    ['192.0.2.2/24', '2001:db8::2/64'],
  );
  left.ip('route', 'add', 'default', 'via', '192.0.2.2');
  agent = new AgentProcess(left, own('a'), 'node-a', flags('a', 'ptp'));
  other = new AgentProcess(right, own('b'), 'node-b', flags('b', 'ptp'));
  runtime = new PodRuntime(left, configurations('a'));
  farRuntime = new PodRuntime(right, configurations('b'));
  configure([SMALL, IPV6]);
  await Promise.all([agent.start(), other.start()]);
  await meshed();
  await until('pods can be made', () => mtu() === 1480 && farRuntime.configuration().name === 'podroute');
  far = farRuntime.add();
});

afterAll(async () => {
  await runtime?.close();
  await farRuntime?.close();
  await left?.remove();
  await right?.remove();
  rmSync(folder, { recursive: true });
});

describe.each(['ptp', 'bridge'] as const)('pods made by %s', (plugin) => {
  beforeAll(async () => {
    await agent.stop();
    agent = new AgentProcess(left, own('a'), 'node-a', flags('a', plugin));
    await agent.start();
    await until('the configuration follows', () => runtime.configuration().plugins[0]?.type === plugin);
    await meshed();
  });
  afterAll(() => runtime.close());

  test('reach each other, their node, and pods and nodes elsewhere', () => {
    const [one, two] = [runtime.add(), runtime.add()];
    for (const pod of [one, two]) expect(PODS_OF_SMALL).toContain(pod.address());
    expect(one.address('ipv6')).toMatch(/^fd00:244:0:1::/);
    expect(one.mtu()).toBe(1480);
    for (const to of [two, far]) {
      expect(one.reaches(to.address(), 1480)).toBe(true);
      expect(to.reaches(one.address(), 1480)).toBe(true);
      expect(one.reaches(to.address('ipv6'))).toBe(true);
    }
    for (const to of ['192.0.2.1', '192.0.2.2', '10.244.1.1']) expect(one.reaches(to)).toBe(true);
    for (const from of [left, right]) {
      expect(from.run('ping', '-n', '-c', '1', '-W', '5', one.address())).toContain(' 0% packet loss');
    }
    for (const pod of [one, two, far]) pod.check();
  });

  test('stand beside the route of their subnet, which stops what is for nobody', async () => {
    const block = (await agent.routes()).find(({ prefix }) => prefix === SMALL);
    expect(block).toMatchObject(
      plugin === 'ptp' ? { mode: 'blackhole', state: 'blackhole' } : { mode: 'local', state: 'ok' },
    );
    expect(left.ip('route', 'show', SMALL, 'proto', '179')).toMatch(/^blackhole .* metric 2048/);
    const nobody = PODS_OF_SMALL.find((address) => !noted().includes(address)) ?? '';
    expect(() => right.run('ping', '-n', '-c', '1', '-W', '1', nobody)).toThrow();
    expect(agent.log()).not.toContain('overlaps');
  });

  test('are seen by their own address, and through a port of their node', async () => {
    const pod = runtime.add([{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }]);
    await listening(pod);
    expect(ask(far.namespace, pod.address(), 80)).toBe(far.address());
    expect(ask(right, '192.0.2.1', 8080)).toBe('192.0.2.2');
    expect(ask(far.namespace, '192.0.2.1', 8080)).toBe(far.address());
    // By the port of its node it finds itself: the answer must come back by the node.
    expect(ask(pod.namespace, '192.0.2.1', 8080)).not.toBe('');
    await runtime.delete(pod);
    expect(() => ask(right, '192.0.2.1', 8080)).toThrow();
  });

  test('have the MTU of the time when they are made', async () => {
    const before = runtime.add();
    left.ip('link', 'set', 'eth0', 'mtu', '1400');
    await until('the configuration follows', () => mtu() === 1380 && subnetEnv().includes('MTU=1380\n'));
    const after = runtime.add();
    expect([before, after].map((pod) => pod.mtu())).toEqual([1480, 1380]);
    expect(after.reaches(far.address(), 1380)).toBe(true);
    expect(after.reaches(before.address(), 1380)).toBe(true);
    left.ip('link', 'set', 'eth0', 'mtu', '1500');
    await until('and follows back', () => mtu() === 1480 && subnetEnv().includes('MTU=1480\n'));
    for (const pod of [before, after]) await runtime.delete(pod);
  });

  test('leave nothing when they go', async () => {
    const wires = () => left.ip('-o', 'link', 'show', 'type', 'veth').trim().split('\n').length;
    const before = wires();
    const pod = runtime.add();
    const address = pod.address();
    expect(noted()).toContain(address);
    expect(wires()).toBe(before + 1);
    await runtime.delete(pod);
    expect(noted()).not.toContain(address);
    expect(wires()).toBe(before);
    expect(left.ip('route', 'show', address)).toBe('');
  });
});

describe('what the agent writes', () => {
  /** All files of both kinds, as they stand. */
  const files = () => [
    ...readdirSync(configurations('a')),
    ...readdirSync(agent.runDir).filter((name) => name.startsWith('subnet')),
  ];

  beforeAll(async () => {
    await agent.stop();
    agent = new AgentProcess(left, own('a'), 'node-a', flags('a', 'ptp'));
    await agent.start();
    await meshed();
    await offered(SMALL, IPV6);
  });

  test('a subnet that is full is followed by the next one', async () => {
    const first = PODS_OF_SMALL.map(() => runtime.add());
    expect(first.map((pod) => pod.address()).sort()).toEqual(PODS_OF_SMALL);
    const surplus = () => runtime.add();
    expect(surplus).toThrow(CniError);
    expect(surplus).toThrow(/no IP addresses available in range set: 10\.244\.1\.1-10\.244\.1\.6/);
    configure([SMALL, SECOND, IPV6]);
    await offered(SMALL, SECOND, IPV6);
    const next = runtime.add();
    expect(next.address()).toMatch(/^10\.244\.3\./);
    await until('the other node has the route to it', () => other.hasRoute(SECOND, '192.0.2.1'));
    for (const to of [...first.slice(0, 1), far]) {
      expect(next.reaches(to.address())).toBe(true);
      expect(to.reaches(next.address())).toBe(true);
    }
    await runtime.close();
  });

  test('follows the subnets: the first goes, all go, and they come back', async () => {
    configure([SMALL, SECOND, IPV6]);
    await offered(SMALL, SECOND, IPV6);
    expect(subnetEnv()).toContain('FLANNEL_SUBNET=10.244.1.1/29\n');
    configure([SECOND, IPV6]);
    await offered(SECOND, IPV6);
    expect(subnetEnv()).toContain('FLANNEL_SUBNET=10.244.3.1/24\n');
    const pod = runtime.add();
    expect(pod.address()).toMatch(/^10\.244\.3\./);
    expect(pod.reaches(far.address(), 1480)).toBe(true);
    configure([]);
    await until('there is nothing to make pods with', () => files().length === 0);
    // What is made is taken away all the same.
    await runtime.delete(pod);
    left.ip('link', 'set', 'eth0', 'mtu', '1400');
    configure([SMALL, IPV6]);
    await offered(SMALL, IPV6);
    expect(files().sort()).toEqual(['10-podroute.conflist', 'subnet.env']);
    await until('the MTU is that of the device now', () => mtu() === 1380);
    expect(subnetEnv()).toContain('FLANNEL_SUBNET=10.244.1.1/29\n');
    expect(subnetEnv()).toContain('FLANNEL_MTU=1380\n');
    left.ip('link', 'set', 'eth0', 'mtu', '1500');
    await until('the MTU is followed back', () => mtu() === 1480 && subnetEnv().includes('MTU=1480\n'));
  });

  test('is refused where the folder is away, which is said once and is no reason to stop routing', async () => {
    const errors = () =>
      agent
        .log()
        .split('\n')
        .filter((line) => line.includes('pod network cannot be written'));
    renameSync(configurations('a'), `${configurations('a')}-away`);
    configure([SECOND, IPV6]);
    await until('it is said', () => errors().length === 1);
    await until('the other node has the new subnet all the same', () => other.hasRoute(SECOND, '192.0.2.1'));
    expect(errors()[0]).toMatch(/ENOENT.*let podroute write to .*net\.d.*--cni-conf-dir/);
    renameSync(`${configurations('a')}-away`, configurations('a'));
    configure([SMALL, IPV6]);
    await until('and the old one back', () => other.hasRoute(SMALL, '192.0.2.1'));
    await offered(SMALL, IPV6);
    expect(errors()).toHaveLength(1);
  });

  test('a pool over what this machine reaches in another way is an alarm as long as it is so', async () => {
    const alarms = async () => (await agent.status()).alarms.map(({ text }) => text).join();
    expect(await alarms()).toBe('');
    left.ip('route', 'add', '10.244.9.0/24', 'via', '192.0.2.2');
    expect(await until('it is said', alarms)).toContain(
      'IPPool/pods 10.244.0.0/16 overlaps 10.244.9.0/24, which this machine reaches by eth0',
    );
    left.ip('route', 'delete', '10.244.9.0/24', 'via', '192.0.2.2');
    await until('it is over', async () => (await alarms()) === '');
  });
});
