/** `podroute get`, `apply` and `delete` over a file store: what they say, write and refuse. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { apply, remove } from '../../../../agent/commands/change.js';
import { get } from '../../../../agent/commands/get.js';
import { runCommand } from '../../../../api/index.js';
import { CLUSTER, manifest, node, peer } from '../../../support/manifests.js';

let folder: string;
let store: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-change-'));
  store = join(folder, 'cluster.yaml');
  writeFileSync(store, CLUSTER.join('\n---\n'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const COMMANDS = { get, apply, delete: remove };

/** Runs a command line on the store; `input` is standard input. */
async function podroute(
  line: string,
  { input = '', env = {} }: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
) {
  const [name = '', ...argv] = line.split(' ').filter((word) => word !== '');
  const written = { out: '', err: '' };
  const output = (to: 'out' | 'err') => ({
    write: (text: string) => {
      written[to] += text.replaceAll(`${folder}/`, '');
    },
  });
  async function* stdin() {
    yield Buffer.from(input);
  }
  const command = COMMANDS[name as keyof typeof COMMANDS];
  const status = await runCommand(
    command,
    argv,
    { stdout: output('out'), stderr: output('err'), env: { PODROUTE_DATASTORE: `file:${store}`, ...env } },
    { version: '1.2.3', streams: () => ({ stdin: stdin() }) },
  );
  return { status, ...written };
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const tor = (spec: object, metadata: object = {}) =>
  manifest(
    'BGPPeer',
    'tor',
    { nodeSelector: "rack == 'a'", peerIP: '192.168.1.1', asNumber: 65001, ...spec },
    metadata,
  );

describe('get', () => {
  test('a table of a kind, by name', async () => {
    const { status, out } = await podroute('get nodes');
    expect(status).toBe(0);
    expect(out.split('\n').slice(0, 2)).toEqual([
      'NAME    ADDRESS          ASN  PODCIDRS',
      'node-a  192.168.1.11/24  -    10.244.1.0/24',
    ]);
  });

  test('all of them, with the names that delete takes', async () => {
    const { out } = await podroute('get all -o wide');
    expect(out).toContain('IPPool/pods  10.244.0.0/16  CrossSubnet  false  all()     24 ');
    expect(out).toContain("BGPPeer/tor  192.168.1.1  rack == 'a'  65001");
    expect(out).toContain('rack=d');
  });

  test.each(['yaml', 'json'])('what %s prints is applied without a change', async (form) => {
    const { out } = await podroute(`get all -o ${form}`);
    expect(out).toContain('resourceVersion');
    const applied = await podroute('apply -f -', { input: out });
    expect(applied.err).toBe('');
    expect(applied.status).toBe(0);
    expect(applied.out.trim().split('\n')).toHaveLength(CLUSTER.length);
    expect(applied.out).not.toMatch(/^(created|changed|removed|node)/m);
  });

  test('one by name is one object; several are a list', async () => {
    expect(JSON.parse((await podroute('get node node-a -o json')).out).kind).toBe('Node');
    const several = JSON.parse((await podroute('get Node/node-a bgppeer/tor -o json')).out);
    expect(several.items.map(({ kind }: { kind: string }) => kind)).toEqual(['Node', 'BGPPeer']);
    expect(JSON.parse((await podroute('get bgpfilters -o json')).out).items).toEqual([]);
  });

  test.each([
    ['get', 2, 'name a kind: Node, IPPool'],
    ['get pods', 2, '"pods" is no kind of resource'],
    ['get node node-9', 2, 'there is no Node/node-9; did you mean "node-a"?'],
    ['get nodes -o xml', 2, '--output must be one of table, wide, yaml, json; it was "xml"'],
    ['get Node/', 2, '"Node/" is no KIND/NAME'],
    ['get all node-a', 2, '"all" takes no names'],
    ['get bgpfilters', 0, 'there is no BGPFilter'],
    ['get nodes --datastore file:/nowhere', 3, '/nowhere: does not exist; create it'],
    ['get nodes --datastore etcd://x', 2, 'the datastore "etcd:" is unknown'],
    ['get nodes --config /nowhere.yaml', 2, 'the settings file cannot be read'],
  ])('%s', async (line, expected, sentence) => {
    const { status, out, err } = await podroute(line);
    expect({ status, out }).toEqual({ status: expected, out: '' });
    expect(err).toContain(sentence);
  });
});

describe('apply', () => {
  test('shows what it would do, and does exactly that', async () => {
    const changed = file(
      'new.yaml',
      [tor({ asNumber: 65002 }), node('e', '192.168.1.15/24')].join('\n---\n'),
    );
    const before = readFileSync(store, 'utf8');
    const dry = await podroute(`apply -f ${changed} --dry-run`);
    expect(dry.status).toBe(0);
    expect(dry.err).toBe('A dry run: what follows would be done, and nothing is.\n');
    expect(dry.out.split('\n')).toEqual([
      'changed BGPPeer/tor',
      '  spec.asNumber: 65001 -> 65002',
      'created Node/node-e',
      'node-a, node-b, node-c, node-d: session mesh/node-e comes: Node/node-e is new',
      'node-a: session peer/tor is reset: AS number 65001 -> 65002',
      'node-e: sessions mesh/node-a, mesh/node-b, mesh/node-c, mesh/node-d come: Node/node-e is new',
      '',
    ]);
    expect(readFileSync(store, 'utf8')).toBe(before);

    const done = await podroute(`apply -f ${changed}`);
    expect(done).toEqual({ status: 0, out: dry.out, err: '' });
    expect((await podroute('get node node-e')).status).toBe(0);
    expect((await podroute(`apply -f ${changed}`)).out).toBe(
      'unchanged BGPPeer/tor\nunchanged Node/node-e\n',
    );
  });

  test('several files, folders and standard input are one change', async () => {
    mkdirSync(join(folder, 'more'));
    file('more/a.yaml', node('e', '192.168.1.15/24'));
    file('more/b.yaml', peer('edge', { peerIP: '192.168.1.2', asNumber: 65003, filters: ['f'] }));
    const line = `apply -f ${join(folder, 'more')} -f - -f ${file('x.yaml', tor({}))} -o json`;
    const { status, out } = await podroute(line, { input: manifest('BGPFilter', 'f', {}) });
    expect(status).toBe(0);
    const { resources, sessions, dryRun } = JSON.parse(out);
    expect(dryRun).toBe(false);
    expect(
      resources.map(({ outcome, name }: { outcome: string; name: string }) => `${outcome} ${name}`),
    ).toEqual(['created node-e', 'created edge', 'created f', 'unchanged tor']);
    expect(sessions).toContainEqual({
      node: 'node-a',
      peer: 'peer/edge',
      outcome: 'comes',
      reasons: ['by BGPPeer/edge'],
    });
  });

  test('bookkeeping of Kubernetes is not kept', async () => {
    const exported = manifest('Node', 'node-e', {}, { uid: 'x', creationTimestamp: null, managedFields: [] });
    expect((await podroute('apply -f -', { input: exported })).status).toBe(0);
    const { metadata } = JSON.parse((await podroute('get node node-e -o json')).out);
    expect(Object.keys(metadata).sort()).toEqual(['name', 'resourceVersion']);
  });

  test('where no session is concerned, it says so', async () => {
    const { out } = await podroute('apply -f -', { input: manifest('BGPFilter', 'f', {}) });
    expect(out).toBe('created BGPFilter/f\nno session is touched\n');
  });

  test.each<[string, string, string]>([
    [
      'a wrong field',
      tor({ asNumber: 'x' }),
      'standard input:1: BGPPeer/tor spec.asNumber: "x" is no AS number',
    ],
    [
      'an unknown field',
      tor({ asnumber: 1 }),
      'spec.asnumber: is an unknown field; did you mean "asNumber"?',
    ],
    [
      'what contradicts the store',
      node('e', '192.168.1.11/24'),
      'standard input:1: Node/node-e spec.bgp.ipv4Address: 192.168.1.11 is the address of Node/node-a (file:cluster.yaml) too',
    ],
    [
      'what leaves others wrong',
      manifest('IPPool', 'pods', { cidr: '10.245.0.0/16', blockSize: 24 }),
      'file:cluster.yaml: Node/node-a spec.podCIDRs[0]: 10.244.1.0/24 lies in no IPPool',
    ],
    [
      'two of one name',
      `${tor({})}\n---\n${tor({})}`,
      'standard input:3: BGPPeer/tor metadata.name: exists already as',
    ],
    ['no name', '{kind: Node}', 'standard input:1: names no resource; add kind and metadata.name'],
    ['no kind that is read', '{kind: Pod, metadata: {name: x}}', '"Pod" is no kind that podroute reads'],
    ['no YAML', '{', 'standard input:1: is no valid YAML or JSON'],
  ])('%s is refused, and nothing is written', async (_name, input, sentence) => {
    const before = readFileSync(store, 'utf8');
    const good = file('good.yaml', node('f', '192.168.1.16/24'));
    const { status, out, err } = await podroute(`apply -f ${good} -f -`, { input });
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toContain(sentence);
    expect(readFileSync(store, 'utf8')).toBe(before);
  });

  test('no manifest at all is refused', async () => {
    const { status, err } = await podroute('apply -f -', { input: '# nothing' });
    expect({ status, err }).toEqual({ status: 2, err: 'standard input: holds no manifest; write one\n' });
  });

  test.each([
    ['apply', 'name the manifests: -f FILE'],
    ['apply -f /nowhere.yaml', '/nowhere.yaml: does not exist; correct the path'],
    ['apply x.yaml', 'unexpected argument "x.yaml"'],
  ])('%s', async (line, sentence) => {
    const { status, err } = await podroute(line);
    expect(status).toBe(2);
    expect(err).toContain(sentence);
  });

  test('what was wrong before does not stop what has nothing to do with it, and is told', async () => {
    writeFileSync(
      store,
      [...CLUSTER, peer('odd', { peerIP: 'x', asNumber: 1 }), node('z', '192.168.1.11/24')].join('\n---\n'),
    );
    const mended = await podroute('apply -f -', {
      input: peer('odd', { peerIP: '192.168.1.9', asNumber: 65009 }),
    });
    expect(mended.status).toBe(0);
    expect(mended.err).toMatch(/^warning: .*Node\/node-z .*\(it was so before\)$/m);
  });
});

describe('conflicts', () => {
  test('a manifest of an earlier version does not take the place of a later one', async () => {
    const { out } = await podroute('get bgppeer tor -o yaml');
    await podroute('apply -f -', { input: tor({ ttlSecurity: 1 }) });
    const before = readFileSync(store, 'utf8');
    for (const flags of ['', '--dry-run']) {
      const {
        status,
        err,
        out: shown,
      } = await podroute(`apply -f - ${flags}`, { input: out.replace('65001', '65002') });
      expect({ status, shown }).toEqual({ status: 1, shown: '' });
      expect(err).toMatch(
        /^BGPPeer\/tor was changed meanwhile by somebody else: it is at version [0-9a-f]{16}, /,
      );
      expect(err).toContain('Nothing is written.');
    }
    expect(readFileSync(store, 'utf8')).toBe(before);
  });

  test('of what is gone by now', async () => {
    const { out } = await podroute('get bgppeer tor -o yaml');
    await podroute('delete bgppeer tor');
    const { status, err } = await podroute('apply -f -', { input: out });
    expect(status).toBe(1);
    expect(err).toContain('BGPPeer/tor was removed meanwhile by somebody else');
  });

  test('delete -f keeps what is another version', async () => {
    const { out } = await podroute('get bgppeer tor -o yaml');
    await podroute('apply -f -', { input: tor({ ttlSecurity: 1 }) });
    expect((await podroute('delete -f -', { input: out })).status).toBe(1);
    expect((await podroute('get bgppeer tor')).status).toBe(0);
  });
});

describe('delete', () => {
  test('by name, and by kind and name', async () => {
    const dry = await podroute('delete bgppeer tor --dry-run');
    expect(dry.out).toBe('removed BGPPeer/tor\nnode-a: session peer/tor goes: no longer by BGPPeer/tor\n');
    expect((await podroute('delete BGPPeer/tor Node/node-d')).status).toBe(0);
    expect((await podroute('get all')).out).not.toMatch(/tor|node-d/);
  });

  test('what a file names, whatever else it says; what is not there is told', async () => {
    const { status, out } = await podroute('delete -f -', {
      input: '{kind: BGPPeer, metadata: {name: tor}}\n---\n{kind: BGPFilter, metadata: {name: f}}',
    });
    expect(status).toBe(0);
    expect(out).toContain('removed BGPPeer/tor\nabsent BGPFilter/f\n');
  });

  test('a Node with claims: they stay reserved, and how to release them', async () => {
    const block = manifest('BlockAffinity', '10-244-9-0-24', { cidr: '10.244.9.0/24', node: 'node-d' });
    await podroute('apply -f -', { input: block });
    const { out } = await podroute('delete node node-d --dry-run');
    expect(out).toContain(
      '10.244.9.0/24 stay reserved for node-d; release them: podroute ipam release --node node-d\n',
    );
    expect((await podroute('delete Node/node-d BlockAffinity/10-244-9-0-24')).out).not.toContain('reserved');
  });

  test.each([
    [
      'delete ippool pods',
      'file:cluster.yaml: Node/node-a spec.podCIDRs[0]: 10.244.1.0/24 lies in no IPPool',
    ],
    ['delete node node-x', 'there is no Node/node-x; did you mean "node-a"?'],
    ['delete node', 'name the node to delete'],
    ['delete', 'say what to delete'],
    ['delete node node-a -f x', 'either names or files'],
    ['delete nod node-a', '"nod" is no kind of resource; did you mean "no'],
  ])('%s is refused', async (line, sentence) => {
    const before = readFileSync(store, 'utf8');
    const { status, out, err } = await podroute(line);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toContain(sentence);
    expect(readFileSync(store, 'utf8')).toBe(before);
  });

  test('the last resource of a file store stays', async () => {
    writeFileSync(store, CLUSTER[0] ?? '');
    const { status, err } = await podroute('delete ippool pods');
    expect(status).toBe(1);
    expect(err).toContain('would be left without any resource');
  });
});
