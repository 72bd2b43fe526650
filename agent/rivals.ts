/**
 * A pod subnet of this node that others announce too: seen in BGP itself, so that it needs no store.
 *
 * Owns: who of the two keeps it, alike at both ends. Must not know: how announcing is stopped. Pure.
 *
 * The one with the lower BGP identifier keeps it. What is announced in common on purpose (`anycastCIDRs`, service ranges)
 * is none of this.
 */
import { formatIpAddress, formatPrefix, type Ipv4, type Prefix } from '../bgp/net/index.js';
import type { Path, PathView } from '../bgp/rib/index.js';

/** Somebody else with a pod subnet of this node. */
export interface Rival {
  readonly prefix: Prefix;
  /** Who told us. */
  readonly peer: string;
  /** Who announces it; undefined: somebody behind a router, whom nobody here can know. */
  readonly identifier: Ipv4 | undefined;
  /** `theirs`: they keep it, and we stop announcing it. */
  readonly verdict: 'ours' | 'theirs' | 'open';
}

export interface OwnBlocks {
  /** The BGP identifier of this node. */
  readonly identifier: Ipv4;
  /** Those that it had before: a reflector may keep what we told it then. */
  readonly former?: ReadonlySet<Ipv4>;
  readonly asNumber: number;
  readonly blocks: readonly Prefix[];
}

/** @param pathsTo every path to exactly a prefix, those that are not used too */
export function rivalsOf(
  { identifier, former, asNumber, blocks }: OwnBlocks,
  pathsTo: (prefix: Prefix) => readonly PathView[],
): readonly Rival[] {
  return blocks.flatMap((prefix) =>
    pathsTo(prefix).flatMap(({ path }) => {
      const { peer } = path;
      if (peer === undefined || isOurOwn(path, identifier, asNumber)) return [];
      const other = originatorOf(path);
      if (other !== undefined && former?.has(other)) return [];
      const verdict =
        other === undefined || other === identifier ? 'open' : other < identifier ? 'theirs' : 'ours';
      return [{ prefix, peer: peer.id, identifier: other, verdict }];
    }),
  );
}

/** One sentence for the operator of this node. */
export function rivalText({ prefix, peer, identifier, verdict }: Rival): string {
  const who =
    identifier === undefined ? `somebody behind ${peer}` : `${formatIpAddress(identifier)} (told by ${peer})`;
  const outcome = {
    ours: 'this node has the lower BGP identifier and keeps it',
    theirs: 'the other one has the lower BGP identifier, so that this node has stopped announcing it',
    open: 'who keeps it cannot be told from here, so that both announce it',
  }[verdict];
  return `the pod subnet ${formatPrefix(prefix)} of this node is announced by ${who} too: ${outcome}; give each node its own`;
}

/** Our own announcement that has come back by a reflector, or by a router of another AS. */
function isOurOwn({ attributes }: Path, identifier: Ipv4, asNumber: number): boolean {
  if (attributes.originatorId === identifier) return true;
  return attributes.asPath.some(({ asns }) => asns.includes(asNumber));
}

/** A path that comes from the speaker that made it, or through reflectors alone. */
function originatorOf({ attributes, peer }: Path): Ipv4 | undefined {
  if (attributes.originatorId !== undefined) return attributes.originatorId;
  const hops = attributes.asPath.reduce((count, { asns }) => count + asns.length, 0);
  const isFirstHand = peer?.type === 'ibgp' ? hops === 0 : hops === 1;
  return isFirstHand ? peer?.identifier : undefined;
}
