/**
 * The BGP speaker: peers around one set of tables.
 *
 * Owns: the listener, who gets an incoming connection, when recovery after a restart is over, and when somebody is told.
 * Must not know: kernels, stores, HTTP.
 */
import type { Logger } from 'pino';
import { hostPrefix, type Ipv4 } from '../net/index.js';
import { type BestPathChange, type LocalRoute, type PeerId, Rib, type RoutePolicy } from '../rib/index.js';
import type { NotificationMessage } from '../wire/index.js';
import type { Administration } from './administration.js';
import { Admission } from './admission.js';
import type { CancelTimer, Clock } from './clock.js';
import { type DynamicPeerRange, DynamicPeers } from './dynamic-peers.js';
import { KeyWatch } from './key-watch.js';
import type { PeerHost } from './peer-host.js';
import { Peers } from './peers.js';
import { ListenerKeys, protectIncoming } from './protection.js';
import { ReflectionTail } from './reflection-tail.js';
import { Strangers } from './strangers.js';
import type { ByteStream, Listener, ListenOptions, Transport } from './transport.js';
import type { PeerActionResult, PeerConfig, PeerStatus } from './types.js';

/** Recovery ends after this time even where a peer has not come back. */
const RECOVERY_MS = 60_000;
/** How often counters of the kernel are read, and dynamic peers without a session looked for. */
const WATCH_INTERVAL_MS = 10_000;
/** What happens to several peers within this time is told of once: a mesh that comes up is hundreds of events. */
const TELL_PEERS_MS = 50;
const NO_PEERS: ReadonlySet<PeerId> = new Set();

export interface SpeakerOptions {
  readonly localAs: number;
  readonly bgpIdentifier: Ipv4;
  /** Absent: no listener; such a speaker only dials. */
  readonly listen?: ListenOptions;
  /** Of the cluster whose clients we reflect for (RFC 4456 section 7); absent: the BGP identifier. */
  readonly clusterId?: Ipv4;
  readonly policy: RoutePolicy;
  /** As in `RibOptions`. */
  readonly maxPaths?: number;
  readonly transport: Transport;
  readonly clock: Clock;
  /** 0 <= value < 1. */
  readonly random: () => number;
  readonly log: Logger;
  /** An earlier run of this node left its routes in place: announces the R and F bits (RFC 4724 section 4.1). */
  readonly restarted: boolean;
  /** Best paths changed; called synchronously, in order. */
  readonly onBestPaths: (changes: readonly BestPathChange[]) => void;
  /**
   * A session began or ended, a table is complete, or the peers are others. Never per message, and once for what happens
   * in quick succession: it may look at all peers.
   */
  readonly onPeersChanged: () => void;
  /** The tables of the peers may be others than before, those parts included that are not used; once for a burst. */
  readonly onTablesChanged?: () => void;
}

export class Speaker {
  readonly rib: Rib;
  readonly #options: SpeakerOptions;
  readonly #peers: Peers;
  readonly #strangers: Strangers;
  readonly #admission: Admission;
  readonly #dynamic: DynamicPeers;
  readonly #keys: ListenerKeys;
  readonly #keyWatch: KeyWatch;
  readonly #tail: ReflectionTail;
  readonly #host: PeerHost;
  #listener: Listener | undefined;
  #recovering: boolean;
  /** What `setPeers` said last. */
  #configs: readonly PeerConfig[] = [];
  #cancelRecovery: CancelTimer | undefined;
  #cancelFlush: CancelTimer | undefined;
  #cancelWatch: CancelTimer | undefined;
  #cancelTelling: CancelTimer | undefined;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#recovering = options.restarted;
    this.#strangers = new Strangers(options.clock, options.log);
    this.#admission = new Admission(options.clock, options.log);
    this.#keys = new ListenerKeys(options.log);
    this.#keyWatch = new KeyWatch(options.transport);
    this.#dynamic = new DynamicPeers(options.clock, options.log, {
      onNewPeer: (config, stream) => {
        const peer = this.#peers.add(config);
        options.log.debug({ peer: config.id, asn: config.asn }, 'dynamic peer added');
        peer.accept(stream);
      },
      onRefused: (stream) => this.#strangers.meet(stream),
    });
    this.rib = new Rib({
      localAs: options.localAs,
      bgpIdentifier: options.bgpIdentifier,
      policy: options.policy,
      ...(options.clusterId === undefined ? {} : { clusterId: options.clusterId }),
      ...(options.maxPaths === undefined ? {} : { maxPaths: options.maxPaths }),
    });
    this.#tail = new ReflectionTail(options.clock);
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
    this.#peers = new Peers(this.#host, options.log, this.#dynamic);
  }

  /**
   * Listens and lets recovery begin.
   * @throws the system's error (code EADDRINUSE, EACCES, EADDRNOTAVAIL ...) where it cannot listen.
   */
  async start(): Promise<void> {
    const { listen, transport, clock } = this.#options;
    if (listen !== undefined) {
      this.#listener = await transport.listen(listen, (stream) => this.#accept(stream));
      this.#keys.attach(this.#listener);
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
   * Makes these the peers. An unchanged one is left alone; one whose changes no OPEN and no connection carries keeps its session,
   * under another name too; another one is reset with the reason in the log; one that is gone is told so and its routes
   * are removed.
   * @param leaving of those that go, the ones that others take the place of: their routes stay until somebody else has
   *   told of the prefix, for the restart time at most
   */
  setPeers(configs: readonly PeerConfig[], leaving: ReadonlySet<PeerId> = NO_PEERS): void {
    this.#configs = configs;
    this.#peers.set(
      configs.map((config) => this.#tail.over(config)),
      leaving,
    );
    this.#protect();
    this.#watch();
    this.#peerChanged();
  }

  /**
   * Makes these the ranges of addresses that become peers when they connect, beside the peers of `setPeers`. Peers of a range that is
   * gone or changed are removed or reset; the others are left alone.
   */
  setDynamicPeers(ranges: readonly DynamicPeerRange[]): void {
    const now = this.#dynamic.setRanges(ranges);
    for (const [id, config] of now) {
      const peer = this.#peers.get(id);
      // One that was reset has no connection any more; it is a new peer when it comes again.
      if (peer !== undefined) this.#peers.change(peer, config);
    }
    this.#protect();
    this.#watch();
  }

  /**
   * Makes this node a route reflector of this cluster (RFC 4456); undefined: of none. One that was, goes on reflecting
   * for a while, under its own identifier: who reflects for the cluster from now on must be heard, and is not where its
   * CLUSTER_LIST has our cluster id. Comes before the `setPeers` that says who is a client.
   */
  setClusterId(clusterId: Ipv4 | undefined): void {
    this.#bestPathsChanged(this.rib.setClusterId(clusterId));
    if (clusterId !== undefined) this.#tail.end();
    else if (!this.#tail.isRunning) {
      const clients = this.#configs.filter(({ routeReflectorClient }) => routeReflectorClient === true);
      if (clients.length > 0) this.#tail.begin(clients, () => this.setPeers(this.#configs));
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

  /**
   * Ends a peer's session with Cease 6/2 and the text for its operator (RFC 9003), at most 255 octets of it. It stays down until
   * `enablePeer`, or until the agent starts anew, whatever `setPeers` says meanwhile.
   */
  shutdownPeer(id: PeerId, text = ''): PeerActionResult {
    return this.#administer(id, (peer) => {
      peer.shutDown(text);
      return 'done';
    });
  }

  /** Ends a peer's session with Cease 6/4 and the text, and begins a new one at once. */
  resetPeer(id: PeerId, text = ''): PeerActionResult {
    return this.#administer(id, (peer) => (peer.reset(text) ? 'done' : 'shutdown'));
  }

  /** Lets a peer begin again that was shut down, or that its limit of prefixes has stopped. */
  enablePeer(id: PeerId): PeerActionResult {
    return this.#administer(id, (peer) => {
      peer.enable();
      return 'done';
    });
  }

  peers(): readonly PeerStatus[] {
    return this.#peers.all().map((peer) => peer.status());
  }

  /**
   * Ends all sessions and stops listening.
   * @param told what the peers are told; absent: the connections just close, and peers that speak graceful restart
   *   keep forwarding to us (RFC 4724).
   */
  async stop(told?: NotificationMessage): Promise<void> {
    this.#cancelRecovery?.();
    this.#cancelWatch?.();
    this.#tail.end();
    const closed = this.#listener?.close();
    this.#peers.stop(told);
    // The end of the sessions is nobody's news any more.
    this.#cancelFlush?.();
    this.#cancelTelling?.();
    this.#strangers.close();
    this.#dynamic.close();
    await closed;
  }

  #administer(id: PeerId, act: (peer: Administration) => PeerActionResult): PeerActionResult {
    const peer = this.#peers.get(id);
    if (peer === undefined) return 'unknown';
    const result = act(peer.administration);
    this.#peerChanged();
    return result;
  }

  #protect(): void {
    const ofPeers = this.#peers.all().map(({ config }) => ({
      peers: hostPrefix(config.address),
      settings: config,
    }));
    const ofRanges = this.#dynamic.ranges.map(({ prefix, template }) => ({
      peers: prefix,
      settings: template,
    }));
    this.#keys.protect([...ofRanges, ...ofPeers]);
  }

  /** What announces no event is looked at from time to time. */
  #watch(): void {
    this.#cancelWatch ??= this.#options.clock.setTimer(WATCH_INTERVAL_MS, () => {
      this.#cancelWatch = undefined;
      const peers = this.#peers.all();
      this.#keyWatch.look(peers);
      for (const id of this.#dynamic.idle(peers.map((peer) => peer.status()))) {
        const peer = this.#peers.get(id);
        if (peer !== undefined) this.#peers.change(peer, undefined);
      }
      this.#watch();
    });
  }

  #accept(stream: ByteStream): void {
    const peer = this.#peers.at(stream.remote, stream.zone);
    if (!this.#admission.admits(stream.remote, peer !== undefined)) {
      drop(stream);
      return;
    }
    const range = peer === undefined ? this.#dynamic.rangeOf(stream.remote) : undefined;
    const settings = peer?.config ?? range?.template;
    const obstacle = settings === undefined ? undefined : protectIncoming(stream, settings);
    if (obstacle !== undefined) {
      drop(stream);
      peer?.obstructed(obstacle);
    } else if (peer !== undefined) {
      peer.accept(stream);
    } else if (range !== undefined) {
      this.#dynamic.meet(range, stream);
    } else {
      this.#strangers.meet(stream);
    }
  }

  #bestPathsChanged(changes: readonly BestPathChange[]): void {
    if (changes.length > 0) this.#options.onBestPaths(changes);
    // One turn of the event loop gathers what belongs together into few UPDATEs.
    this.#cancelFlush ??= this.#options.clock.setTimer(0, () => {
      this.#cancelFlush = undefined;
      this.#peers.sweepCovered();
      for (const peer of this.#peers.all()) peer.flush();
      this.#options.onTablesChanged?.();
    });
  }

  #peerChanged(): void {
    if (this.#recovering && this.#peers.all().every((peer) => peer.initialTableComplete)) {
      this.#recovered();
    }
    this.#tellPeersChanged();
  }

  #tellPeersChanged(): void {
    this.#cancelTelling ??= this.#options.clock.setTimer(TELL_PEERS_MS, () => {
      this.#cancelTelling = undefined;
      this.#options.onPeersChanged();
    });
  }

  #recovered(): void {
    this.#cancelRecovery?.();
    if (!this.#recovering) return;
    this.#recovering = false;
    this.#options.log.info('recovery after the restart is over');
    this.#tellPeersChanged();
  }
}

/** Closes a connection without a word. */
function drop(stream: ByteStream): void {
  stream.attach({ onData: () => {}, onDrain: () => {}, onClose: () => {} });
  stream.destroy();
}
