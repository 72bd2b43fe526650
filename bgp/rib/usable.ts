/**
 * Which received paths may not be used at all, whatever the policy says: loops and next hops that lead nowhere.
 *
 * Owns: the checks of RFC 4271 sections 5.1.3, 6.3 and 9.1.2 and of RFC 4456 section 8. Such a path stays in the
 * Adj-RIB-In with its reason. Must not know: tables, policies.
 */
import {
  formatIpAddress,
  formatIpv4,
  type IpAddress,
  type Ipv4,
  isHostAddress,
  isIpv4,
  isLoopbackIpv4,
} from '../net/index.js';
import type { PeerPath } from './adj-rib-in.js';
import { asPathContains } from './path.js';
import type { Path, RibPeer } from './types.js';

/** Who we are, as far as a path can contain us. */
export interface OwnIdentity {
  readonly localAs: number;
  /** Also our cluster id (RFC 4456 §7). */
  readonly bgpIdentifier: Ipv4;
  /** Addresses of this node beside those of its sessions. */
  readonly ownAddresses: ReadonlySet<IpAddress>;
}

/** @returns why `path` cannot be used; undefined where nothing speaks against it. */
export function whyUnusable(path: PeerPath, own: OwnIdentity): string | undefined {
  const { peer } = path;
  return loop(path, peer, own) ?? unusableNextHop(path.nextHop.address, peer, own);
}

function loop({ attributes }: Path, peer: RibPeer, own: OwnIdentity): string | undefined {
  // RFC 4271 §9.1.2: excluded from the decision.
  for (const asn of new Set([peer.localAs, own.localAs])) {
    if (asPathContains(attributes.asPath, asn)) return `AS_PATH loop: it contains our own AS ${asn}`;
  }
  // RFC 4456 §8: both come over iBGP only; the codec drops them from eBGP.
  if (attributes.originatorId === own.bgpIdentifier) {
    return `reflection loop: ORIGINATOR_ID is our own identifier ${formatIpv4(own.bgpIdentifier)}`;
  }
  if (attributes.clusterList?.includes(own.bgpIdentifier)) {
    return `reflection loop: CLUSTER_LIST contains our own cluster id ${formatIpv4(own.bgpIdentifier)}`;
  }
  return undefined;
}

function unusableNextHop(address: IpAddress, peer: RibPeer, own: OwnIdentity): string | undefined {
  // RFC 4271 §6.3: a syntactically valid host address that is not the receiver's own.
  if (!isHostAddress(address)) return `next hop ${formatIpAddress(address)} is no host address`;
  const ours =
    address === peer.localAddress ||
    address === peer.localAddress6 ||
    own.ownAddresses.has(address) ||
    (isIpv4(address) && isLoopbackIpv4(address));
  return ours ? `next hop ${formatIpAddress(address)} is an address of this node` : undefined;
}
