/**
 * Clients of a Redis with short waits, which end with the test.
 */
import { createDatastore, type Datastore, type DatastoreOptions } from '../../agent/datastore/index.js';
import { FollowedStore } from './followed-store.js';

/** Everything goes as in earnest, in a tenth of the time. */
export const QUICK: Partial<DatastoreOptions> = {
  startWaitMs: 2_000,
  connectTimeoutMs: 1_000,
  commandTimeoutMs: 1_000,
  checkMs: 200,
  graceMs: 1_500,
  refillSpreadMs: 300,
  tellDelayMs: 5,
};

export class RedisClients {
  readonly #opened: Datastore[] = [];

  open(url: string, options: Partial<DatastoreOptions> = {}): Datastore {
    const created = createDatastore(url, { ...QUICK, ...options });
    if ('problem' in created) throw new Error(created.problem);
    this.#opened.push(created.datastore);
    return created.datastore;
  }

  /** A client that has begun to follow the store. */
  async follow(url: string, options: Partial<DatastoreOptions> = {}): Promise<FollowedStore> {
    const followed = new FollowedStore(this.open(url, options));
    await followed.start();
    return followed;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((datastore) => datastore.stop()));
  }
}
