/**
 * The port behind which the cluster resources are stored.
 *
 * Owns: what every store can do. Must not know: any of them.
 */
import type { Manifest, ResourceKey } from '../manifests/index.js';
import type { ResourcesResult } from '../resources/index.js';

export type { Manifest, ResourceKey };

/** A resource as it is kept. */
export interface StoredResource extends ResourceKey {
  /** Another one after every change; a write names the one that it rests on. */
  readonly version: string;
  readonly manifest: Manifest;
}

/** One write. */
export interface Change extends ResourceKey {
  /** What must be there for the write to happen: nothing, exactly this version, or whatever is there. */
  readonly expected: 'absent' | 'any' | { readonly version: string };
  /** undefined: the resource goes. */
  readonly manifest: Manifest | undefined;
}

/** What stood in the way of a write. */
export interface Conflict extends ResourceKey {
  /** What is there; undefined: nothing. */
  readonly found: StoredResource | undefined;
}

/** All changes were made, or none of them. */
export type CommitResult =
  | { readonly outcome: 'done' }
  | { readonly outcome: 'conflict'; readonly conflicts: readonly Conflict[] };

/** How a store stands, for people and for `/readyz`. */
export interface StoreHealth {
  /**
   * `unreachable`: no answer. `refusing`: it answers and takes no writes (read-only, full), or holds something that
   * cannot be read. In both what was last read stays in force.
   */
  readonly state: 'connecting' | 'ok' | 'unreachable' | 'refusing';
  /** One sentence with the remedy; empty where all is well. */
  readonly reason: string;
  /** Of the state; milliseconds of the wall clock. */
  readonly sinceMs: number;
  /** What is kept back or made good just now, a sentence each: a mass removal that waits, a store that is refilled. */
  readonly notes: readonly string[];
}

/** Whom a store's doings concern. */
export interface StoreFollower {
  /** Each state of the resources that differs from the one before, be it right or wrong. */
  readonly resourcesChanged: (result: ResourcesResult) => void;
  readonly healthChanged: (health: StoreHealth) => void;
  /**
   * The store has lost so much at once that the state before it stays in force for a while: this is what it has now, the
   * oldest first. Whoever has written something that is missing can write it again.
   */
  readonly heldBack?: (found: readonly StoredResource[]) => void;
}

/**
 * A source of cluster resources that is watched. A state that is wrong is handed on like any other: whoever has a good
 * state keeps it in force until a good one comes.
 */
export interface Datastore {
  /** What people call it, such as `file:/etc/podroute/cluster.yaml`; without secrets. */
  readonly name: string;
  /** Absent: nodes are written by hand. */
  readonly registry?: Registry;
  /**
   * Reads the store and watches it from then on. Resolves to the first state, which the follower does not get; a change
   * while it is read is not lost. Called once, and not needed for {@link list} and {@link commit}.
   */
  start(follower: StoreFollower): Promise<ResourcesResult>;
  health(): StoreHealth;
  /** Everything as it is kept, the oldest first. @throws StoreError where the store cannot be read */
  list(): Promise<readonly StoredResource[]>;
  /** All of the changes or none. @throws StoreError where the store cannot be written */
  commit(changes: readonly Change[]): Promise<CommitResult>;
  /** Ends the watch and lets go of everything; the follower is told nothing any more. */
  stop(): Promise<void>;
}

/** The store is in the way: the message is one sentence with the remedy, for the operator. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code = 'STORE';
}

/** Where nodes enter themselves, say that they live, and claim pod subnets. @throws StoreError from each call */
export interface Registry {
  /** Says that a node lives, and asks who else does. */
  beat(order: BeatOrder): Promise<Beat>;
  /** Who gave a sign, without giving one. */
  signs(): Promise<Signs>;
  /** Claims the first candidate that nobody has, by a BlockAffinity named after it. */
  claim(order: ClaimOrder): Promise<ClaimResult>;
}

export interface BeatOrder {
  readonly node: string;
  /** This run of the agent. */
  readonly instance: string;
  /** Where it runs: another instance at the same address is an earlier run, and gives way. */
  readonly address: string;
  /** Another instance elsewhere gives way where it has been silent for so long. */
  readonly takeOverAfterMs: number;
}

/** A sign of life. */
export interface Sign {
  readonly instance: string;
  readonly address: string;
  /** Of the store's clock. */
  readonly atMs: number;
}

export interface Signs {
  /** The store's clock. */
  readonly nowMs: number;
  /** The newest sign of every node that ever gave one. */
  readonly signs: ReadonlyMap<string, Sign>;
}

export interface Beat extends Signs {
  /** Another instance has the name, and lives: our sign was not entered. */
  readonly holder: Sign | undefined;
  /** The newest other instance that was refused our name. */
  readonly rival: Sign | undefined;
}

export interface ClaimOrder {
  readonly node: string;
  /** The IPPool that the candidates are of, as the claim knows it. */
  readonly pool: { readonly name: string; readonly version: string };
  /** Prefixes as text, the best first. */
  readonly candidates: readonly string[];
}

/** `taken`: every candidate is. `poolChanged`: the pool is another one by now; read again, then claim. */
export type ClaimResult =
  | { readonly outcome: 'claimed'; readonly cidr: string }
  | { readonly outcome: 'taken' }
  | { readonly outcome: 'poolChanged' };

/**
 * The name of the BlockAffinity of a pod subnet, such as `10-244-1-0-24`: of one subnet there can be only one, which is
 * what makes a claim exclusive.
 */
export function blockName(cidr: string): string {
  return cidr.replace(/[./:]/g, '-');
}
