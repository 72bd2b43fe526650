/**
 * What this node has beside its routes: outgoing NAT, and what the pods' network is, for whoever makes pods.
 *
 * Owns: when each follows a change. Must not know: BGP, routes, HTTP.
 */
import type { Logger } from 'pino';
import { systemClock } from '../bgp/speaker/index.js';
import { nftables, OutgoingNat } from '../ipip/index.js';
import type { AgentSettings } from './config/index.js';
import { logDataplaneEvent } from './log.js';
import type { Membership } from './membership/index.js';
import { natFactsOf } from './plan.js';
import { conflist, conflistPlace, PodFile, type PodFilePlace, podSubnets, subnetEnv } from './pods/index.js';
import type { RuntimeFolder } from './runtime/index.js';

/** What another program does to the files is noticed after this time; what could not be written is tried again. */
const LOOK_INTERVAL_MS = 90_000;

export interface NodeHostOptions {
  readonly settings: Pick<AgentSettings, 'cniConfDir' | 'cniPlugin' | 'cniDataDir'>;
  readonly runtime: RuntimeFolder;
  readonly log: Logger;
}

export class NodeHost {
  readonly nat: OutgoingNat;
  readonly #settings: NodeHostOptions['settings'];
  readonly #runtime: RuntimeFolder;
  readonly #subnetEnv: PodFile;
  /** Absent: nobody asked for it. */
  readonly #conflist: PodFile | undefined;
  #membership: Membership | undefined;
  #podMtuBytes: number | undefined;
  #cancelLook: () => void = () => undefined;

  constructor({ settings, runtime, log }: NodeHostOptions) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.nat = new OutgoingNat({
      ruleSets: nftables,
      clock: systemClock,
      report: (event) => logDataplaneEvent(log, event),
    });
    this.#subnetEnv = new PodFile(subnetEnvPlace(runtime), log);
    if (settings.cniConfDir !== undefined) {
      this.#conflist = new PodFile(conflistPlace(settings.cniConfDir), log);
    }
  }

  setMembership(membership: Membership): void {
    this.#membership = membership;
    this.nat.set(natFactsOf(membership));
    this.#tellPods();
  }

  setPodMtu(mtuBytes: number): void {
    this.#podMtuBytes = mtuBytes;
    this.#tellPods();
  }

  /** Ends its work; the rules and the files stay. */
  async stop(): Promise<void> {
    this.#cancelLook();
    await this.nat.stop();
  }

  /** Ends its work and lets go of everything. */
  async close(): Promise<void> {
    await this.stop();
    this.#runtime.close();
  }

  #tellPods(): void {
    if (this.#membership === undefined || this.#podMtuBytes === undefined) return;
    const { blocks, pools } = this.#membership;
    const { cniPlugin: plugin, cniDataDir: dataDir } = this.#settings;
    const mtuBytes = this.#podMtuBytes;
    this.#subnetEnv.set(subnetEnv({ blocks, pools: pools.map(({ cidr }) => cidr), mtuBytes }));
    const { used: subnets } = podSubnets({ blocks, pools, plugin });
    this.#conflist?.set(conflist({ subnets, plugin, mtuBytes, dataDir }));
    this.#lookAgain();
  }

  #lookAgain(): void {
    this.#cancelLook();
    this.#cancelLook = systemClock.setTimer(LOOK_INTERVAL_MS, () => {
      this.#subnetEnv.settle();
      this.#conflist?.settle();
      this.#lookAgain();
    });
  }
}

function subnetEnvPlace(runtime: RuntimeFolder): PodFilePlace {
  return {
    path: runtime.place('subnetEnv'),
    remedy: 'let podroute write there, or name another folder with --run-dir',
    read: () => runtime.read('subnetEnv'),
    write: (text) => runtime.write('subnetEnv', text),
    remove: () => runtime.remove('subnetEnv'),
  };
}
