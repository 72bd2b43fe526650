/**
 * The words of the speaker's door: what it is configured with and what it tells.
 */
import type { FailedBy, FsmConfig, FsmState, NegotiatedSession } from '../fsm/index.js';
import type { Family, IpAddress, Ipv6 } from '../net/index.js';
import type { PeerId } from '../rib/index.js';
import type { Capability } from '../wire/index.js';
import type { MessageCounters } from './connection.js';

/** One peer, as configured. */
export interface PeerConfig {
  /** Unique and stable, such as `mesh/node-b` or `peer/tor`. */
  readonly id: PeerId;
  readonly address: IpAddress;
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
}

/** The last thing that went wrong with a peer, in words. */
export interface PeerError {
  readonly text: string;
  readonly atMs: number;
  readonly from: FailedBy;
}

/** One peer, as it is; a snapshot. */
export interface PeerStatus {
  readonly config: PeerConfig;
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
}
