/**
 * The Adj-RIB-Out: what one peer has been told in one family and what it is still to be told (RFC 4271 section 9.2).
 *
 * Owns: the difference between both, per prefix, and the order in which it leaves. Must not know: other peers,
 * sockets. `next` is pulled when there is room: a prefix that changed many times meanwhile is sent once, as it is
 * then, so what waits is bounded by the table however slowly the peer reads.
 *
 *        update(prefix)                         next()
 *   Loc-RIB ──────────▶ announcing / withdrawals ──────▶ sent
 *           ──────────▶     (only where it differs from `sent`)
 *             walk
 *
 * The whole table is queued by a walk over it, a piece whenever the queue is empty, not at once: at the start of the
 * session, on ROUTE-REFRESH, and when the policy changes. Visiting a prefix twice does no harm, so the walk needs no
 * protection from changes that happen while it is under way.
 */
import type { Family, Ipv4, Prefix } from '../net/index.js';
import {
  attributesKey,
  type CodecContext,
  endOfRibMessage,
  type NextHop,
  type PathAttributes,
  type RouteRefreshMessage,
  type UpdateMessage,
} from '../wire/index.js';
import { exportPath, whyForbidden } from './export.js';
import { FifoSet } from './fifo-set.js';
import type { LocRib } from './loc-rib.js';
import { packAnnouncements, packWithdrawals } from './pack.js';
import type { AdvertisedRoute, NextHopMode, Path, RibPeer, RoutePolicy } from './types.js';

/** Prefixes that a walk queues in one go: enough to fill messages, few enough not to hold up other work. */
const WALK_PIECE = 16_384;

/** A set of attributes as this peer sees it, shared by all prefixes that have it. */
interface Route {
  readonly attributes: PathAttributes;
  readonly nextHop: NextHop;
  readonly key: string;
  /** Entries of `sent` and `announcing` that refer to it. */
  references: number;
  /** Prefixes to announce with it: there, and the route in the queue, exactly while there are some. */
  waiting?: FifoSet<Prefix>;
}

/** The results for one best path, so that each is worked out once and not per prefix. */
interface Memo {
  policyPath?: Path;
  mode?: NextHopMode;
  result?: Route | { readonly refusal: string };
}

interface Walk {
  /** As they were at the start; later ones come through `update`. An array: a paused iterator pins old tables. */
  readonly prefixes: readonly Prefix[];
  position: number;
  /** ROUTE-REFRESH: what the peer knows already is told again. */
  readonly again: boolean;
}

/** Stands in `sent` for "it knows something of this prefix, and must be told again". Equal to no route. */
const TOLD_BEFORE: Route = {
  attributes: { origin: 'INCOMPLETE', asPath: [] },
  nextHop: { address: 0 as Ipv4 },
  key: '',
  references: 0,
};
/** Messages without routes that have their place among those with routes. */
type Marker = 'End-of-RIB' | 'BoRR' | 'EoRR';
/** Subtypes of ROUTE-REFRESH (RFC 7313 §3.2). */
const REFRESH_SUBTYPE = { BoRR: 1, EoRR: 2 } as const;

export class AdjRibOut {
  readonly family: Family;
  #peer: RibPeer;
  readonly #locRib: LocRib;
  #clusterId: Ipv4;
  #policy: RoutePolicy;
  readonly #sent = new Map<Prefix, Route>();
  readonly #announcing = new Map<Prefix, Route>();
  readonly #withdrawals = new FifoSet<Prefix>();
  /** Routes with waiting prefixes, first come, first served, and the markers in their places among them. */
  readonly #queue = new FifoSet<Route | Marker>();
  readonly #routes = new Map<string, Route>();
  #memos = new WeakMap<Path, Memo>();
  readonly #oversized = new Set<Prefix>();
  #walk: Walk | undefined;
  #refreshAfterWalk = false;
  /** What follows the last route of the walk. */
  readonly #owed = new Set<Marker>(['End-of-RIB']);
  #endOfRibSent = false;

  constructor(peer: RibPeer, locRib: LocRib, policy: RoutePolicy, clusterId: Ipv4) {
    this.family = locRib.family;
    this.#peer = peer;
    this.#locRib = locRib;
    this.#policy = policy;
    this.#clusterId = clusterId;
    this.#startWalk(false);
  }

  /** True while `next` may have something: also before the rest of a walk turns out to hold nothing new. */
  get hasPending(): boolean {
    return this.#withdrawals.size > 0 || this.#queue.size > 0 || this.#walk !== undefined;
  }

  /** True once `next` has returned the End-of-RIB: the peer has the whole initial table. */
  get endOfRibSent(): boolean {
    return this.#endOfRibSent;
  }

  get counters(): { advertised: number; announcements: number; withdrawals: number; oversized: number } {
    return {
      advertised: this.#sent.size,
      announcements: this.#announcing.size,
      withdrawals: this.#withdrawals.size,
      oversized: this.#oversized.size,
    };
  }

  /** The best path to `prefix` is another one now, or none. */
  update(prefix: Prefix, best: Path | undefined): void {
    const judged = best && this.#judge(prefix, best);
    const wanted = judged === undefined || 'refusal' in judged ? undefined : this.#shared(judged);
    const told = this.#sent.get(prefix);
    const queued = this.#announcing.get(prefix);
    this.#oversized.delete(prefix);
    if (wanted !== undefined && wanted === queued) return;
    if (queued !== undefined) this.#unqueue(prefix, queued);
    if (wanted === undefined) {
      if (told !== undefined) this.#withdrawals.add(prefix);
      return;
    }
    this.#withdrawals.delete(prefix);
    if (wanted === told) return;
    this.#enqueue(prefix, wanted);
    // What is to be told again must be told before the end of the refresh, or the peer drops it for a moment.
    if (told === TOLD_BEFORE && this.#queue.delete('EoRR')) {
      this.#owed.add('EoRR');
      this.#walk ??= { prefixes: [], position: 0, again: false };
    }
  }

  /** What waits was allowed by the old policy: it is judged anew with all the rest. Only differences are sent. */
  setPolicy(policy: RoutePolicy): void {
    this.#policy = policy;
    for (const [prefix, route] of this.#announcing) this.#unqueue(prefix, route);
    // The peer drops what it has not heard of by the end: that goes behind what was just taken out.
    for (const marker of ['End-of-RIB', 'EoRR'] as const) {
      if (this.#queue.delete(marker)) this.#owed.add(marker);
    }
    this.#startWalk(this.#walk?.again ?? false);
  }

  /** The peer counts differently from now on: all is judged anew, as with another policy. */
  setPeer(peer: RibPeer): void {
    this.#peer = peer;
    this.#memos = new WeakMap();
    this.setPolicy(this.#policy);
  }

  /** We reflect for another cluster: all is judged anew, as with another policy. */
  setClusterId(clusterId: Ipv4): void {
    this.#clusterId = clusterId;
    this.setPeer(this.#peer);
  }

  /** RFC 2918: tell everything again. Requests that come while one is being answered are answered once, after it. */
  refresh(): void {
    if (this.#walk === undefined) this.#startRefresh();
    else this.#refreshAfterWalk = true;
  }

  /** The next message for the peer, withdrawals first; undefined where it knows everything. */
  next(context: CodecContext): UpdateMessage | RouteRefreshMessage | undefined {
    for (;;) {
      if (this.#withdrawals.size > 0) return this.#nextWithdrawal(context);
      const first = this.#queue.first();
      if (typeof first === 'string') return this.#nextMarker(first);
      const update = first && this.#nextAnnouncement(first, context);
      if (update !== undefined) return update;
      if (first === undefined && !this.#continueWalk()) return undefined;
    }
  }

  *view(): Generator<AdvertisedRoute> {
    for (const prefix of this.#locRib.prefixes()) {
      const best = this.#locRib.best(prefix);
      if (best !== undefined) yield this.#viewOf(prefix, best);
    }
  }

  #viewOf(prefix: Prefix, best: Path): AdvertisedRoute {
    if (this.#oversized.has(prefix)) {
      return { prefix, state: 'refused', reason: 'its attributes leave no room for a prefix in one message' };
    }
    const judged = this.#judge(prefix, best);
    if ('refusal' in judged) return { prefix, state: 'refused', reason: judged.refusal };
    const { attributes, nextHop, key } = judged;
    const sent = this.#sent.get(prefix)?.key === key && !this.#announcing.has(prefix);
    return { prefix, state: sent ? 'sent' : 'pending', attributes, nextHop };
  }

  #judge(prefix: Prefix, best: Path): Route | { readonly refusal: string } {
    // In a mesh this is the answer for all routes but the own ones: remembered, it would cost the square of the nodes.
    const forbidden = whyForbidden(this.#peer, best);
    if (forbidden !== undefined) return { refusal: forbidden };
    const memo = this.#memo(best);
    const verdict = this.#policy.exportRoute(this.#peer, prefix, best);
    if (!verdict.accept) return { refusal: verdict.reason };
    const { path = best, nextHop: mode = this.#peer.nextHop ?? 'auto' } = verdict;
    if (memo.result !== undefined && memo.policyPath === path && memo.mode === mode) return memo.result;
    memo.policyPath = path;
    memo.mode = mode;
    memo.result = this.#asRoute(exportPath(this.#peer, this.family, best, path, mode, this.#clusterId));
    return memo.result;
  }

  #memo(best: Path): Memo {
    let memo = this.#memos.get(best);
    if (memo === undefined) {
      memo = {};
      this.#memos.set(best, memo);
    }
    return memo;
  }

  #asRoute(exported: ReturnType<typeof exportPath>): Route | { readonly refusal: string } {
    if ('refusal' in exported) return exported;
    const key = attributesKey(exported.attributes, exported.nextHop);
    return { ...exported, key, references: 0 };
  }

  /** The one object in use for these attributes, so that equal ones travel together and compare with `===`. */
  #shared(route: Route): Route {
    const known = this.#routes.get(route.key);
    if (known !== undefined) return known;
    this.#routes.set(route.key, route);
    return route;
  }

  #release(route: Route): void {
    if (route === TOLD_BEFORE) return;
    route.references -= 1;
    if (route.references === 0) this.#routes.delete(route.key);
  }

  #enqueue(prefix: Prefix, route: Route): void {
    route.references += 1;
    this.#announcing.set(prefix, route);
    route.waiting ??= new FifoSet();
    route.waiting.add(prefix);
    this.#queue.add(route);
  }

  #unqueue(prefix: Prefix, route: Route): void {
    this.#announcing.delete(prefix);
    route.waiting?.delete(prefix);
    this.#leaveQueueIfEmpty(route);
    this.#release(route);
  }

  #leaveQueueIfEmpty(route: Route): void {
    if (route.waiting?.size !== 0) return;
    this.#queue.delete(route);
    delete route.waiting;
  }

  #nextWithdrawal(context: CodecContext): UpdateMessage {
    const update = packWithdrawals(this.#withdrawals, this.family, context);
    for (const { prefixes } of update.unreach) for (const prefix of prefixes) this.#forget(prefix);
    return update;
  }

  #nextMarker(marker: Marker): UpdateMessage | RouteRefreshMessage {
    this.#queue.delete(marker);
    if (marker !== 'End-of-RIB') {
      return { type: 'ROUTE-REFRESH', family: this.family, subtype: REFRESH_SUBTYPE[marker] };
    }
    this.#endOfRibSent = true;
    return endOfRibMessage(this.family);
  }

  #nextAnnouncement(route: Route, context: CodecContext): UpdateMessage | undefined {
    const { waiting } = route;
    const next = waiting?.first();
    if (waiting === undefined || next === undefined) {
      throw new Error('a route without waiting prefixes is in the queue');
    }
    const packed = packAnnouncements(waiting, route, this.family, context);
    if (packed === undefined) {
      this.#setAside(next, route);
      return undefined;
    }
    for (const prefix of packed.prefixes) {
      this.#forget(prefix);
      // The reference of `announcing` becomes that of `sent`.
      this.#announcing.delete(prefix);
      this.#sent.set(prefix, route);
    }
    this.#leaveQueueIfEmpty(route);
    return packed.update;
  }

  /** RFC 4271 §9.2: a route that does not fit into one message is not advertised; an earlier one is not true now. */
  #setAside(prefix: Prefix, route: Route): void {
    this.#unqueue(prefix, route);
    this.#oversized.add(prefix);
    if (this.#sent.has(prefix)) this.#withdrawals.add(prefix);
  }

  #forget(prefix: Prefix): void {
    const told = this.#sent.get(prefix);
    if (told === undefined) return;
    this.#sent.delete(prefix);
    this.#release(told);
  }

  /** RFC 7313 §4: Begin-of-RR waits behind what is queued, End-of-RIB included, and the walk waits for it. */
  #startRefresh(): void {
    if (this.#peer.enhancedRouteRefresh) {
      this.#queue.add('BoRR');
      this.#owed.add('EoRR');
    }
    this.#startWalk(true);
  }

  #startWalk(again: boolean): void {
    this.#walk = { prefixes: [...this.#locRib.prefixes()], position: 0, again };
  }

  /** @returns false where there was nothing left to do. */
  #continueWalk(): boolean {
    const walk = this.#walk;
    if (walk === undefined) return false;
    const end = Math.min(walk.position + WALK_PIECE, walk.prefixes.length);
    for (const prefix of walk.prefixes.slice(walk.position, end)) {
      const told = this.#sent.get(prefix);
      if (walk.again && told !== undefined) {
        this.#release(told);
        this.#sent.set(prefix, TOLD_BEFORE);
      }
      this.update(prefix, this.#locRib.best(prefix));
    }
    walk.position = end;
    if (end === walk.prefixes.length) this.#endWalk();
    return true;
  }

  #endWalk(): void {
    this.#walk = undefined;
    for (const marker of this.#owed) this.#queue.add(marker);
    this.#owed.clear();
    if (this.#refreshAfterWalk) this.#startRefresh();
    this.#refreshAfterWalk = false;
  }
}
