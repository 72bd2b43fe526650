/**
 * The BGP speaker: peers around one set of tables.
 *
 * Owns: the listener, which peers there are, who gets an incoming connection, and when recovery after a restart is
 * over. Must not know: kernels, stores, HTTP.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { IpAddress, Ipv4 } from '../net/index.js';
import { type BestPathChange, type LocalRoute, Rib, type RoutePolicy } from '../rib/index.js';
import { CEASE, NOTIFICATION, type NotificationMessage, notification } from '../wire/index.js';
import type { CancelTimer, Clock } from './clock.js';
import { Peer } from './peer.js';
import type { PeerHost } from './peer-host.js';
import { Strangers } from './strangers.js';
import type { ByteStream, Listener, ListenOptions, Transport } from './transport.js';
import type { PeerConfig, PeerStatus } from './types.js';

/** Recovery ends after this time even where a peer has not come back. */
const RECOVERY_MS = 60_000;

export interface SpeakerOptions {
  readonly localAs: number;
  readonly bgpIdentifier: Ipv4;
  /** Absent: no listener; such a speaker only dials. */
  readonly listen?: ListenOptions;
  readonly policy: RoutePolicy;
  readonly transport: Transport;
  readonly clock: Clock;
  /** 0 <= value < 1. */
  readonly random: () => number;
  readonly log: Logger;
  /** An earlier run of this node left its routes in place: announces the R and F bits (RFC 4724 section 4.1). */
  readonly restarted: boolean;
  /** Best paths changed; called synchronously, in order. */
  readonly onBestPaths: (changes: readonly BestPathChange[]) => void;
  /** Something that `peers()` shows has changed. */
  readonly onPeersChanged: () => void;
}

export class Speaker {
  readonly rib: Rib;
  readonly #options: SpeakerOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #strangers: Strangers;
  readonly #host: PeerHost;
  #listener: Listener | undefined;
  #recovering: boolean;
  #cancelRecovery: CancelTimer | undefined;
  #cancelFlush: CancelTimer | undefined;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#recovering = options.restarted;
    this.#strangers = new Strangers(options.clock, options.log);
    this.rib = new Rib({
      localAs: options.localAs,
      bgpIdentifier: options.bgpIdentifier,
      policy: options.policy,
    });
    this.#host = {
      bgpIdentifier: options.bgpIdentifier,
      clock: options.clock,
      transport: options.transport,
      rib: this.rib,
      random: options.random,
      restarting: () => this.#recovering,
      preservesForwarding: () => options.restarted,
      bestPathsChanged: (changes) => this.#bestPathsChanged(changes),
      peerChanged: () => this.#peerChanged(),
    };
  }

  /**
   * Listens and lets recovery begin.
   * @throws the system's error (code EADDRINUSE, EACCES, EADDRNOTAVAIL ...) where it cannot listen.
   */
  async start(): Promise<void> {
    const { listen, transport, clock } = this.#options;
    if (listen !== undefined) {
      this.#listener = await transport.listen(listen, (stream) => this.#accept(stream));
    }
    if (this.#recovering) this.#cancelRecovery = clock.setTimer(RECOVERY_MS, () => this.#recovered());
  }

  /** The port that is listened on. */
  get port(): number | undefined {
    return this.#listener?.port;
  }

  /** True until all peers have sent their tables again after a restart, or the time for it is over. */
  get recovering(): boolean {
    return this.#recovering;
  }

  /**
   * Makes these the peers. An unchanged one is left alone; a changed one is reset with the reason in the log; one that
   * is gone is told so and its routes are removed.
   */
  setPeers(configs: readonly PeerConfig[]): void {
    const wanted = new Map(configs.map((config) => [config.id, config]));
    for (const [id, peer] of [...this.#peers]) {
      const config = wanted.get(id);
      if (config === undefined) {
        this.#remove(peer, 'no longer configured', notification(NOTIFICATION.CEASE, CEASE.PEER_DECONFIGURED));
        continue;
      }
      const changed = changedFields(peer.config, config);
      if (changed.length === 0) continue;
      this.#options.log.debug({ peer: id, changed }, 'peer configuration changed: its session is reset');
      this.#remove(
        peer,
        'configuration changed',
        notification(NOTIFICATION.CEASE, CEASE.CONFIGURATION_CHANGE),
      );
    }
    for (const config of configs) {
      if (this.#peers.has(config.id)) continue;
      const peer = new Peer(config, this.#host, this.#options.log);
      this.#peers.set(config.id, peer);
      peer.start();
    }
  }

  /** This node's own routes: announced to every peer that the policy allows. */
  setLocalRoutes(routes: readonly LocalRoute[]): void {
    this.#bestPathsChanged(this.rib.setLocalRoutes(routes));
  }

  /** Re-runs import and export; sessions stay up and only differences are sent. */
  setPolicy(policy: RoutePolicy): void {
    this.#bestPathsChanged(this.rib.setPolicy(policy));
  }

  peers(): readonly PeerStatus[] {
    return [...this.#peers.values()].map((peer) => peer.status());
  }

  /**
   * Ends all sessions and stops listening.
   * @param told what the peers are told; absent: the connections just close, and peers that speak graceful restart
   *   keep forwarding to us (RFC 4724).
   */
  async stop(told?: NotificationMessage): Promise<void> {
    this.#cancelRecovery?.();
    this.#cancelFlush?.();
    const closed = this.#listener?.close();
    for (const peer of this.#peers.values()) peer.stop('the agent stops', told);
    this.#peers.clear();
    this.#strangers.close();
    await closed;
  }

  #remove(peer: Peer, reason: string, told: NotificationMessage): void {
    peer.stop(reason, told);
    peer.forget();
    this.#peers.delete(peer.config.id);
    this.#options.log.debug({ peer: peer.config.id, reason }, 'peer removed');
  }

  #accept(stream: ByteStream): void {
    const peer = this.#peerAt(stream.remote);
    if (peer === undefined) this.#strangers.meet(stream);
    else peer.accept(stream);
  }

  #peerAt(address: IpAddress): Peer | undefined {
    for (const peer of this.#peers.values()) if (peer.config.address === address) return peer;
    return undefined;
  }

  #bestPathsChanged(changes: readonly BestPathChange[]): void {
    if (changes.length > 0) this.#options.onBestPaths(changes);
    // One turn of the event loop gathers what belongs together into few UPDATEs.
    this.#cancelFlush ??= this.#options.clock.setTimer(0, () => {
      this.#cancelFlush = undefined;
      for (const peer of this.#peers.values()) peer.flush();
    });
  }

  #peerChanged(): void {
    if (this.#recovering && [...this.#peers.values()].every((peer) => peer.initialTableComplete)) {
      this.#recovered();
    }
    this.#options.onPeersChanged();
  }

  #recovered(): void {
    this.#cancelRecovery?.();
    if (!this.#recovering) return;
    this.#recovering = false;
    this.#options.log.info('recovery after the restart is over');
    this.#options.onPeersChanged();
  }
}

/** Names of the settings that differ, as the log shows them. */
function changedFields(before: PeerConfig, after: PeerConfig): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof PeerConfig>;
  return [...names].filter((name) => !isDeepStrictEqual(before[name], after[name]));
}
