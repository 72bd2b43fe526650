/**
 * The port behind which the cluster resources are stored.
 *
 * Owns: what every store can do. Must not know: any of them.
 */
import type { ResourcesResult } from '../resources/index.js';

/** Called with each state of the store that differs from the one before. */
export type ResourcesListener = (result: ResourcesResult) => void;

/**
 * A source of cluster resources that is watched. A state that is wrong is handed on like any other: whoever has a good
 * state keeps it in force until a good one comes.
 */
export interface Datastore {
  /** What people call it, such as `file:/etc/podroute/cluster.yaml`. */
  readonly name: string;
  /**
   * Reads the store and watches it from then on. Resolves to the first state, which `onChange` does not get; a change
   * while it is read is not lost. Called once.
   */
  start(onChange: ResourcesListener): Promise<ResourcesResult>;
  /** Ends the watch; `onChange` is not called any more, not even by what is under way. */
  stop(): Promise<void>;
}
