/**
 * What this node has beside its routes: outgoing NAT, and what the pods' network is, for whoever makes pods.
 *
 * Owns: when each follows a change. Must not know: BGP, routes, HTTP.
 */
import type { Logger } from 'pino';
import { systemClock } from '../bgp/speaker/index.js';
import { nftables, OutgoingNat } from '../ipip/index.js';
import { logDataplaneEvent } from './log.js';
import type { Membership } from './membership/index.js';
import { natFactsOf } from './plan.js';
import { type RuntimeFolder, subnetEnv } from './runtime/index.js';

export class NodeHost {
  readonly nat: OutgoingNat;
  readonly #runtime: RuntimeFolder;
  readonly #log: Logger;
  #membership: Membership | undefined;
  #podMtuBytes: number | undefined;

  constructor(runtime: RuntimeFolder, log: Logger) {
    this.#runtime = runtime;
    this.#log = log;
    this.nat = new OutgoingNat({
      ruleSets: nftables,
      clock: systemClock,
      report: (event) => logDataplaneEvent(log, event),
    });
  }

  setMembership(membership: Membership): void {
    this.#membership = membership;
    this.nat.set(natFactsOf(membership));
    this.#writeSubnetEnv();
  }

  setPodMtu(mtuBytes: number): void {
    this.#podMtuBytes = mtuBytes;
    this.#writeSubnetEnv();
  }

  /** Lets go of everything; the rules and the files stay. */
  async stop(): Promise<void> {
    await this.nat.stop();
    this.#runtime.close();
  }

  /** Only where it says something new: whoever watches the file is not woken for nothing. */
  #writeSubnetEnv(): void {
    if (this.#membership === undefined || this.#podMtuBytes === undefined) return;
    const { blocks, pools } = this.#membership;
    const ranges = pools.map(({ cidr }) => cidr);
    const text = subnetEnv({ blocks, pools: ranges, mtuBytes: this.#podMtuBytes });
    const place = this.#runtime.place('subnetEnv');
    try {
      if (text === this.#runtime.read('subnetEnv')) return;
      if (text === undefined) this.#runtime.remove('subnetEnv');
      else this.#runtime.write('subnetEnv', text);
      this.#log.info({ file: place }, text === undefined ? 'pod network removed' : 'pod network written');
    } catch (error) {
      // The disk's fault, and no reason to stop routing.
      if (!(error instanceof Error && 'code' in error)) throw error;
      this.#log.error({ file: place, reason: error.message }, 'pod network cannot be written');
    }
  }
}
