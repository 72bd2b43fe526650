/**
 * What is wrong with pools and claims, as sentences: each says what, and what to do.
 *
 * Owns: the words. Must not know: when something is wrong.
 */
import { formatPrefix, type Prefix } from '../../bgp/net/index.js';
import { formatSelector, type IpPool } from '../resources/index.js';
import { countBlocks } from './blocks.js';
import type { TakenBlock } from './types.js';

/** The node asked, and no pool has a free block. */
export function exhaustedText(pools: readonly IpPool[], taken: readonly Prefix[]): string {
  const counts = pools.map((pool) => {
    const { total } = countBlocks(pool, taken);
    const blocks = total === 1n ? 'its one block' : `all ${total} blocks`;
    return `${poolText(pool)} has no free block: ${blocks} of /${pool.blockSize} ${total === 1n ? 'is' : 'are'} taken`;
  });
  return `${counts.join(', ')}; release what nobody uses ("podroute ipam check" finds it), or add an IPPool`;
}

/** `node` may claim from none of the pools there are; the selectors are named. */
export function noPoolText(pools: readonly IpPool[], node: string): string {
  if (pools.length === 0) return `there is no IPPool for ${node} to claim a pod subnet from; add one`;
  const reasons = pools.map((pool) =>
    pool.disabled
      ? `${poolText(pool)} is disabled`
      : `${poolText(pool)} is for nodes with ${formatSelector(pool.nodeSelector)}`,
  );
  return `no IPPool is for ${node}: ${reasons.join(', ')}; change a nodeSelector or the labels of the node, or add an IPPool`;
}

/** A pool of the node's, but of a family in which the node has no address. */
export function noAddressText(pools: readonly IpPool[], node: string): string {
  return `${node} has no address of the family of ${pools.map(poolText).join(', ')}, to be the next hop of a pod subnet; add spec.bgp.ipv4Address or ipv6Address to the Node`;
}

/** Somebody else has it: podroute does not borrow. */
export function borrowText(wanted: Prefix, owner: TakenBlock): string {
  const relation = wanted === owner.cidr ? 'is' : `overlaps ${formatPrefix(owner.cidr)},`;
  return `${formatPrefix(wanted)} ${relation} a pod subnet of ${owner.node}, and nothing is borrowed from another node; take a free one, or release it there first`;
}

/** The node has it itself. */
export function ownText(wanted: Prefix, { cidr, node }: TakenBlock): string {
  const part = wanted === cidr ? '' : ` as a part of ${formatPrefix(cidr)}`;
  return `${node} has ${formatPrefix(wanted)} already${part}; name no block, and it gets the next free one`;
}

/** It is no block that the pool is cut into. */
export function notABlockText(wanted: Prefix, pool: IpPool): string {
  return `${formatPrefix(wanted)} is no block of ${poolText(pool)}, whose blocks are /${pool.blockSize}; name one of that length, or change spec.blockSize`;
}

/** `IPPool/pods (10.244.0.0/16)`. */
export function poolText({ name, cidr }: Pick<IpPool, 'name' | 'cidr'>): string {
  return `IPPool/${name} (${formatPrefix(cidr)})`;
}
