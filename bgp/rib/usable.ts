/**
 * Which received paths may not be used at all, whatever the policy says: loops and next hops that lead nowhere.
 *
 * Owns: the checks of RFC 4271 sections 5.1.3, 6.3 and 9.1.2, RFC 4456 section 8, RFC 8950 and RFC 9234 section 5. Such a path stays in the
 * Adj-RIB-In with its reason. Must not know: tables, policies.
 */
import {
  addressFamily,
  type Family,
  formatIpAddress,
  formatIpv4,
  type IpAddress,
  type Ipv4,
  isHostAddress,
  isIpv4,
  isLoopbackIpv4,
} from '../net/index.js';
import type { PeerPath } from './adj-rib-in.js';
import { timesInAsPath } from './path.js';
import type { Path, RibPeer } from './types.js';

/** Who we are, as far as a path can contain us. */
export interface OwnIdentity {
  readonly localAs: number;
  readonly bgpIdentifier: Ipv4;
  /** RFC 4456 §7. */
  readonly clusterId: Ipv4;
  /** Addresses of this node beside those of its sessions. */
  readonly ownAddresses: ReadonlySet<IpAddress>;
}

/** @returns why `path` cannot be used; undefined where nothing speaks against it. */
export function whyUnusable(path: PeerPath, family: Family, own: OwnIdentity): string | undefined {
  const { peer } = path;
  return (
    loop(path, peer, own) ?? leak(path, peer) ?? unusableNextHop(path.nextHop.address, family, peer, own)
  );
}

function loop({ attributes }: Path, peer: RibPeer, own: OwnIdentity): string | undefined {
  // RFC 4271 §9.1.2: excluded from the decision, except as often as the configuration allows.
  const { allowedOwnAs = 0 } = peer;
  for (const asn of new Set([peer.localAs, own.localAs])) {
    const times = timesInAsPath(attributes.asPath, asn);
    if (times > allowedOwnAs) {
      const allowed = allowedOwnAs === 0 ? '' : ` ${times} times, ${allowedOwnAs} are allowed`;
      return `AS_PATH loop: it contains our own AS ${asn}${allowed}`;
    }
  }
  // RFC 4456 §8: both come over iBGP only; the codec drops them from eBGP.
  if (attributes.originatorId === own.bgpIdentifier) {
    return `reflection loop: ORIGINATOR_ID is our own identifier ${formatIpv4(own.bgpIdentifier)}`;
  }
  if (attributes.clusterList?.includes(own.clusterId)) {
    return `reflection loop: CLUSTER_LIST contains our own cluster id ${formatIpv4(own.clusterId)}`;
  }
  return undefined;
}

/** RFC 9234 §5: OTC says that the route was meant to go down only, and it comes from below or from beside us. */
function leak({ attributes: { otc } }: Path, { type, role, asn }: RibPeer): string | undefined {
  if (otc === undefined || type !== 'ebgp') return undefined;
  const below = role === 'provider' || role === 'rs';
  const beside = role === 'peer' && otc !== asn;
  return below || beside ? `route leak: it carries OTC ${otc}, and we are its ${role}` : undefined;
}

function unusableNextHop(
  address: IpAddress,
  family: Family,
  peer: RibPeer,
  own: OwnIdentity,
): string | undefined {
  // RFC 8950 §3: only where both sides have said so.
  if (addressFamily(address) !== family && !peer.extendedNextHop?.includes(family)) {
    return `next hop ${formatIpAddress(address)} of another family was not negotiated`;
  }
  // RFC 4271 §6.3: a syntactically valid host address that is not the receiver's own.
  if (!isHostAddress(address)) return `next hop ${formatIpAddress(address)} is no host address`;
  const ours =
    address === peer.localAddress ||
    address === peer.localAddress6 ||
    own.ownAddresses.has(address) ||
    (isIpv4(address) && isLoopbackIpv4(address));
  return ours ? `next hop ${formatIpAddress(address)} is an address of this node` : undefined;
}
