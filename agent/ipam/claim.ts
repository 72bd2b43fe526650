/**
 * One more block for a node: reads, chooses candidates and claims, until one is claimed or there is none.
 *
 * Owns: the rounds. Must not know: any store. Who loses a race reads again: somebody else has got a block in that time,
 * so that the rounds come to an end.
 */
import { formatPrefix, type Prefix } from '../../bgp/net/index.js';
import { type Datastore, type Registry, StoreError } from '../datastore/index.js';
import type { ConfigError, IpPool, Resources } from '../resources/index.js';
import { candidates, freeOf } from './blocks.js';
import { exhaustedText } from './sentences.js';
import { parseForNode, takenInStore } from './stored.js';
import type { TakenBlock } from './types.js';

/** A store in which blocks are claimed. */
export interface ClaimStore {
  readonly datastore: Pick<Datastore, 'name' | 'list'>;
  readonly registry: Pick<Registry, 'claim'>;
}

export interface ClaimRequest {
  readonly node: string;
  /**
   * The pools to claim from, in this order, or one sentence why there are none.
   * @param resources the pools, and of the nodes and claims those of the node
   * @param taken what all nodes have
   */
  readonly pools: (
    resources: Resources,
    taken: readonly TakenBlock[],
  ) => { readonly pools: readonly IpPool[] } | { readonly problem: string };
  /** What the node had before, asked for first. */
  readonly previous?: readonly Prefix[];
  /** Only these, instead of what is free; `pools` has looked at them. */
  readonly only?: readonly Prefix[];
}

export type ClaimOutcome =
  | { readonly cidr: string; readonly pool: string }
  /** One sentence with the remedy. */
  | { readonly problem: string }
  /** The pools of the store are wrong. */
  | { readonly errors: readonly ConfigError[] };

/** Enough for a whole cluster that claims at one time to be served in one round each; a few kilobytes on the wire. */
const CANDIDATES = 512;

/** Rounds that are lost to others before something must be wrong with the store. */
const MAX_ROUNDS = 100;

/** @throws StoreError */
export async function claimBlock(
  { datastore, registry }: ClaimStore,
  { node, pools, previous = [], only }: ClaimRequest,
): Promise<ClaimOutcome> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const stored = await datastore.list();
    const read = parseForNode(datastore.name, stored, node);
    if ('errors' in read) return read;
    const taken = takenInStore(stored);
    const asked = pools(read.resources, taken);
    if ('problem' in asked) return asked;
    const prefixes = taken.map(({ cidr }) => cidr);
    const choices = asked.pools.map((pool) => ({
      pool,
      free:
        only === undefined
          ? candidates(pool, prefixes, { limit: CANDIDATES, previous })
          : freeOf(pool, prefixes, only),
    }));
    if (choices.every(({ free }) => free.length === 0)) {
      return { problem: exhaustedText(asked.pools, prefixes) };
    }
    for (const { pool, free } of choices) {
      if (free.length === 0) continue;
      const { name } = pool;
      const version = stored.find(
        (resource) => resource.kind === 'IPPool' && resource.name === name,
      )?.version;
      if (version === undefined)
        throw new Error(`IPPool/${name} was read from a store that does not list it`);
      const order = { node, pool: { name, version }, candidates: free.map(formatPrefix) };
      const result = await registry.claim(order);
      if (result.outcome === 'claimed') return { cidr: result.cidr, pool: name };
      // The next pool is for when this one is full, and not for when others were faster.
      if (result.outcome === 'poolChanged' || free.length === CANDIDATES) break;
    }
  }
  throw new StoreError(
    `${node} lost ${MAX_ROUNDS} claims to others; see "podroute ipam check", and try again`,
  );
}
