/**
 * The routing tables of one BGP speaker: Adj-RIB-In -> decision -> Loc-RIB -> Adj-RIB-Out, per family.
 *
 * Owns: carrying a change from one table to the next. Must not know: sockets, clocks, kernels; when a peer is up and
 * when there is room to send is the caller's. Source: RFC 4271 section 9, RFC 4724 section 4.2, RFC 2918.
 */
import { type Family, type IpAddress, type Ipv4, type Prefix, prefixFamily } from '../net/index.js';
import type { CodecContext, RouteRefreshMessage, UpdateMessage } from '../wire/index.js';
import { AdjRibIn, type PeerPath, type Received } from './adj-rib-in.js';
import { AdjRibOut } from './adj-rib-out.js';
import type { IgpCost } from './decision.js';
import { importedPath } from './import-rules.js';
import { LocRib } from './loc-rib.js';
import { localPath } from './local-path.js';
import { sharedPath } from './path.js';
import type {
  AdvertisedRoute,
  BestPathChange,
  BestRoute,
  LocalRoute,
  Path,
  PathView,
  PeerId,
  PeerRouteCounters,
  ReceivedRoute,
  RibPeer,
  RoutePolicy,
} from './types.js';
import { type OwnIdentity, whyUnusable } from './usable.js';

export interface RibOptions {
  readonly localAs: number;
  readonly bgpIdentifier: Ipv4;
  /** Where we reflect (RFC 4456 §7); absent: the BGP identifier. */
  readonly clusterId?: Ipv4;
  readonly policy: RoutePolicy;
  /** Addresses of this node beside those of its sessions: never a usable next hop (RFC 4271 §6.3). */
  readonly ownAddresses?: Iterable<IpAddress>;
  /** RFC 4271 §9.1.2.2 e; every next hop costs 0 where absent. */
  readonly igpCost?: IgpCost;
  /** How many equal paths to one prefix may share its traffic, from 1; absent: the best one carries it alone. */
  readonly maxPaths?: number;
}

/** The tables of one peer; without `session`, only stale routes are left. */
interface PeerTables {
  readonly received: Readonly<Record<Family, AdjRibIn>>;
  session?: { peer: RibPeer; readonly out: ReadonlyMap<Family, AdjRibOut> };
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

export class Rib {
  #own: OwnIdentity;
  readonly #locRibs: Readonly<Record<Family, LocRib>>;
  readonly #peers = new Map<PeerId, PeerTables>();
  #policy: RoutePolicy;
  #local: ReadonlyMap<Prefix, Path> = new Map();

  constructor(options: RibOptions) {
    const { localAs, bgpIdentifier, policy, ownAddresses = [] } = options;
    const { clusterId = bgpIdentifier, igpCost = () => 0, maxPaths = 1 } = options;
    this.#own = { localAs, bgpIdentifier, clusterId, ownAddresses: new Set(ownAddresses) };
    this.#policy = policy;
    const locRib = (family: Family) => new LocRib(family, igpCost, maxPaths);
    this.#locRibs = { ipv4: locRib('ipv4'), ipv6: locRib('ipv6') };
  }

  /**
   * A session is established: the whole table waits for the peer, then the End-of-RIB of each family. What is left of
   * an earlier session stays, except in families that this session does not carry (RFC 4724 §4.2).
   */
  peerUp(peer: RibPeer): readonly BestPathChange[] {
    const tables = this.#peers.get(peer.id) ?? this.#newPeer();
    if (tables.session !== undefined) throw new Error(`peer ${peer.id} has a session already`);
    this.#peers.set(peer.id, tables);
    const out = peer.families.map(
      (family) =>
        [family, new AdjRibOut(peer, this.#locRibs[family], this.#policy, this.#own.clusterId)] as const,
    );
    tables.session = { peer, out: new Map(out) };
    return FAMILIES.filter((family) => !peer.families.includes(family)).flatMap((family) =>
      this.sweepStale(peer.id, family),
    );
  }

  /**
   * The peer counts differently from now on, its session goes on: in the decision and in what it is told.
   * @param known its id so far
   */
  updatePeer(peer: RibPeer, known: PeerId = peer.id): readonly BestPathChange[] {
    const { received, session } = this.#established(known);
    session.peer = peer;
    this.#peers.delete(known);
    this.#peers.set(peer.id, { received, session });
    for (const out of session.out.values()) out.setPeer(peer);
    return FAMILIES.flatMap((family) => {
      received[family].setPeer(peer);
      return this.#reconsider(known, received[family], received[family].prefixes());
    });
  }

  /** Reflects for another cluster from now on (RFC 4456 §7); undefined: for that of the BGP identifier. */
  setClusterId(clusterId: Ipv4 = this.#own.bgpIdentifier): readonly BestPathChange[] {
    if (clusterId === this.#own.clusterId) return [];
    this.#own = { ...this.#own, clusterId };
    for (const { session } of this.#peers.values()) {
      for (const out of session?.out.values() ?? []) out.setClusterId(clusterId);
    }
    return this.#reconsiderAll((received) => received.judgeAgain());
  }

  /**
   * The session has ended. With `keepStale` the peer's routes stay in use until `sweepStale`; without, they go, and so
   * do those of an earlier session. A peer that is not known, or not up and to be kept, is no change.
   */
  peerDown(id: PeerId, how: { readonly keepStale: boolean }): readonly BestPathChange[] {
    const tables = this.#peers.get(id);
    if (tables === undefined || (how.keepStale && tables.session === undefined)) return [];
    delete tables.session;
    if (!how.keepStale) this.#peers.delete(id);
    return FAMILIES.flatMap((family) => {
      const received = tables.received[family];
      const touched = [...received.prefixes()];
      if (how.keepStale) received.markStale();
      else received.withdraw(touched);
      return this.#reconsider(id, received, touched);
    });
  }

  /** Removes what the peer has not announced again: its End-of-RIB has come, or its restart time is over. */
  sweepStale(id: PeerId, family?: Family): readonly BestPathChange[] {
    const tables = this.#peers.get(id);
    if (tables === undefined) return [];
    const changes = (family === undefined ? FAMILIES : [family]).flatMap((swept) => {
      const received = tables.received[swept];
      const stale = received.stale();
      received.withdraw(stale);
      return this.#reconsider(id, received, stale);
    });
    this.#forgetIfEmpty(id);
    return changes;
  }

  /** Removes the stale routes of a peer without a session whose prefixes somebody else has told of. */
  sweepCovered(id: PeerId): readonly BestPathChange[] {
    const tables = this.#peers.get(id);
    if (tables === undefined || tables.session !== undefined) return [];
    const changes = FAMILIES.flatMap((family) => {
      const received = tables.received[family];
      const covered = received.stale().filter((prefix) => this.#locRibs[family].hasOther(prefix, id));
      received.withdraw(covered);
      return this.#reconsider(id, received, covered);
    });
    this.#forgetIfEmpty(id);
    return changes;
  }

  /** An UPDATE of an established session. Families that the session does not carry are ignored (RFC 4760 §6). */
  applyUpdate(id: PeerId, update: UpdateMessage): readonly BestPathChange[] {
    const tables = this.#established(id);
    const { peer } = tables.session;
    const touched: Record<Family, Prefix[]> = { ipv4: [], ipv6: [] };
    // RFC 4271 §4.3: a prefix that is withdrawn and announced in one message counts as announced.
    for (const { family, prefixes } of update.unreach) {
      tables.received[family].withdraw(prefixes);
      append(touched[family], prefixes);
    }
    for (const { family, nextHop, prefixes } of update.reach) {
      if (!peer.families.includes(family) || update.attributes === undefined) continue;
      tables.received[family].announce(prefixes, { peer, attributes: update.attributes, nextHop });
      append(touched[family], prefixes);
    }
    return FAMILIES.flatMap((family) => this.#reconsider(id, tables.received[family], touched[family]));
  }

  /** All that this node announces of itself; replaces what was set before. Of one prefix the last entry counts. */
  setLocalRoutes(routes: readonly LocalRoute[]): readonly BestPathChange[] {
    const before = this.#local;
    const shared = new Map<string, Path>();
    this.#local = new Map(
      routes.map((route) => [route.prefix, sharedPath(localPath(route), shared)] as const),
    );
    const changes: BestPathChange[] = [];
    for (const prefix of new Set([...before.keys(), ...this.#local.keys()])) {
      this.#offer(changes, prefix, undefined, this.#local.get(prefix));
    }
    return changes;
  }

  /** Judges everything anew: what was received, and what each peer is told. Only differences are queued. */
  setPolicy(policy: RoutePolicy): readonly BestPathChange[] {
    this.#policy = policy;
    for (const { session } of this.#peers.values()) {
      for (const out of session?.out.values() ?? []) out.setPolicy(policy);
    }
    return this.#reconsiderAll((received) => received.forgetChanged());
  }

  /** ROUTE-REFRESH (RFC 2918): the peer is told everything of the family again. Another family is ignored. */
  refreshOut(id: PeerId, family: Family): void {
    this.#established(id).session.out.get(family)?.refresh();
  }

  /** Begin-of-RR (RFC 7313 §4). Before the End-of-RIB of a restarted peer there is nothing to refresh: ignored. */
  beginRefreshIn(id: PeerId, family: Family): void {
    const received = this.#established(id).received[family];
    if (received.staleCount === 0) received.beginRefresh();
  }

  /** End-of-RR: what the peer has not announced since the begin is gone. Without a begin it is ignored. */
  endRefreshIn(id: PeerId, family: Family): readonly BestPathChange[] {
    const received = this.#established(id).received[family];
    return this.#reconsider(id, received, received.endRefresh());
  }

  /** Prefixes of one family that the peer has announced in this session. */
  receivedCount(id: PeerId, family: Family): number {
    const received = this.#peers.get(id)?.received[family];
    return received === undefined ? 0 : received.size - received.staleCount;
  }

  /** True while `nextMessage` may have something for the peer. */
  hasPending(id: PeerId): boolean {
    return [...(this.#peers.get(id)?.session?.out.values() ?? [])].some((out) => out.hasPending);
  }

  /** The next message for the peer, at most `context.maxMessageLength` long; undefined where it knows everything. */
  nextMessage(id: PeerId, context: CodecContext): UpdateMessage | RouteRefreshMessage | undefined {
    for (const out of this.#peers.get(id)?.session?.out.values() ?? []) {
      const message = out.next(context);
      if (message !== undefined) return message;
    }
    return undefined;
  }

  /** True once the peer has been given the whole initial table of the family and its End-of-RIB. */
  endOfRibSent(id: PeerId, family: Family): boolean {
    return this.#peers.get(id)?.session?.out.get(family)?.endOfRibSent ?? false;
  }

  /** Prefixes with a usable path. */
  size(family: Family): number {
    return this.#locRibs[family].size;
  }

  best(prefix: Prefix): Path | undefined {
    return this.#locRibs[prefixFamily(prefix)].best(prefix);
  }

  /** Read it to its end before the next change, as the other views. */
  *bestRoutes(family?: Family): Generator<BestRoute> {
    for (const each of family === undefined ? FAMILIES : [family]) yield* this.#locRibs[each].bestRoutes();
  }

  /** Every path to exactly `prefix`, the best first, and those that are not used last. */
  paths(prefix: Prefix): readonly PathView[] {
    const family = prefixFamily(prefix);
    const views: PathView[] = [];
    const decision = this.#locRibs[family].explain(prefix);
    if (decision !== undefined) {
      const { best, reason, lost, equalCost } = decision;
      views.push({ path: best, state: 'best', reason, equalCost: true });
      for (const { path, reason } of lost) {
        views.push({ path, state: 'lost', reason, equalCost: equalCost.includes(path) });
      }
    }
    for (const tables of this.#peers.values()) {
      const received = tables.received[family].get(prefix);
      const imported = received && this.#import(prefix, received);
      if (received !== undefined && imported !== undefined && 'refusal' in imported) {
        views.push({ path: received.path, state: 'unused', reason: imported.refusal, equalCost: false });
      }
    }
    return views;
  }

  /** The Adj-RIB-In of a peer. */
  *received(id: PeerId, family?: Family): Generator<ReceivedRoute> {
    const tables = this.#peers.get(id);
    if (tables === undefined) return;
    for (const each of family === undefined ? FAMILIES : [family]) {
      for (const [prefix, received] of tables.received[each].routes()) {
        const imported = this.#import(prefix, received);
        const { path } = received;
        if ('refusal' in imported) yield { prefix, path, accepted: false, reason: imported.refusal };
        else yield { prefix, path, accepted: true };
      }
    }
  }

  /** The Adj-RIB-Out of a peer: all best routes and whether it is told of them. */
  *advertised(id: PeerId, family?: Family): Generator<AdvertisedRoute> {
    for (const out of this.#peers.get(id)?.session?.out.values() ?? []) {
      if (family === undefined || out.family === family) yield* out.view();
    }
  }

  /** All zero for a peer without a session and without stale routes. */
  counters(id: PeerId): PeerRouteCounters {
    const tables = this.#peers.get(id);
    const inside = FAMILIES.map((family) => tables?.received[family]);
    const outside = [...(tables?.session?.out.values() ?? [])].map((out) => out.counters);
    const received = sum(inside.map((table) => table?.size ?? 0));
    const accepted = sum(FAMILIES.map((family) => this.#locRibs[family].countFrom(id)));
    return {
      received,
      accepted,
      rejected: received - accepted,
      stale: sum(inside.map((table) => table?.staleCount ?? 0)),
      advertised: sum(outside.map((table) => table.advertised)),
      pendingAnnouncements: sum(outside.map((table) => table.announcements)),
      pendingWithdrawals: sum(outside.map((table) => table.withdrawals)),
      oversized: sum(outside.map((table) => table.oversized)),
    };
  }

  #newPeer(): PeerTables {
    const table = (family: Family) =>
      new AdjRibIn(family, (path: PeerPath) => whyUnusable(path, family, this.#own));
    return { received: { ipv4: table('ipv4'), ipv6: table('ipv6') } };
  }

  #established(id: PeerId): Required<PeerTables> {
    const tables = this.#peers.get(id);
    const session = tables?.session;
    if (tables === undefined || session === undefined) throw new Error(`peer ${id} has no session`);
    return { ...tables, session };
  }

  #forgetIfEmpty(id: PeerId): void {
    const tables = this.#peers.get(id);
    if (tables?.session !== undefined) return;
    if (FAMILIES.every((family) => tables?.received[family].size === 0)) this.#peers.delete(id);
  }

  /** Decides anew on prefixes whose entry in a peer's Adj-RIB-In may have changed. */
  #reconsider(id: PeerId, received: AdjRibIn, prefixes: Iterable<Prefix>): readonly BestPathChange[] {
    const changes: BestPathChange[] = [];
    for (const prefix of prefixes) {
      const entry = received.get(prefix);
      const imported = entry && this.#import(prefix, entry);
      const path = imported === undefined || 'refusal' in imported ? undefined : imported;
      this.#offer(changes, prefix, id, path);
    }
    return changes;
  }

  /** Decides anew on all that was received. */
  #reconsiderAll(prepare: (received: AdjRibIn) => void): readonly BestPathChange[] {
    const changes: BestPathChange[] = [];
    for (const [id, { received }] of this.#peers) {
      for (const family of FAMILIES) {
        prepare(received[family]);
        append(changes, this.#reconsider(id, received[family], received[family].prefixes()));
      }
    }
    return changes;
  }

  /** What `prefix` may use of a received path: the path, or what the policy makes of it. */
  #import(prefix: Prefix, received: Received): Path | { readonly refusal: string } {
    const { path, unusable, changed } = received;
    if (unusable !== undefined) return { refusal: unusable };
    const verdict = this.#policy.importRoute(path.peer, prefix, path);
    if (!verdict.accept) return { refusal: verdict.reason };
    const imported = importedPath(verdict.path ?? path, path.peer);
    return imported === path ? path : sharedPath(imported, changed);
  }

  /** Puts a candidate into the Loc-RIB, and tells the peers where the best route is another one. */
  #offer(
    changes: BestPathChange[],
    prefix: Prefix,
    source: PeerId | undefined,
    path: Path | undefined,
  ): void {
    const family = prefixFamily(prefix);
    const change = this.#locRibs[family].replace(prefix, source, path);
    if (change === undefined) return;
    changes.push(change);
    if (change.isBestSame) return;
    for (const { session } of this.#peers.values()) session?.out.get(family)?.update(prefix, change.best);
  }
}

/** `push(...)` of a whole table would overflow the stack. */
function append<T>(to: T[], from: readonly T[]): void {
  for (const entry of from) to.push(entry);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
