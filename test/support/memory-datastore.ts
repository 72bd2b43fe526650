/**
 * The port of a datastore in memory: several clients over one store, on a clock that may be given, with failures to be
 * injected.
 *
 * What a client is told is the same object for all of them, so that a mesh of hundreds reads each state once.
 */
import {
  type Beat,
  type BeatOrder,
  blockName,
  type Change,
  type ClaimOrder,
  type ClaimResult,
  type CommitResult,
  type Conflict,
  type Datastore,
  type Manifest,
  type Registry,
  type ResourceKey,
  type Sign,
  type Signs,
  type StoredResource,
  StoreError,
  type StoreFollower,
  type StoreHealth,
} from '../../agent/datastore/index.js';
import { type LocatedDocument, parseDocuments, type ResourcesResult } from '../../agent/resources/index.js';
import { API_VERSION } from './manifests.js';

/** How long an instance that was refused a name is told of. */
const RIVAL_LIFETIME_MS = 60_000;

export interface MemoryStoreOptions {
  readonly name: string;
  /** The store's clock. */
  readonly nowMs: () => number;
  /** Has a client told of a change, some time later; the order must stay. */
  readonly later: (tell: () => void) => void;
}

export const defaultMemoryStoreOptions: MemoryStoreOptions = {
  name: 'memory:test',
  nowMs: Date.now,
  later: queueMicrotask,
};

/** How the store fails all of its clients, or one. */
export type MemoryFailure = Pick<StoreHealth, 'state' | 'reason'> & {
  readonly state: 'unreachable' | 'refusing';
};

interface Entry {
  readonly stored: StoredResource;
  readonly document: LocatedDocument;
}

/** What all clients share. */
export class MemoryStore {
  readonly options: MemoryStoreOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #signs = new Map<string, Sign>();
  readonly #rivals = new Map<string, Sign>();
  readonly #clients = new Set<MemoryDatastore>();
  #revision = 0;
  #read: { readonly revision: number; readonly result: ResourcesResult } | undefined;

  constructor(options: Partial<MemoryStoreOptions> = {}) {
    this.options = { ...defaultMemoryStoreOptions, ...options };
  }

  /** Another client of the store. */
  client(): MemoryDatastore {
    const client = new MemoryDatastore(this);
    this.#clients.add(client);
    return client;
  }

  /** Fails every client there is; undefined: all is well again. */
  fail(failure: MemoryFailure | undefined): void {
    for (const client of this.#clients) client.fail(failure);
  }

  get revision(): number {
    return this.#revision;
  }

  /** The state of now, parsed once however many ask. */
  result(): ResourcesResult {
    if (this.#read?.revision !== this.#revision) {
      const documents = Array.from(this.#entries.values(), ({ document }) => document);
      this.#read = { revision: this.#revision, result: parseDocuments(documents) };
    }
    return this.#read.result;
  }

  list(): readonly StoredResource[] {
    return Array.from(this.#entries.values(), ({ stored }) => stored);
  }

  commit(changes: readonly Change[]): CommitResult {
    const conflicts = changes.flatMap((change): Conflict[] => {
      const found = this.#find(change);
      return isAsExpected(change.expected, found) ? [] : [{ kind: change.kind, name: change.name, found }];
    });
    if (conflicts.length > 0) return { outcome: 'conflict', conflicts };
    const effective = changes.filter((change) => change.manifest !== undefined || this.#find(change));
    if (effective.length === 0) return { outcome: 'done' };
    this.#revision += 1;
    for (const change of effective) this.#write(change, change.manifest);
    this.#tell();
    return { outcome: 'done' };
  }

  beat({ node, instance, address, takeOverAfterMs }: BeatOrder): Beat {
    const nowMs = this.options.nowMs();
    const own: Sign = { instance, address, atMs: nowMs };
    const last = this.#signs.get(node);
    const lives = last !== undefined && Math.abs(nowMs - last.atMs) < takeOverAfterMs;
    const holder = lives && last.instance !== instance && last.address !== address ? last : undefined;
    (holder === undefined ? this.#signs : this.#rivals).set(node, own);
    const refused = this.#rivals.get(node);
    const isRival =
      holder === undefined &&
      refused !== undefined &&
      refused.instance !== instance &&
      Math.abs(nowMs - refused.atMs) < RIVAL_LIFETIME_MS;
    return { nowMs, signs: new Map(this.#signs), holder, rival: isRival ? refused : undefined };
  }

  signs(): Signs {
    return { nowMs: this.options.nowMs(), signs: new Map(this.#signs) };
  }

  claim({ node, pool, candidates }: ClaimOrder): ClaimResult {
    if (this.#find({ kind: 'IPPool', name: pool.name })?.version !== pool.version) {
      return { outcome: 'poolChanged' };
    }
    for (const cidr of candidates) {
      const key = { kind: 'BlockAffinity', name: blockName(cidr) };
      if (this.#find(key) !== undefined) continue;
      this.#revision += 1;
      this.#write(key, {
        apiVersion: API_VERSION,
        kind: key.kind,
        metadata: { name: key.name },
        spec: { cidr, node, state: 'confirmed' },
      });
      this.#tell();
      return { outcome: 'claimed', cidr };
    }
    return { outcome: 'taken' };
  }

  #find({ kind, name }: ResourceKey): StoredResource | undefined {
    return this.#entries.get(`${kind}/${name}`)?.stored;
  }

  #write({ kind, name }: ResourceKey, manifest: Manifest | undefined): void {
    const id = `${kind}/${name}`;
    if (manifest === undefined) {
      this.#entries.delete(id);
      // A node that was removed never gave a sign.
      if (kind === 'Node') for (const notes of [this.#signs, this.#rivals]) notes.delete(name);
      return;
    }
    // As JSON has it: what the writer does with its object later is its own business.
    const value: Manifest = JSON.parse(JSON.stringify(manifest));
    this.#entries.set(id, {
      stored: { kind, name, version: String(this.#revision), manifest: value },
      document: { file: this.options.name, value, lineOf: () => 0 },
    });
  }

  #tell(): void {
    for (const client of this.#clients) this.options.later(() => client.catchUp());
  }
}

/** One client. */
export class MemoryDatastore implements Datastore {
  readonly name: string;
  readonly registry: Registry;
  readonly #store: MemoryStore;
  #follower: StoreFollower | undefined;
  /** The newest state that was handed on. */
  #told = -1;
  #health: StoreHealth;

  constructor(store: MemoryStore) {
    this.#store = store;
    this.name = store.options.name;
    this.#health = { state: 'ok', reason: '', sinceMs: store.options.nowMs(), notes: [] };
    this.registry = {
      beat: async (order) => this.#written().beat(order),
      signs: async () => this.#reached().signs(),
      claim: async (order) => this.#written().claim(order),
    };
  }

  async start(follower: StoreFollower): Promise<ResourcesResult> {
    this.#follower = follower;
    if (this.#health.state === 'unreachable') {
      return { errors: [{ file: this.name, path: '', message: this.#health.reason }] };
    }
    this.#told = this.#store.revision;
    return this.#store.result();
  }

  health(): StoreHealth {
    return this.#health;
  }

  async list(): Promise<readonly StoredResource[]> {
    return this.#reached().list();
  }

  async commit(changes: readonly Change[]): Promise<CommitResult> {
    return this.#written().commit(changes);
  }

  async stop(): Promise<void> {
    this.#follower = undefined;
  }

  /** Fails this client alone; undefined: all is well again, and it catches up. */
  fail(failure: MemoryFailure | undefined): void {
    const { state, reason } = failure ?? { state: 'ok', reason: '' };
    this.#health = { state, reason, sinceMs: this.#store.options.nowMs(), notes: [] };
    this.#follower?.healthChanged(this.#health);
    this.catchUp();
  }

  /** Tells the follower of the newest state, if it does not know it, and if the store can be reached. */
  catchUp(): void {
    const { revision } = this.#store;
    if (this.#follower === undefined || this.#health.state === 'unreachable' || this.#told === revision)
      return;
    this.#told = revision;
    this.#follower.resourcesChanged(this.#store.result());
  }

  /** The store, where it takes writes. */
  #written(): MemoryStore {
    if (this.#health.state !== 'ok') throw this.#error();
    return this.#store;
  }

  /** The store, where it can be read. */
  #reached(): MemoryStore {
    if (this.#health.state === 'unreachable') throw this.#error();
    return this.#store;
  }

  #error(): StoreError {
    return new StoreError(`${this.name}: ${this.#health.reason}`);
  }
}

function isAsExpected(expected: Change['expected'], found: StoredResource | undefined): boolean {
  if (expected === 'any') return true;
  return expected === 'absent' ? found === undefined : found?.version === expected.version;
}
