/** Several servers: the master that Sentinels agree on, and the nodes of a Cluster, with real processes. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { change, nodeOf, POOL } from '../../support/datastore-suite.js';
import { freePort, RedisServer } from '../../support/redis-server.js';
import { RedisClients } from '../../support/redis-store.js';
import { until } from '../../support/until.js';

const clients = new RedisClients();
const ended: { end(): Promise<void> }[] = [];

afterEach(async () => {
  await clients.stop();
  await Promise.all(ended.splice(0).map((server) => server.end()));
});

async function start(flags: readonly string[] = []): Promise<RedisServer> {
  const server = await RedisServer.start(flags);
  ended.push(server);
  return server;
}

/** A Sentinel that watches `master`; it writes into its file, so that each has one of its own. */
async function startSentinel(master: RedisServer): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'podroute-sentinel-'));
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `sentinel monitor mesh 127.0.0.1 ${master.port} 2`,
    'sentinel down-after-milliseconds mesh 300',
    'sentinel failover-timeout mesh 3000',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const sentinel = await RedisServer.start([file, '--sentinel']);
  ended.push({
    end: async () => {
      await sentinel.end();
      rmSync(folder, { recursive: true });
    },
  });
  return sentinel;
}

describe('Sentinel', () => {
  test('the master dies: its replica is found, and nothing that it had is lost', async () => {
    const master = await start(['--repl-diskless-sync-delay', '0']);
    const replica = await start(['--replicaof', '127.0.0.1', String(master.port)]);
    await replica.hasInfo('master_link_status:up');
    const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(master)));
    for (const sentinel of sentinels) {
      await sentinel.hasInfo(
        `master0:name=mesh,status=ok,address=127.0.0.1:${master.port},slaves=1,sentinels=3`,
      );
    }
    const places = sentinels.map(({ port }) => `127.0.0.1:${port}`);
    const deadFirst = [`127.0.0.1:${await freePort()}`, ...places];
    const followed = await clients.follow(`redis+sentinel://${deadFirst.join(',')}/mesh`);
    await followed.datastore.commit([change(POOL), change(nodeOf(1)), change(nodeOf(2))]);
    await followed.hasNodes('node-1', 'node-2');
    await until(
      'the replica has it',
      async () => Number(await replica.ask('HLEN', '{podroute}:resources')) === 3,
    );
    const told = followed.told.length;
    await master.kill();
    await followed.is('unreachable');
    await followed.is('ok');
    expect(followed.told.length).toBe(told);
    expect(await replica.ask('ROLE')).toContain('master');
    await followed.datastore.commit([change(nodeOf(3))]);
    await followed.hasNodes('node-1', 'node-2', 'node-3');
    const wrong = clients.open(`redis+sentinel://${places.join(',')}/mash`);
    await expect(wrong.list()).rejects.toThrow(/Sentinel .* knows no master "mash"; correct the name/);
  });
});

describe('Cluster', () => {
  test('three masters: the one with our slot is found, also when the slot moves', async () => {
    const nodes = await Promise.all([1, 2, 3].map(() => start(['--cluster-enabled', 'yes'])));
    const places = nodes.map(({ port }) => `127.0.0.1:${port}`);
    const create = ['--cluster', 'create', ...places, '--cluster-yes'];
    const { status, stdout } = spawnSync('redis-cli', create, { encoding: 'utf8' });
    expect(status, stdout).toBe(0);
    for (const node of nodes) {
      await until('the cluster is up', async () =>
        String(await node.ask('CLUSTER', 'INFO')).includes('state:ok'),
      );
    }
    const [first, second] = nodes;
    if (first === undefined || second === undefined) throw new Error('there are three');
    // From one node alone, which may not have the slot.
    const meshes = ['a', 'b', 'c', 'd'].map((prefix) => `redis+cluster://${places[0]}?prefix=${prefix}`);
    const followers = await Promise.all(meshes.map((url) => clients.follow(url)));
    for (const [index, followed] of followers.entries()) {
      await followed.datastore.commit([change(POOL), change(nodeOf(index))]);
      await followed.hasNodes(`node-${index}`);
    }
    const owners = await Promise.all(nodes.map(async (node) => Number(await node.ask('DBSIZE'))));
    expect(owners.filter((count) => count > 0).length, 'nodes that have a mesh').toBeGreaterThan(1);

    // One that only writes, and follows nothing.
    const writer = clients.open(`redis+cluster://${places[0]}?prefix=a`);
    await writer.commit([change(nodeOf(8))]);

    const slot = String(await first.ask('CLUSTER', 'KEYSLOT', '{a}:resources'));
    const ids = await Promise.all(nodes.map(async (node) => String(await node.ask('CLUSTER', 'MYID'))));
    const hasSlot = await Promise.all(
      nodes.map(async (node) => Number(await node.ask('CLUSTER', 'COUNTKEYSINSLOT', slot)) > 0),
    );
    const from = hasSlot.indexOf(true);
    const to = (from + 1) % nodes.length;
    const [source, target] = [nodes[from], nodes[to]];
    if (source === undefined || target === undefined) throw new Error('nobody has the slot');
    await target.ask('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(ids[from]));
    await source.ask('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(ids[to]));
    const keys = (await source.ask('CLUSTER', 'GETKEYSINSLOT', slot, '10')) as readonly string[];
    await source.ask('MIGRATE', '127.0.0.1', String(target.port), '', '0', '5000', 'KEYS', ...keys);
    for (const node of [target, source]) await node.ask('CLUSTER', 'SETSLOT', slot, 'NODE', String(ids[to]));
    const [moved] = followers;
    if (moved === undefined) throw new Error('there are four');
    await until('a write goes to the new node', async () => {
      return (await moved.datastore.commit([change(nodeOf(9))])).outcome === 'done';
    });
    await until('so does one of the writer', async () => {
      return (await writer.commit([change('Node/node-8')])).outcome === 'done';
    });
    await moved.hasNodes('node-0', 'node-9');
    expect(await target.ask('HLEN', '{a}:resources')).toBe(3);
    const alone = clients.open(`redis://127.0.0.1:${source.port}?prefix=a`);
    await expect(alone.list()).rejects.toThrow('is a Cluster, and another of its nodes has our slot');
  });
});
