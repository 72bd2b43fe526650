/**
 * Direct or tunnel between two nodes of the cluster, decided alike at both ends.
 *
 * Owns: what a node says of itself, and the one function that both ends evaluate over what both say. Must not know:
 * how facts travel, what the kernel holds. Pure.
 *
 * If each end asked its own kernel alone, half of the pairs with unlike networks would send plain and receive through
 * the tunnel, and a firewall or a reverse path filter drops such halves. So each node tells how it reaches the others,
 * and a pair goes direct only where both ends can:
 *
 *            the other end  | reaches us directly | does not
 *   we                      |                     |
 *   ------------------------+---------------------+----------
 *   reach it directly       | direct              | IPIP
 *   do not                  | IPIP                | IPIP
 *
 * An override of one end counts for the pair: `ipip` always, `direct` in place of the own network's answer.
 */
import {
  comparePrefixes,
  formatPrefix,
  type IpAddress,
  type Ipv4,
  type Prefix,
  prefixContainsAddress,
} from '../bgp/net/index.js';
import type { InterfaceIndex, Lookup } from './kernel/kernel.js';
import type { EncapsulationOverride, NextHopFacts } from './types.js';

/** More on-link networks with nodes in them than a node has; what is beyond goes through the tunnel. */
export const MAX_ONLINK_PREFIXES = 32;
/** More single nodes that a node treats in a way of their own than make sense. */
export const MAX_OVERRIDES = 128;

export const NO_FACTS: NextHopFacts = { onlink: [], overrides: new Map() };

/** A node with what it says of itself. */
export interface NodeEnd {
  readonly address: Ipv4;
  readonly facts: NextHopFacts;
}

/** The way of a pair. `because`: what decided, where it was not the networks alone; it ends a sentence about this node. */
export interface Way {
  readonly mode: 'direct' | 'ipip';
  readonly because: string;
}

/** Symmetric in `mode`: both ends come to the same, each calling itself `own`. */
export function wayBetween(own: NodeEnd, other: NodeEnd): Way {
  const ours = stance(own, other.address);
  const theirs = stance(other, own.address);
  if (ours.override === 'ipip') return { mode: 'ipip', because: SET_TO.ipip };
  if (theirs.override === 'ipip') {
    return { mode: 'ipip', because: ', but it sends to this node through IPIP, so both ends do' };
  }
  if (ours.allows && theirs.allows) {
    return { mode: 'direct', because: ours.override === undefined ? '' : SET_TO.direct };
  }
  if (!ours.allows) return { mode: 'ipip', because: '' };
  return { mode: 'ipip', because: ', but it does not reach this node directly, so both ends use IPIP' };
}

/** What an override of this node adds to a sentence. */
export const SET_TO: Record<EncapsulationOverride, string> = {
  direct: ', and encapsulation is set to direct',
  ipip: ', and encapsulation is set to ipip',
};

interface Stance {
  readonly allows: boolean;
  readonly override: EncapsulationOverride | undefined;
}

function stance({ facts }: NodeEnd, to: Ipv4): Stance {
  const override = facts.overrides.get(to);
  const allows =
    override === undefined
      ? facts.onlink.some((prefix) => prefixContainsAddress(prefix, to))
      : override === 'direct';
  return { allows, override };
}

/**
 * What this node says of itself: the on-link prefixes by which its kernel reaches other nodes, and the exceptions.
 *
 * A node that the kernel reaches otherwise although it lies in one of the prefixes (a host route leads elsewhere) is
 * told as an exception, so that the far end comes to the same answer. While the kernel has no way at all to a node (a
 * link is down), what was said of it before stays: nobody gains from the others changing their routes for that moment.
 *
 */
export function ownFacts({ nodes, lookups, tunnelIndex, overrides, before }: FactSources): NextHopFacts {
  const onlink = new Set<Prefix>();
  const offLink = new Set<Ipv4>();
  for (const node of nodes) {
    const lookup = lookups.get(node);
    if (lookup === undefined || lookup.kind === 'unreachable') {
      for (const prefix of before.onlink) if (prefixContainsAddress(prefix, node)) onlink.add(prefix);
    } else if (lookup.kind === 'onlink' && lookup.interfaceIndex !== tunnelIndex) {
      onlink.add(lookup.prefix);
    } else {
      offLink.add(node);
    }
  }
  const told = [...onlink].sort(comparePrefixes).slice(0, MAX_ONLINK_PREFIXES);
  const exceptions = new Map<Ipv4, EncapsulationOverride>();
  for (const node of [...nodes].sort((a, b) => a - b)) {
    const isException = offLink.has(node) && told.some((prefix) => prefixContainsAddress(prefix, node));
    const way = overrides.get(node) ?? (isException ? 'ipip' : undefined);
    if (way !== undefined && exceptions.size < MAX_OVERRIDES) exceptions.set(node, way);
  }
  return { onlink: told, overrides: exceptions };
}

/** What the facts of this node come from. */
export interface FactSources {
  /** Addresses of the other nodes. */
  readonly nodes: readonly Ipv4[];
  readonly lookups: ReadonlyMap<IpAddress, Lookup>;
  /** Our tunnel: a node that is routed into it is on no link. */
  readonly tunnelIndex: InterfaceIndex | undefined;
  /** What the operator set, by address. */
  readonly overrides: ReadonlyMap<IpAddress, EncapsulationOverride>;
  /** What was said last. */
  readonly before: NextHopFacts;
}

/** Equal texts, equal facts. Kept beside the facts, because routes are planned by it in bulk. */
export function factsKey(facts: NextHopFacts): string {
  const known = keys.get(facts);
  if (known !== undefined) return known;
  const key = [
    ...facts.onlink.map(formatPrefix).sort(),
    ...[...facts.overrides].map(([node, override]) => `${node}=${override}`).sort(),
  ].join();
  keys.set(facts, key);
  return key;
}

const keys = new WeakMap<NextHopFacts, string>();
