/**
 * The door of agent/join: a node in a cluster that nodes enter themselves into.
 */
export { ClusterEntry, type ClusterEntryOptions, type EntryStatus } from './cluster-entry.js';
export type { Presence } from './presence.js';
export type { Place } from './registration.js';
