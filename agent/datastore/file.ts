/**
 * The file store: one file or a folder of manifests, read again whenever it changes.
 *
 * Owns: what a snapshot of manifests is as resources. Must not know: when to read, what the resources mean, who uses them.
 */
import { parseResources, type ResourcesResult } from '../resources/index.js';
import { readManifests, type Snapshot } from './file-reader.js';
import {
  type CommitResult,
  type Datastore,
  type StoredResource,
  StoreError,
  type StoreFollower,
  type StoreHealth,
} from './types.js';
import { WatchedReading, type WatchedSnapshot, type WatchOptions } from './watched-reading.js';

export type FileDatastoreOptions = WatchOptions;

type WatchedManifests = Snapshot & WatchedSnapshot;

/** A watched file or folder. */
export class FileDatastore implements Datastore {
  readonly name: string;
  readonly #watched: WatchedReading<WatchedManifests>;
  readonly #startedAtMs = Date.now();
  #follower: StoreFollower | undefined;

  constructor(path: string, options: Partial<FileDatastoreOptions> = {}) {
    this.name = `file:${path}`;
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
    throw new StoreError(`${this.name} cannot be listed; read the file`);
  }

  async commit(): Promise<CommitResult> {
    throw new StoreError(`${this.name} cannot be written; edit the file`);
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
