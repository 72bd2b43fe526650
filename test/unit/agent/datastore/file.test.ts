/** The file store on real files: every way in which files change is seen, once, and errors are states like others. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createDatastore,
  type Datastore,
  type FileDatastoreOptions,
} from '../../../../agent/datastore/index.js';
import { checkText, type ResourcesResult } from '../../../../agent/resources/index.js';
import { node, pool } from '../../../support/manifests.js';

let folder: string;
const running: Datastore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-datastore-'));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((datastore) => datastore.stop()));
  rmSync(folder, { recursive: true });
});

/** Short waits; the poll is off unless a test is about it, so that a change can only be seen by the watch. */
const WATCH_ONLY: Partial<FileDatastoreOptions> = { settleMs: 20, pollMs: 3_600_000 };

/** A running store whose states can be awaited one by one. */
class Watched {
  readonly datastore: Datastore;
  readonly states: ResourcesResult[] = [];
  #waiting: ((state: ResourcesResult) => void) | undefined;

  constructor(url: string, options: Partial<FileDatastoreOptions>) {
    const created = createDatastore(url, options);
    if ('problem' in created) throw new Error(created.problem);
    this.datastore = created.datastore;
    running.push(this.datastore);
  }

  start(): Promise<ResourcesResult> {
    return this.datastore.start({
      resourcesChanged: (state) => {
        const waiting = this.#waiting;
        this.#waiting = undefined;
        if (waiting === undefined) this.states.push(state);
        else waiting(state);
      },
      healthChanged: () => {},
    });
  }

  /** The next state that has not been taken yet, in words. */
  async next(): Promise<string> {
    const state =
      this.states.shift() ??
      (await new Promise<ResourcesResult>((resolve) => {
        this.#waiting = resolve;
      }));
    return inWords(state);
  }
}

/** The names of the nodes, or the errors without the name of the temporary folder. */
function inWords(state: ResourcesResult): string {
  if ('errors' in state)
    return checkText(state.errors).replaceAll(`${folder}/`, '').replaceAll(folder, 'FOLDER');
  return state.resources.nodes.map(({ name }) => name).join(' ');
}

async function watch(path: string, options = WATCH_ONLY): Promise<{ watched: Watched; first: string }> {
  const watched = new Watched(`file:${path}`, options);
  return { watched, first: inWords(await watched.start()) };
}

/**
 * Resolves when a store that waits much longer than those under test has told of a change made now: whatever they had
 * to tell of earlier changes they have told by then.
 */
async function witness(): Promise<void> {
  writeFileSync(at('witness.yaml'), NODE_B);
  const settled = new Watched(at('witness.yaml'), { settleMs: 400, pollMs: 3_600_000 });
  await settled.start();
  writeFileSync(at('witness.yaml'), NODE_A);
  await settled.next();
}

const at = (...names: string[]) => join(folder, ...names);
const nodeText = (letter: string, host: number) => node(letter, `192.168.1.${host}/24`);
const NODE_A = nodeText('a', 11);
const NODE_B = nodeText('b', 12);
const BROKEN = '{"kind": ';

describe('a file', () => {
  test('written in place', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const { watched, first } = await watch(at('cluster.yaml'));
    expect(first).toBe('node-a');
    writeFileSync(at('cluster.yaml'), NODE_B);
    expect(await watched.next()).toBe('node-b');
  });

  test('replaced by an atomic rename, again and again', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const { watched } = await watch(at('cluster.yaml'));
    for (const letter of ['b', 'c', 'd']) {
      writeFileSync(at('cluster.yaml.tmp'), nodeText(letter, 12));
      renameSync(at('cluster.yaml.tmp'), at('cluster.yaml'));
      expect(await watched.next()).toBe(`node-${letter}`);
    }
  });

  test('swapped by a symbolic link, as a mounted ConfigMap is', async () => {
    for (const [letter, version] of [
      ['a', '..2024_01'],
      ['b', '..2024_02'],
    ] as const) {
      mkdirSync(at(version));
      writeFileSync(at(version, 'cluster.yaml'), nodeText(letter, 11));
    }
    symlinkSync('..2024_01', at('..data'));
    symlinkSync(join('..data', 'cluster.yaml'), at('cluster.yaml'));
    const { watched, first } = await watch(at('cluster.yaml'));
    expect(first).toBe('node-a');
    symlinkSync('..2024_02', at('..data_tmp'));
    renameSync(at('..data_tmp'), at('..data'));
    rmSync(at('..2024_01'), { recursive: true });
    expect(await watched.next()).toBe('node-b');
  });

  test('that is a link: a change of what it leads to, in another folder', async () => {
    mkdirSync(at('elsewhere'));
    mkdirSync(at('here'));
    writeFileSync(at('elsewhere', 'real.yaml'), NODE_A);
    symlinkSync(at('elsewhere', 'real.yaml'), at('here', 'cluster.yaml'));
    const { watched } = await watch(at('here', 'cluster.yaml'));
    writeFileSync(at('elsewhere', 'real.yaml'), NODE_B);
    expect(await watched.next()).toBe('node-b');
  });

  test('broken and then repaired: both are states, also where the repaired one is the old one', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const { watched } = await watch(at('cluster.yaml'));
    writeFileSync(at('cluster.yaml'), BROKEN);
    expect(await watched.next()).toMatch(/^cluster\.yaml:1: is no valid YAML or JSON/);
    writeFileSync(at('cluster.yaml'), NODE_A);
    expect(await watched.next()).toBe('node-a');
  });

  test('removed and made anew', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const { watched } = await watch(at('cluster.yaml'));
    unlinkSync(at('cluster.yaml'));
    expect(await watched.next()).toBe(
      'cluster.yaml: does not exist; create it, or give another place with --datastore',
    );
    writeFileSync(at('cluster.yaml'), NODE_B);
    expect(await watched.next()).toBe('node-b');
  });

  test('that is missing at the start is an error, and is seen when it comes', async () => {
    const { watched, first } = await watch(at('cluster.yaml'));
    expect(first).toContain('does not exist');
    writeFileSync(at('cluster.yaml'), NODE_A);
    expect(await watched.next()).toBe('node-a');
  });

  test.each<[string, () => void]>([
    ['rewritten alike', () => writeFileSync(at('cluster.yaml'), NODE_A)],
    ['touched', () => utimesSync(at('cluster.yaml'), 1, 1)],
    ['left alone while its neighbours change', () => writeFileSync(at('neighbour.txt'), 'x')],
  ])('%s is no new state', async (_name, change) => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const { watched } = await watch(at('cluster.yaml'));
    change();
    await witness();
    expect(watched.states).toEqual([]);
  });

  test('changed at any moment of the start: the last state is told, first or next', async () => {
    const moments = 40;
    for (let moment = 0; moment < moments; moment++) {
      const path = at(`cluster-${moment}.yaml`);
      writeFileSync(path, NODE_A);
      const watched = new Watched(path, { ...WATCH_ONLY, settleMs: 1 });
      const start = watched.start();
      for (let turn = 0; turn < moment; turn++) await setImmediate();
      writeFileSync(path, NODE_B);
      const first = inWords(await start);
      expect(first === 'node-b' ? first : await watched.next()).toBe('node-b');
      await watched.datastore.stop();
    }
  });

  test('that is neither a file nor a folder', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
    const { first } = await watch(at('socket'));
    await new Promise((resolve) => server.close(resolve));
    expect(first).toBe('socket: is neither a file nor a folder; correct the path');
  });

  test('errors name it as the operator did', async () => {
    writeFileSync(at('cluster.yaml'), BROKEN);
    const path = relative(process.cwd(), at('cluster.yaml'));
    const state = await new Watched(path, WATCH_ONLY).start();
    expect('errors' in state && state.errors[0]?.file).toBe(path);
  });
});

describe('a folder', () => {
  test('its manifests are one set, in the order of names; other files do not count', async () => {
    writeFileSync(at('20-b.yml'), NODE_B);
    writeFileSync(at('10-a.json'), NODE_A);
    writeFileSync(at('README.md'), BROKEN);
    writeFileSync(at('.hidden.yaml'), BROKEN);
    writeFileSync(at('10-a.json~'), BROKEN);
    mkdirSync(at('folder.yaml'));
    expect((await watch(folder)).first).toBe('node-a node-b');
  });

  test('the errors of all files come in the order of names', async () => {
    writeFileSync(at('b.yaml'), `\n${BROKEN}`);
    writeFileSync(at('a.yaml'), BROKEN);
    const errors = (await watch(folder)).first.split('\n').map((line) => line.replace(/: is no valid.*/, ''));
    expect(errors).toEqual(['a.yaml:1', 'b.yaml:2']);
  });

  test('a file more, a file less', async () => {
    writeFileSync(at('a.yaml'), NODE_A);
    const { watched } = await watch(folder);
    writeFileSync(at('b.yaml'), NODE_B);
    expect(await watched.next()).toBe('node-a node-b');
    unlinkSync(at('a.yaml'));
    expect(await watched.next()).toBe('node-b');
    renameSync(at('b.yaml'), at('b.yaml.off'));
    expect(await watched.next()).toBe('FOLDER: holds no manifest; put *.yaml, *.yml or *.json files into it');
  });

  test('a conflict between two files is one state, and ends with either', async () => {
    writeFileSync(at('a.yaml'), `${NODE_A}\n---\n${pool()}`);
    const { watched } = await watch(folder);
    writeFileSync(at('b.yaml'), nodeText('b', 11));
    expect(await watched.next()).toMatch(/^b\.yaml:1: .* of Node\/node-a \(a\.yaml:1\)/);
    writeFileSync(at('b.yaml'), NODE_B);
    expect(await watched.next()).toBe('node-a node-b');
  });

  test('a link that leads nowhere is an error beside those of the other files', async () => {
    writeFileSync(at('a.yaml'), BROKEN);
    symlinkSync('nowhere', at('z.yaml'));
    const { first } = await watch(folder);
    expect(first).toContain('z.yaml: does not exist');
    expect(first).toContain('a.yaml:1: is no valid YAML');
  });

  test('replaced as a whole', async () => {
    mkdirSync(at('live'));
    writeFileSync(at('live', 'a.yaml'), NODE_A);
    const { watched } = await watch(at('live'));
    mkdirSync(at('next'));
    writeFileSync(at('next', 'b.yaml'), NODE_B);
    renameSync(at('live'), at('old'));
    renameSync(at('next'), at('live'));
    expect(await watched.next()).toBe('node-b');
    writeFileSync(at('live', 'c.yaml'), nodeText('c', 13));
    expect(await watched.next()).toBe('node-b node-c');
  });
});

describe('the poll', () => {
  test('sees what no watch can tell: a folder that comes later', async () => {
    const { watched, first } = await watch(at('later', 'cluster.yaml'), { settleMs: 1, pollMs: 10 });
    expect(first).toContain('does not exist');
    mkdirSync(at('later'));
    writeFileSync(at('later', 'cluster.yaml'), NODE_A);
    expect(await watched.next()).toBe('node-a');
  });
});

describe('settling', () => {
  test('a file that is written slowly is read when it is whole', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const { watched } = await watch(at('cluster.yaml'), { ...WATCH_ONLY, settleMs: 300 });
    const pieces = 12;
    const size = Math.ceil(NODE_B.length / pieces);
    writeFileSync(at('cluster.yaml'), '');
    for (let start = 0; start < NODE_B.length; start += size) {
      // The pace of the writer: every pause is shorter than the settling, all of them together are longer.
      await setTimeout(50);
      appendFileSync(at('cluster.yaml'), NODE_B.slice(start, start + size));
    }
    expect(await watched.next()).toBe('node-b');
    expect(watched.states).toEqual([]);
  });

  test('a folder that never rests is read all the same', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const { watched } = await watch(at('cluster.yaml'), {
      settleMs: 50,
      settleLimitMs: 100,
      pollMs: 3_600_000,
    });
    const restless = setInterval(() => writeFileSync(at('noise'), String(performance.now())), 5);
    writeFileSync(at('cluster.yaml'), NODE_B);
    try {
      expect(await watched.next()).toBe('node-b');
    } finally {
      clearInterval(restless);
    }
  });
});

describe('stopping', () => {
  test('nothing is told any more, not even a change that was settling', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const { watched: stopped } = await watch(at('cluster.yaml'), { ...WATCH_ONLY, settleMs: 200 });
    const { watched: quick } = await watch(at('cluster.yaml'), { ...WATCH_ONLY, settleMs: 1 });
    writeFileSync(at('cluster.yaml'), NODE_B);
    expect(await quick.next()).toBe('node-b');
    await stopped.datastore.stop();
    await witness();
    expect(stopped.states).toEqual([]);
  });

  test('while the first reading is under way', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    const watched = new Watched(at('cluster.yaml'), WATCH_ONLY);
    const first = watched.start();
    await watched.datastore.stop();
    expect(inWords(await first)).toBe('node-a');
  });
});
