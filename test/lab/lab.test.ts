/** The lab end to end, as a user runs it: on this kernel, or inside User-Mode Linux where this kernel has no ipip. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { kernelShortfall } from '../../deploy/kernel.mjs';
import { buildBundles, type LabOutcome, lab, startLab, tracesOf } from '../support/lab-command.js';
import type { LabResults } from './results.js';

const NAME = `test-${process.pid}`;
const named = ['--name', NAME];
const inUml = kernelShortfall() !== undefined;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-lab-'));
  await buildBundles();
});
afterEach(async () => {
  await lab(['down', ...named]);
});
afterAll(() => rmSync(folder, { recursive: true }));

function readResults(file: string): LabResults {
  return JSON.parse(readFileSync(file, 'utf8'));
}

type Enter = (machine: string, command: readonly string[]) => Promise<LabOutcome>;

/** Adds a node to each network and removes both; afterwards the lab must be what it was. */
async function growAndShrink(enter: Enter): Promise<void> {
  const labFolder = `/run/podroute-lab/${NAME}`;
  const script = `ls /run/netns ${labFolder}; cat ${labFolder}/cluster.yaml
    for net in net-a net-b; do ip -netns podroute-${NAME}.$net -br link | sed 's/@.*//'; done`;
  const inventory = async () => (await enter('router', ['sh', '-c', script])).stdout;
  const before = await inventory();
  expect(before).toContain(`podroute-${NAME}.pod-d2`);
  const change = async (...words: readonly string[]) => {
    const file = join(folder, `${words.slice(0, 2).join('-')}.json`);
    const { status, stdout, stderr } = await lab([...words, ...named, '--json', file]);
    const results = readResults(file);
    expect(results.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return { stdout, results };
  };

  const near = await change('add', 'node-e');
  expect(near.stdout).toContain('node-e on net-a: 192.168.1.13/24\n');
  expect(near.stdout).toContain('Pods of node-e in 10.244.5.0/24: pod-e1 10.244.5.2, pod-e2 10.244.5.3\n');
  expect(near.results.convergenceSeconds).toBeGreaterThan(0);
  // From and to: 2 pods and the node with 8 pods; 2 pods with 4 nodes and the client; and among themselves.
  expect(near.results.pings).toHaveLength(2 * (2 * 8 + 2 * 4 + 8 + 2 * 1 + 1 + 2));
  const far = await change('add', 'node-f', '--network', 'net-b', '--pods', '1');
  expect(far.stdout).toContain('node-f on net-b: 192.168.2.15/24\n');
  expect(far.stdout).toContain('Pods of node-f in 10.244.6.0/24: pod-f1 10.244.6.2\n');
  expect((await enter('pod-e2', ['ping', '-c', '1', '10.244.6.2'])).stdout).toContain('ttl=62');
  expect(await lab(['add', 'node-e', ...named])).toMatchObject({
    status: 2,
    stderr: 'lab: node-e is there already: choose another name\n',
  });
  const whole = await change('check');
  // 11 pods, 6 nodes, 1 client.
  expect(whole.results.pings).toHaveLength(11 * 10 + 2 * 11 * 6 + 2 * 11);

  const left = await change('remove', 'node-e');
  const gone = left.results.checks.filter(({ name }) => name.startsWith('nothing of node-e on'));
  expect(gone.map(({ name }) => name.split(' ').pop()).sort()).toEqual([
    'node-a',
    'node-b',
    'node-c',
    'node-d',
    'node-f',
    'tor',
  ]);
  await change('remove', 'node-f');
  expect(await enter('pod-e1', ['true'])).toMatchObject({ status: 2 });
  expect(await inventory()).toBe(before);
}

describe('npm run lab', () => {
  test('every pod reaches every pod, and the lab is gone afterwards', async () => {
    const file = join(folder, 'results.json');
    const { status, stdout, stderr } = await lab([...named, '--json', file]);
    const results = readResults(file);

    expect(results.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(results).toMatchObject({ passed: true, rpFilter: 0 });
    // 8 pods, 4 nodes, 1 client: 8x7 + 4x8 + 8x4 + 8 + 8 pings, each looked at in two directions at three points.
    expect(results.pings).toHaveLength(136);
    expect(results.pings.filter(({ ok }) => ok)).toHaveLength(136);
    expect(results.checks.filter(({ name }) => name.startsWith('capture'))).toHaveLength(136 * 2 * 3);
    // Direct, and through the tunnel; looked at inside both networks.
    const transfers = results.checks.filter(({ name }) => name.startsWith('10 MB by TCP'));
    expect(transfers.map(({ name }) => name.split(', ')[0])).toEqual(
      ['pod-a1 to pod-b1', 'pod-a1 to pod-c1'].flatMap((pair) => Array(4).fill(`10 MB by TCP from ${pair}`)),
    );
    expect(results.convergenceSeconds).toBeGreaterThan(0);
    expect(results.seconds).toBeLessThan(inUml ? 120 : 30);
    for (const said of ['podroute peers', 'podroute routes', 'ip route', 'birdc show route', 'PASSED']) {
      expect(stdout).toContain(said);
    }
    expect(stdout.includes('inside User-Mode Linux')).toBe(inUml);
    expect(tracesOf(NAME)).toEqual([]);
  }, 240_000);

  test('nodes that differ, strict reverse path filters: /32 addresses, pools of each mode, BIRD as a node, a narrow link', async () => {
    const file = join(folder, 'varied.json');
    const options = ['--topology', 'deploy/lab/varied.yaml', '--rp-filter', '1', '--pairs'];
    const { status, stdout, stderr } = await lab([...named, ...options, '--json', file]);
    const results = readResults(file);

    expect(results.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(results).toMatchObject({ passed: true, rpFilter: 1 });
    // 7 pods and 5 nodes: 7x6 + 5x7 + 7x5 pings.
    expect(results.pings).toHaveLength(112);
    const seen = (from: string, to: string) =>
      results.pings.find((ping) => ping.from === from && ping.to === to)?.seen;
    expect(seen('pod-e1', 'pod-a1')).toEqual({ source: '10.244.5.2', requestTtl: 62, replyTtl: 62 });
    expect(seen('pod-a1', 'pod-d2')).toEqual({ source: null, requestTtl: null, replyTtl: null });
    expect(seen('pod-d2', 'pod-a1')).toEqual({ source: '10.244.192.2', requestTtl: 62, replyTtl: null });
    const narrow = results.checks.filter(({ name }) => name.endsWith('path MTU'));
    expect(narrow.map(({ name }) => name)).toContain('10 MB by TCP from pod-e1 to pod-a1, path MTU');
    expect(stdout).toContain('birdc show route');
    expect(tracesOf(NAME)).toEqual([]);
  }, 240_000);

  test('with --keep and strict reverse path filters, which the agents loosen: enter it, break it, mend it, grow and shrink it, take it away', async () => {
    const file = join(folder, 'kept.json');
    const first = await lab([...named, '--keep', '--rp-filter', '1', '--json', file]);
    expect(readResults(file).checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(first.status).toBe(0);
    expect(tracesOf(NAME)).not.toEqual([]);

    const enter = (machine: string, command: readonly string[], input?: string) =>
      lab(['enter', ...named, machine, ...command], input);
    // Status and all three streams come through; a file of any size does too.
    const script = 'read line; echo "got $line"; echo oops >&2; exit 7';
    const spoken = await enter('pod-a1', ['sh', '-c', script], 'some input\n');
    expect(spoken).toEqual({ status: 7, stdout: 'got some input\n', stderr: 'oops\n' });
    const long = 'podroute '.repeat(20_000);
    expect(await enter('pod-c2', ['cat'], long)).toEqual({ status: 0, stdout: long, stderr: '' });
    expect((await enter('node-a', ['podroute', 'routes'])).stdout).toContain('10.244.3.0/24');
    expect((await enter('tor', ['birdc', 'show', 'protocols'])).stdout).toContain('Established');
    expect((await enter('pod-a1', ['ping', '-c', '1', '10.244.3.2'])).stdout).toContain('ttl=62');
    const nobody = await enter('node-z', ['true']);
    expect(nobody).toMatchObject({ status: 2, stderr: expect.stringContaining('no machine node-z') });

    // An administrator's route in front of ours sends packets to the router without IPIP, and it has no way for them.
    const wrong = ['route', 'add', '10.244.3.0/24', 'via', '192.168.1.254'];
    expect(await enter('node-a', ['ip', ...wrong])).toMatchObject({ status: 0, stderr: '' });
    const brokenFile = join(folder, 'broken.json');
    const broken = await lab(['check', ...named, '--json', brokenFile]);
    expect(broken.status).toBe(1);
    const failed = new Set(
      readResults(brokenFile)
        .checks.filter(({ ok }) => !ok)
        .map(({ name }) => name),
    );
    expect(broken.stdout).toContain('FAILED');
    for (const name of [
      'GET /routes of node-a: 10.244.3.0/24',
      'ping pod-a1 to pod-c1',
      'ping node-a to pod-c2',
      'capture on router, request of pod-a1 to pod-c1',
    ]) {
      expect(failed).toContain(name);
    }
    expect(failed).not.toContain('ping pod-b1 to pod-c1');
    expect(failed).not.toContain('ping pod-a1 to pod-d1');

    expect((await enter('node-a', ['ip', 'route', 'del', ...wrong.slice(2)])).status).toBe(0);
    await growAndShrink(enter);

    expect(await lab(['down', ...named])).toMatchObject({ status: 0, stderr: '' });
    expect(tracesOf(NAME)).toEqual([]);
  }, 420_000);

  test.each(['SIGINT', 'SIGTERM'] as const)('%s half-way takes everything away', async (signal) => {
    const running = startLab(named);
    await running.said('machines and their wires');
    running.child.kill(signal);
    expect((await running.outcome).status).toBe(130);
    expect(tracesOf(NAME)).toEqual([]);
  });

  test('killed half-way, the next command clears what it left; a second start beside a living one is refused', async () => {
    const running = startLab([...named, '--keep']);
    await running.said('machines and their wires');
    const second = await lab(named);
    expect(second).toMatchObject({ status: 1, stderr: expect.stringContaining('is busy') });

    running.child.kill('SIGKILL');
    expect((await running.outcome).status).toBe('SIGKILL');
    expect(tracesOf(NAME)).not.toEqual([]);
    expect(await lab(['down', ...named])).toMatchObject({ status: 0, stderr: '' });
    expect(tracesOf(NAME)).toEqual([]);
  });

  test('says what is wrong with a wrong command line', async () => {
    expect(await lab(['fly'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no command fly'),
    });
    expect(await lab([...named, '--rp-filter', '3'])).toMatchObject({ status: 2 });
    expect(await lab(['enter', ...named, 'node-a'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(`no lab ${NAME} is running`),
    });
    for (const command of ['add', 'remove']) {
      expect(await lab([command, ...named, 'node-z'])).toMatchObject({
        status: 2,
        stderr: `lab: no lab ${NAME} is running: npm run lab -- --keep\n`,
      });
      expect(await lab([command, ...named])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(`${command} which node?`),
      });
    }
    expect(await lab(['add', 'node-z', '--pods', 'many'])).toMatchObject({ status: 2 });
  });
});
