/**
 * The peers of a speaker, and how they become others.
 *
 * Owns: which there are, what a changed one needs (nothing, new settings, a new session), and what is left of those
 * that go. Must not know: the listener, ranges of addresses beyond whose peer is of one.
 */
import type { Logger } from 'pino';
import type { IpAddress } from '../net/index.js';
import type { PeerId } from '../rib/index.js';
import { CEASE, NOTIFICATION, type NotificationMessage, notification } from '../wire/index.js';
import { changedFields, isSameRouter, resettingFields } from './config-change.js';
import { DepartedRoutes } from './departed.js';
import type { DynamicPeers } from './dynamic-peers.js';
import { matchPeers } from './match-peers.js';
import { CONFIGURATION_CHANGE, Peer } from './peer.js';
import type { PeerHost } from './peer-host.js';
import { TcpOptionError } from './tcp-options.js';
import type { PeerConfig } from './types.js';

/** Why a session is reset whose settings have changed. */
const CHANGED = 'configuration changed';

export class Peers {
  readonly #host: PeerHost;
  readonly #log: Logger;
  readonly #dynamic: Pick<DynamicPeers, 'has' | 'forget'>;
  readonly #departed: DepartedRoutes;
  readonly #byId = new Map<PeerId, Peer>();

  constructor(host: PeerHost, log: Logger, dynamic: Pick<DynamicPeers, 'has' | 'forget'>) {
    this.#host = host;
    this.#log = log;
    this.#dynamic = dynamic;
    this.#departed = new DepartedRoutes(host.rib, host.clock, log, (changes) =>
      host.bestPathsChanged(changes),
    );
  }

  all(): readonly Peer[] {
    return [...this.#byId.values()];
  }

  get(id: PeerId): Peer | undefined {
    return this.#byId.get(id);
  }

  at(address: IpAddress, zone: string | undefined): Peer | undefined {
    for (const peer of this.#byId.values()) if (isAt(peer.config, address, zone)) return peer;
    return undefined;
  }

  /** As `Speaker.setPeers`, the dynamic ones beside. */
  set(configs: readonly PeerConfig[], leaving: ReadonlySet<PeerId>): void {
    const isDynamic = ({ config }: Peer) => this.#dynamic.has(config.id);
    for (const peer of this.all().filter(isDynamic)) {
      const { address, zone } = peer.config;
      if (configs.some((config) => isAt(config, address, zone))) this.change(peer, undefined);
    }
    const own = this.all().filter((peer) => !isDynamic(peer));
    const { kept, gone, added } = matchPeers(own, configs);
    for (const peer of gone) {
      if (leaving.has(peer.config.id)) this.#leave(peer);
      else this.change(peer, undefined);
    }
    for (const [peer, config] of kept) this.change(peer, config);
    for (const config of added) this.add(config);
    this.sweepCovered();
  }

  add(config: PeerConfig): Peer {
    const peer = new Peer(config, this.#host, this.#log);
    this.#byId.set(config.id, peer);
    const keptUntilMs = this.#departed.take(config.id);
    if (keptUntilMs !== undefined) peer.resume(keptUntilMs);
    peer.start();
    return peer;
  }

  /** Brings a peer to the settings that it shall have; `undefined`: none any more. */
  change(peer: Peer, config: PeerConfig | undefined): void {
    if (config === undefined) {
      this.#remove(peer, 'no longer configured', notification(NOTIFICATION.CEASE, CEASE.PEER_DECONFIGURED));
      return;
    }
    const changed = changedFields(peer.config, config);
    if (changed.length === 0 || this.#rekey(peer, config, changed)) return;
    // Another name goes with a session: without one there is nothing to carry on but what the old name has left.
    const resetting = changed.includes('id') && !peer.established ? changed : resettingFields(changed);
    if (resetting.length === 0) {
      this.#log.debug(
        { peer: config.id, changed },
        'peer configuration changed: it applies at once, without a reset',
      );
      this.#reconfigure(peer, config);
      return;
    }
    this.#log.debug(
      { peer: config.id, changed: resetting },
      'peer configuration changed: its session is reset',
    );
    // A dynamic peer has no connection after that: it is a new one when it comes again.
    if (this.#dynamic.has(config.id)) this.#remove(peer, CHANGED, CONFIGURATION_CHANGE);
    else this.#replace(peer, config, isSameRouter(changed));
  }

  /** Lets go of what peers that left have announced, where somebody else has told of it by now. */
  sweepCovered(): void {
    const changes = this.#departed.sweepCovered();
    if (changes.length > 0) this.#host.bestPathsChanged(changes);
  }

  /** Ends all sessions. @param told absent: without a word */
  stop(told: NotificationMessage | undefined): void {
    this.#departed.close();
    for (const peer of this.#byId.values()) peer.stop('the agent stops', told);
    this.#byId.clear();
  }

  #reconfigure(peer: Peer, config: PeerConfig): void {
    const { id } = peer.config;
    if (id !== config.id) {
      // What another session with it has left ends here: this one is up.
      if (this.#departed.take(config.id) !== undefined)
        this.#host.bestPathsChanged(this.#host.rib.peerDown(config.id, { keepStale: false }));
      this.#byId.delete(id);
      this.#byId.set(config.id, peer);
    }
    peer.reconfigure(config);
  }

  /** The same peer with settings that need a new session; routes may outlive the old one (RFC 8538). */
  #replace(peer: Peer, config: PeerConfig, isSame: boolean): void {
    const { id } = peer.config;
    const keepUntilMs = peer.stop(CHANGED, CONFIGURATION_CHANGE);
    const isKept = isSame && keepUntilMs !== undefined;
    if (!isKept) peer.forget();
    else if (id !== config.id) this.#departed.keep(id, keepUntilMs);
    const successor = new Peer(config, this.#host, this.#log);
    successor.inherit(peer, isKept && id === config.id ? keepUntilMs : undefined);
    this.#byId.delete(id);
    this.#byId.set(config.id, successor);
    successor.start();
  }

  /** @returns false where more than the key is different, or the connections could not take the new one */
  #rekey(peer: Peer, config: PeerConfig, changed: readonly string[]): boolean {
    const { password } = config;
    if (changed.join() !== 'password' || password === undefined || peer.config.password === undefined)
      return false;
    try {
      peer.changePassword(config, password);
    } catch (error) {
      if (error instanceof TcpOptionError) return false;
      throw error;
    }
    this.#log.info({ peer: config.id }, 'the key of the peer changed; its session goes on');
    return true;
  }

  #remove(peer: Peer, reason: string, told: NotificationMessage): void {
    peer.stop(reason, told);
    peer.forget();
    this.#byId.delete(peer.config.id);
    this.#dynamic.forget(peer.config.id);
    this.#log.debug({ peer: peer.config.id, reason }, 'peer removed');
  }

  /** The peer goes, its routes stay until others have told of them. */
  #leave(peer: Peer): void {
    const { id } = peer.config;
    const keepUntilMs = peer.leave('others take its place');
    this.#byId.delete(id);
    if (keepUntilMs === undefined) peer.forget();
    else this.#departed.keep(id, keepUntilMs);
    this.#log.debug({ peer: id, keepsRoutes: keepUntilMs !== undefined }, 'peer left');
  }
}

/** A peer without a zone is met on any device. */
function isAt(config: PeerConfig, address: IpAddress, zone: string | undefined): boolean {
  return config.address === address && (config.zone === undefined || config.zone === zone);
}
