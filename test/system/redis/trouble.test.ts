/** Redis cut off, paused, killed, wiped, read-only, full: what was read stays in force, and all is made good after it. */
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../agent/datastore/index.js';
import { keysOf, REFILL } from '../../../agent/datastore/redis/scripts.js';
import { Chance } from '../../fuzz/mutate.js';
import { change, nodeOf, POOL, resource } from '../../support/datastore-suite.js';
import { RedisServer } from '../../support/redis-server.js';
import { RedisClients } from '../../support/redis-store.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

let server: RedisServer;
const clients = new RedisClients();
const others: { end(): Promise<void> }[] = [];

beforeEach(async () => {
  server = await RedisServer.start(['--repl-diskless-sync-delay', '0']);
});

afterEach(async () => {
  await clients.stop();
  await Promise.all([server, ...others.splice(0)].map((other) => other.end()));
});

const CLUSTER = [change(POOL), ...[1, 2, 3, 4].map((index) => change(nodeOf(index)))];
const NAMES = ['node-1', 'node-2', 'node-3', 'node-4'];

async function proxyOf(port: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(port);
  others.push({ end: () => proxy.stop() });
  return proxy;
}

describe('the connection', () => {
  test('cut again and again while others write: no update is missed', async () => {
    const seed = randomInt(2 ** 31);
    const chance = new Chance(seed);
    const proxy = await proxyOf(server.port);
    const writer = clients.open(server.url);
    await writer.commit([change(POOL)]);
    const followers = await Promise.all(
      Array.from({ length: 4 }, () => clients.follow(`redis://127.0.0.1:${proxy.port}`, { checkMs: 60_000 })),
    );
    const nodes = new Map<string, object>();
    for (let step = 0; step < 400; step += 1) {
      const name = `node-${chance.integer(30)}`;
      if (nodes.has(name) && chance.fraction() < 0.4) {
        nodes.delete(name);
        await writer.commit([change(`Node/${name}`)]);
      } else {
        const labels = { step: String(step) };
        nodes.set(name, labels);
        await writer.commit([change(resource('Node', name, {}, { labels }))]);
      }
      if (chance.once(20)) proxy.cut();
    }
    const wanted = JSON.stringify([...nodes].sort(([a], [b]) => (a < b ? -1 : 1)));
    for (const { datastore, resources } of followers) {
      expect(datastore.health().state, `seed ${seed}`).toMatch(/ok|unreachable/);
      expect(resources.pools.length).toBe(1);
    }
    for (const followed of followers) {
      await until(`a follower has the last state (seed ${seed})`, () => {
        const has = followed.resources.nodes.map(({ name, labels }) => [name, Object.fromEntries(labels)]);
        return JSON.stringify(has) === wanted;
      });
    }
    expect(proxy.connections).toBeGreaterThan(8);
  });

  test('into the void: given up after a while, and found again', async () => {
    const proxy = await proxyOf(server.port);
    const followed = await clients.follow(`redis://127.0.0.1:${proxy.port}`);
    await followed.datastore.commit(CLUSTER);
    await followed.hasNodes(...NAMES);
    proxy.setDeaf(true);
    await followed.is('unreachable', 'does not answer; see whether it runs');
    await clients.open(server.url).commit([change(nodeOf(5))]);
    await expect(followed.datastore.commit([change(nodeOf(6))])).rejects.toBeInstanceOf(StoreError);
    await followed.hasNodes(...NAMES);
    proxy.setDeaf(false);
    await followed.is('ok');
    await followed.hasNodes(...NAMES, 'node-5');
  });
});

describe('the server', () => {
  test('paused: what was read stays, a stop is prompt, and it catches up', async () => {
    const followed = await clients.follow(server.url);
    await followed.datastore.commit(CLUSTER);
    await followed.hasNodes(...NAMES);
    const leaver = await clients.follow(server.url);
    server.signal('SIGSTOP');
    await followed.is('unreachable', `${server.url} does not answer`);
    await followed.hasNodes(...NAMES);
    const beganMs = performance.now();
    await leaver.datastore.stop();
    expect(performance.now() - beganMs).toBeLessThan(1_000);
    server.signal('SIGCONT');
    await followed.is('ok');
    await followed.datastore.commit([change('Node/node-1')]);
    await followed.hasNodes('node-2', 'node-3', 'node-4');
  });

  test('killed and started empty: filled again by one of those who know', async () => {
    const followers = await Promise.all([1, 2, 3].map(() => clients.follow(server.url)));
    const [first] = followers;
    await first?.datastore.commit(CLUSTER);
    await first?.datastore.commit([change(nodeOf(9, 'node-4'))]);
    for (const followed of followers) {
      await until('all know', () => JSON.stringify(followed.resources).includes('node-4'));
    }
    const before = await clients.open(server.url).list();
    await server.kill();
    const sentence = `${server.url} refuses the connection; start Redis there, or correct the address`;
    for (const followed of followers) await followed.is('unreachable', sentence);
    const told = followers.map((followed) => followed.told.length);
    await server.run();
    await until(
      'it is filled again',
      async () => Number(await server.ask('HLEN', '{podroute}:resources')) === 5,
    );
    for (const followed of followers) {
      await followed.is('ok');
      await until('no note is left', () => followed.datastore.health().notes.length === 0);
    }
    expect(await clients.open(server.url).list()).toEqual(before);
    // One write, the next after the last that was known: the others had nothing to add, and nobody has seen a change.
    expect(await server.ask('GET', '{podroute}:revision')).toMatch(/^3-/);
    expect(followers.map((followed) => followed.told.length)).toEqual(told);
    await first?.datastore.commit([change('Node/node-1')]);
    for (const followed of followers) await followed.hasNodes('node-2', 'node-3', 'node-4');
  });

  test('of two who fill it at one time one does it', async () => {
    const { keys, channel } = keysOf('podroute');
    const fill = (name: string) => {
      const entry = '{"resourceVersion":"7-a","created":1,"manifest":{}}';
      const args = [channel, '', '', '0', `epoch-${name}`, name, '7', 'IPPool/pods', entry];
      return server.ask('EVAL', REFILL.lua, String(keys.length), ...keys, ...args);
    };
    expect(await Promise.all([fill('a'), fill('b')]).then((answers) => answers.sort())).toEqual([0, 1]);
    expect(await server.ask('GET', '{podroute}:revision')).toMatch(/^8-/);
    await server.ask('DEL', '{podroute}:revision', '{podroute}:epoch');
    // Something is in it all the same.
    expect(await fill('c')).toBe(0);
  });

  test('wiped, and a node that knows nothing came first: the rest comes back beside it', async () => {
    const proxy = await proxyOf(server.port);
    const followed = await clients.follow(`redis://127.0.0.1:${proxy.port}`);
    await followed.datastore.commit(CLUSTER);
    await followed.hasNodes(...NAMES);
    proxy.setDeaf(true);
    await server.ask('FLUSHALL');
    await clients.open(server.url).commit([change(nodeOf(7), 'absent')]);
    proxy.setDeaf(false);
    await followed.hasNodes(...NAMES, 'node-7');
    expect((await followed.datastore.list()).length).toBe(6);
  });

  test('half of its nodes gone at once: held back, said, and believed in the end', async () => {
    const followed = await clients.follow(server.url);
    await followed.datastore.commit(CLUSTER);
    await followed.hasNodes(...NAMES);
    const told = followed.told.length;
    const gone = NAMES.slice(0, 3).map((name) => change(`Node/${name}`));
    await clients.open(server.url).commit(gone);
    await until('it is held back', () => followed.heldBack.length > 0);
    expect(followed.heldBack[0]).toEqual(['pods', 'node-4']);
    const [note] = followed.datastore.health().notes;
    expect(note).toMatch(/^the store has lost 3 of 4 Nodes at once; what was there stays in force for \d+ s/);
    expect(followed.told.length).toBe(told);
    // Two write themselves again.
    await clients.open(server.url).commit([change(nodeOf(1)), change(nodeOf(2))]);
    await followed.hasNodes('node-1', 'node-2', 'node-4');
    expect(followed.datastore.health().notes).toEqual([]);
    await clients.open(server.url).commit([change('IPPool/pods')]);
    await until('it is believed', () => followed.resources.pools.length === 0);
    expect(followed.datastore.health().notes).toEqual([]);
  });

  test('restored from an older backup: what is there counts', async () => {
    const followed = await clients.follow(server.url);
    await followed.datastore.commit(CLUSTER);
    const old = await server.ask('HGET', '{podroute}:resources', 'Node/node-1');
    const revision = await server.ask('GET', '{podroute}:revision');
    await followed.datastore.commit([change(resource('Node', 'node-1', {}, { labels: { new: 'yes' } }))]);
    await until('the label is read', () => followed.resources.nodes[0]?.labels.size === 1);
    await server.ask('HSET', '{podroute}:resources', 'Node/node-1', String(old));
    await server.ask('SET', '{podroute}:revision', String(revision));
    await until('the old node is back', () => followed.resources.nodes[0]?.labels.size === 0);
    await followed.hasNodes(...NAMES);
    // The same number as before the backup, and another revision all the same.
    await followed.datastore.commit([change(nodeOf(5))]);
    await followed.hasNodes(...NAMES, 'node-5');
  });

  test('something else under our key: what was read stays, and the way to mend it is said', async () => {
    const followed = await clients.follow(server.url);
    await followed.datastore.commit(CLUSTER);
    await followed.hasNodes(...NAMES);
    await server.ask('HSET', '{podroute}:resources', 'Node/x', '{}');
    await followed.datastore.commit([change(nodeOf(5))]).catch(() => {});
    await server.ask('SET', '{podroute}:revision', '99-x');
    await followed.is('refusing', 'take it out with: redis-cli HDEL "{podroute}:resources" "Node/x"');
    await server.ask('HDEL', '{podroute}:resources', 'Node/x');
    await followed.is('ok');
    await followed.hasNodes(...NAMES, 'node-5');
  });
});

describe('a server that takes no writes', () => {
  const beat = { node: 'a', instance: 'a1', address: '10.0.0.1', takeOverAfterMs: 1_000 };

  test('a replica: read from, until it is made master', async () => {
    const replica = await RedisServer.start(['--replicaof', '127.0.0.1', String(server.port)]);
    others.push(replica);
    await clients.open(server.url).commit(CLUSTER);
    await replica.hasInfo('master_link_status:up');
    const followed = await clients.follow(replica.url);
    await followed.hasNodes(...NAMES);
    const sentence = `${replica.url} is a read-only replica; name its master`;
    await followed.is('refusing', sentence);
    await expect(followed.datastore.commit([change(nodeOf(5))])).rejects.toThrow(sentence);
    await clients.open(server.url).commit([change(nodeOf(5))]);
    await followed.hasNodes(...NAMES, 'node-5');
    await replica.ask('REPLICAOF', 'NO', 'ONE');
    await followed.is('ok');
    await followed.datastore.commit([change('Node/node-5')]);
    await followed.hasNodes(...NAMES);
  });

  test('full: said, removals go on, and it is well again with more room', async () => {
    const followed = await clients.follow(server.url);
    await followed.datastore.commit(CLUSTER);
    await followed.hasNodes(...NAMES);
    await server.ask('CONFIG', 'SET', 'maxmemory', '1');
    await expect(followed.datastore.registry?.beat(beat)).rejects.toThrow(
      'is full (maxmemory) and takes no writes',
    );
    await followed.is('refusing', 'is full (maxmemory)');
    await expect(followed.datastore.commit([change(nodeOf(5))])).rejects.toBeInstanceOf(StoreError);
    expect((await followed.datastore.list()).length).toBe(5);
    expect(await followed.datastore.commit([change('Node/node-4')])).toEqual({ outcome: 'done' });
    await followed.hasNodes('node-1', 'node-2', 'node-3');
    await server.ask('CONFIG', 'SET', 'maxmemory', '0');
    await followed.is('ok');
  });

  test('without a disk to save to', async () => {
    const followed = await clients.follow(server.url);
    await followed.datastore.commit(CLUSTER);
    await server.ask('CONFIG', 'SET', 'save', '3600 1');
    rmSync(server.folder, { recursive: true });
    await server.ask('BGSAVE');
    await server.hasInfo('rdb_last_bgsave_status:err');
    await expect(followed.datastore.registry?.beat(beat)).rejects.toThrow('cannot save to its disk');
    await followed.is('refusing', 'takes no writes because it cannot save to its disk');
    await server.ask('CONFIG', 'SET', 'save', '');
    await followed.is('ok');
  });
});
