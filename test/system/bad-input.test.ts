/**
 * What the agent says to a wrong configuration, an unfit machine, and garbage: one clear sentence with the remedy.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentProcess } from '../support/agent-process.js';
import { end, Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const PROGRAM = new URL('../../dist/podroute.js', import.meta.url).pathname;

const GOOD = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.244.0.0/16, blockSize: 24}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-a}
spec:
  bgp: {ipv4Address: 192.0.2.1/24}
  podCIDRs: [10.244.1.0/24]
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-b}
spec:
  bgp: {ipv4Address: 192.0.2.2/24}
  podCIDRs: [10.244.2.0/24]
`;

let folder: string;
let left: Namespace;
let right: Namespace;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-bad-'));
  [left, right] = Namespace.linked('bad', ['192.0.2.1/24'], ['192.0.2.2/24']);
});

afterAll(async () => {
  await left?.remove();
  await right?.remove();
  rmSync(folder, { recursive: true });
});

function write(text: string): string {
  const path = join(folder, 'cluster.yaml');
  writeFileSync(path, text);
  return path;
}

/** Starts an agent that cannot start; a test in which it does start fails by the time limit. */
function refused(
  resources: string,
  options: { node?: string; wrap?: readonly string[]; flags?: readonly string[] } = {},
) {
  const flags = ['--node-name', options.node ?? 'node-a', '--datastore', `file:${write(resources)}`];
  const command = [
    ...(options.wrap ?? []),
    process.execPath,
    PROGRAM,
    'agent',
    ...flags,
    ...['--run-dir', join(folder, 'refused'), '--state-dir', join(folder, 'state')],
    ...(options.flags ?? []),
  ];
  return spawnSync('ip', ['netns', 'exec', left.name, ...command], { encoding: 'utf8', timeout: 10_000 });
}

function oneLine({ stderr }: SpawnSyncReturns<string>): string {
  expect(stderr.trim().split('\n')).toHaveLength(1);
  return stderr;
}

describe('wrong resources end the start with status 2', () => {
  test('every error at once, each with file, line and path', () => {
    const { status, stderr } = refused(
      GOOD.replace('192.0.2.1/24', '192.0.2.1111/24').replace('blockSize: 24', 'blockSiez: 24'),
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/^\S*cluster\.yaml:5: IPPool\/pods spec\.blockSiez: .*blockSize/m);
    expect(stderr).toMatch(/cluster\.yaml:11: Node\/node-a spec\.bgp\.ipv4Address: .*192\.0\.2\.1111/);
  });

  test.each([
    [
      'two nodes with one address',
      GOOD.replace('192.0.2.2/24', '192.0.2.1/24'),
      /node-a.*192\.0\.2\.1|192\.0\.2\.1.*node-a/,
    ],
    [
      'two nodes with one subnet',
      GOOD.replace('10.244.2.0/24', '10.244.1.0/24'),
      /10\.244\.1\.0\/24.*node-a/,
    ],
    [
      'a pool that overlaps the node network',
      GOOD.replace('10.244.0.0/16', '192.0.0.0/16'),
      /192\.0\.0\.0\/16.*192\.0\.2/s,
    ],
  ])('%s: both are named', (_name, resources, sentence) => {
    const { status, stderr } = refused(resources);
    expect(status).toBe(2);
    expect(stderr).toMatch(sentence);
  });

  test('a node name that is none of the Nodes: names those that there are', () => {
    const result = refused(GOOD, { node: 'node-x' });
    expect(result.status).toBe(2);
    expect(oneLine(result)).toMatch(/"node-x".*node-a/);
  });

  test('a file that is not there', () => {
    const { status, stderr } = refused(GOOD, { flags: ['--datastore', 'file:/nowhere/cluster.yaml'] });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^podroute: .*wrong:\n\/nowhere\/cluster\.yaml: /);
  });

  test('podroute check says the same, without starting anything', () => {
    const bad = spawnSync(process.execPath, [PROGRAM, 'check', write(GOOD.replace('/16', '/99'))], {
      encoding: 'utf8',
    });
    expect(bad.status).toBe(2);
    expect(bad.stderr).toMatch(/cluster\.yaml:5: IPPool\/pods spec\.cidr: /);
    const good = spawnSync(process.execPath, [PROGRAM, 'check', write(GOOD)], { encoding: 'utf8' });
    expect(good).toMatchObject({ status: 0, stdout: expect.stringContaining('2 Nodes, 1 IPPool') });
  });
});

describe('an unfit machine ends the start with status 1 and one line', () => {
  test('the BGP port is in use: its owner is named', async () => {
    const holder = left.spawn(
      process.execPath,
      ['-e', "require('net').createServer().listen(179, '::')"],
      join(folder, 'holder.log'),
    );
    await until('the port is taken', () => left.run('ss', '-Hltn', 'sport', '=', '179').includes(':179'));
    const result = refused(GOOD);
    await end(holder, 'SIGKILL');
    expect(result.status).toBe(1);
    expect(oneLine(result)).toContain(`(pid ${holder.pid})`);
    expect(result.stderr).toMatch(/port 179.*listenPort/);
  });

  test('the API port is in use: its owner is named', async () => {
    const holder = left.spawn(
      process.execPath,
      ['-e', "require('net').createServer().listen(9179, '127.0.0.1')"],
      join(folder, 'holder.log'),
    );
    await until('the port is taken', () => left.run('ss', '-Hltn', 'sport', '=', '9179').includes(':9179'));
    const result = refused(GOOD);
    await end(holder, 'SIGKILL');
    expect(result.status).toBe(1);
    expect(oneLine(result)).toContain(`(pid ${holder.pid})`);
  });

  test('an address that no interface has', () => {
    const result = refused(GOOD, { node: 'node-b' });
    expect(result.status).toBe(1);
    expect(oneLine(result)).toMatch(/192\.0\.2\.2.*Node\/node-b.*it has 192\.0\.2\.1/);
  });

  test('no CAP_NET_ADMIN', () => {
    const result = refused(GOOD, { wrap: ['setpriv', '--inh-caps=-net_admin', '--bounding-set=-net_admin'] });
    expect(result.status).toBe(1);
    expect(oneLine(result)).toMatch(/CAP_NET_ADMIN/);
  });

  test('no CAP_NET_BIND_SERVICE', () => {
    const result = refused(GOOD, {
      wrap: ['setpriv', '--inh-caps=-net_bind_service', '--bounding-set=-net_bind_service'],
    });
    expect(result.status).toBe(1);
    expect(oneLine(result)).toMatch(/port 179.*CAP_NET_BIND_SERVICE/);
  });
});

describe('garbage on the BGP port', () => {
  /** 200 connections from the peer's own address, each with other bytes, some of them nearly BGP. */
  const GARBAGE = `
    const net = require('net');
    const { createHash } = require('crypto');
    let left = 200;
    const next = (n) => {
      if (n === 200) return;
      const noise = createHash('sha512').update(String(n)).digest();
      const marker = Buffer.alloc(16, 0xff);
      const bytes = [noise, Buffer.concat([marker, noise]), Buffer.concat([marker, Buffer.from([0, 29, 1, 4]), noise]),
        Buffer.from('GET / HTTP/1.1\\r\\n\\r\\n'), marker.subarray(0, n % 16)][n % 5];
      const socket = net.connect({ host: '192.0.2.1', port: 179, localAddress: process.argv[1] });
      socket.on('error', () => {});
      socket.on('close', () => next(n + 1));
      socket.on('connect', () => { socket.write(bytes); setTimeout(() => socket.destroy(), 5); });
      socket.resume();
    };
    next(0);
  `;

  test.each([
    ['of a stranger', '192.0.2.66'],
    ['of the address of a peer', '192.0.2.3'],
  ])('%s leaves the session of another peer up', async (_name, source) => {
    const seed = createHash('sha256').update(source).digest('hex').slice(0, 8);
    const homes = ['a', 'b'].map((name) => mkdtempSync(join(folder, `${name}-${seed}-`)));
    const third = `
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-c}
spec:
  bgp: {ipv4Address: 192.0.2.3/24}
  podCIDRs: [10.244.3.0/24]
`;
    const agents = [
      new AgentProcess(left, homes[0] ?? '', 'node-a'),
      new AgentProcess(right, homes[1] ?? '', 'node-b'),
    ] as const;
    right.ip('address', 'add', `${source}/24`, 'dev', 'eth0');
    for (const agent of agents) agent.configure(GOOD + third);
    await Promise.all(agents.map((agent) => agent.start()));
    await until(
      'the session is up',
      async () => (await agents[0].peer('mesh/node-b')).state === 'Established',
    );
    right.run(process.execPath, '-e', GARBAGE, source);
    const peer = await agents[0].peer('mesh/node-b');
    expect(peer).toMatchObject({ state: 'Established', counters: { flaps: 0 } });
    expect(await agents[0].hasRoute('10.244.2.0/24', '192.0.2.2')).toBe(true);
    const strangerLines = agents[0]
      .log()
      .split('\n')
      .filter((line) => line.includes('stranger'));
    expect(strangerLines.length).toBeLessThanOrEqual(1);
    await Promise.all(agents.map((agent) => agent.stop()));
    right.ip('address', 'delete', `${source}/24`, 'dev', 'eth0');
  });
});
