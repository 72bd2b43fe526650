/**
 * What BGP shows of whether a node lives, whatever a store says.
 *
 * Owns: the judgement. Must not know: stores, timeouts.
 */
import type { Speaker } from '../bgp/speaker/index.js';
import type { NodeResource } from './resources/index.js';

/** There is a session with it, or a route by it: behind a reflector that is all there is to see. */
export function livesByBgp(speaker: Pick<Speaker, 'rib' | 'peers'>, { ipv4, ipv6 }: NodeResource): boolean {
  const isItsOwn = (address: unknown) =>
    address !== undefined && (address === ipv4?.address || address === ipv6?.address);
  if (speaker.peers().some(({ config, session }) => session !== undefined && isItsOwn(config.address)))
    return true;
  for (const { path } of speaker.rib.bestRoutes()) {
    if (path.peer !== undefined && path.stale !== true && isItsOwn(path.nextHop.address)) return true;
  }
  return false;
}
