/**
 * The file store: one file or a folder of manifests, read again whenever it changes, and written as a whole.
 *
 * Owns: what a snapshot of manifests is as resources, and the steps of a commit. Must not know: when to read, what the
 * resources mean, who uses them.
 */
import { checkText, type ManifestFile, parseResources, type ResourcesResult } from '../resources/index.js';
import { conflictsOf, entriesOf, storedOf, textsAfter } from './file-contents.js';
import { readFiles, readManifests, type Snapshot } from './file-reader.js';
import { holding, homeOf, writeFiles } from './file-writer.js';
import {
  type Change,
  type CommitResult,
  type Datastore,
  type StoredResource,
  StoreError,
  type StoreFollower,
  type StoreHealth,
} from './types.js';
import { WatchedReading, type WatchedSnapshot, type WatchOptions } from './watched-reading.js';

export type FileDatastoreOptions = WatchOptions;

/** An editor takes no lock: what it has saved meanwhile is read again, and not so many times. */
const ATTEMPTS = 10;

type WatchedManifests = Snapshot & WatchedSnapshot;

/** A watched file or folder. */
export class FileDatastore implements Datastore {
  readonly name: string;
  readonly #path: string;
  readonly #watched: WatchedReading<WatchedManifests>;
  readonly #startedAtMs = Date.now();
  #follower: StoreFollower | undefined;

  constructor(path: string, options: Partial<FileDatastoreOptions> = {}) {
    this.name = `file:${path}`;
    this.#path = path;
    this.#watched = new WatchedReading(
      () => readWatched(path),
      (snapshot) => this.#follower?.resourcesChanged(parseSnapshot(snapshot)),
      options,
    );
  }

  async start(follower: StoreFollower): Promise<ResourcesResult> {
    this.#follower = follower;
    return parseSnapshot(await this.#watched.read());
  }

  health(): StoreHealth {
    return { state: 'ok', reason: '', sinceMs: this.#startedAtMs, notes: [] };
  }

  async list(): Promise<readonly StoredResource[]> {
    return entriesOf(await this.#read()).map(storedOf);
  }

  async commit(changes: readonly Change[]): Promise<CommitResult> {
    await this.#read();
    const { folder, isFolder } = await homeOf(this.#path);
    return await holding(folder, async () => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const files = await this.#read();
        const entries = entriesOf(files);
        const conflicts = conflictsOf(entries, changes);
        if (conflicts.length > 0) return { outcome: 'conflict', conflicts };
        const texts = textsAfter(files, entries, changes, { path: this.#path, isFolder });
        const writes = [...texts].map(([path, { text, isEmpty }]) => ({
          path,
          before: files.find((file) => file.path === path)?.text,
          after: isEmpty && isFolder ? undefined : text,
        }));
        if (await writeFiles(writes)) return { outcome: 'done' };
      }
      throw new StoreError(`${this.name} is being changed by another program all the time; try again later`);
    });
  }

  /** @throws StoreError where not everything can be read */
  async #read(): Promise<readonly ManifestFile[]> {
    const { files, errors } = await readFiles(this.#path);
    if (errors.length > 0) throw new StoreError(checkText(errors));
    return files;
  }

  async stop(): Promise<void> {
    this.#follower = undefined;
    await this.#watched.stop();
  }
}

async function readWatched(path: string): Promise<WatchedManifests> {
  const snapshot = await readManifests(path);
  const { files, errors } = snapshot;
  return { ...snapshot, content: JSON.stringify([files, errors]), isWhole: errors.length === 0 };
}

function parseSnapshot({ files, errors }: Snapshot): ResourcesResult {
  // The files that could be read are checked all the same: the operator sees every error at once.
  const result = parseResources(files);
  if (errors.length === 0) return result;
  return { errors: files.length > 0 && 'errors' in result ? [...errors, ...result.errors] : errors };
}
