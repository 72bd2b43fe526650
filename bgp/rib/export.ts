/**
 * What the protocol makes of a route on its way to one peer: whether it may go there at all, and how its attributes
 * and next hop look there.
 *
 * Owns: the rules of RFC 4271 sections 5 and 9.2, RFC 1997, RFC 4360 section 6, RFC 4456, RFC 8950
 * and RFC 9234 section 5. Must not know: tables, policies, what the peer was told before.
 */
import {
  addressFamily,
  type Family,
  type IpAddress,
  type Ipv4,
  isHostAddress,
  isLinkLocal,
  prefixContainsAddress,
} from '../net/index.js';
import {
  type AsPathSegment,
  type BgpRole,
  COMMUNITY,
  type NextHop,
  type PathAttributes,
} from '../wire/index.js';
import { withoutFacts } from './encapsulation.js';
import { DEFAULT_LOCAL_PREF } from './path.js';
import type { NextHopMode, Path, RibPeer } from './types.js';

/** Longest segment of an AS_PATH: its count is one octet (RFC 4271 §4.3). */
const MAX_SEGMENT_ASNS = 255;
/** RFC 4360 §2: set in the type of an extended community that must not leave the AS. */
const NON_TRANSITIVE = 0x40n << 56n;

/** What we are to a provider, a peer or a route server: OTC keeps a route from going there (RFC 9234 §5). */
const UPWARDS: ReadonlySet<BgpRole> = new Set(['customer', 'peer', 'rs-client']);
/** What we are to a customer, a peer or a client of our route server: OTC is set on the way there (RFC 9234 §5). */
const DOWNWARDS: ReadonlySet<BgpRole> = new Set(['provider', 'peer', 'rs']);

/** What a peer is told, or why it is not told. */
export type Exported =
  | { readonly attributes: PathAttributes; readonly nextHop: NextHop }
  | { readonly refusal: string };

/** @returns why the protocol forbids telling `peer` of `best`; undefined where the policy decides. */
export function whyForbidden(peer: RibPeer, best: Path): string | undefined {
  const source = best.peer;
  const { otc } = best.attributes;
  if (otc !== undefined && peer.type === 'ebgp' && peer.role !== undefined && UPWARDS.has(peer.role)) {
    return `it carries OTC ${otc}, and we are this peer's ${peer.role}: it goes to customers only`;
  }
  // RFC 1997: a route *received* with the community; on our own routes it is for the receiver.
  if (source === undefined) return undefined;
  if (source.id === peer.id) return 'it was learned from this peer';
  const communities = best.attributes.communities ?? [];
  if (communities.includes(COMMUNITY.NO_ADVERTISE)) return 'it carries NO_ADVERTISE';
  if (peer.type === 'ebgp') {
    if (communities.includes(COMMUNITY.NO_EXPORT)) return 'it carries NO_EXPORT';
    if (communities.includes(COMMUNITY.NO_EXPORT_SUBCONFED)) return 'it carries NO_EXPORT_SUBCONFED';
    return undefined;
  }
  // RFC 4271 §9.2, RFC 4456 §6: from a client to everybody, from anybody else to clients only.
  if (source.type === 'ibgp' && source.routeReflectorClient !== true && peer.routeReflectorClient !== true) {
    return 'it was learned over iBGP and neither side is a reflection client';
  }
  return undefined;
}

/**
 * The route as `peer` sees it.
 * @param best the best path as the tables hold it: its `peer` is where the route came from.
 * @param path `best`, or what the export policy made of it.
 * @param clusterId our own (RFC 4456 §7).
 */
export function exportPath(
  peer: RibPeer,
  family: Family,
  best: Path,
  path: Path,
  mode: NextHopMode,
  clusterId: Ipv4,
): Exported {
  const nextHop = nextHopFor(peer, family, best, path, mode);
  if ('refusal' in nextHop) return nextHop;
  const { address } = nextHop;
  const told = address === path.nextHop.address ? path : withoutFactsOf(path, best, peer);
  const attributes =
    peer.type === 'ebgp' ? towardsOutside(peer, best, told) : towardsInside(best, told, clusterId);
  return { attributes, nextHop };
}

/** What a route says of its next hop ends where another one takes its place; an own route speaks of us. */
function withoutFactsOf(path: Path, { peer: source }: Path, { localAs }: RibPeer): Path {
  if (source === undefined) return path;
  const attributes = withoutFacts(path.attributes, [localAs, source.localAs, source.asn]);
  return attributes === path.attributes ? path : { ...path, attributes };
}

function nextHopFor(
  peer: RibPeer,
  family: Family,
  best: Path,
  path: Path,
  mode: NextHopMode,
): NextHop | { readonly refusal: string } {
  const received = path.nextHop.address;
  const reflected = peer.type === 'ibgp' && best.peer?.type === 'ibgp';
  if (mode !== 'self' && canBePassedOn(received, family, peer)) {
    const wanted = mode === 'keep' || reflected || isThirdParty(peer, received);
    // RFC 4271 §5.1.3: never the peer's own address. It needs no reflection of a route that leads to itself.
    // The link-local address of a received next hop is for the link that it came over (RFC 2545 §3).
    if (wanted && received !== peer.address) return { address: received };
    if (wanted && reflected) return { refusal: 'its next hop is this peer itself' };
  }
  return (
    ownNextHop(peer, family) ?? { refusal: `there is no ${family} address of ours to give as the next hop` }
  );
}

/**
 * Our own address towards the peer. On a session between link-local addresses it is ours of that link alone: whether a
 * global one is on the link as well, which is what RFC 2545 §3 asks of one beside it, nobody here knows, and BIRD
 * refuses a route whose global next hop it cannot reach, whatever stands beside it.
 */
function ownNextHop(peer: RibPeer, family: Family): NextHop | undefined {
  const { localAddress, localAddress6 } = peer;
  const takesIpv6 = family === 'ipv6' || peer.extendedNextHop?.includes(family) === true;
  if (isLinkLocal(localAddress)) return takesIpv6 ? { address: localAddress } : undefined;
  const addresses = [localAddress, localAddress6].filter((address) => address !== undefined);
  const own =
    addresses.find((address) => addressFamily(address) === family) ??
    addresses.find((address) => canBePassedOn(address, family, peer));
  return own === undefined ? undefined : { address: own };
}

/** An own route has no next hop, a link-local one means nothing beyond its link, another family's needs RFC 8950. */
function canBePassedOn(nextHop: IpAddress, family: Family, peer: RibPeer): boolean {
  if (!isHostAddress(nextHop) || isLinkLocal(nextHop)) return false;
  return addressFamily(nextHop) === family || peer.extendedNextHop?.includes(family) === true;
}

/** RFC 4271 §5.1.3: the next hop is a neighbour of both of us, so the peer may send there directly. */
function isThirdParty(peer: RibPeer, nextHop: IpAddress): boolean {
  return (
    peer.type === 'ebgp' &&
    peer.sharedSubnet !== undefined &&
    prefixContainsAddress(peer.sharedSubnet, nextHop)
  );
}

/** Over eBGP: our AS in front, nothing that is for inside an AS only. */
function towardsOutside(peer: RibPeer, best: Path, path: Path): PathAttributes {
  const {
    localPref: _,
    med,
    originatorId: __,
    clusterList: ___,
    extendedCommunities,
    ...rest
  } = path.attributes;
  // RFC 4271 §5.1.4: the MED of another AS ends here; one of our own, or of the policy, goes out.
  const ownMed = best.peer === undefined || med !== best.attributes.med;
  const marks = peer.role !== undefined && DOWNWARDS.has(peer.role);
  const transitive = extendedCommunities?.filter((community) => (community & NON_TRANSITIVE) === 0n) ?? [];
  return {
    ...rest,
    asPath: prepend(withoutConfederation(path.attributes.asPath), peer.localAs),
    ...(ownMed && med !== undefined ? { med } : {}),
    ...(transitive.length > 0 ? { extendedCommunities: transitive } : {}),
    ...(marks && rest.otc === undefined ? { otc: peer.localAs } : {}),
  };
}

/** Over iBGP: LOCAL_PREF always (RFC 4271 §5.1.5), and the marks of a reflector where the route is reflected. */
function towardsInside(best: Path, path: Path, clusterId: Ipv4): PathAttributes {
  const { attributes } = path;
  const preferred = { ...attributes, localPref: attributes.localPref ?? DEFAULT_LOCAL_PREF };
  if (best.peer?.type !== 'ibgp') return preferred;
  // RFC 4456 §8
  return {
    ...preferred,
    originatorId: attributes.originatorId ?? best.peer.identifier,
    clusterList: [clusterId, ...(attributes.clusterList ?? [])],
  };
}

/** RFC 4271 §5.1.2 b: into the leading AS_SEQUENCE, or a new one where there is none or no room in it. */
function prepend(segments: readonly AsPathSegment[], asn: number): readonly AsPathSegment[] {
  const [first, ...rest] = segments;
  if (first?.kind === 'sequence' && first.asns.length < MAX_SEGMENT_ASNS) {
    return [{ kind: 'sequence', asns: [asn, ...first.asns] }, ...rest];
  }
  return [{ kind: 'sequence', asns: [asn] }, ...segments];
}

/** RFC 5065 §4.1 c: confederation segments do not leave the confederation. */
function withoutConfederation(segments: readonly AsPathSegment[]): readonly AsPathSegment[] {
  return segments.filter(({ kind }) => kind === 'sequence' || kind === 'set');
}
