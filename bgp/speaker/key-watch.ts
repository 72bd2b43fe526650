/**
 * Why a peer that we wait for does not come: the kernel drops connections with a wrong key, and only its counters tell.
 *
 * Owns: comparing the counters and the sentence for the peers that it may be about. Must not know: sockets.
 */
import { dropsSince, type KernelDrops } from './kernel-drops.js';
import type { Transport } from './transport.js';
import type { PeerConfig } from './types.js';

/** What is asked and told of a peer. */
export interface WatchedPeer {
  readonly config: PeerConfig;
  readonly established: boolean;
  obstructed(reason: string): void;
}

export class KeyWatch {
  readonly #transport: Transport;
  #last: KernelDrops | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#last = transport.drops();
  }

  /** Tells the peers that have no session, and that we do not dial ourselves, what was dropped since the last look. */
  look(peers: readonly WatchedPeer[]): void {
    const now = this.#transport.drops();
    const dropped = now && this.#last && dropsSince(this.#last, now);
    this.#last = now;
    if (dropped === undefined) return;
    for (const peer of peers) {
      // A dial of ours that meets silence says so by itself.
      if (peer.established || peer.config.dial === 'now') continue;
      const reason = droppedText(peer.config.password !== undefined, dropped);
      if (reason !== undefined) peer.obstructed(reason);
    }
  }
}

/** The counters are the machine's, not the peer's: hence "may". */
function droppedText(hasPassword: boolean, dropped: KernelDrops): string | undefined {
  if (!hasPassword) {
    return dropped.keyUnexpected > 0
      ? 'it does not come; it may sign with a password, and none is set here'
      : undefined;
  }
  if (dropped.keyWrong > 0)
    return 'it does not come; its key may differ: segments with a wrong key were dropped';
  return dropped.keyMissing > 0
    ? 'it does not come; it may have no key: segments without one were dropped'
    : undefined;
}
