/**
 * A client of a datastore that keeps what it was told.
 */
import type { Datastore, StoreHealth } from '../../agent/datastore/index.js';
import { checkText, type Resources, type ResourcesResult } from '../../agent/resources/index.js';
import { until } from './until.js';

export class FollowedStore {
  readonly datastore: Datastore;
  readonly told: ResourcesResult[] = [];
  readonly healths: StoreHealth[] = [];
  /** The names of what was there when a state was held back. */
  readonly heldBack: (readonly string[])[] = [];
  #first: ResourcesResult | undefined;

  constructor(datastore: Datastore) {
    this.datastore = datastore;
  }

  async start(): Promise<ResourcesResult> {
    this.#first = await this.datastore.start({
      resourcesChanged: (result) => this.told.push(result),
      healthChanged: (health) => this.healths.push(health),
      heldBack: (found) => this.heldBack.push(found.map(({ name }) => name)),
    });
    return this.#first;
  }

  get newest(): ResourcesResult {
    const newest = this.told.at(-1) ?? this.#first;
    if (newest === undefined) throw new Error('the store was not started');
    return newest;
  }

  get resources(): Resources {
    if ('errors' in this.newest) throw new Error(checkText(this.newest.errors));
    return this.newest.resources;
  }

  /** Until the store stands so. */
  async is(state: StoreHealth['state'], reason: string | RegExp = ''): Promise<void> {
    const has = (text: string) => (typeof reason === 'string' ? text.includes(reason) : reason.test(text));
    try {
      await until(`the store is ${state}`, () => {
        const health = this.datastore.health();
        return health.state === state && has(health.reason);
      });
    } catch (error) {
      throw new Error(`it is ${JSON.stringify(this.datastore.health())}`, { cause: error });
    }
  }

  get nodeNames(): readonly string[] {
    return this.resources.nodes.map(({ name }) => name);
  }

  /** Until it was told of exactly these Nodes. */
  async hasNodes(...names: readonly string[]): Promise<void> {
    const wanted = [...names].sort().join();
    await until(`the nodes are ${wanted}`, () => this.nodeNames.join() === wanted || undefined);
  }
}
