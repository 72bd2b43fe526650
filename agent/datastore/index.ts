/**
 * The door of agent/datastore: where the cluster resources are stored, watched for changes; and the watch itself.
 */
export { createDatastore, type DatastoreResult } from './create.js';
export type { FileDatastoreOptions } from './file.js';
export type { Datastore, ResourcesListener } from './types.js';
export { WatchedReading, type WatchedSnapshot, type WatchOptions } from './watched-reading.js';
