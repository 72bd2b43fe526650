/**
 * What a change of the resources does to the BGP sessions of all nodes.
 *
 * Owns: which sessions come, go, are reset or live on, and why. Must not know: what was written by whom, how it is shown.
 */
import { formatPrefix } from '../../bgp/net/index.js';
import type { Resources } from '../resources/index.js';
import { planLocalChanges, planPeerChanges, planRangeChange } from './changes.js';
import { planMembership } from './membership.js';
import type { DynamicPeerSpec, Membership, PeerSpec } from './types.js';

/** `changes`: it goes on with the new values. */
export type SessionOutcome = 'comes' | 'goes' | 'resets' | 'changes';

/** One session of one node, or all that it has before and afterwards. */
export interface SessionEffect {
  readonly node: string;
  /** The id of the peer; undefined: every session of the node. */
  readonly peer: string | undefined;
  readonly outcome: SessionOutcome;
  readonly reasons: readonly string[];
}

/** Node by node in the order of names; sessions to which nothing happens are not in it. */
export function sessionEffects(before: Resources, after: Resources): readonly SessionEffect[] {
  const names = new Set([...before.nodes, ...after.nodes].map(({ name }) => name));
  return [...names].sort().flatMap((name) => effectsOn(name, before, after));
}

function effectsOn(node: string, before: Resources, after: Resources): SessionEffect[] {
  const [was, is] = [membershipOf(before, node), membershipOf(after, node)];
  const peers = planPeerChanges(was?.peers ?? [], is?.peers ?? []);
  const ranges = rangeEffects(was?.dynamicPeers ?? [], is?.dynamicPeers ?? []);
  const local = was === undefined || is === undefined ? undefined : planLocalChanges(was, is);
  const effects: Omit<SessionEffect, 'node'>[] = [
    ...peers.removed.map((peer) => ({
      peer: peer.id,
      outcome: 'goes' as const,
      reasons: [whyGone(peer, node, after)],
    })),
    ...peers.added.map((peer) => ({
      peer: peer.id,
      outcome: 'comes' as const,
      reasons: [whyNew(peer, node, before)],
    })),
    ...peers.changed.map(({ after: { id }, needsReset, reasons }) => ({
      peer: id,
      outcome: needsReset ? ('resets' as const) : ('changes' as const),
      reasons,
    })),
    ...ranges,
  ];
  if (local === undefined || local.reasons.length === 0)
    return effects.map((effect) => ({ node, ...effect }));
  const whole = {
    peer: undefined,
    outcome: local.needsReset ? 'resets' : 'changes',
    reasons: local.reasons,
  } as const;
  // Of sessions that are reset in any case, nothing more is to be said.
  const others = local.needsReset
    ? effects.filter(({ outcome }) => outcome === 'comes' || outcome === 'goes')
    : effects;
  return [whole, ...others].map((effect) => ({ node, ...effect }));
}

function membershipOf(resources: Resources, node: string): Membership | undefined {
  const plan = planMembership(resources, node);
  return 'membership' in plan ? plan.membership : undefined;
}

function rangeEffects(
  before: readonly DynamicPeerSpec[],
  after: readonly DynamicPeerSpec[],
): Omit<SessionEffect, 'node'>[] {
  const ids = new Set([...before, ...after].map(({ id }) => id));
  return [...ids].flatMap((id): Omit<SessionEffect, 'node'>[] => {
    const was = before.find((range) => range.id === id);
    const is = after.find((range) => range.id === id);
    if (was === undefined || is === undefined) {
      const outcome = was === undefined ? 'comes' : 'goes';
      const range = (was ?? is)?.range;
      return [{ peer: id, outcome, reasons: range === undefined ? [] : [`range ${formatPrefix(range)}`] }];
    }
    const { reasons, needsReset } = planRangeChange(was, is);
    return reasons.length === 0 ? [] : [{ peer: id, outcome: needsReset ? 'resets' : 'changes', reasons }];
  });
}

/** A node that comes or goes is reason enough, at both ends. */
function whyNew(peer: PeerSpec, node: string, before: Resources): string {
  const newNode = [node, peer.node].find((name) => name !== undefined && !takesPart(before, name));
  return newNode === undefined ? `by ${originOf(peer)}` : `Node/${newNode} is new`;
}

function whyGone(peer: PeerSpec, node: string, after: Resources): string {
  const gone = [node, peer.node].find((name) => name !== undefined && !takesPart(after, name));
  return gone === undefined ? `no longer by ${originOf(peer)}` : `Node/${gone} goes`;
}

function takesPart({ nodes }: Resources, name: string): boolean {
  return nodes.some((node) => node.name === name && node.ipv4 !== undefined);
}

function originOf({ id }: PeerSpec): string {
  const [scheme, name] = id.split('/');
  return scheme === 'mesh' ? 'the node-to-node mesh' : `BGPPeer/${name}`;
}
