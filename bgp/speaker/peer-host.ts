/**
 * What a peer needs of the speaker it belongs to.
 *
 * Owns: the contract between the two. Must not know: how either keeps it.
 */
import type { Ipv4 } from '../net/index.js';
import type { BestPathChange, Rib } from '../rib/index.js';
import type { Clock } from './clock.js';
import type { Transport } from './transport.js';

export interface PeerHost {
  readonly bgpIdentifier: Ipv4;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly rib: Rib;
  /** 0 <= value < 1, for the jitter of timers. */
  random(): number;
  /** True while this speaker recovers from a restart: the R bit (RFC 4724 section 3). */
  restarting(): boolean;
  /** True where forwarding goes on while the agent is down: the F bit. */
  preservesForwarding(): boolean;
  bestPathsChanged(changes: readonly BestPathChange[]): void;
  peerChanged(): void;
}
