/**
 * What a node says with its routes of how it reaches other nodes: facts about the next hop, as communities.
 *
 * Owns: their form on the wire and the rule that they end where the next hop changes. Must not know: what is made of
 * them. Pure.
 *
 *   extended community 03 0c 00 00 00 00 00 07        this next hop takes IP-in-IP (RFC 9012 section 4.1, tunnel type 7)
 *   large community    AS : 179100 + LENGTH : NETWORK  its kernel reaches nodes of that prefix on the link
 *   large community    AS : 179201 : NODE              it wants to go direct to that node
 *   large community    AS : 179202 : NODE              it sends to that node through the tunnel
 *
 * A speaker that knows none of this carries them along (RFC 4360, RFC 8092); one that changes the next hop takes them
 * off, because they describe the old one.
 */
import { type Ipv4, ipv4, type Prefix, prefix4, prefixAddress, prefixLength } from '../net/index.js';
import type { LargeCommunity, PathAttributes } from '../wire/index.js';

const IP_IN_IP = 0x030c_0000_0000_0007n;
const ONLINK = 179_100;
const MAX_LENGTH_BITS = 32;
const DIRECT = 179_201;
const TUNNEL = 179_202;

/** What a node says of itself. */
export interface EncapsulationFacts {
  /** IPv4 prefixes by which it reaches nodes on a link of its own. */
  readonly onlink: readonly Prefix[];
  /** Nodes, by address, to which it goes in this way whatever the prefixes say. */
  readonly overrides: ReadonlyMap<Ipv4, 'direct' | 'ipip'>;
}

/** The facts of this node as communities. @param asn its AS number */
export function encodeFacts(
  asn: number,
  facts: EncapsulationFacts,
): Required<Pick<PathAttributes, 'extendedCommunities' | 'largeCommunities'>> {
  const large = (localData1: number, localData2: number): LargeCommunity => {
    return { globalAdministrator: asn, localData1, localData2 };
  };
  return {
    extendedCommunities: [IP_IN_IP],
    largeCommunities: [
      ...facts.onlink.map((prefix) => large(ONLINK + prefixLength(prefix), Number(prefixAddress(prefix)))),
      ...Array.from(facts.overrides, ([node, way]) => large(way === 'direct' ? DIRECT : TUNNEL, node)),
    ],
  };
}

/** The facts in a route. @param asn the AS of the node that its next hop is. @returns undefined where it carries none */
export function decodeFacts(
  asn: number,
  { extendedCommunities = [], largeCommunities = [] }: PathAttributes,
): EncapsulationFacts | undefined {
  if (!extendedCommunities.includes(IP_IN_IP)) return undefined;
  const onlink: Prefix[] = [];
  const overrides = new Map<Ipv4, 'direct' | 'ipip'>();
  for (const { globalAdministrator, localData1, localData2 } of largeCommunities) {
    if (globalAdministrator !== asn) continue;
    const address = ipv4(localData2);
    if (localData1 === DIRECT || localData1 === TUNNEL) {
      // Said both ways, the tunnel counts: it works wherever the direct way does.
      if (overrides.get(address) !== 'ipip')
        overrides.set(address, localData1 === DIRECT ? 'direct' : 'ipip');
    } else if (isOnlink(localData1)) {
      onlink.push(prefix4(address, localData1 - ONLINK));
    }
  }
  return { onlink, overrides };
}

/** The attributes for another next hop; the same object where they say nothing of the old one. @param asns our own ASes */
export function withoutFacts(attributes: PathAttributes, asns: readonly number[]): PathAttributes {
  const { extendedCommunities, largeCommunities, ...rest } = attributes;
  if (!extendedCommunities?.includes(IP_IN_IP)) return attributes;
  const extended = extendedCommunities.filter((community) => community !== IP_IN_IP);
  const large = largeCommunities?.filter(
    ({ globalAdministrator, localData1 }) => !(asns.includes(globalAdministrator) && isFact(localData1)),
  );
  return {
    ...rest,
    ...(extended.length === 0 ? {} : { extendedCommunities: extended }),
    ...(large === undefined || large.length === 0 ? {} : { largeCommunities: large }),
  };
}

function isOnlink(localData1: number): boolean {
  return localData1 >= ONLINK && localData1 <= ONLINK + MAX_LENGTH_BITS;
}

function isFact(localData1: number): boolean {
  return isOnlink(localData1) || localData1 === DIRECT || localData1 === TUNNEL;
}
