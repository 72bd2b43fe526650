/**
 * Which pod subnets a node should have beside those that it has.
 *
 * Owns: from which pools a node may claim, how many blocks it lacks, and why it gets none. Must not know: which blocks
 * are free, stores. The order of pools is Calico's: by name, the next one where the first is full.
 */
import {
  type Family,
  type Prefix,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
} from '../../bgp/net/index.js';
import { type IpPool, type NodeResource, type Resources, selects } from '../resources/index.js';
import { isBlockOf } from './blocks.js';
import { heldBlocks } from './held.js';
import { borrowText, noAddressText, noPoolText, notABlockText, ownText, poolText } from './sentences.js';
import type { TakenBlock } from './types.js';

/** Blocks that a node should claim. */
export interface WantedClaim {
  readonly family: Family;
  readonly count: number;
  /** In the order in which they are asked. */
  readonly pools: readonly IpPool[];
}

export type ClaimPlan = { readonly wanted: readonly WantedClaim[] } | { readonly problem: string };

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

/**
 * What the node should claim so that it has `blocksWanted` blocks of each family in which it has an address and a pool.
 * A block in a disabled pool does not count: no other node imports it.
 * @param held what the node has; by default what the resources say
 * @returns the problem where the node has nothing and no pool is for it
 */
export function claimsWanted(
  resources: Resources,
  nodeName: string,
  held: readonly Prefix[] = heldBlocks(resources, nodeName),
  blocksWanted = 1,
): ClaimPlan {
  const node = resources.nodes.find(({ name }) => name === nodeName);
  if (node === undefined) return { problem: `${nodeName} is no Node; register it first` };
  const useful = held.filter(
    (block) => !resources.pools.some(({ cidr, disabled }) => disabled && prefixContains(cidr, block)),
  );
  const wanted = FAMILIES.flatMap((family): readonly WantedClaim[] => {
    const pools = poolsFor(resources.pools, node, family);
    const count = blocksWanted - useful.filter((block) => prefixFamily(block) === family).length;
    return pools.length > 0 && count > 0 ? [{ family, count, pools }] : [];
  });
  if (wanted.length > 0 || useful.length > 0) return { wanted };
  return { problem: whyNone(resources.pools, node) };
}

/** The pools that a node may claim from, of one family: enabled, selecting it, and it has an address of the family. */
export function poolsFor(pools: readonly IpPool[], node: NodeResource, family: Family): readonly IpPool[] {
  if (node[family] === undefined) return [];
  return selectingPools(pools, node).filter(({ cidr }) => prefixFamily(cidr) === family);
}

/**
 * Whether the node may claim exactly this block.
 * @param taken what all nodes have
 * @returns its pool, or one sentence why not
 */
export function checkBlock(
  { pools }: Pick<Resources, 'pools'>,
  taken: readonly TakenBlock[],
  node: NodeResource,
  block: Prefix,
): { readonly pool: IpPool } | { readonly problem: string } {
  const pool = pools.find(({ cidr }) => prefixesOverlap(cidr, block));
  if (pool === undefined) {
    const known = pools.map(poolText).join(', ') || 'none at all';
    return { problem: `no IPPool is around that block; there is ${known}` };
  }
  if (!isBlockOf(pool, block)) return { problem: notABlockText(block, pool) };
  const owner = taken.find(({ cidr }) => prefixesOverlap(cidr, block));
  if (owner !== undefined) {
    return { problem: owner.node === node.name ? ownText(block, owner) : borrowText(block, owner) };
  }
  if (!poolsFor(pools, node, prefixFamily(block)).includes(pool)) {
    return { problem: whyNone([pool], node) };
  }
  return { pool };
}

/** Why a node may claim from none of these pools. */
export function whyNone(pools: readonly IpPool[], node: NodeResource): string {
  const selecting = selectingPools(pools, node);
  return selecting.length > 0 ? noAddressText(selecting, node.name) : noPoolText(pools, node.name);
}

function selectingPools(pools: readonly IpPool[], node: NodeResource): readonly IpPool[] {
  return pools.filter(({ disabled, nodeSelector }) => !disabled && selects(nodeSelector, node.labels));
}
