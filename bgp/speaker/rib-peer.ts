/**
 * A peer as the tables see it: what the configuration, the OPENs and the connection say of it, in one value.
 *
 * Owns: putting it together. Must not know: tables, states.
 */
import type { NegotiatedSession } from '../fsm/index.js';
import type { RibPeer } from '../rib/index.js';
import type { Connection } from './connection.js';
import type { PeerConfig } from './types.js';

export function ribPeerOf(config: PeerConfig, session: NegotiatedSession, connection: Connection): RibPeer {
  const { localAddress6, routeReflectorClient, allowedOwnAs, nextHop, role } = config;
  const { peerType, extendedNextHop, enhancedRouteRefresh } = session;
  return {
    id: config.id,
    type: peerType,
    place: config.place,
    asn: session.peerAs,
    address: config.address,
    identifier: session.peerIdentifier,
    localAddress: connection.local,
    localAs: config.localAs,
    families: session.families,
    ...(localAddress6 === undefined ? {} : { localAddress6 }),
    ...(connection.device === undefined ? {} : { device: connection.device }),
    ...(connection.sharedSubnet === undefined ? {} : { sharedSubnet: connection.sharedSubnet }),
    // RFC 4456 §6: reflection is between peers of one AS.
    ...(routeReflectorClient === true && peerType === 'ibgp' ? { routeReflectorClient } : {}),
    ...(allowedOwnAs === undefined ? {} : { allowedOwnAs }),
    ...(nextHop === undefined ? {} : { nextHop }),
    // RFC 9234 §4.1: roles are between ASes.
    ...(role === undefined || peerType === 'ibgp' ? {} : { role }),
    ...(extendedNextHop.length === 0 ? {} : { extendedNextHop }),
    ...(enhancedRouteRefresh ? { enhancedRouteRefresh } : {}),
  };
}
