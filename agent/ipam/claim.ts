/**
 * One more block for a node: reads, chooses candidates and claims, until one is claimed or there is none.
 *
 * Owns: the rounds. Must not know: any store. Who loses a race reads again: somebody else has got a block in that time,
 * so that the rounds come to an end.
 */
import { formatPrefix, type Prefix, parsePrefix } from '../../bgp/net/index.js';
import { type Datastore, type Registry, type StoredResource, StoreError } from '../datastore/index.js';
import {
  type ConfigError,
  type IpPool,
  parseDocuments,
  type Resources,
  type ResourcesResult,
} from '../resources/index.js';
import { candidates, freeOf } from './blocks.js';
import { takenBlocks } from './held.js';
import { exhaustedText, takenText } from './sentences.js';

/** A store in which blocks are claimed. */
export interface ClaimStore {
  readonly datastore: Pick<Datastore, 'name' | 'list'>;
  readonly registry: Pick<Registry, 'claim'>;
}

export interface ClaimRequest {
  readonly node: string;
  /** The pools to claim from, in this order, or one sentence why there are none. */
  readonly pools: (
    resources: Resources,
  ) => { readonly pools: readonly IpPool[] } | { readonly problem: string };
  /** What the node had before, asked for first. */
  readonly previous?: readonly Prefix[];
  /** Only these, instead of what is free. */
  readonly only?: readonly Prefix[];
}

export type ClaimOutcome =
  | { readonly cidr: string; readonly pool: string }
  /** One sentence with the remedy. */
  | { readonly problem: string }
  /** The resources of the store are wrong; then nobody can tell what is free. */
  | { readonly errors: readonly ConfigError[] };

/** Enough for a whole cluster that claims at one time to be served in one round each; a few kilobytes on the wire. */
const CANDIDATES = 512;

/** Rounds that are lost to others before something must be wrong with the store. */
const MAX_ROUNDS = 100;

/** @throws StoreError */
export async function claimBlock(
  { datastore, registry }: ClaimStore,
  request: ClaimRequest,
): Promise<ClaimOutcome> {
  const { node, previous = [], only } = request;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const stored = await datastore.list();
    const read = parseStored(datastore.name, stored);
    if ('errors' in read) return read;
    const asked = request.pools(read.resources);
    if ('problem' in asked) return asked;
    // A claim that readers leave out is taken all the same: its name is.
    const taken = [
      ...takenBlocks(read.resources).map(({ cidr }) => cidr),
      ...stored.flatMap((resource) => claimOf(resource)?.cidr ?? []),
    ];
    const choice = asked.pools
      .map((pool) => ({
        pool,
        free:
          only === undefined
            ? candidates(pool, taken, { limit: CANDIDATES, previous })
            : freeOf(pool, taken, only),
      }))
      .find(({ free }) => free.length > 0);
    if (choice === undefined)
      return { problem: only === undefined ? exhaustedText(asked.pools, taken) : takenText(only) };
    const { name } = choice.pool;
    const version = stored.find((resource) => resource.kind === 'IPPool' && resource.name === name)?.version;
    if (version === undefined) throw new Error(`IPPool/${name} was read from a store that does not list it`);
    const result = await registry.claim({
      node,
      pool: { name, version },
      candidates: choice.free.map(formatPrefix),
    });
    if (result.outcome === 'claimed') return { cidr: result.cidr, pool: name };
  }
  throw new StoreError(
    `${node} lost ${MAX_ROUNDS} claims to others; see "podroute ipam check", and try again`,
  );
}

/** The resources of a store that nodes enter themselves into; errors name the store. */
export function parseStored(storeName: string, stored: readonly StoredResource[]): ResourcesResult {
  return parseDocuments(
    stored.map(({ manifest }) => ({ file: storeName, value: manifest, lineOf: () => 0 })),
  );
}

/** A claim as it is kept, be it right or left out. */
export interface StoredClaim {
  readonly cidr: Prefix;
  readonly node: string;
}

/** @returns undefined where it is no BlockAffinity, or none that says what it is of */
export function claimOf({ kind, manifest }: StoredResource): StoredClaim | undefined {
  const { spec } = manifest;
  if (kind !== 'BlockAffinity' || typeof spec !== 'object' || spec === null) return undefined;
  const { cidr: text, node } = spec as Readonly<Record<string, unknown>>;
  const cidr = typeof text === 'string' ? parsePrefix(text) : undefined;
  return cidr === undefined || typeof node !== 'string' ? undefined : { cidr, node };
}
