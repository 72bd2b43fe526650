/**
 * What a store has, as one link tells it: read once, then followed from commit to commit.
 *
 * Owns: when the messages are enough, and when everything has to be read. Must not know: which state is in force.
 *
 * Messages and readings are worked off one after the other, so that a state is never older than the one before.
 */
import type { CommitResult, Conflict } from '../types.js';
import { type Entry, follow, numberOf, parseEntry, parseMessage, type StoreState } from './entry.js';
import type { Link } from './link.js';
import { pairsOf } from './registry.js';
import { HEAD, keysOf, READ, resourcesKey } from './scripts.js';
import { DEMOTED, TroubleError } from './trouble.js';
import type { RedisPlace } from './url.js';

/** Of a store that nobody has written to. */
export const EMPTY: StoreState = { epoch: '', revision: '', entries: new Map() };

/**
 * Everything that the store has, as of one moment. What has not changed since `known` is the same object.
 * @throws TroubleError where there is something that is no resource
 */
export async function readState(place: RedisPlace, link: Link, known: StoreState): Promise<StoreState> {
  const args = [known.epoch, known.revision, String(known.entries.size)];
  const answer = await link.run(READ, keysOf(place.prefix).keys, args);
  const [epoch, revision, isSame, list] = answer as readonly [string, string, number, readonly string[]];
  if (isSame === 1) return known;
  const entries = new Map<string, Entry>();
  for (const [id, text] of pairsOf(list)) {
    const before = known.entries.get(id);
    const isKept = before !== undefined && text.startsWith(`{"resourceVersion":"${before.version}"`);
    entries.set(id, isKept ? before : entryOf(place, id, text));
  }
  return { epoch, revision, entries };
}

/** Where a store is, and how many resources it has. */
type StoreHead = readonly [epoch: string, revision: string, count: number];

/** The answer to a commit. */
export function readCommit(place: RedisPlace, answer: readonly string[]): CommitResult {
  const [outcome, ...list] = answer;
  if (outcome === 'done') return { outcome };
  const conflicts = pairsOf(list).map(([id, text]): Conflict => {
    const slash = id.indexOf('/');
    const found = text === '' ? undefined : entryOf(place, id, text);
    return {
      kind: id.slice(0, slash),
      name: id.slice(slash + 1),
      found: found && {
        kind: found.kind,
        name: found.name,
        version: found.version,
        manifest: found.manifest,
      },
    };
  });
  return { outcome: 'conflict', conflicts };
}

function entryOf(place: RedisPlace, id: string, text: string): Entry {
  const entry = parseEntry(place.name, id, text);
  if (entry !== undefined) return entry;
  const reason = `has something under ${id} that is no resource; take it out with: redis-cli HDEL "${resourcesKey(place.prefix)}" "${id}"`;
  throw new TroubleError({ state: 'refusing', reason });
}

export class Feed {
  readonly #place: RedisPlace;
  readonly #link: Link;
  readonly #onState: (state: StoreState) => void;
  #state: StoreState;
  #work: Promise<void> = Promise.resolve();
  /** Revisions that were reached since the last check began. */
  readonly #reached = new Set<string>();

  /** Follows the store from its first reading on; resolves when that is done. @throws what was in its way */
  static async begin(
    place: RedisPlace,
    link: Link,
    known: StoreState,
    onState: (state: StoreState) => void,
  ): Promise<Feed> {
    const feed = new Feed(place, link, known, onState);
    // First, so that nothing is missed: what is told before the reading is done waits for it.
    const reading = link
      .subscribe(keysOf(place.prefix).channel, (text) => feed.#enqueue(() => feed.#hear(text)))
      .then(() => feed.#read());
    // What fails here is the caller's to see.
    feed.#work = reading.catch(() => {});
    await reading;
    return feed;
  }

  private constructor(
    place: RedisPlace,
    link: Link,
    known: StoreState,
    onState: (state: StoreState) => void,
  ) {
    this.#place = place;
    this.#link = link;
    this.#state = known;
    this.#onState = onState;
  }

  /** Asks where the store is, and reads it if a message was missed. */
  async check(): Promise<void> {
    this.#reached.clear();
    try {
      const head = (await this.#link.run(HEAD, keysOf(this.#place.prefix).keys, [])) as StoreHead;
      // Every message from before this answer has come before it, and is worked off before this step; and maybe later ones.
      this.#enqueue(async () => {
        if (this.#hasReached(head)) this.#onState(this.#state);
        else await this.#read();
      });
      // A master that became a replica, and that nobody writes to, would say nothing of it.
      const hasOneMaster = this.#place.target.type !== 'server';
      if (hasOneMaster && (await this.#link.role()) !== 'master') throw new TroubleError(DEMOTED);
    } catch (error) {
      this.#link.end(error);
    }
    await this.#work;
  }

  #hasReached([epoch, revision, count]: StoreHead): boolean {
    const { entries, ...own } = this.#state;
    if (own.epoch !== epoch) return false;
    return own.revision === revision ? entries.size === count : this.#reached.has(revision);
  }

  /** What cannot be read ends the link: another one may bring it. */
  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => this.#link.end(error));
  }

  async #hear(text: string): Promise<void> {
    const message = parseMessage(this.#place.name, text);
    const next = message && follow(this.#state, message);
    if (next !== undefined) {
      this.#reached.add(next.revision);
      this.#state = next;
      this.#onState(next);
      return;
    }
    const isOld =
      message !== undefined &&
      message.epoch === this.#state.epoch &&
      numberOf(message.to) <= numberOf(this.#state.revision);
    if (!isOld) await this.#read();
  }

  async #read(): Promise<void> {
    this.#state = await readState(this.#place, this.#link, this.#state);
    this.#onState(this.#state);
  }
}
