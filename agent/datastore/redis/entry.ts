/**
 * What is kept in Redis, and told of changes, as values.
 *
 * Owns: the text of an entry and of a message. Must not know: connections. Pure.
 *
 *   entry    {"resourceVersion":"12-9f3a1c","created":3,"manifest":{...}}
 *   message  ["EPOCH","FROM","TO",[["Kind/name",{entry}],["Kind/name",null]]]   null in place of the list: read again
 *
 * The scripts find version and age of an entry by its beginning, so the order of the fields is part of the form. A
 * revision is a number, which orders, and a word of chance, which makes it one of a kind: after a failover that lost a
 * write, or a restored backup, the same number comes again with another word.
 */
import type { LocatedDocument } from '../../resources/index.js';
import type { Manifest, ResourceKey, StoredResource } from '../types.js';

/** A resource as a reader holds it; the same object as long as nobody changes the resource. */
export interface Entry extends StoredResource {
  /** Which revision it came with; it keeps it through changes. */
  readonly created: number;
  readonly document: LocatedDocument;
}

/** Where a store is in its line of states. */
export interface Head {
  /** Of the store's first write; another one: the store was wiped, or it is another one. Empty: nothing was written yet. */
  readonly epoch: string;
  /** Empty: nothing was written yet. */
  readonly revision: string;
}

/** Everything that a store has at one time. */
export interface StoreState extends Head {
  /** By `Kind/name`. */
  readonly entries: ReadonlyMap<string, Entry>;
}

/** One commit, as it is told. */
export interface Message {
  readonly epoch: string;
  readonly from: string;
  readonly to: string;
  /** By `Kind/name`; undefined: gone. Absent: too much for a message. */
  readonly changes?: ReadonlyMap<string, Entry | undefined>;
}

export function idOf({ kind, name }: ResourceKey): string {
  return `${kind}/${name}`;
}

/** The number of a revision; 0: nothing was written yet. */
export function numberOf(revision: string): number {
  return Number(/^\d+/.exec(revision)?.[0] ?? 0);
}

/** @param store its name, for the errors of the document. @returns undefined: this is no entry */
export function parseEntry(store: string, id: string, text: string): Entry | undefined {
  return entryOf(store, id, parseJson(text));
}

/** @returns undefined: this is no message */
export function parseMessage(store: string, text: string): Message | undefined {
  const message = parseJson(text);
  if (!Array.isArray(message)) return undefined;
  const [epoch, from, to, list] = message as unknown[];
  if (typeof epoch !== 'string' || typeof from !== 'string' || typeof to !== 'string') return undefined;
  if (list === null) return { epoch, from, to };
  if (!Array.isArray(list)) return undefined;
  const changes = new Map<string, Entry | undefined>();
  for (const pair of list as unknown[]) {
    const [id, value] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof id !== 'string') return undefined;
    const entry = value === null ? undefined : entryOf(store, id, value);
    if (value !== null && entry === undefined) return undefined;
    changes.set(id, entry);
  }
  return { epoch, from, to, changes };
}

/** The text of an entry. */
export function formatEntry({
  version,
  created,
  manifest,
}: Omit<Entry, 'document' | keyof ResourceKey>): string {
  return `{"resourceVersion":${JSON.stringify(version)},"created":${created},"manifest":${JSON.stringify(manifest)}}`;
}

/** The oldest first; who came with the same revision, by name. */
export function inOrder(entries: Iterable<Entry>): Entry[] {
  return [...entries].sort((a, b) => a.created - b.created || (idOf(a) < idOf(b) ? -1 : 1));
}

/** The state after a commit that was told; undefined: it does not follow on this one, or has to be read. */
export function follow(state: StoreState, message: Message): StoreState | undefined {
  const { changes } = message;
  const follows = message.epoch === state.epoch && message.from === state.revision;
  if (!follows || changes === undefined) return undefined;
  const entries = new Map(state.entries);
  for (const [id, entry] of changes) {
    if (entry === undefined) entries.delete(id);
    else entries.set(id, entry);
  }
  return { epoch: state.epoch, revision: message.to, entries };
}

/** Whether two states have the same in them, however they came to it. */
export function areEqual(a: StoreState, b: StoreState): boolean {
  return (
    a.entries.size === b.entries.size &&
    [...a.entries].every(([id, entry]) => b.entries.get(id)?.version === entry.version)
  );
}

function entryOf(store: string, id: string, value: unknown): Entry | undefined {
  const slash = id.indexOf('/');
  if (slash <= 0 || !isRecord(value)) return undefined;
  const { resourceVersion: version, created, manifest } = value;
  if (typeof version !== 'string' || typeof created !== 'number' || !isRecord(manifest)) return undefined;
  return makeEntry(store, {
    kind: id.slice(0, slash),
    name: id.slice(slash + 1),
    version,
    created,
    manifest,
  });
}

/** An entry with its document. */
export function makeEntry(store: string, fields: Omit<Entry, 'document'>): Entry {
  return { ...fields, document: { file: store, value: fields.manifest, lineOf: () => 0 } };
}

function isRecord(value: unknown): value is Manifest {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
