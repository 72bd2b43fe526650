/** The store in memory does what every datastore does, and fails as it is told to. */
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../../../agent/datastore/index.js';
import { change, datastoreSuite, FollowedStore, nodeOf, POOL } from '../../../support/datastore-suite.js';
import { MemoryStore } from '../../../support/memory-datastore.js';

describe('the store in memory', () => {
  datastoreSuite({ isForNodes: true, keepsExactly: true }, () => {
    const store = new MemoryStore();
    return { open: () => store.client(), end: async () => {} };
  });
});

describe('a store in memory that fails', () => {
  test('a client without it keeps what it has, and catches up', async () => {
    const store = new MemoryStore();
    const [writer, followed] = [store.client(), new FollowedStore(store.client())];
    await writer.commit([change(POOL), change(nodeOf(1))]);
    await followed.start();
    followed.datastore.health();
    (followed.datastore as ReturnType<MemoryStore['client']>).fail({
      state: 'unreachable',
      reason: 'is gone',
    });
    await writer.commit([change(nodeOf(2))]);
    await expect(followed.datastore.list()).rejects.toThrow(new StoreError('memory:test: is gone'));
    expect(followed.datastore.health()).toMatchObject({ state: 'unreachable', reason: 'is gone' });
    expect(followed.told).toEqual([]);
    store.fail(undefined);
    await followed.hasNodes('node-1', 'node-2');
  });

  test('one that takes no writes can be read', async () => {
    const store = new MemoryStore();
    const client = store.client();
    await client.commit([change(POOL)]);
    store.fail({ state: 'refusing', reason: 'is full' });
    await expect(client.commit([change(nodeOf(1))])).rejects.toThrow('is full');
    expect((await client.list()).length).toBe(1);
  });
});
