/**
 * The data plane of this node: made over the kernel of this machine, and told what the speaker and the plan say.
 *
 * Owns: its making, and whose word on a next hop counts. Must not know: the datastore, the speaker, HTTP; when a plan
 * comes into force.
 */
import type { Logger } from 'pino';
import type { Prefix } from '../bgp/net/index.js';
import type { BestPathChange } from '../bgp/rib/index.js';
import { type PeerStatus, systemClock } from '../bgp/speaker/index.js';
import {
  Dataplane,
  type DataplaneOptions,
  type NextHopFacts,
  type PoolConflict,
  procSysctl,
  rtnetlinkKernel,
} from '../ipip/index.js';
import type { AgentSettings } from './config/index.js';
import { logDataplaneEvent } from './log.js';
import type { Membership } from './membership/index.js';
import { nextHopFacts, nodeFactsOf, progressOf, routeChangeOf } from './plan.js';
import { type RuntimeFolder, settingStore } from './runtime/index.js';

/** What an earlier run left goes away after this time, where its peer has not said more by then. */
const SWEEP_AFTER_MS = 60_000;

export interface NodeDataplaneOptions {
  readonly settings: Pick<AgentSettings, 'tunnelDevice' | 'routeProtocol' | 'routeMetric'>;
  readonly ground: DataplaneGround;
  readonly log: Logger;
  readonly follower: DataplaneFollower;
}

/** What a data plane stands on. */
export type DataplaneGround = Pick<DataplaneOptions, 'kernel' | 'sysctl' | 'clock' | 'settingStore'>;

/** This machine. */
export function machineGround(runtime: RuntimeFolder): DataplaneGround {
  return {
    kernel: rtnetlinkKernel(),
    sysctl: procSysctl,
    clock: systemClock,
    settingStore: settingStore(runtime),
  };
}

/** Whom the data plane's findings concern. */
export interface DataplaneFollower {
  /** What this node is to say of itself with its blocks. */
  readonly onFactsChanged: (facts: NextHopFacts) => void;
  readonly onPodMtuChanged: (mtuBytes: number) => void;
  readonly onPoolConflictsChanged: (conflicts: readonly PoolConflict[]) => void;
}

/** What became of one prefix. */
type Outcome = Pick<BestPathChange, 'prefix' | 'best' | 'multipath'>;

export class NodeDataplane {
  readonly dataplane: Dataplane;
  #factsOf: ReturnType<typeof nextHopFacts>;
  #leftoverRoutes = 0;
  #isLeft = false;

  constructor({ settings, ground, log, follower }: NodeDataplaneOptions, membership: Membership) {
    const { tunnelDevice, routeProtocol, routeMetric } = settings;
    this.#factsOf = nextHopFacts(membership);
    this.dataplane = new Dataplane({
      ...ground,
      settings: { tunnelDevice, routeProtocol, metric: routeMetric, sweepAfterMs: SWEEP_AFTER_MS },
      report: (event) => {
        if (event.kind === 'started') this.#leftoverRoutes = event.leftoverRoutes;
        if (event.kind === 'podMtuChanged') follower.onPodMtuChanged(event.mtuBytes);
        if (event.kind === 'poolConflictsChanged') follower.onPoolConflictsChanged(event.conflicts);
        logDataplaneEvent(log, event);
      },
      onFactsChanged: follower.onFactsChanged,
    });
  }

  /** Whether an earlier run has left routes in the kernel; known once it is started. */
  get hasLeftovers(): boolean {
    return this.#leftoverRoutes > 0;
  }

  setMembership(membership: Membership): void {
    this.dataplane.setNode(nodeFactsOf(membership));
  }

  /**
   * Who is a node decides whose word counts, so that every route is told anew.
   * @param routes those of the speaker, all of them
   */
  setCluster(membership: Membership, routes: readonly Outcome[]): void {
    this.#factsOf = nextHopFacts(membership);
    this.applyChanges(routes);
  }

  applyChanges(changes: readonly Outcome[]): void {
    if (this.#isLeft) return;
    this.dataplane.applyChanges(changes.map((change) => routeChangeOf(change, this.#factsOf)));
  }

  /** These prefixes are reached no more. */
  withdraw(prefixes: Iterable<Prefix>): void {
    this.applyChanges(Array.from(prefixes, (prefix) => ({ prefix })));
  }

  /** @param peers asked for only while the routes of an earlier run wait for them */
  setPeers(peers: () => readonly PeerStatus[]): void {
    if (!this.#isLeft && !this.dataplane.isSwept) this.dataplane.setPeers(progressOf(peers()));
  }

  /** What the end of our own sessions makes of the tables is not for the kernel: a stopped agent leaves its routes. */
  leaveRoutes(): void {
    this.#isLeft = true;
  }
}
