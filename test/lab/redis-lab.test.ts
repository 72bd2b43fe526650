/** The lab from an empty Redis: no Node is written by hand, every node enters itself and claims its pod subnet. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildBundles, lab, tracesOf } from '../support/lab-command.js';
import type { LabResults } from './results.js';

const NAME = `redis-${process.pid}`;
const named = ['--name', NAME];
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-lab-'));
  await buildBundles();
});
afterAll(async () => {
  await lab(['down', ...named]);
  rmSync(folder, { recursive: true });
});

async function passed(...words: readonly string[]): Promise<{ stdout: string; results: LabResults }> {
  const file = join(folder, 'results.json');
  const { status, stdout, stderr } = await lab([...words, ...named, '--json', file]);
  const results: LabResults = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(file);
  expect(results.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return { stdout, results };
}

/** What the store has of a kind, by name. */
async function stored(kind: string): Promise<readonly string[]> {
  const asked = ['podroute', 'get', kind, '-o', 'json'];
  const { stdout, stderr } = await lab(['enter', ...named, 'router', ...asked]);
  expect(stderr).toBe('');
  const { items } = JSON.parse(stdout) as { items: readonly { metadata: { name: string } }[] };
  return items.map(({ metadata }) => metadata.name).sort();
}

test('npm run lab -- --datastore redis: every pod reaches every pod; a node comes and goes with its subnet', async () => {
  const { stdout, results } = await passed('run', '--keep', '--datastore', 'redis');
  expect(stdout).toContain('the store redis://192.168.1.254:6379');
  // As with the file: nothing is left out because a subnet was not known.
  expect(results.pings).toHaveLength(136);
  expect(results.checks.filter(({ name }) => name.startsWith('capture'))).toHaveLength(136 * 2 * 3);
  expect(await stored('node')).toEqual(['node-a', 'node-b', 'node-c', 'node-d']);
  const claims = await stored('blockaffinity');
  expect(claims).toEqual([0, 1, 2, 3].map((number) => `10-244-${number}-0-24`));

  const added = await passed('add', 'node-e', '--network', 'net-b');
  expect(added.stdout).toContain('Pods of node-e in 10.244.4.0/24: pod-e1 10.244.4.2, pod-e2 10.244.4.3\n');
  expect(await stored('node')).toContain('node-e');
  await passed('remove', 'node-e');
  expect(await stored('node')).toEqual(['node-a', 'node-b', 'node-c', 'node-d']);
  expect(await stored('blockaffinity')).toEqual(claims);

  expect(await lab(['down', ...named])).toMatchObject({ status: 0, stderr: '' });
  expect(tracesOf(NAME)).toEqual([]);
}, 420_000);
