/**
 * The door of agent/datastore: where the cluster resources are stored, watched for changes; and the watch itself.
 */
export { createDatastore, type DatastoreOptions, type DatastoreResult } from './create.js';
export type { FileDatastoreOptions } from './file.js';
export { readManifests } from './file-reader.js';
export { defaultRedisDatastoreOptions, type RedisDatastoreOptions } from './redis/index.js';
export {
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
} from './types.js';
export { WatchedReading, type WatchedSnapshot, type WatchOptions } from './watched-reading.js';
