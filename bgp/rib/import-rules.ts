/**
 * What the protocol makes of a route that was accepted from another AS.
 *
 * Owns: the rules of RFC 8326 section 4.2 (GRACEFUL_SHUTDOWN) and RFC 9234 section 5 (marking with OTC). Must not know:
 * tables, policies; which routes may not be used at all is usable.ts.
 */
import { type BgpRole, COMMUNITY } from '../wire/index.js';
import type { Path, RibPeer } from './types.js';

/** What we are to a peer that is not below us: routes from there may go to customers only. */
const MARKING: ReadonlySet<BgpRole> = new Set(['customer', 'peer', 'rs-client']);

/**
 * The path as it enters the decision; the same object where there is nothing to change.
 * @param path after the policy, so that a filter which takes the community off also takes its effect off.
 */
export function importedPath(path: Path, peer: RibPeer): Path {
  if (peer.type !== 'ebgp') return path;
  const { attributes } = path;
  const leaving = attributes.communities?.includes(COMMUNITY.GRACEFUL_SHUTDOWN) && attributes.localPref !== 0;
  const unmarked = attributes.otc === undefined && peer.role !== undefined && MARKING.has(peer.role);
  if (!leaving && !unmarked) return path;
  return {
    ...path,
    attributes: {
      ...attributes,
      ...(leaving ? { localPref: 0 } : {}),
      ...(unmarked ? { otc: peer.asn } : {}),
    },
  };
}
