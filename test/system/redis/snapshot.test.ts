/** The snapshot: a start while Redis is away, and what it is worth when Redis is back. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkText } from '../../../agent/resources/index.js';
import { change, FollowedStore, nodeOf, POOL, resource } from '../../support/datastore-suite.js';
import { RedisServer } from '../../support/redis-server.js';
import { RedisClients } from '../../support/redis-store.js';
import { until } from '../../support/until.js';

let folder: string;
let snapshotFile: string;
let server: RedisServer;
const clients = new RedisClients();
const CLUSTER = [change(POOL), ...[1, 2, 3].map((index) => change(nodeOf(index)))];
const NAMES = ['node-1', 'node-2', 'node-3'];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-snapshot-'));
  snapshotFile = join(folder, 'state', 'datastore.json');
  server = await RedisServer.start();
});

afterEach(async () => {
  await clients.stop();
  await server.end();
  rmSync(folder, { recursive: true });
});

/** A client that has the whole cluster in its snapshot, and is stopped. */
async function makeSnapshot(): Promise<void> {
  const followed = await clients.follow(server.url, { snapshotFile });
  await followed.datastore.commit(CLUSTER);
  await followed.hasNodes(...NAMES);
  await followed.datastore.stop();
}

const QUICKLY = () => ({ snapshotFile, startWaitMs: 300 });

describe('while Redis is away', () => {
  test('the start has the last good state, and Redis is caught up with when it is back', async () => {
    const store = clients.open(server.url);
    await makeSnapshot();
    expect(statSync(snapshotFile).mode & 0o777).toBe(0o600);
    const late = await clients.follow(server.url, { snapshotFile });
    await store.commit([change(resource('BGPPeer', 'wrong', { peerIP: 'nonsense' }))]);
    await until('the wrong state is told', () => 'errors' in late.newest);
    await late.datastore.stop();
    server.signal('SIGSTOP');
    const followed = await clients.follow(server.url, QUICKLY());
    expect(followed.nodeNames).toEqual(NAMES);
    await followed.is('unreachable');
    server.signal('SIGCONT');
    await followed.is('ok');
    await store.commit([change('BGPPeer/wrong'), change(nodeOf(4))]);
    await followed.hasNodes(...NAMES, 'node-4');
  });

  test('without a snapshot, or with one of another store, the start says what is wrong', async () => {
    await makeSnapshot();
    await server.kill();
    const others = [{ startWaitMs: 300 }, QUICKLY()].map(
      (options, index) => new FollowedStore(clients.open(`${server.url}/${index}`, options)),
    );
    for (const followed of others) {
      const result = await followed.start();
      if (!('errors' in result)) throw new Error('it has started');
      expect(checkText(result.errors)).toMatch(
        /refuses the connection; start Redis there.*; there is no earlier state/,
      );
    }
    // And goes on trying.
    await server.run();
    const [first] = others;
    await first?.hasNodes();
  });

  test('a snapshot that is broken, or cannot be written, is said', async () => {
    mkdirSync(snapshotFile, { recursive: true });
    const followed = await clients.follow(server.url, { snapshotFile });
    expect(followed.nodeNames).toEqual([]);
    expect(followed.datastore.health().notes[0]).toMatch(/^the snapshot .*datastore.json cannot be read/);
    await followed.datastore.commit(CLUSTER);
    await until('it could not be written', () =>
      followed.datastore.health().notes[0]?.includes('cannot be written'),
    );
    rmSync(snapshotFile, { recursive: true });
    await followed.datastore.commit([change(nodeOf(4))]);
    await until('it is written', () => followed.datastore.health().notes.length === 0);
    await followed.datastore.stop();
    expect(readFileSync(snapshotFile, 'utf8')).toContain('node-4');
    writeFileSync(snapshotFile, '{"store":');
    await server.kill();
    const broken = new FollowedStore(clients.open(server.url, QUICKLY()));
    expect(await broken.start()).toHaveProperty('errors');
    expect(broken.datastore.health().notes[0]).toContain('cannot be read');
  });
});

describe('beside what Redis has', () => {
  test('something wrong: the start has the last good state, and is told of the wrong one', async () => {
    const store = clients.open(server.url);
    await makeSnapshot();
    await store.commit([change(resource('BGPPeer', 'wrong', { peerIP: 'nonsense' })), change(nodeOf(4))]);
    const followed = new FollowedStore(clients.open(server.url, { snapshotFile }));
    const first = await followed.start();
    expect('resources' in first && first.resources.nodes.map(({ name }) => name)).toEqual(NAMES);
    await until('the wrong state is told', () => 'errors' in followed.newest);
    await store.commit([change('BGPPeer/wrong')]);
    await followed.hasNodes(...NAMES, 'node-4');
  });

  test('nothing: Redis gets it back', async () => {
    await makeSnapshot();
    await server.ask('FLUSHALL');
    const followed = await clients.follow(server.url, { snapshotFile });
    expect(followed.nodeNames).toEqual(NAMES);
    await until('it is filled', async () => Number(await server.ask('HLEN', '{podroute}:resources')) === 4);
    await until('no note is left', () => followed.datastore.health().notes.length === 0);
    expect(followed.told).toEqual([]);
  });

  test('less, by its own way: Redis is right at once', async () => {
    await makeSnapshot();
    await clients.open(server.url).commit(NAMES.slice(1).map((name) => change(`Node/${name}`)));
    const followed = await clients.follow(server.url, { snapshotFile });
    expect(followed.nodeNames).toEqual(['node-1']);
  });

  test('less, in an older state: it waits', async () => {
    const store = clients.open(server.url);
    await store.commit([change(POOL), change(nodeOf(1))]);
    const revision = String(await server.ask('GET', '{podroute}:revision'));
    await store.commit([change(nodeOf(1))]);
    await makeSnapshot();
    await server.ask('HDEL', '{podroute}:resources', 'Node/node-2', 'Node/node-3');
    await server.ask('SET', '{podroute}:revision', revision);
    const followed = await clients.follow(server.url, { snapshotFile });
    expect(followed.nodeNames).toEqual(NAMES);
    expect(followed.heldBack).toEqual([['pods', 'node-1']]);
    await followed.hasNodes('node-1');
  });
});
