/** Redis does what every datastore does, and keeps several meshes apart. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { change, datastoreSuite, nodeOf, POOL } from '../../support/datastore-suite.js';
import { RedisServer } from '../../support/redis-server.js';
import { RedisClients } from '../../support/redis-store.js';
import { until } from '../../support/until.js';

let server: RedisServer;
let meshes = 0;
const clients = new RedisClients();

beforeAll(async () => {
  server = await RedisServer.start();
});

afterEach(() => clients.stop());

afterAll(() => server.end());

/** How often a command was carried out, in scripts too. */
async function callsOf(command: string): Promise<number> {
  const text = String(await server.ask('INFO', 'commandstats'));
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(text)?.[1] ?? 0);
}

describe('Redis', () => {
  datastoreSuite({ isForNodes: true, keepsExactly: true }, () => {
    meshes += 1;
    const url = `${server.url}?prefix=mesh-${meshes}`;
    return { open: () => clients.open(url), end: async () => {} };
  });

  test('two prefixes are two meshes', async () => {
    const one = clients.open(`${server.url}?prefix=one`);
    const other = await clients.follow(`${server.url}?prefix=other`);
    await one.commit([change(POOL), change(nodeOf(1))]);
    await other.datastore.commit([change(POOL), change(nodeOf(2))]);
    await other.hasNodes('node-2');
    expect(other.told.length).toBe(1);
    expect((await one.list()).map(({ name }) => name)).toEqual(['pods', 'node-1']);
  });

  test('who joins is told of: everything is read once by each, however many come', async () => {
    const url = `${server.url}?prefix=joining`;
    const first = await clients.follow(url);
    await first.datastore.commit([change(POOL)]);
    const before = await callsOf('hgetall');
    const joiners = Array.from({ length: 40 }, (_, index) => index);
    const followers = await Promise.all(
      joiners.map(async (index) => {
        // A machine that stalls must not look like a server that is gone; and checks fall among the messages.
        const followed = await clients.follow(url, { commandTimeoutMs: 20_000, checkMs: 5 });
        await followed.datastore.commit([change(nodeOf(index), 'absent')]);
        return followed;
      }),
    );
    const names = joiners.map((index) => `node-${index}`);
    for (const followed of [first, ...followers]) await followed.hasNodes(...names);
    expect((await callsOf('hgetall')) - before).toBe(joiners.length);
  });

  test('a commit that is too much for a message is read', async () => {
    const url = `${server.url}?prefix=large`;
    // No check finds it first.
    const rarely = { checkMs: 3_600_000 };
    const [first, second] = [await clients.follow(url, rarely), await clients.follow(url, rarely)];
    const nodes = Array.from({ length: 600 }, (_, index) => nodeOf(index));
    await first.datastore.commit([POOL, ...nodes].map((manifest) => change(manifest)));
    for (const followed of [first, second]) {
      await until('all are there', () => followed.nodeNames.length === nodes.length);
      expect('leftOut' in followed.newest && followed.newest.leftOut).toEqual([]);
    }
    await second.datastore.commit([change('Node/node-0')]);
    await until('one is gone', () => first.nodeNames.length === nodes.length - 1);
  });
});
