/**
 * How the connections of a peer are protected: its key (RFC 2385) and its distance (RFC 5082).
 *
 * Owns: what the settings of a peer mean for its sockets, and the keys that the listener holds. Must not know: sockets, the FSM.
 */
import type { Logger } from 'pino';
import { formatPrefix, type Prefix } from '../net/index.js';
import { TcpOptionError } from './tcp-options.js';
import type { ByteStream, HopOptions, Listener } from './transport.js';
import type { PeerConfig } from './types.js';

/** RFC 5082 section 3: sent with 255, which no router can raise again. */
const GTSM_TTL = 255;

/** The settings of a peer, or of a range of them, that protect its connections. */
export type ProtectionSettings = Pick<PeerConfig, 'password' | 'ttlSecurityHops' | 'multihopTtl'>;

/** The TTL to send with and the least to take. TTL security decides where both are set: it needs 255. */
export function hopOptions({ ttlSecurityHops, multihopTtl }: ProtectionSettings): HopOptions {
  if (ttlSecurityHops !== undefined) return { ttl: GTSM_TTL, minTtl: GTSM_TTL + 1 - ttlSecurityHops };
  return multihopTtl === undefined ? {} : { ttl: multihopTtl };
}

/**
 * Protects a connection that was accepted as the settings ask.
 * @returns the reason in words not to use it
 */
export function protectIncoming(stream: ByteStream, settings: ProtectionSettings): string | undefined {
  const { password } = settings;
  try {
    // It may have been waiting to be accepted before the listener got the key.
    if (password !== undefined) stream.changePassword(password);
  } catch (error) {
    if (error instanceof TcpOptionError) return error.message;
    throw error;
  }
  const hops = hopOptions(settings);
  return hops.ttl === undefined ? undefined : stream.limitHops(hops);
}

/** Whose connections are to be protected. */
export interface Protected {
  readonly peers: Prefix;
  readonly settings: ProtectionSettings;
}

/** The keys of the listener, kept as the peers want them. */
export class ListenerKeys {
  readonly #log: Logger;
  readonly #set = new Map<Prefix, string>();
  #listener: Listener | undefined;
  #wanted: readonly Protected[] = [];
  #requiresHops = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The listener is there: it gets what was wanted before. */
  attach(listener: Listener): void {
    this.#listener = listener;
    this.protect(this.#wanted);
  }

  /** Makes these the protected ones; who is not named any more connects without a key again. */
  protect(wanted: readonly Protected[]): void {
    this.#wanted = wanted;
    const listener = this.#listener;
    if (listener === undefined) return;
    const keys = new Map<Prefix, string>();
    for (const { peers, settings } of wanted) {
      if (settings.password !== undefined) keys.set(peers, settings.password);
    }
    for (const peers of this.#set.keys()) if (!keys.has(peers)) this.#setKey(listener, peers, undefined);
    for (const [peers, password] of keys) {
      if (this.#set.get(peers) !== password) this.#setKey(listener, peers, password);
    }
    if (!this.#requiresHops && wanted.some(({ settings }) => settings.ttlSecurityHops !== undefined)) {
      this.#attempt('TTL security', () => {
        listener.requireHops();
        this.#requiresHops = true;
      });
    }
  }

  /** A key that the machine refuses is no way in: `protectIncoming` meets the same refusal on each connection. */
  #setKey(listener: Listener, peers: Prefix, password: string | undefined): void {
    this.#attempt(`the key for ${formatPrefix(peers)}`, () => {
      listener.setPassword(peers, password);
      if (password === undefined) this.#set.delete(peers);
      else this.#set.set(peers, password);
    });
  }

  #attempt(what: string, change: () => void): void {
    try {
      change();
    } catch (error) {
      if (!(error instanceof TcpOptionError)) throw error;
      this.#log.error({ what, reason: error.message, fault: 'kernel' }, 'the listener cannot be protected');
    }
  }
}
