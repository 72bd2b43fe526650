/**
 * Every prefix the data plane has to do with, and which of them need another look.
 *
 * Owns: the entries, what is dirty, the next hops in use, who needs the tunnel. Must not know: the kernel, time.
 */
import { hostPrefix, type IpAddress, type Ipv4, type Prefix } from '../bgp/net/index.js';
import type { InterfaceIndex, KernelRoute } from './kernel/kernel.js';
import { NextHopTable } from './next-hops.js';
import { OWN_BLOCK_PLAN, type Planner, samePlan } from './plan.js';
import type { RoutePlan } from './plan-types.js';
import { newEntry, type RouteEntry } from './route-entry.js';
import type { TunnelDemand } from './tunnel-keeper.js';
import type { LearnedRoute, PeerGateway } from './types.js';

export class RouteBook {
  readonly nextHops = new NextHopTable();
  /** Entries whose plan or place in the kernel must be looked at again. */
  readonly dirty = new Set<RouteEntry>();
  /** Entries of an earlier run that nobody spoke about in this one. */
  readonly leftovers = new Set<RouteEntry>();
  readonly #entries = new Map<Prefix, RouteEntry>();
  #tunnelUsers = 0;

  /** A plan of some route leads through the tunnel. */
  get needsTunnel(): boolean {
    return this.#tunnelUsers > 0;
  }

  get(prefix: Prefix): RouteEntry | undefined {
    return this.#entries.get(prefix);
  }

  entries(): IterableIterator<RouteEntry> {
    return this.#entries.values();
  }

  /** The node's own subnets, in place of those before. */
  setBlocks(before: readonly Prefix[], after: readonly Prefix[], nowMs: number): void {
    for (const prefix of before) {
      const entry = this.#entries.get(prefix);
      if (entry === undefined) continue;
      entry.isOwn = false;
      this.dirty.add(entry);
    }
    for (const prefix of after) {
      const entry = this.#enter(prefix, nowMs);
      entry.isOwn = true;
      this.confirm(entry);
    }
  }

  /** The other nodes of the cluster, in place of those before: how they are reached is asked, used by a route or not. */
  setNodes(before: readonly Ipv4[], after: readonly Ipv4[]): void {
    this.nextHops.release(before.map((address) => ({ address })));
    this.nextHops.use(after.map((address) => ({ address })));
  }

  /** The peers that are reached through gateways, in place of those before. */
  setGateways(before: readonly PeerGateway[], after: readonly PeerGateway[], nowMs: number): void {
    for (const { address, gateway } of before) {
      const entry = this.#entries.get(hostPrefix(address));
      this.nextHops.release([{ address: gateway }]);
      if (entry === undefined) continue;
      entry.gateway = undefined;
      this.dirty.add(entry);
    }
    for (const peer of after) {
      const entry = this.#enter(hostPrefix(peer.address), nowMs);
      this.nextHops.use([{ address: peer.gateway }]);
      entry.gateway = peer;
      this.confirm(entry);
    }
  }

  /** What the peers offer for the prefix now; undefined: nothing. */
  setLearned(prefix: Prefix, route: LearnedRoute | undefined, nowMs: number): void {
    if (route === undefined && !this.#entries.has(prefix)) return;
    const entry = this.#enter(prefix, nowMs);
    if (entry.learned !== undefined) this.nextHops.release(entry.learned.nextHops);
    if (route !== undefined) this.nextHops.use(route.nextHops);
    entry.learned = route;
    this.confirm(entry);
  }

  /** A route of ours that was found in the kernel and that nobody wants. */
  addFound(installed: KernelRoute, isLeftover: boolean, nowMs: number): RouteEntry {
    const entry = this.#enter(installed.prefix, nowMs);
    entry.installed = installed;
    entry.isLeftover = isLeftover;
    if (isLeftover) this.leftovers.add(entry);
    this.dirty.add(entry);
    return entry;
  }

  /** The prefix has been decided on in this run: it is no leftover any more. */
  confirm(entry: RouteEntry): void {
    entry.isLeftover = false;
    this.leftovers.delete(entry);
    this.dirty.add(entry);
  }

  /** @returns false where the prefix is none of ours */
  touch(prefix: Prefix): boolean {
    const entry = this.#entries.get(prefix);
    if (entry !== undefined) this.dirty.add(entry);
    return entry !== undefined;
  }

  touchAll(): void {
    for (const entry of this.#entries.values()) this.dirty.add(entry);
  }

  takeDirty(): readonly RouteEntry[] {
    const entries = [...this.dirty];
    this.dirty.clear();
    return entries;
  }

  /**
   * Plans again what is dirty, or everything; what comes out different is dirty.
   * @returns true where the need for a tunnel began or ended
   */
  replan(planner: Planner, isAll: boolean): boolean {
    const needed = this.needsTunnel;
    for (const entry of isAll ? this.#entries.values() : this.dirty) {
      const plan = planOf(entry, planner);
      if (plan === entry.plan || (plan !== undefined && samePlan(entry.plan, plan))) continue;
      this.#tunnelUsers += Number(plan?.needsTunnel ?? false) - Number(entry.plan?.needsTunnel ?? false);
      entry.plan = plan;
      this.dirty.add(entry);
    }
    return needed !== this.needsTunnel;
  }

  /** What our routes in the kernel need of the tunnel device; `index`: its number, where it is there. */
  tunnelDemand(index: InterfaceIndex | undefined): TunnelDemand {
    let isUsed = false;
    const sources = new Set<IpAddress>();
    for (const { installed } of this.#entries.values()) {
      if (installed?.source !== undefined) sources.add(installed.source);
      isUsed ||= installed?.nextHops.some((hop) => hop.interfaceIndex === index) === true;
    }
    return { isUsed, sources };
  }

  /** Nothing is wanted and nothing is there. */
  forget(entry: RouteEntry): void {
    if (this.#entries.get(entry.prefix) === entry) this.#entries.delete(entry.prefix);
    this.leftovers.delete(entry);
    this.dirty.delete(entry);
  }

  #enter(prefix: Prefix, nowMs: number): RouteEntry {
    const known = this.#entries.get(prefix);
    if (known !== undefined) return known;
    const entry = newEntry(prefix, nowMs);
    this.#entries.set(prefix, entry);
    return entry;
  }
}

function planOf(entry: RouteEntry, planner: Planner): RoutePlan | undefined {
  if (entry.isOwn) return OWN_BLOCK_PLAN;
  if (entry.gateway !== undefined) return planner.planGateway(entry.gateway);
  return entry.learned === undefined ? undefined : planner.plan(entry.learned);
}
