/**
 * The door of bgp/rib: the routing tables of RFC 4271 section 9 as pure values in and out.
 *
 * In: UPDATEs, sessions that come and go, own routes, a policy. Out: changes of the best paths, and for each peer the
 * next UPDATE, pulled when there is room for it. Nothing here uses a socket, a clock or a logger.
 */
export { decodeFacts, type EncapsulationFacts, encodeFacts } from './encapsulation.js';
export { Rib, type RibOptions } from './rib.js';
export type {
  AdvertisedRoute,
  BestPathChange,
  BestRoute,
  LocalRoute,
  NextHopMode,
  Path,
  PathView,
  PeerId,
  PeerRouteCounters,
  PolicyVerdict,
  ReceivedRoute,
  RibPeer,
  RoutePolicy,
} from './types.js';
