/** Redis does what every datastore does, and keeps several meshes apart. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatastore, type Datastore, type DatastoreOptions } from '../../../agent/datastore/index.js';
import { change, datastoreSuite, FollowedStore, nodeOf, POOL } from '../../support/datastore-suite.js';
import { RedisServer } from '../../support/redis-server.js';

let server: RedisServer;
let meshes = 0;

beforeAll(async () => {
  server = await RedisServer.start();
});

afterAll(() => server.end());

function open(url: string, options: Partial<DatastoreOptions> = {}): Datastore {
  const created = createDatastore(url, options);
  if ('problem' in created) throw new Error(created.problem);
  return created.datastore;
}

describe('Redis', () => {
  datastoreSuite({ isForNodes: true, keepsExactly: true }, () => {
    meshes += 1;
    const url = `${server.url}?prefix=mesh-${meshes}`;
    return { open: () => open(url), end: async () => {} };
  });

  test('two prefixes are two meshes', async () => {
    const [one, other] = [`${server.url}?prefix=one`, `${server.url}?prefix=other`].map((url) => open(url));
    if (one === undefined || other === undefined) throw new Error('there are two');
    const followed = new FollowedStore(other);
    await followed.start();
    await one.commit([change(POOL), change(nodeOf(1))]);
    await other.commit([change(POOL), change(nodeOf(2))]);
    await followed.hasNodes('node-2');
    expect(followed.told.length).toBe(1);
    expect((await one.list()).map(({ name }) => name)).toEqual(['pods', 'node-1']);
    await Promise.all([one.stop(), other.stop()]);
  });
});
