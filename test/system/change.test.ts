/**
 * `podroute get`, `apply` and `delete` as people run them: real agents follow what is written, several writers at once
 * lose nothing, and a file system that refuses is said so. Needs root.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PeerRow } from '../../api/index.js';
import { AgentProcess } from '../support/agent-process.js';
import { configuration, manifest, node, pool } from '../support/manifests.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

const PROGRAM = new URL('../../dist/podroute.js', import.meta.url).pathname;

let folder: string;
let store: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-apply-'));
  store = join(folder, 'cluster.yaml');
});

afterEach(() => rmSync(folder, { recursive: true }));

const environment = () => ({ ...process.env, PODROUTE_DATASTORE: `file:${store}` });

function podroute(args: readonly string[], input = '') {
  const result = spawnSync(process.execPath, [PROGRAM, ...args], {
    input,
    encoding: 'utf8',
    env: environment(),
  });
  return { status: result.status, out: result.stdout, err: result.stderr };
}

/** Beside others; resolves to the exit status. */
async function applied(input: string): Promise<number | null> {
  const child = spawn(process.execPath, [PROGRAM, 'apply', '-f', '-'], {
    env: environment(),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.stdin.end(input);
  await once(child, 'exit');
  return child.exitCode;
}

describe('agents on a file store', () => {
  let machines: readonly [Namespace, Namespace];
  let agents: readonly AgentProcess[];

  beforeEach(async () => {
    machines = Namespace.linked('apply', ['192.0.2.1/24'], ['192.0.2.2/24']);
    writeFileSync(
      store,
      [
        `# ours\n${pool()}`,
        node('a', '192.0.2.1/24', ['10.244.1.0/24']),
        node('b', '192.0.2.2/24', ['10.244.2.0/24']),
      ].join('\n---\n'),
    );
    agents = machines.map((machine, at) => {
      const letter = at === 0 ? 'a' : 'b';
      const flags = ['--datastore', `file:${store}`, '--dataplane', 'off'];
      return new AgentProcess(machine, mkdtempSync(join(folder, `${letter}-`)), `node-${letter}`, flags);
    });
    await Promise.all(agents.map((agent) => agent.start()));
  });

  afterEach(async () => {
    await Promise.all(agents.map((agent) => agent.stop()));
    for (const machine of machines) await machine.remove();
  });

  const sessions = () =>
    until('both have a session', async () => {
      const rows = await Promise.all(agents.map((agent) => agent.peers()));
      return rows.every(([row]) => row?.state === 'Established') && rows.flat();
    });
  const starts = (rows: readonly PeerRow[]) => rows.map(({ since }) => since);

  test('what is said of sessions is what happens to them', async () => {
    const before = await sessions();

    const live = podroute(
      ['apply', '-f', '-'],
      configuration({ serviceClusterIPs: [{ cidr: '10.96.0.0/16' }] }),
    );
    expect(live).toEqual({
      status: 0,
      out: 'created BGPConfiguration/default\nnode-a, node-b: every session goes on: advertisements none -> 10.96.0.0/16\n',
      err: '',
    });
    await until('node-a has the range', async () =>
      (await agents[0]?.routes())?.some(({ prefix }) => prefix === '10.96.0.0/16'),
    );
    expect(starts(await sessions())).toEqual(starts(before));

    const reset = podroute(['apply', '-f', '-'], configuration({ asNumber: 64600 }));
    expect(reset.out).toContain('node-a, node-b: every session is reset: AS number 64512 -> 64600');
    const after = await until('both have the other AS number', async () => {
      const rows = await sessions();
      return rows.every(({ asn }) => asn === 64600) && rows;
    });
    expect(starts(after)).not.toEqual(starts(before));

    const gone = podroute(['delete', 'node', 'node-b']);
    expect(gone.out).toContain('node-a: session mesh/node-b goes: Node/node-b goes');
    await until('node-a has no peer', async () => (await agents[0]?.peers())?.length === 0);
    expect(readFileSync(store, 'utf8')).toMatch(/^# ours\n/);
  });
});

describe('writers at once', () => {
  test('of several changes of one version one is made; of different resources none is lost', async () => {
    writeFileSync(store, `${pool()}\n---\n${node('x', '192.0.2.1/24')}`);
    const found = podroute(['get', 'node', 'node-x', '-o', 'json']).out;
    const letters = ['a', 'b', 'c'];
    const [labelled, created] = await Promise.all([
      Promise.all(letters.map((letter) => applied(found.replace('"rack": "x"', `"rack": "${letter}"`)))),
      Promise.all(letters.map((letter, at) => applied(node(letter, `192.0.2.${at + 11}/24`)))),
    ]);
    expect([...labelled].sort()).toEqual([0, 1, 1]);
    expect(created).toEqual([0, 0, 0]);
    const { items } = JSON.parse(podroute(['get', 'nodes', '-o', 'json']).out);
    expect(items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)).toEqual(
      [...letters, 'x'].map((letter) => `node-${letter}`),
    );
    expect(items.at(-1).metadata.labels.rack).toBe(letters[labelled.indexOf(0)]);
  });
});

describe('a file system that refuses', () => {
  test.each([
    [
      'a file that is a mount of its own',
      'mount --bind "$2" "$2"',
      'is a mount of its own, which nothing can take the place of; mount its folder instead',
    ],
    [
      'a folder that is read-only',
      'mount --bind "$3" "$3" && mount -o remount,bind,ro "$3"',
      'is on a read-only file system, as mounted ConfigMaps are; change it where it comes from',
    ],
  ])('%s', (_name, mount, sentence) => {
    writeFileSync(store, pool());
    const text = readFileSync(store, 'utf8');
    const script = `${mount} && exec "$0" "$1" apply -f -`;
    const result = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', script, process.execPath, PROGRAM, store, folder],
      {
        input: manifest('BGPFilter', 'f', {}),
        encoding: 'utf8',
        env: environment(),
      },
    );
    expect({ status: result.status, out: result.stdout }).toEqual({ status: 1, out: '' });
    expect(result.stderr).toContain(sentence);
    expect(readFileSync(store, 'utf8')).toBe(text);
    expect(readdirSync(folder)).toEqual(['cluster.yaml']);
  });
});
