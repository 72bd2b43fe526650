/**
 * Which pod subnets are taken, and by whom.
 *
 * Owns: what counts as taken (every claim in every state, and what is written with the nodes) and as held.
 * Must not know: pools' arithmetic, stores.
 */
import { comparePrefixes, type Prefix } from '../../bgp/net/index.js';
import type { Resources } from '../resources/index.js';
import type { TakenBlock } from './types.js';

/** Everything that is taken, in prefix order. */
export function takenBlocks({ nodes, blocks }: Pick<Resources, 'nodes' | 'blocks'>): readonly TakenBlock[] {
  return [
    ...nodes.flatMap(({ name, podCIDRs }) =>
      podCIDRs.map((cidr): TakenBlock => ({ cidr, node: name, source: 'podCIDRs', state: 'confirmed' })),
    ),
    ...blocks.map(({ cidr, node, state }): TakenBlock => ({ cidr, node, source: 'claim', state })),
  ].sort((a, b) => comparePrefixes(a.cidr, b.cidr));
}

/** The pod subnets that a node has and announces, in prefix order. */
export function heldBlocks(resources: Pick<Resources, 'nodes' | 'blocks'>, node: string): readonly Prefix[] {
  return takenBlocks(resources)
    .filter((block) => block.node === node && block.state === 'confirmed')
    .map(({ cidr }) => cidr);
}
