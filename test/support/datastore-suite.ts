/**
 * What every datastore does, whatever is behind it: the same tests over the store in memory, files and Redis.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blockName, type Change, type Datastore, type Manifest } from '../../agent/datastore/index.js';
import { checkText } from '../../agent/resources/index.js';
import { formatPrefix } from '../../bgp/net/index.js';
import { FollowedStore } from './followed-store.js';
import { API_VERSION } from './manifests.js';
import { until } from './until.js';

export { FollowedStore } from './followed-store.js';

/** A store of its own, empty. */
export interface DatastoreSubject {
  /** Another client of the same store, not started; the suite stops it. */
  open(): Datastore;
  /** After all clients have been stopped. */
  end(): Promise<void>;
}

/** What not every store can. */
export interface DatastoreAbilities {
  /** Nothing in it is an empty cluster, not an error, and what a node wrote wrongly of itself holds up nobody. */
  readonly isForNodes: boolean;
  /** Keeps a manifest to the last bit; a file keeps what YAML says. */
  readonly keepsExactly: boolean;
}

export function resource(kind: string, name: string, spec: object, metadata: object = {}): Manifest {
  return { apiVersion: API_VERSION, kind, metadata: { name, ...metadata }, spec };
}

/** A write of a manifest, or the removal of what `KIND/NAME` names. */
export function change(manifest: Manifest | string, expected: Change['expected'] = 'any'): Change {
  if (typeof manifest === 'string') {
    const [kind = '', name = ''] = manifest.split('/');
    return { kind, name, expected, manifest: undefined };
  }
  const { kind, metadata } = manifest as {
    readonly kind: string;
    readonly metadata: { readonly name: string };
  };
  return { kind, name: metadata.name, expected, manifest };
}

export const POOL = resource('IPPool', 'pods', { cidr: '10.244.0.0/16', blockSize: 24 });

export function nodeOf(index: number, name = `node-${index}`): Manifest {
  const address = `192.168.${Math.floor(index / 250) + 1}.${(index % 250) + 1}`;
  return resource('Node', name, { bgp: { ipv4Address: `${address}/16` } });
}

export function datastoreSuite(
  abilities: DatastoreAbilities,
  prepare: () => DatastoreSubject | Promise<DatastoreSubject>,
): void {
  let subject: DatastoreSubject;
  const opened: Datastore[] = [];
  const open = (): Datastore => {
    const datastore = subject.open();
    opened.push(datastore);
    return datastore;
  };
  const follow = async (): Promise<FollowedStore> => {
    const followed = new FollowedStore(open());
    await followed.start();
    return followed;
  };

  beforeEach(async () => {
    subject = await prepare();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((datastore) => datastore.stop()));
    await subject.end();
  });

  const done = { outcome: 'done' };
  const keysOf = async (datastore: Datastore) =>
    (await datastore.list()).map(({ kind, name }) => `${kind}/${name}`);

  describe('commit and list', () => {
    test('what one writes, another lists, the oldest first', async () => {
      const [writer, reader] = [open(), open()];
      expect(await writer.commit([change(POOL, 'absent')])).toEqual(done);
      expect(await writer.commit([change(nodeOf(2, 'z'), 'absent')])).toEqual(done);
      expect(await writer.commit([change(nodeOf(1, 'a'), 'absent')])).toEqual(done);
      expect(await writer.commit([change(POOL)])).toEqual(done);
      expect(await keysOf(reader)).toEqual(['IPPool/pods', 'Node/z', 'Node/a']);
      const [pool] = await reader.list();
      expect(pool?.manifest).toEqual(POOL);
    });

    test('a version changes with every write, and with no other', async () => {
      const datastore = open();
      const versions = async () => (await datastore.list()).map(({ version }) => version);
      await datastore.commit([change(POOL), change(nodeOf(1))]);
      const [pool, node] = await versions();
      expect(await versions()).toEqual([pool, node]);
      await datastore.commit([change(resource('Node', 'node-1', { bgp: { ipv4Address: '10.0.0.1/24' } }))]);
      const [samePool, otherNode] = await versions();
      expect(samePool).toBe(pool);
      expect(otherNode).not.toBe(node);
    });

    test('a write that rests on another state is a conflict, which says what is there', async () => {
      const datastore = open();
      await datastore.commit([change(POOL), change(nodeOf(1))]);
      const before = await datastore.list();
      const [, node] = before;
      if (node === undefined) throw new Error('the node is missing');
      const conflicts = (found: unknown) => ({
        outcome: 'conflict',
        conflicts: [{ kind: 'Node', name: 'node-1', found }],
      });
      expect(await datastore.commit([change(nodeOf(2, 'node-1'), 'absent')])).toEqual(conflicts(node));
      const wrong = { version: `${node.version}0` };
      expect(await datastore.commit([change('Node/node-1', wrong)])).toEqual(conflicts(node));
      expect(await datastore.list()).toEqual(before);
      const right = { version: node.version };
      expect(await datastore.commit([change(nodeOf(2, 'node-1'), right)])).toEqual(done);
      const [, changed] = await datastore.list();
      expect(await datastore.commit([change(nodeOf(3, 'node-1'), right)])).toEqual(conflicts(changed));
      expect(await datastore.commit([change('Node/node-1')])).toEqual(done);
      expect(await datastore.commit([change('Node/node-1', right)])).toEqual(conflicts(undefined));
    });

    test('of several changes one that is in the way stops all', async () => {
      const datastore = open();
      await datastore.commit([change(POOL), change(nodeOf(1))]);
      const before = await datastore.list();
      const result = await datastore.commit([
        change(nodeOf(2), 'absent'),
        change('IPPool/pods'),
        change(nodeOf(3, 'node-1'), 'absent'),
        change('Node/node-9', { version: '1' }),
      ]);
      expect(result.outcome === 'conflict' && result.conflicts.map(({ name }) => name)).toEqual([
        'node-1',
        'node-9',
      ]);
      expect(await datastore.list()).toEqual(before);
    });

    test('a removal of what is not there is no change', async () => {
      const followed = await follow();
      await followed.datastore.commit([change(POOL), change(nodeOf(1))]);
      await until(
        'the nodes are there',
        () => 'resources' in followed.newest && followed.nodeNames.length > 0,
      );
      const before = followed.told.length;
      expect(await followed.datastore.commit([change('Node/node-9')])).toEqual(done);
      await followed.datastore.commit([change(nodeOf(2))]);
      await followed.hasNodes('node-1', 'node-2');
      expect(followed.told.length).toBe(before + 1);
    });

    if (abilities.keepsExactly)
      test('a manifest is kept as it is', async () => {
        const odd = resource('Node', 'node-1', {
          empty: [],
          nothing: {},
          text: 'é "quoted" \\ \u0000 \n 🙂 </script>',
          numbers: [0.1, 1e21, 12345678901234, -0.5, 4_294_967_295],
          words: [true, false, null],
          '': { 'a/b': 1 },
        });
        await open().commit([change(odd)]);
        expect(JSON.stringify((await open().list())[0]?.manifest)).toBe(JSON.stringify(odd));
      });

    test('of many who write at once, none loses an update of another', async () => {
      const writers = Array.from({ length: 8 }, open);
      await writers[0]?.commit([change(POOL), change(nodeOf(1))]);
      let conflicts = 0;
      const nodeWithLabels = async (datastore: Datastore) => {
        const found = (await datastore.list()).find(({ name }) => name === 'node-1');
        if (found === undefined) throw new Error('the node went');
        return { found, labels: {}, ...(found.manifest['metadata'] as { labels?: object }) };
      };
      const addLabel = async (datastore: Datastore, label: string): Promise<void> => {
        for (;;) {
          const { found, labels } = await nodeWithLabels(datastore);
          const changed = resource('Node', 'node-1', nodeOf(1)['spec'] as object, {
            labels: { ...labels, [label]: 'yes' },
          });
          const { outcome } = await datastore.commit([change(changed, { version: found.version })]);
          if (outcome === 'done') return;
          conflicts += 1;
        }
      };
      await Promise.all(writers.map((writer, index) => addLabel(writer, `w${index}`)));
      const { labels } = await nodeWithLabels(open());
      expect(Object.keys(labels).sort()).toEqual(writers.map((_writer, index) => `w${index}`));
      expect(conflicts).toBeGreaterThan(0);
    });
  });

  describe('followers', () => {
    test('start has the first state, the follower each later one, and none after stop', async () => {
      const writer = open();
      await writer.commit([change(POOL), change(nodeOf(1))]);
      const [first, second] = [await follow(), await follow()];
      expect(first.told).toEqual([]);
      expect(first.nodeNames).toEqual(['node-1']);
      await first.datastore.commit([change(nodeOf(2))]);
      await first.hasNodes('node-1', 'node-2');
      await second.hasNodes('node-1', 'node-2');
      await second.datastore.stop();
      const before = second.told.length;
      await writer.commit([change('Node/node-1')]);
      await first.hasNodes('node-2');
      expect(second.told.length).toBe(before);
    });

    test('a wrong state is told with its errors, and the right one after it', async () => {
      const followed = await follow();
      await followed.datastore.commit([change(POOL), change(nodeOf(1))]);
      await until('the node is there', () => 'resources' in followed.newest && followed.nodeNames.length > 0);
      await followed.datastore.commit([change(resource('BGPPeer', 'tor', { peerIP: '192.168.1.300' }))]);
      const errors = await until('the errors are told', () =>
        'errors' in followed.newest ? followed.newest.errors : undefined,
      );
      expect(checkText(errors)).toContain('BGPPeer/tor spec.peerIP');
      await followed.datastore.commit([change('BGPPeer/tor')]);
      await until('it is right again', () => 'resources' in followed.newest);
      expect(followed.nodeNames).toEqual(['node-1']);
    });
  });

  if (abilities.isForNodes)
    describe('a store for nodes', () => {
      test('nothing in it is an empty cluster', async () => {
        const followed = await follow();
        expect(followed.nodeNames).toEqual([]);
        expect(await followed.datastore.list()).toEqual([]);
      });

      test('a Node that is wrong is left out, and said so', async () => {
        const followed = await follow();
        await followed.datastore.commit([change(POOL), change(nodeOf(1)), change(resource('Node', 'x', {}))]);
        await followed.datastore.commit([
          change(resource('Node', 'y', { bgp: { ipv4Address: 'nonsense' } })),
        ]);
        await until(
          'y was left out',
          () => 'leftOut' in followed.newest && followed.newest.leftOut.length > 0,
        );
        const { leftOut } = followed.newest as { leftOut: readonly { path: string }[] };
        expect(leftOut.map(({ path }) => path)).toEqual(['Node/y spec.bgp.ipv4Address']);
        expect(followed.nodeNames).toEqual(['node-1', 'x']);
      });

      const registryOf = ({ registry }: Datastore) => {
        if (registry === undefined) throw new Error('the store has no registry');
        return registry;
      };

      test('a pod subnet is claimed by one alone, the first that is free', async () => {
        const clients = Array.from({ length: 12 }, open);
        const [first] = clients;
        if (first === undefined) throw new Error('there is no client');
        await first.commit([change(POOL)]);
        const [stored] = await first.list();
        const pool = { name: 'pods', version: stored?.version ?? '' };
        const candidates = Array.from({ length: 10 }, (_, index) => `10.244.${index}.0/24`);
        const results = await Promise.all(
          clients.map((client, index) =>
            registryOf(client).claim({ node: `node-${index}`, pool, candidates }),
          ),
        );
        const claimed = results.flatMap((result) => (result.outcome === 'claimed' ? [result.cidr] : []));
        expect(claimed.sort()).toEqual(candidates);
        expect(results.filter(({ outcome }) => outcome === 'taken').length).toBe(2);
        const blocks = (await first.list()).slice(1);
        expect(blocks.map(({ name }) => name).sort()).toEqual(candidates.map(blockName));
        const followed = await follow();
        expect(followed.resources.blocks.map(({ cidr }) => formatPrefix(cidr)).sort()).toEqual(candidates);
        expect(followed.resources.blocks.every(({ state }) => state === 'confirmed')).toBe(true);
      });

      test('a claim is told to followers, and can be given back', async () => {
        const followed = await follow();
        const { datastore } = followed;
        await datastore.commit([change(POOL)]);
        const pool = { name: 'pods', version: (await datastore.list())[0]?.version ?? '' };
        const order = { node: 'node-1', pool, candidates: ['10.244.7.0/24'] };
        expect(await registryOf(datastore).claim(order)).toEqual({
          outcome: 'claimed',
          cidr: '10.244.7.0/24',
        });
        await until('the block is told', () => followed.resources.blocks.length === 1);
        expect(followed.resources.blocks[0]?.node).toBe('node-1');
        await datastore.commit([change('BlockAffinity/10-244-7-0-24')]);
        await until('it is gone', () => followed.resources.blocks.length === 0);
        expect((await registryOf(datastore).claim(order)).outcome).toBe('claimed');
      });

      test('a claim that rests on another pool is refused', async () => {
        const datastore = open();
        await datastore.commit([change(POOL)]);
        const pool = { name: 'pods', version: (await datastore.list())[0]?.version ?? '' };
        const claim = (name: string) =>
          registryOf(datastore).claim({ node: 'a', pool: { ...pool, name }, candidates: ['10.244.7.0/24'] });
        expect(await claim('others')).toEqual({ outcome: 'poolChanged' });
        await datastore.commit([change(POOL)]);
        expect(await claim('pods')).toEqual({ outcome: 'poolChanged' });
        expect(await keysOf(datastore)).toEqual(['IPPool/pods']);
      });

      test('signs of life', async () => {
        const [a, b] = [registryOf(open()), registryOf(open())];
        const beat = { node: 'a', instance: 'a1', address: '192.168.1.1', takeOverAfterMs: 60_000 };
        const first = await a.beat(beat);
        expect(Math.abs(first.nowMs - Date.now())).toBeLessThan(60_000);
        expect([first.holder, first.rival]).toEqual([undefined, undefined]);
        expect(first.signs).toEqual(
          new Map([['a', { instance: 'a1', address: '192.168.1.1', atMs: first.nowMs }]]),
        );
        const second = await b.beat({ ...beat, node: 'b', instance: 'b1', address: '192.168.1.2' });
        expect([...second.signs.keys()].sort()).toEqual(['a', 'b']);
        expect(second.nowMs).toBeGreaterThanOrEqual(first.nowMs);
        // Who only asks gives none.
        const asked = await registryOf(open()).signs();
        expect(asked.signs).toEqual(second.signs);
        expect(asked.nowMs).toBeGreaterThanOrEqual(second.nowMs);
      });

      test('a name that somebody else has is refused, and its holder is told of the rival', async () => {
        const [holder, rival] = [registryOf(open()), registryOf(open())];
        const beat = { node: 'a', instance: 'a1', address: '192.168.1.1', takeOverAfterMs: 60_000 };
        await holder.beat(beat);
        const elsewhere = { ...beat, instance: 'x1', address: '192.168.1.9' };
        const refused = await rival.beat(elsewhere);
        expect(refused.holder).toMatchObject({ instance: 'a1', address: '192.168.1.1' });
        expect(refused.rival).toBeUndefined();
        expect(refused.signs.get('a')?.instance).toBe('a1');
        const told = await holder.beat(beat);
        expect(told.holder).toBeUndefined();
        expect(told.rival).toMatchObject({ instance: 'x1', address: '192.168.1.9' });
        // Silent for long enough, or a later run at the same address: it gives way.
        expect((await rival.beat({ ...elsewhere, takeOverAfterMs: 0 })).holder).toBeUndefined();
        expect((await holder.beat(beat)).holder?.instance).toBe('x1');
        expect((await rival.beat({ ...elsewhere, instance: 'x2' })).holder).toBeUndefined();
        expect((await rival.beat({ ...elsewhere, instance: 'x2' })).signs.get('a')?.instance).toBe('x2');
      });

      test('with a Node its sign goes', async () => {
        const datastore = open();
        await datastore.commit([change(nodeOf(1)), change(nodeOf(2))]);
        const beat = (node: string) =>
          registryOf(datastore).beat({ node, instance: node, address: '10.0.0.1', takeOverAfterMs: 1000 });
        await beat('node-1');
        expect([...(await beat('node-2')).signs.keys()].sort()).toEqual(['node-1', 'node-2']);
        await datastore.commit([change('Node/node-1')]);
        expect([...(await beat('node-2')).signs.keys()]).toEqual(['node-2']);
      });
    });
}
