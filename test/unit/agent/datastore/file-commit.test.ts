/** Writing to the file store: on real files, and with several writers at once. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { holding, writeFiles } from '../../../../agent/datastore/file-writer.js';
import {
  type Change,
  createDatastore,
  type Datastore,
  type Manifest,
} from '../../../../agent/datastore/index.js';
import { holdLock } from '../../../support/lock-holder.js';
import { manifest, node, pool } from '../../../support/manifests.js';

let folder: string;
const opened: Datastore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-commit-'));
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((datastore) => datastore.stop()));
  rmSync(folder, { recursive: true });
});

const at = (...names: string[]) => join(folder, ...names);
const read = (...names: string[]) => readFileSync(at(...names), 'utf8');

function open(path: string): Datastore {
  const created = createDatastore(`file:${path}`, { settleMs: 50, pollMs: 3_600_000 });
  if ('problem' in created) throw new Error(created.problem);
  opened.push(created.datastore);
  return created.datastore;
}

function put(text: string, expected: Change['expected'] = 'any'): Change {
  const value = JSON.parse(text) as Manifest & { kind: string; metadata: { name: string } };
  return { kind: value.kind, name: value.metadata.name, expected, manifest: value };
}

function remove(kind: string, name: string, expected: Change['expected'] = 'any'): Change {
  return { kind, name, expected, manifest: undefined };
}

const NODE_A = node('a', '192.168.1.11/24');
const NODE_A_ELSEWHERE = node('a', '192.168.1.21/24');
const NODE_B = node('b', '192.168.1.12/24');
const DONE = { outcome: 'done' };
const FILE = `# ours\n${pool()}\n---\n# the first\n${NODE_A}\n`;

describe('what is listed', () => {
  test('the resources in the order of files and lines, without bookkeeping', async () => {
    writeFileSync(at('b.yaml'), FILE);
    writeFileSync(at('a.json'), manifest('Node', 'c', {}, { uid: 'x', resourceVersion: '7' }));
    const listed = await open(folder).list();
    expect(listed.map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      'Node/c',
      'IPPool/pods',
      'Node/node-a',
    ]);
    expect(listed[0]?.manifest).toEqual(JSON.parse(manifest('Node', 'c', {})));
  });

  test('a comment, another order of fields and bookkeeping are no other version; a value is', async () => {
    const versions = [];
    for (const text of [
      '{kind: Node, metadata: {name: a}, spec: {x: 1}}',
      '# c\nmetadata: {name: a, uid: x}\nkind: Node\nspec:\n  x: 1 # one\n',
      '{kind: Node, metadata: {name: a}, spec: {x: 2}}',
    ]) {
      writeFileSync(at('cluster.yaml'), text);
      versions.push((await open(at('cluster.yaml')).list())[0]?.version);
    }
    expect(versions[0]).toBe(versions[1]);
    expect(versions[2]).not.toBe(versions[0]);
  });

  test.each([
    ['{"kind":', /^cluster\.yaml:1: is no valid YAML/],
    [`${pool()}\n---\n{kind: Node}`, /^cluster\.yaml:3: has no kind or no metadata\.name; add it by hand$/],
    [`${NODE_A}\n---\n${NODE_A}`, /^cluster\.yaml:3: Node\/node-a: exists already \(cluster\.yaml:1\)/],
  ])('%s is refused, and not written over', async (text, sentence) => {
    writeFileSync(at('cluster.yaml'), text);
    const store = open(at('cluster.yaml'));
    const said = async (attempt: Promise<unknown>) =>
      attempt.then(
        () => 'nothing',
        (error: Error) => `${error.name}: ${error.message.replaceAll(`${folder}/`, '')}`,
      );
    expect((await said(store.list())).replace('StoreError: ', '')).toMatch(sentence);
    expect((await said(store.commit([put(NODE_B)]))).replace('StoreError: ', '')).toMatch(sentence);
    expect(read('cluster.yaml')).toBe(text);
  });

  test('an empty folder and an empty file hold nothing; what is missing is an error', async () => {
    writeFileSync(at('cluster.yaml'), '# nothing yet\n');
    mkdirSync(at('folder'));
    expect(await open(at('cluster.yaml')).list()).toEqual([]);
    expect(await open(at('folder')).list()).toEqual([]);
    await expect(open(at('nowhere')).list()).rejects.toThrow('does not exist; create it');
    await expect(open(at('nowhere')).commit([put(NODE_A)])).rejects.toThrow('does not exist; create it');
  });
});

describe('a commit to a file', () => {
  test('changes what it names, adds, removes, and touches nothing else', async () => {
    writeFileSync(at('cluster.yaml'), FILE);
    const store = open(at('cluster.yaml'));
    expect(await store.commit([put(NODE_A_ELSEWHERE), put(NODE_B, 'absent')])).toEqual(DONE);
    const changed = FILE.replace('192.168.1.11', '192.168.1.21');
    expect(read('cluster.yaml').slice(0, changed.length)).toBe(changed);
    expect(read('cluster.yaml').slice(changed.length)).toMatch(/^---\napiVersion: projectcalico/);
    expect(await store.commit([remove('Node', 'node-a')])).toEqual(DONE);
    expect((await store.list()).map(({ name }) => name)).toEqual(['pods', 'node-b']);
    expect(read('cluster.yaml')).toMatch(/^# ours\n/);
  });

  test('keeps mode and links, and leaves no draft and no lock', async () => {
    mkdirSync(at('real'));
    writeFileSync(at('real', 'cluster.yaml'), FILE);
    chmodSync(at('real', 'cluster.yaml'), 0o640);
    symlinkSync('real/cluster.yaml', at('cluster.yaml'));
    expect(await open(at('cluster.yaml')).commit([put(NODE_B)])).toEqual(DONE);
    expect(read('real', 'cluster.yaml')).toContain('node-b');
    expect(statSync(at('real', 'cluster.yaml')).mode & 0o777).toBe(0o640);
    expect(readdirSync(at('real'))).toEqual(['cluster.yaml']);
    expect(readdirSync(folder)).toEqual(['cluster.yaml', 'real']);
  });

  test('that changes nothing writes nothing', async () => {
    writeFileSync(at('cluster.yaml'), FILE);
    const { ino } = statSync(at('cluster.yaml'));
    const store = open(at('cluster.yaml'));
    expect(await store.commit([put(NODE_A), remove('Node', 'x'), put(pool())])).toEqual(DONE);
    expect(statSync(at('cluster.yaml')).ino).toBe(ino);
  });

  test('a mounted ConfigMap is refused', async () => {
    mkdirSync(at('..2026_11_26'));
    writeFileSync(at('..2026_11_26', 'cluster.yaml'), FILE);
    symlinkSync('..2026_11_26', at('..data'));
    symlinkSync('..data/cluster.yaml', at('cluster.yaml'));
    await expect(open(at('cluster.yaml')).commit([put(NODE_B)])).rejects.toThrow(
      'is a mounted ConfigMap, which Kubernetes writes; change the ConfigMap itself',
    );
    expect(readdirSync(at('..2026_11_26'))).toEqual(['cluster.yaml']);
  });

  test('a store without any resource is refused: agents take it for a damaged one', async () => {
    writeFileSync(at('cluster.yaml'), NODE_A);
    await expect(open(at('cluster.yaml')).commit([remove('Node', 'node-a')])).rejects.toThrow(
      'would be left without any resource',
    );
    expect(read('cluster.yaml')).toBe(NODE_A);
  });
});

describe('a commit to a folder', () => {
  test('goes to the file that holds the resource; a new one gets its own, and an emptied one goes', async () => {
    writeFileSync(at('a.yaml'), FILE);
    writeFileSync(at('b.json'), NODE_B);
    const store = open(folder);
    expect(
      await store.commit([
        put(NODE_A_ELSEWHERE),
        remove('Node', 'node-b'),
        put(node('c', '192.168.1.13/24')),
      ]),
    ).toEqual(DONE);
    expect(readdirSync(folder)).toEqual(['a.yaml', 'node-node-c.yaml']);
    expect(read('a.yaml')).toBe(FILE.replace('192.168.1.11', '192.168.1.21'));
    expect(read('node-node-c.yaml')).toMatch(/^apiVersion: projectcalico.org\/v3\nkind: Node\n/);
  });

  test('an emptied file that is linked stays, and comments do: a link that leads nowhere is an error', async () => {
    mkdirSync(at('real'));
    mkdirSync(at('store'));
    writeFileSync(at('real', 'b.yaml'), NODE_B);
    symlinkSync('../real/b.yaml', at('store', 'b.yaml'));
    writeFileSync(at('store', 'a.yaml'), NODE_A);
    writeFileSync(at('store', 'c.yaml'), `# about c\n\n${node('c', '192.168.1.13/24')}\n`);
    const store = open(at('store'));
    expect(await store.commit([remove('Node', 'node-b'), remove('Node', 'node-c')])).toEqual(DONE);
    expect(read('store', 'b.yaml')).toBe('');
    expect(read('store', 'c.yaml')).toBe('# about c\n\n');
    expect((await store.list()).map(({ name }) => name)).toEqual(['node-a']);
  });

  test('a name leads out of no folder', async () => {
    mkdirSync(at('store'));
    expect(await open(at('store')).commit([put(manifest('Node', '../../x', {}))])).toEqual(DONE);
    expect(readdirSync(at('store'))).toEqual(['node-..-..-x.yaml']);
  });

  test('a follower sees one change, though several files are written', async () => {
    writeFileSync(at('a.yaml'), `${pool()}\n---\n${NODE_A}`);
    writeFileSync(at('b.yaml'), NODE_B);
    const told: string[] = [];
    let hasCome = () => {};
    const last = new Promise<void>((resolve) => {
      hasCome = resolve;
    });
    const follower = open(folder);
    await follower.start({
      resourcesChanged: (result) => {
        const names =
          'resources' in result ? result.resources.nodes.map(({ name }) => name).join() : 'errors';
        told.push(names);
        if (names.endsWith('node-z')) hasCome();
      },
      healthChanged: () => {},
    });
    const writer = open(folder);
    await writer.commit([
      put(NODE_A_ELSEWHERE),
      remove('Node', 'node-b'),
      put(node('c', '192.168.1.13/24')),
      put(node('d', '192.168.1.14/24')),
      put(node('z', '192.168.1.15/24')),
    ]);
    await last;
    expect(told).toEqual(['node-a,node-c,node-d,node-z']);
  });
});

describe('the lock of another process', () => {
  test('is waited for, and not for ever; it goes with its process, and nothing of it is left', async () => {
    mkdirSync(at('store'));
    const holder = await holdLock(at('store', '.podroute.lock'), folder);
    let isRun = false;
    const work = async () => {
      isRun = true;
    };
    await expect(holding(at('store'), work, 50)).rejects.toThrow(
      `has been held by process ${holder.pid} for 0.05 s; end it`,
    );
    expect(isRun).toBe(false);
    const waiting = holding(at('store'), work);
    await holder.kill();
    await waiting;
    expect(isRun).toBe(true);
    expect(readdirSync(at('store'))).toEqual([]);
  });
});

describe('an editor that takes no lock', () => {
  test('what it saved after we read is not written over, and nothing else is written either', async () => {
    writeFileSync(at('a.yaml'), 'a');
    writeFileSync(at('b.yaml'), 'saved meanwhile');
    const isWritten = await writeFiles([
      { path: at('a.yaml'), before: 'a', after: 'A' },
      { path: at('b.yaml'), before: 'b', after: 'B' },
      { path: at('c.yaml'), before: undefined, after: 'C' },
    ]);
    expect(isWritten).toBe(false);
    expect([read('a.yaml'), read('b.yaml'), readdirSync(folder)]).toEqual([
      'a',
      'saved meanwhile',
      ['a.yaml', 'b.yaml'],
    ]);
  });
});

describe('conflicts', () => {
  test('a write over another version, or of what is there, or not there, says what it found', async () => {
    writeFileSync(at('cluster.yaml'), FILE);
    const store = open(at('cluster.yaml'));
    const [, before] = await store.list();
    if (before === undefined) throw new Error('the node is missing');
    await store.commit([put(NODE_A_ELSEWHERE, { version: before.version })]);
    const text = read('cluster.yaml');
    const [, now] = await store.list();
    const result = await store.commit([
      put(NODE_B),
      put(NODE_A, { version: before.version }),
      put(pool(), 'absent'),
      remove('Node', 'node-x', { version: '1' }),
    ]);
    expect(result).toEqual({
      outcome: 'conflict',
      conflicts: [
        { kind: 'Node', name: 'node-a', found: now },
        { kind: 'IPPool', name: 'pods', found: (await store.list())[0] },
        { kind: 'Node', name: 'node-x', found: undefined },
      ],
    });
    expect(read('cluster.yaml')).toBe(text);
  });

  test.each(['file', 'folder'])('writers of a %s at once lose no update', async (form) => {
    const writers = 6;
    const rounds = 5;
    writeFileSync(at('cluster.yaml'), `${FILE}---\n${manifest('Node', 'counter', { count: 0 })}`);
    let conflicts = 0;
    const increment = async (store: Datastore): Promise<void> => {
      for (;;) {
        const found = (await store.list()).find(({ name }) => name === 'counter');
        if (found === undefined) throw new Error('the counter went');
        const { count } = found.manifest['spec'] as { count: number };
        const next = put(manifest('Node', 'counter', { count: count + 1 }), {
          version: found.version,
        });
        if ((await store.commit([next])).outcome === 'done') return;
        conflicts++;
      }
    };
    await Promise.all(
      Array.from({ length: writers }, async () => {
        const store = open(form === 'file' ? at('cluster.yaml') : folder);
        for (let round = 0; round < rounds; round++) await increment(store);
      }),
    );
    expect(read('cluster.yaml')).toContain(`"count":${writers * rounds}}`);
    expect(conflicts).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual(['cluster.yaml']);
  });
});
