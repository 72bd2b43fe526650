/**
 * The Redis store: resources that nodes and operators write, read once and then followed.
 *
 * Owns: what is read when, what is told, how the store stands. Must not know: what a resource means, how a connection is
 * made and kept.
 *
 *   link up --> subscribe --> read --> follow messages, each if it is exactly the next step, else read again
 *                               ^---- now and then: is this still where the store is? ----'
 */
import { isDeepStrictEqual } from 'node:util';
import { type ConfigError, parseDocuments, type ResourcesResult } from '../../resources/index.js';
import {
  type Change,
  type CommitResult,
  type Datastore,
  type Registry,
  type StoredResource,
  StoreError,
  type StoreFollower,
  type StoreHealth,
} from '../types.js';
import { Connection } from './connection.js';
import { areEqual, formatEntry, idOf, inOrder, numberOf, type StoreState } from './entry.js';
import { EMPTY, Feed, readCommit, readState } from './feed.js';
import { InForce } from './in-force.js';
import { missingIn } from './judgement.js';
import type { Link, LinkRole } from './link.js';
import { freshWords, RedisRegistry } from './registry.js';
import { COMMIT, keysOf, PROBE, REFILL, type Script } from './scripts.js';
import { SnapshotFile } from './snapshot-file.js';
import {
  isOfAnotherServer,
  isReply,
  NO_ANSWER,
  READ_ONLY,
  sentenceOf,
  type Trouble,
  troubleOf,
} from './trouble.js';
import type { RedisPlace } from './url.js';

export interface RedisDatastoreOptions {
  /** Where the last good state is kept; undefined: nowhere. */
  readonly snapshotFile: string | undefined;
  /** A start does not wait longer for the store than this. */
  readonly startWaitMs: number;
  readonly connectTimeoutMs: number;
  /** A server that does not answer for so long counts as gone. */
  readonly commandTimeoutMs: number;
  /** How often the store is asked whether a change was missed. */
  readonly checkMs: number;
  /** How long a mass removal waits before it comes into force. */
  readonly graceMs: number;
  /** Within which time of being found so a wiped store is filled again. */
  readonly refillSpreadMs: number;
  /** Changes that come so close to each other are told as one. */
  readonly tellDelayMs: number;
}

export const defaultRedisDatastoreOptions: RedisDatastoreOptions = {
  snapshotFile: undefined,
  startWaitMs: 4_000,
  connectTimeoutMs: 3_000,
  commandTimeoutMs: 3_000,
  checkMs: 5_000,
  graceMs: 60_000,
  refillSpreadMs: 2_000,
  tellDelayMs: 20,
};

export class RedisDatastore implements Datastore {
  readonly name: string;
  readonly registry: Registry;
  readonly #place: RedisPlace;
  readonly #keys: readonly string[];
  readonly #channel: string;
  readonly #options: RedisDatastoreOptions;
  readonly #connection: Connection;
  readonly #inForce: InForce;
  readonly #snapshot: SnapshotFile | undefined;
  #follower: StoreFollower | undefined;
  #isStopped = false;
  /** Why there is no connection. */
  #connectionTrouble: Trouble | undefined;
  /** Why it takes no writes. */
  #writeTrouble: Trouble | undefined;
  #isUp = false;
  /** Of the link that is up. */
  #feed: Feed | undefined;
  #health: StoreHealth = { state: 'connecting', reason: '', sinceMs: Date.now(), notes: [] };
  #checkTimer: NodeJS.Timeout | undefined;
  #tellTimer: NodeJS.Timeout | undefined;
  /** What the follower knows. */
  #told: StoreState | undefined;
  #isToldGood = false;
  #onFirstRead: () => void = () => {};

  constructor(place: RedisPlace, options: Partial<RedisDatastoreOptions> = {}) {
    this.name = place.name;
    this.#place = place;
    ({ keys: this.#keys, channel: this.#channel } = keysOf(place.prefix));
    this.#options = { ...defaultRedisDatastoreOptions, ...options };
    const { snapshotFile } = this.#options;
    const tellHealth = () => this.#updateHealth();
    this.#snapshot =
      snapshotFile === undefined ? undefined : new SnapshotFile(snapshotFile, this.name, tellHealth);
    this.#inForce = new InForce(this.#options, {
      changed: () => this.#tellSoon(),
      heldBack: (found) => this.#follower?.heldBack?.(inOrder(found.entries.values())),
      notesChanged: tellHealth,
      check: () => void this.#feed?.check(),
      refill: (held, found) => this.#refill(held, found),
    });
    this.#connection = new Connection(place, this.#options, {
      greet: (link, role) => this.#greet(link, role),
      down: (trouble) => {
        this.#connectionTrouble = trouble;
        this.#isUp = false;
        this.#feed = undefined;
        this.#inForce.lost();
        this.#updateHealth();
      },
    });
    this.registry = new RedisRegistry(
      this.#channel,
      (script, args) => this.#write(script, args),
      (script, args) => this.#use((link) => link.run(script, this.#keys, args)),
    );
  }

  /** Waits a while for the store; without it the snapshot is the first state, and without that the reason. */
  async start(follower: StoreFollower): Promise<ResourcesResult> {
    this.#follower = follower;
    const snapshot = await this.#snapshot?.read();
    this.#inForce.setSnapshot(snapshot);
    const firstRead = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#options.startWaitMs);
      this.#onFirstRead = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#connection.begin();
    await firstRead;
    const { held } = this.#inForce;
    if (held === undefined) return { errors: [this.#startError()] };
    const first = this.#tell(held);
    if (snapshot === undefined || !('errors' in first)) return first;
    // What is wrong by now was right before: who starts anew goes on with that, as it would have without an end.
    queueMicrotask(() => this.#follower?.resourcesChanged(first));
    return parseState(snapshot);
  }

  health(): StoreHealth {
    return this.#health;
  }

  async list(): Promise<readonly StoredResource[]> {
    const state = await this.#use((link) => readState(this.#place, link, this.#inForce.found ?? EMPTY));
    return inOrder(state.entries.values()).map(({ kind, name, version, manifest }) => ({
      kind,
      name,
      version,
      manifest,
    }));
  }

  async commit(changes: readonly Change[]): Promise<CommitResult> {
    const args = changes.flatMap(({ expected, manifest, ...key }) => [
      idOf(key),
      typeof expected === 'string' ? expected : `=${expected.version}`,
      manifest === undefined ? '' : JSON.stringify(manifest),
    ]);
    const answer = await this.#write(COMMIT, [this.#channel, ...freshWords(), ...args]);
    return readCommit(this.#place, answer as readonly string[]);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#follower = undefined;
    clearTimeout(this.#checkTimer);
    clearTimeout(this.#tellTimer);
    this.#inForce.stop();
    this.#onFirstRead();
    await this.#connection.stop();
    await this.#snapshot?.close();
  }

  /** A new link: nothing that happens from here on is missed. */
  async #greet(link: Link, role: LinkRole): Promise<void> {
    if (this.#follower !== undefined) {
      const known = this.#inForce.found ?? this.#inForce.held ?? EMPTY;
      const feed = await Feed.begin(this.#place, link, known, (found) => {
        this.#inForce.offer(found);
        this.#onFirstRead();
      });
      this.#feed = feed;
      this.#checkLater(feed);
    }
    this.#isUp = true;
    this.#connectionTrouble = undefined;
    this.#writeTrouble = role === 'replica' ? READ_ONLY : undefined;
    this.#updateHealth();
  }

  /** The next look at the store, as long as the link lives; not that of all agents at one time. */
  #checkLater(feed: Feed): void {
    clearTimeout(this.#checkTimer);
    if (this.#isStopped) return;
    const delayMs = this.#options.checkMs * (0.8 + Math.random() * 0.4);
    this.#checkTimer = setTimeout(() => void this.#check(feed), delayMs);
  }

  async #check(feed: Feed): Promise<void> {
    await feed.check();
    if (this.#writeTrouble !== undefined) {
      try {
        await this.#write(PROBE, []);
      } catch (error) {
        // It is part of the state of health by now.
        if (!(error instanceof StoreError)) throw error;
      }
    }
    if (this.#feed === feed) this.#checkLater(feed);
  }

  /** Runs a script that writes; whether that can be done is part of the state of health. @throws StoreError */
  #write(script: Script, args: readonly string[]): Promise<unknown> {
    return this.#use(async (link) => {
      try {
        const answer = await link.run(script, this.#keys, args);
        this.#setWriteTrouble(undefined);
        return answer;
      } catch (error) {
        if (isReply(error)) this.#setWriteTrouble(troubleOf(error));
        throw error;
      }
    }, '; whether it was written is not known: look before you try again');
  }

  /** @param ifCut is added where the connection broke under the work. @throws StoreError */
  async #use<T>(work: (link: Link) => Promise<T>, ifCut = ''): Promise<T> {
    let link: Link | undefined;
    try {
      link = await this.#connection.link();
      return await work(link);
    } catch (error) {
      const trouble = troubleOf(error);
      const isCut = link !== undefined && trouble.state === 'unreachable';
      if (isCut || isOfAnotherServer(error, this.#place.target.type)) link?.end(error);
      throw new StoreError(`${sentenceOf(this.name, trouble)}${isCut ? ifCut : ''}`, { cause: error });
    }
  }

  /** Whichever agent comes first does it; the others find that the store is another one by then. */
  async #refill(held: StoreState, found: StoreState): Promise<void> {
    const [epoch, word] = freshWords();
    const lines = missingIn(held, found).flatMap((entry) => [idOf(entry), formatEntry(entry)]);
    const place = [found.epoch, found.revision, String(found.entries.size)];
    const number = String(numberOf(held.revision));
    try {
      await this.#write(REFILL, [this.#channel, ...place, epoch, word, number, ...lines]);
    } catch (error) {
      // It is tried again, and the state of health says why it has to be.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  #tellSoon(): void {
    if (this.#tellTimer !== undefined || this.#isStopped) return;
    this.#tellTimer = setTimeout(() => {
      this.#tellTimer = undefined;
      const { held } = this.#inForce;
      if (held === undefined || this.#follower === undefined) return;
      if (this.#told === undefined || !areEqual(this.#told, held)) {
        this.#follower.resourcesChanged(this.#tell(held));
      } else if (this.#isToldGood) {
        this.#snapshot?.save(held);
      }
    }, this.#options.tellDelayMs);
  }

  /** What the follower knows from now on. */
  #tell(state: StoreState): ResourcesResult {
    const result = parseState(state);
    this.#told = state;
    this.#isToldGood = 'resources' in result;
    const isSnapshot = this.#inForce.found === undefined;
    if (this.#isToldGood && !isSnapshot) this.#snapshot?.save(state);
    return result;
  }

  #startError(): ConfigError {
    const { state, reason } = this.#health;
    const why = state === 'connecting' ? `${this.name} ${NO_ANSWER}` : reason;
    const remedy =
      'there is no earlier state to start with, so it has to answer; or give --datastore file:PATH';
    return { path: '', message: `${why}; ${remedy}` };
  }

  #setWriteTrouble(trouble: Trouble | undefined): void {
    this.#writeTrouble = trouble;
    this.#updateHealth();
  }

  #updateHealth(): void {
    const trouble = this.#isUp ? this.#writeTrouble : this.#connectionTrouble;
    const state = trouble?.state ?? (this.#isUp ? 'ok' : 'connecting');
    const reason = trouble === undefined ? '' : sentenceOf(this.name, trouble);
    const problem = this.#snapshot?.problem;
    const notes = [...this.#inForce.notes, ...(problem === undefined ? [] : [problem])];
    const before = this.#health;
    if (isDeepStrictEqual([before.state, before.reason, before.notes], [state, reason, notes])) return;
    const sinceMs = before.state === state ? before.sinceMs : Date.now();
    this.#health = { state, reason, sinceMs, notes };
    this.#follower?.healthChanged(this.#health);
  }
}

function parseState({ entries }: StoreState): ResourcesResult {
  return parseDocuments(inOrder(entries.values()).map(({ document }) => document));
}
