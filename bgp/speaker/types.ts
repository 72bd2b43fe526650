/**
 * The words of the speaker's door: what it is configured with and what it tells.
 */
import type { FailedBy, FsmConfig, FsmState, NegotiatedSession } from '../fsm/index.js';
import type { Family, IpAddress, Ipv6 } from '../net/index.js';
import type { NextHopMode, PeerId } from '../rib/index.js';
import type { Capability } from '../wire/index.js';
import type { MessageCounters } from './connection.js';

/** One peer, as configured. */
export interface PeerConfig {
  /** Unique and stable, such as `mesh/node-b` or `peer/tor`. */
  readonly id: PeerId;
  readonly address: IpAddress;
  /** The device that a link-local `address` is reached by, such as `eth0` (RFC 4007). */
  readonly zone?: string;
  readonly port: number;
  readonly asn: number;
  readonly localAs: number;
  /** A node of our own cluster, or a router outside of it. */
  readonly place: 'cluster' | 'outside';
  readonly dial: FsmConfig['dial'];
  /** The local address to dial from. */
  readonly source?: IpAddress;
  /** Our IPv6 address, the next hop of our IPv6 routes on a session that runs over IPv4 (RFC 4760 section 3). */
  readonly localAddress6?: Ipv6;
  readonly holdTimeSeconds: number;
  readonly connectRetrySeconds: number;
  /** How long the peer shall keep our routes while we restart (RFC 4724), 0 to 4095. */
  readonly restartTimeSeconds: number;
  readonly families: readonly Family[];
  /** How often our own AS may stand in a received AS_PATH; absent: never (RFC 4271 section 9.1.2). */
  readonly allowedOwnAs?: number;
  /** The next hop of what the peer is told; absent: `auto`. */
  readonly nextHop?: NextHopMode;
  /** What happens when the peer announces more than `limit` prefixes of one family (RFC 4271 section 6.7). */
  readonly maxPrefixes?: { readonly limit: number; readonly action: 'warn' | 'restart' | 'stop' };
  /** RFC 4456: the peer is our reflection client. */
  readonly routeReflectorClient?: boolean;
  /** RFC 5082: the peer is at most so many hops away; 1 is directly connected, TTL 255. */
  readonly ttlSecurityHops?: number;
  /** TTL of what we send; absent: that of the system. */
  readonly multihopTtl?: number;
  /** TCP MD5 (RFC 2385): the secret itself. Never logged, never in {@link PeerStatus}. */
  readonly password?: string;
  /** What we are to the peer (RFC 9234 section 4). */
  readonly role?: 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer';
  /** RFC 9687; absent: 8 minutes or twice the hold time, whichever is longer. */
  readonly sendHoldTimeSeconds?: number;
}

/** The last thing that went wrong with a peer, in words. */
export interface PeerError {
  readonly text: string;
  readonly atMs: number;
  readonly from: FailedBy;
}

/** What became of an administrator's wish. `shutdown`: the peer is down on purpose and has nothing to reset. */
export type PeerActionResult = 'done' | 'unknown' | 'shutdown';

/** A peer that stays down until it is enabled. */
export interface PeerShutdown {
  readonly by: 'administrator' | 'maxPrefixes';
  readonly sinceMs: number;
  /** What the administrator told the peer, or the limit and what exceeded it. */
  readonly text: string;
}

/** One peer, as it is; a snapshot. */
export interface PeerStatus {
  /** As configured, without the secret. */
  readonly config: Omit<PeerConfig, 'password'>;
  readonly state: FsmState;
  /** When the session came up, or since when it is not up. */
  readonly sinceMs: number;
  readonly lastError?: PeerError;
  readonly session?: NegotiatedSession & { readonly localAddress: IpAddress };
  readonly ourCapabilities: readonly Capability[];
  readonly counters: Readonly<MessageCounters>;
  /** How often an established session ended. */
  readonly flaps: number;
  /** Families whose initial table is complete, by the peer's End-of-RIB. */
  readonly endOfRibFrom: readonly Family[];
  /** Routes of an earlier session are kept until then (graceful restart helper). */
  readonly staleUntilMs?: number;
  /** It is down on purpose. */
  readonly shutdown?: PeerShutdown;
}
