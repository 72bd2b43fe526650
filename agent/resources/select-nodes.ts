/**
 * Which nodes a resource is about.
 *
 * Owns: the meaning of `node` and `nodeSelector`. Must not know: what follows from being selected.
 */
import { selects } from './selector.js';
import type { BgpPeer, NodeResource } from './types.js';

/** True where `node` is on the local side of `peer`: named by it or matched by its nodeSelector. */
export function hasPeer(peer: BgpPeer, node: NodeResource): boolean {
  const { nodes } = peer;
  return 'name' in nodes ? nodes.name === node.name : selects(nodes.selector, node.labels);
}
