/**
 * The end of a reflector: its clients hear of each other through it until their own sessions are up, which it cannot
 * see. So it goes on reflecting for a while after it was told to stop.
 *
 * Owns: for whom, and how long. Must not know: sessions, tables. Reflecting on does no harm: what a client hears
 * directly is preferred by its shorter CLUSTER_LIST (RFC 4456 section 9).
 */
import type { IpAddress } from '../net/index.js';
import type { CancelTimer, Clock } from './clock.js';
import type { PeerConfig } from './types.js';

/** As long as peers keep the routes of a node that restarts; Calico's default of `maxRestartTime`. */
export const REFLECTION_TAIL_MS = 120_000;

export class ReflectionTail {
  readonly #clock: Clock;
  readonly #clients = new Set<IpAddress>();
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isRunning(): boolean {
    return this.#cancel !== undefined;
  }

  /** These were clients so far. */
  begin(clients: readonly PeerConfig[], onOver: () => void): void {
    for (const { address } of clients) this.#clients.add(address);
    this.#cancel = this.#clock.setTimer(REFLECTION_TAIL_MS, () => {
      this.end();
      onOver();
    });
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#clients.clear();
  }

  /** The settings that a peer has meanwhile. */
  over(config: PeerConfig): PeerConfig {
    return this.#clients.has(config.address) ? { ...config, routeReflectorClient: true } : config;
  }
}
