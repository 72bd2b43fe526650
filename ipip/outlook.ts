/**
 * How this node stands in its network: what it says of itself to the others, what it needs of the kernel's settings, what
 * its pods' packets may measure, what is in the way of its pools, and the planner that rests on all of it.
 *
 * Owns: putting these together from one set of facts, and telling what changed. Must not know: when it is asked.
 */

import { factsKey, NO_FACTS, ownFacts } from './encapsulation.js';
import type { DataplaneEvent } from './events.js';
import type { Forwarding } from './forwarding.js';
import { forwardingNeeds } from './forwarding-needs.js';
import type { HostState } from './host-state.js';
import type { InterfaceIndex, KernelRoute } from './kernel/kernel.js';
import type { KernelMirror } from './mirror.js';
import type { NextHopTable } from './next-hops.js';
import { Planner } from './plan.js';
import type { TunnelUse } from './plan-types.js';
import { podMtuBytes } from './pod-network.js';
import { isInTheWay, type OwnMarks, poolConflictsWithHost, samePoolConflicts } from './pool-conflicts.js';
import { SourceAddresses } from './source-address.js';
import type { NextHopFacts, NodeFacts, PoolConflict, TunnelStatus } from './types.js';

/** The machine, as it was read last. */
export interface Machine {
  readonly host: HostState;
  readonly deviceNames: ReadonlyMap<InterfaceIndex, string>;
  readonly nextHops: Pick<NextHopTable, 'lookups' | 'covering'>;
  readonly tunnel: { readonly use: TunnelUse; readonly status: TunnelStatus };
  readonly mirror: Pick<KernelMirror, 'entries'>;
}

export class Outlook {
  /** What pods can send in one piece; undefined: not known yet. */
  podMtuBytes: number | undefined;
  readonly #marks: OwnMarks;
  readonly #forwarding: Forwarding;
  readonly #report: (event: DataplaneEvent) => void;
  readonly #onFactsChanged: (facts: NextHopFacts) => void;
  /** What this node says of itself, as it was told last. */
  #ownFacts = NO_FACTS;
  #hasToldFacts = false;
  /** Of the last planner. */
  #facts: NodeFacts | undefined;
  #poolConflicts: readonly PoolConflict[] = [];

  constructor(
    marks: OwnMarks,
    forwarding: Forwarding,
    report: (event: DataplaneEvent) => void,
    onFactsChanged: (facts: NextHopFacts) => void,
  ) {
    this.#marks = marks;
    this.#forwarding = forwarding;
    this.#report = report;
    this.#onFactsChanged = onFactsChanged;
  }

  /** @returns also whether the facts of this node changed, on which every way to another node rests */
  planner(facts: NodeFacts, machine: Machine): { readonly planner: Planner; readonly isNews: boolean } {
    const { nodeAddress, pools, gateways, nodes = [], overrides = new Map() } = facts;
    const { host, deviceNames, nextHops, mirror } = machine;
    const { lookups, covering } = nextHops;
    const { use: tunnel, status } = machine.tunnel;
    const tunnelIndex = tunnel.state === 'ready' ? tunnel.interfaceIndex : undefined;
    const isNews = this.#tell(ownFacts({ nodes, lookups, tunnelIndex, overrides, before: this.#ownFacts }));
    this.#forwarding.follow(forwardingNeeds(facts, host, status, lookups, () => mirror.entries()));
    this.#measurePods(facts, host);
    this.#facts = facts;
    this.#comparePools(poolConflictsWithHost(facts, mirror.entries(), deviceNames, this.#marks));
    const own = { address: nodeAddress, facts: this.#ownFacts };
    const idle = host.links.filter((link) => !link.carrier);
    const withoutCarrier = new Set(idle.map((link) => link.index));
    const hostFacts = { pools, gateways, tunnel, lookups, deviceNames, withoutCarrier, own, overrides };
    const planner = new Planner({ ...hostFacts, sources: new SourceAddresses(facts, host) }, covering);
    return { planner, isNews };
  }

  /** Whether a route that came or went changes what the next planner finds. */
  isConcernedBy(route: KernelRoute): boolean {
    return this.#facts !== undefined && isInTheWay(route, this.#facts, this.#marks);
  }

  #tell(facts: NextHopFacts): boolean {
    // That no other node is on a link is told too: the far ends would take this node for one that says nothing.
    if (this.#hasToldFacts && factsKey(facts) === factsKey(this.#ownFacts)) return false;
    this.#hasToldFacts = true;
    this.#ownFacts = facts;
    this.#onFactsChanged(facts);
    return true;
  }

  #measurePods(facts: NodeFacts, host: HostState): void {
    const mtuBytes = podMtuBytes(facts, host);
    if (mtuBytes === undefined || mtuBytes === this.podMtuBytes) return;
    this.podMtuBytes = mtuBytes;
    this.#report({ kind: 'podMtuChanged', mtuBytes });
  }

  #comparePools(conflicts: readonly PoolConflict[]): void {
    if (samePoolConflicts(conflicts, this.#poolConflicts)) return;
    this.#poolConflicts = conflicts;
    this.#report({ kind: 'poolConflictsChanged', conflicts });
  }
}
