/**
 * Which nodes take part: who has been silent for too long leaves the mesh, and who may not be what it says it is keeps
 * its sessions and announces nothing.
 *
 * Owns: the judgement. Must not know: stores, clocks. Pure.
 */
import type { NodeResource, Resources } from '../resources/index.js';

export interface PresenceFacts {
  readonly nodes: readonly NodeResource[];
  readonly ownName: string;
  /** The newest sign of every node that ever gave one, by the store's clock. */
  readonly beat: {
    readonly nowMs: number;
    readonly signs: ReadonlyMap<string, { readonly atMs: number }>;
  };
  /**
   * For how long the store has been answering us. While it was away nobody could give a sign, so nobody is judged by a
   * silence that began before.
   */
  readonly answeringForMs: number;
  readonly timeoutMs: number;
  /** Whether BGP itself shows that a node lives: a session with it, or a route by it. */
  readonly isProven: (node: NodeResource) => boolean;
}

export interface Presence {
  /** Without a sign for longer than the timeout, and alive by what BGP shows: only the store does not hear them. */
  readonly silent: ReadonlySet<string>;
  /** Those that leave the mesh. A node that never gave a sign was written by hand, and stays. */
  readonly gone: ReadonlySet<string>;
}

export const EVERYBODY: Presence = { silent: new Set(), gone: new Set() };

export function presenceOf(facts: PresenceFacts): Presence {
  const { nodes, ownName, beat, answeringForMs, timeoutMs, isProven } = facts;
  const late = nodes.filter(({ name }) => {
    const sign = beat.signs.get(name);
    if (name === ownName || sign === undefined) return false;
    return Math.min(beat.nowMs - sign.atMs, answeringForMs) > timeoutMs;
  });
  const [silent, gone] = [late.filter(isProven), late.filter((node) => !isProven(node))];
  return { silent: namesOf(silent), gone: namesOf(gone) };
}

/** The resources without those nodes; their pod subnets stay theirs. */
export function withoutNodes(resources: Resources, gone: ReadonlySet<string>): Resources {
  if (gone.size === 0) return resources;
  return { ...resources, nodes: resources.nodes.filter(({ name }) => !gone.has(name)) };
}

/**
 * The resources for a node that another one has the name or the address of: it is among the nodes, as `own`, and has
 * nothing to announce.
 */
export function withoutAnnouncements(resources: Resources, own: NodeResource): Resources {
  const { nodes, blocks, configuration } = resources;
  const others = nodes.filter(({ name }) => name !== own.name);
  return {
    ...resources,
    nodes: [...others, { ...own, podCIDRs: [], anycastCIDRs: [] }].sort((a, b) => (a.name < b.name ? -1 : 1)),
    blocks: blocks.filter(({ node }) => node !== own.name),
    configuration: { ...configuration, advertisements: [] },
  };
}

function namesOf(nodes: readonly NodeResource[]): ReadonlySet<string> {
  return new Set(nodes.map(({ name }) => name));
}
