/**
 * Pools, blocks and those who have them, as values.
 *
 * Owns: their shape, and after how long a silent node counts as what. Must not know: how any of it is found.
 */
import type { Prefix } from '../../bgp/net/index.js';
import type { BlockAffinity, ConfigError, IpPool, Resources } from '../resources/index.js';

/** One pod subnet that somebody has. */
export interface TakenBlock {
  readonly cidr: Prefix;
  readonly node: string;
  /** `claim`: by a BlockAffinity. `podCIDRs`: written with the node. */
  readonly source: 'claim' | 'podCIDRs';
  readonly state: BlockAffinity['state'];
}

/** What the report rests on. */
export interface IpamFacts {
  readonly resources: Resources;
  /** What nodes wrote of themselves and nobody uses. */
  readonly leftOut: readonly ConfigError[];
  /** The newest sign of each node; absent: the store takes none, and whether nodes live is not known. */
  readonly signs?: ReadonlyMap<string, { readonly atMs: number }>;
  /** Of the same clock as the signs. */
  readonly nowMs: number;
}

export interface IpamLimits {
  /** A node whose newest sign is younger lives. */
  readonly silentAfterMs: number;
  /** What a node has that has been silent for so long is a leak. */
  readonly leakedAfterMs: number;
}

const HOUR_MS = 3_600_000;

/** A node that restarts, or its store, is silent for less than a BGP hold time; a machine is repaired within a day. */
export const defaultIpamLimits: IpamLimits = { silentAfterMs: 90_000, leakedAfterMs: 24 * HOUR_MS };

/**
 * `live`, `silent`, `gone`: by the age of its newest sign. `noSign`: a Node that never gave one, such as a router that
 * runs something else. `leftOut`: a Node that nobody uses, since it is wrong. `noNode`: there is none of that name.
 */
export type NodeState = 'live' | 'silent' | 'gone' | 'noSign' | 'leftOut' | 'noNode';

export interface NodeUse {
  readonly name: string;
  readonly state: NodeState;
  /** Age of the newest sign. */
  readonly silentForMs?: number;
  /** In prefix order. */
  readonly blocks: readonly TakenBlock[];
}

export interface PoolUse {
  readonly pool: IpPool;
  readonly total: bigint;
  readonly taken: bigint;
  readonly free: bigint;
}

/** A block with the pool that it lies in. */
export interface BlockUse extends TakenBlock {
  readonly pool: IpPool | undefined;
}

export interface IpamReport {
  /** By name. */
  readonly pools: readonly PoolUse[];
  /** By name; those too that have blocks and are no Node. */
  readonly nodes: readonly NodeUse[];
  /** In prefix order. */
  readonly blocks: readonly BlockUse[];
  readonly problems: readonly IpamProblem[];
}

export type IpamProblemCode =
  /** Claims of what is no Node, or of a Node that has been silent for too long. */
  | 'leak'
  /** Written by a node and used by nobody, most often since somebody else has the same addresses. */
  | 'leftOut'
  /** In no pool, in a disabled one, in one that is not for the node. */
  | 'outside'
  | 'size'
  /** Taken, and announced by nobody. */
  | 'reserved'
  /** A node that lives and can have no block. */
  | 'unserved';

export interface IpamProblem {
  readonly code: IpamProblemCode;
  /** The node or the resource that it is about. */
  readonly subject: string;
  readonly message: string;
}
