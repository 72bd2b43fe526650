/**
 * The loop: told what is reachable, it reads, plans, takes the difference, applies, and keeps it so.
 *
 * Owns: when things happen: coalescing, reading back, retries. Must not know: BGP, resources, rtnetlink messages,
 * loggers.
 *
 * One pass runs at a time; what arrives meanwhile is in the next one. What we install is read back from the kernel's
 * echo; the whole table is read at start, after every event about links or addresses (the kernel drops the routes of a
 * link that goes down without a word), after lost events, and on a timer.
 */
import { isLinkLocal, type Prefix } from '../bgp/net/index.js';
import type { DataplaneEvent } from './events.js';
import { Forwarding } from './forwarding.js';
import { type HostState, isLinkNews, readHost } from './host-state.js';
import { RouteInstaller } from './installer.js';
import type { Kernel, KernelEvent, Sysctl } from './kernel/kernel.js';
import { NeighbourTable } from './neighbours.js';
import { Outlook } from './outlook.js';
import { PassLoop } from './pass-loop.js';
import type { Planner } from './plan.js';
import { Retries } from './retries.js';
import { RouteBook } from './route-book.js';
import { isNeeded, type RouteEntry, refresh, type StatusContext, statusOf } from './route-entry.js';
import { type SettingChange, SettingRecord, type SettingStore, volatileStore } from './setting-record.js';
import { statusContext } from './status-context.js';
import { Sweep } from './sweep.js';
import { Timers } from './timers.js';
import { Transitions } from './transitions.js';
import { wishForTunnel } from './tunnel.js';
import { sameTunnel, type TunnelDemand, TunnelKeeper } from './tunnel-keeper.js';
import {
  type Clock,
  type DataplaneCounters,
  type DataplaneSettings,
  defaultDataplaneSettings,
  type NextHopFacts,
  type NodeFacts,
  type PeerProgress,
  type RouteChange,
  type RouteState,
  type RouteStatus,
  type TunnelStatus,
} from './types.js';

const READ_BACK_INTERVAL_MS = 90_000;
/** A storm of events costs at most this share of the time: a reading that took t is followed by a pause of 4t. */
const READ_BACK_PAUSE_FACTOR = 4;
const MIN_READ_BACK_PAUSE_MS = 50;
/** A device that could not be set up is tried again; the kernel may have got the module meanwhile. */
const TUNNEL_RETRY_MS = 10_000;
/** Routes of ours may bear on how next hops are reached; the pause keeps a circular announcement from spinning. */
const OWN_ROUTES_SETTLE_MS = 1_000;

export interface DataplaneOptions {
  readonly kernel: Kernel;
  readonly sysctl: Sysctl;
  readonly clock: Clock;
  readonly settings?: Partial<DataplaneSettings>;
  /** Remembers from run to run which kernel settings were changed. Default: forgotten at the end. */
  readonly settingStore?: SettingStore;
  /** For the log. Called from within passes; must not throw. */
  readonly report: (event: DataplaneEvent) => void;
  /** Called after a pass that changed any route's mode, state or reason. */
  readonly onRoutesChanged?: () => void;
  /** Called from within a pass where what this node says of itself has changed. */
  readonly onFactsChanged?: (facts: NextHopFacts) => void;
}

export class Dataplane {
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #settings: DataplaneSettings;
  readonly #report: (event: DataplaneEvent) => void;
  readonly #onRoutesChanged: () => void;
  readonly #forwarding: Forwarding;
  readonly #outlook: Outlook;
  readonly #loop: PassLoop;
  readonly #tunnel: TunnelKeeper;
  readonly #installer: RouteInstaller;
  readonly #sweep: Sweep;
  readonly #timers: Timers<'readBack' | 'readBackSoon' | 'retry' | 'sweep' | 'tunnel' | 'look' | 'recover'>;
  readonly #book = new RouteBook();
  readonly #neighbours = new NeighbourTable();

  #facts: NodeFacts | undefined;
  #host: HostState = { links: [], addresses: [] };
  #context: StatusContext;
  #planner: Planner | undefined;
  readonly #retries = new Retries();
  /** The last answer of `routes`, until anything of it changes. */
  #snapshot: readonly RouteStatus[] | undefined;

  // What the next pass has to do, beside the dirty entries of the book.
  #events: Exclude<KernelEvent, { kind: 'neighbour' }>[] = [];
  #mustReadBack = false;
  #mustLook = false;
  #mustReplanAll = false;
  #mustSettleTunnel = false;

  #readBackNotBeforeMs = 0;
  readonly #counters = { drift: 0, readBacks: 0, swept: 0 };

  constructor(options: DataplaneOptions) {
    this.#kernel = options.kernel;
    this.#clock = options.clock;
    this.#settings = { ...defaultDataplaneSettings, ...options.settings };
    this.#report = options.report;
    this.#onRoutesChanged = options.onRoutesChanged ?? (() => undefined);
    const record = new SettingRecord(options.settingStore ?? volatileStore());
    this.#forwarding = new Forwarding(options.sysctl, record, options.report);
    this.#outlook = new Outlook(
      this.#settings,
      this.#forwarding,
      options.report,
      options.onFactsChanged ?? (() => undefined),
    );
    this.#tunnel = new TunnelKeeper(options.kernel, this.#settings.tunnelDevice);
    this.#installer = new RouteInstaller(options.kernel, options.clock, this.#settings);
    this.#sweep = new Sweep(this.#settings.sweepAfterMs);
    this.#timers = new Timers(options.clock);
    this.#loop = new PassLoop({
      clock: options.clock,
      hasWork: () => this.#hasWork(),
      isWorkComing: () => this.#timers.has('readBackSoon'),
      pass: () =>
        this.#pass().catch((error: unknown) => {
          // Answers were lost: what is believed of the kernel may be wrong.
          this.#mustReadBack = true;
          throw error;
        }),
      report: options.report,
    });
    this.#context = statusContext([], this.#settings.tunnelDevice, this.#book.nextHops, this.#neighbours);
  }

  /**
   * Opens the kernel and reads it. Routes of an earlier run are in `routes()`, as stale, when this resolves.
   * @throws KernelError with a `remedy`, `KERNEL_EPERM` where CAP_NET_ADMIN is missing
   */
  async start(): Promise<void> {
    try {
      await this.#kernel.open((events) => this.#heard(events));
      await this.#kernel.checkPermission();
      await this.#loop.first(() => this.#readBack());
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#loop.begin();
    this.#report({ kind: 'started', leftoverRoutes: this.#book.leftovers.size });
    this.#sweepIn(this.#sweep.begin(this.#clock.now()));
    this.#wake();
  }

  /** Takes new facts about this node; routes and tunnel follow. */
  setNode(facts: NodeFacts): void {
    this.#book.setBlocks(this.#facts?.blocks ?? [], facts.blocks, this.#clock.now());
    this.#book.setNodes(this.#facts?.nodes ?? [], facts.nodes ?? []);
    this.#book.setGateways(this.#facts?.gateways ?? [], facts.gateways ?? [], this.#clock.now());
    this.#facts = facts;
    this.#snapshot = undefined;
    this.#mustSettleTunnel = true;
    this.#mustReplanAll = true;
    this.#wake();
  }

  /** Takes changes of reachability; of several for one prefix the last counts. Those of one turn are one pass. */
  applyChanges(changes: readonly RouteChange[]): void {
    const now = this.#clock.now();
    for (const { prefix, route } of changes) this.#book.setLearned(prefix, route, now);
    this.#snapshot = undefined;
    this.#wake();
  }

  /** Takes the progress of the peers, which decides when an earlier run's routes go. */
  setPeers(progress: PeerProgress): void {
    this.#sweepIn(this.#sweep.update(progress, this.#clock.now()));
    this.#sweepNow();
  }

  /** The routes of an earlier run are gone or confirmed: the progress of the peers is of no account any more. */
  get isSwept(): boolean {
    return this.#sweep.isDone;
  }

  /** Resolves when everything asked so far has been tried, and what was accepted has been read back. */
  settled(): Promise<void> {
    return this.#loop.settled();
  }

  /** Every prefix that is wanted or that has a route of ours, in no order. */
  routes(): readonly RouteStatus[] {
    const context = this.#context;
    this.#snapshot ??= Array.from(this.#book.entries(), (entry) => statusOf(entry, context));
    return this.#snapshot;
  }

  route(prefix: Prefix): RouteStatus | undefined {
    const entry = this.#book.get(prefix);
    return entry === undefined ? undefined : statusOf(entry, this.#context);
  }

  tunnel(): TunnelStatus {
    return this.#tunnel.status;
  }

  /** The MTU that pods can use; undefined: not known yet. */
  podMtuBytes(): number | undefined {
    return this.#outlook.podMtuBytes;
  }

  /** The kernel settings of ours that are in force, each with what was there before. */
  changedSettings(): readonly SettingChange[] {
    return this.#forwarding.changes();
  }

  counters(): DataplaneCounters {
    return { ...this.#counters, applied: this.#installer.applied, failed: this.#installer.failed };
  }

  /** Stops watching and closes the kernel. Routes, tunnel and addresses stay as they are. */
  async stop(): Promise<void> {
    this.#timers.close();
    await this.#loop.stop();
    await this.#kernel.close();
  }

  #heard(events: readonly KernelEvent[]): void {
    for (const event of events) {
      if (event.kind === 'neighbour') this.#heardOfNeighbour(event);
      else this.#events.push(event);
    }
    this.#wake();
  }

  /** No pass is needed: nothing is decided by it. Machines that no route needs cost one look. */
  #heardOfNeighbour(event: Extract<KernelEvent, { kind: 'neighbour' }>): void {
    const { address } = event.neighbour;
    const isNews = this.#neighbours.heard(event);
    if (isNews && (isLinkLocal(address) || this.#book.nextHops.takers.has(address)))
      this.#snapshot = undefined;
  }

  #hasWork(): boolean {
    if (this.#mustReadBack || this.#events.length > 0) return true;
    if (this.#facts === undefined) return false;
    const isPlanOld = this.#mustLook || this.#mustReplanAll || this.#mustSettleTunnel;
    return isPlanOld || this.#book.dirty.size > 0;
  }

  #wake(): void {
    this.#loop.wake();
  }

  async #pass(): Promise<void> {
    this.#absorbEvents();
    if (this.#mustReadBack) await this.#readBack();
    if (this.#facts === undefined) return;
    // Twice where the plans are the first to need a tunnel, or the last.
    do {
      if (this.#mustSettleTunnel) await this.#settleTunnel(this.#facts);
      await this.#lookUp();
      this.#replan(this.#facts);
    } while (this.#mustSettleTunnel);
    if (!this.#mustReadBack) await this.#settleRoutes();
  }

  #absorbEvents(): void {
    const events = this.#events;
    this.#events = [];
    for (const event of events) {
      switch (event.kind) {
        case 'route':
          this.#absorbRoute(event);
          break;
        case 'link':
          if (isLinkNews(this.#host, event.change, event.link)) this.#readBackSoon();
          break;
        case 'lost':
          this.#report({ kind: 'eventsLost' });
          this.#readBackSoon();
          break;
        case 'address':
          this.#readBackSoon();
          break;
        default:
          event satisfies never;
      }
    }
  }

  #absorbRoute(event: Extract<KernelEvent, { kind: 'route' }>): void {
    const { prefix, protocol } = event.route;
    this.#installer.mirror.heard(event);
    if (this.#book.touch(prefix)) {
      // What the kernel announces of IPv6 routes with several next hops does not tell the whole route.
      if (typeof prefix === 'bigint') this.#readBackSoon();
    } else if (protocol === this.#settings.routeProtocol) {
      this.#readBackSoon();
    }
    if (this.#book.nextHops.covering.has(prefix)) this.#mustLook = true;
    if (this.#outlook.isConcernedBy(event.route)) this.#planner = undefined;
  }

  /** At once, unless the last reading was just now. */
  #readBackSoon(): void {
    const waitMs = this.#readBackNotBeforeMs - this.#clock.now();
    if (waitMs <= 0) this.#mustReadBack = true;
    else if (!this.#timers.has('readBackSoon')) this.#readBackIn('readBackSoon', waitMs);
  }

  #readBackIn(timer: 'readBack' | 'readBackSoon', delayMs: number): void {
    this.#timers.set(timer, delayMs, () => {
      this.#mustReadBack = true;
      this.#wake();
    });
  }

  /** Reads everything; every entry is compared again. @throws KernelError */
  async #readBack(): Promise<void> {
    const beganMs = this.#clock.now();
    this.#mustReadBack = false;
    this.#forwarding.enable();
    this.#setHost(await readHost(this.#kernel));
    const { mirror } = this.#installer;
    mirror.load(await this.#kernel.routes());
    await this.#neighbours.read(this.#kernel);
    this.#counters.readBacks++;
    for (const [prefix, routes] of mirror.entries()) {
      const own = routes.find((route) => route.protocol === this.#settings.routeProtocol);
      if (own === undefined || this.#book.get(prefix) !== undefined) continue;
      // After the sweep, a route with our mark that nobody wants is nobody's, and goes.
      const entry = this.#book.addFound(own, !this.#sweep.isDone, beganMs);
      refresh(entry, this.#context, beganMs);
    }
    this.#snapshot = undefined;
    this.#book.touchAll();
    this.#mustLook = true;
    this.#mustSettleTunnel = true;
    const endedMs = this.#clock.now();
    const pauseMs = Math.max((endedMs - beganMs) * READ_BACK_PAUSE_FACTOR, MIN_READ_BACK_PAUSE_MS);
    this.#readBackNotBeforeMs = endedMs + pauseMs;
    this.#readBackIn('readBack', READ_BACK_INTERVAL_MS);
  }

  #setHost(host: HostState): void {
    if (host === this.#host) return;
    this.#host = host;
    const { tunnelDevice } = this.#settings;
    this.#context = statusContext(host.links, tunnelDevice, this.#book.nextHops, this.#neighbours);
  }

  async #settleTunnel(facts: NodeFacts): Promise<void> {
    this.#mustSettleTunnel = false;
    const before = this.#tunnel.status;
    const removals = this.#tunnel.removals;
    const wish = wishForTunnel(facts, this.#book.needsTunnel);
    this.#setHost(await this.#tunnel.settle(wish, facts, this.#host, this.#tunnelDemand()));
    const after = this.#tunnel.status;
    if (!sameTunnel(before, after)) this.#report({ kind: 'tunnelChanged', tunnel: after });
    if (after.state === 'failed') {
      this.#timers.set('tunnel', TUNNEL_RETRY_MS, () => {
        this.#mustSettleTunnel = true;
        this.#wake();
      });
    }
    // Its routes went with it, and the kernel says nothing of that.
    if (removals !== this.#tunnel.removals) this.#mustReadBack = true;
    this.#mustReplanAll = true;
  }

  #tunnelDemand(): TunnelDemand {
    const device = this.#settings.tunnelDevice;
    return this.#book.tunnelDemand(this.#host.links.find((link) => link.name === device)?.index);
  }

  /** The device, or an address of it, stayed for the sake of routes that are gone or changed by now. */
  #isTunnelReleased(): boolean {
    const { isSurplus, waiting } = this.#tunnel;
    if (!isSurplus && waiting.length === 0) return false;
    const { isUsed, sources } = this.#tunnelDemand();
    return (isSurplus && !isUsed) || waiting.some((address) => !sources.has(address));
  }

  /** After it every next hop in use has an answer; nothing may be awaited between this and planning. */
  async #lookUp(): Promise<void> {
    const { nextHops } = this.#book;
    if (this.#mustLook) {
      this.#mustLook = false;
      for (const { nextHop, from, to } of await nextHops.lookAll(this.#kernel)) {
        this.#mustReplanAll = true;
        if (from.kind === to.kind) continue;
        this.#report({ kind: 'nextHopChanged', nextHop, from: from.kind, to: to.kind });
      }
      this.#planner = undefined;
    }
    for (let unknown = nextHops.unknown(); unknown.length > 0; unknown = nextHops.unknown()) {
      await nextHops.look(this.#kernel, unknown);
      this.#planner = undefined;
      // A new next hop may make a route that holds it impossible.
      for (const prefix of nextHops.covering) this.#book.touch(prefix);
    }
  }

  #replan(facts: NodeFacts): void {
    if (this.#mustReplanAll) this.#planner = undefined;
    const planner = this.#planner ?? this.#newPlanner(facts);
    const isAll = this.#mustReplanAll;
    this.#mustReplanAll = false;
    if (this.#book.replan(planner, isAll)) this.#mustSettleTunnel = true;
  }

  #newPlanner(facts: NodeFacts): Planner {
    const { nextHops } = this.#book;
    const { deviceNames } = this.#context;
    const { mirror } = this.#installer;
    const machine = { host: this.#host, deviceNames, nextHops, tunnel: this.#tunnel, mirror };
    const { planner, isNews } = this.#outlook.planner(facts, machine);
    this.#planner = planner;
    this.#mustReplanAll ||= isNews;
    return planner;
  }

  async #settleRoutes(): Promise<void> {
    const { nextHops } = this.#book;
    const transitions = new Transitions();
    let isChanged = false;
    let bearsOnNextHops = false;
    const { again, mustRead } = await this.#installer.settle(this.#book.takeDirty(), (entry, drifted) => {
      if (drifted) {
        this.#counters.drift++;
        transitions.drifted(entry.prefix);
      }
      bearsOnNextHops ||= nextHops.covering.has(entry.prefix);
      const before = this.#settleEntry(entry);
      if (before === undefined) return;
      isChanged = true;
      transitions.note(before, entry);
    });
    for (const entry of again) this.#book.dirty.add(entry);
    if (mustRead) this.#readBackSoon();
    if (bearsOnNextHops) {
      this.#timers.set('look', OWN_ROUTES_SETTLE_MS, () => {
        this.#mustLook = true;
        this.#wake();
      });
    }
    this.#armRetry();
    if (this.#isTunnelReleased()) this.#mustSettleTunnel = true;
    for (const event of transitions.events()) this.#report(event);
    if (isChanged) this.#onRoutesChanged();
  }

  /** Keeps the books of an entry after the kernel answered. @returns the state before, where it or its reason changed */
  #settleEntry(entry: RouteEntry): RouteState | undefined {
    this.#retries.note(entry);
    if (!isNeeded(entry)) this.#book.forget(entry);
    this.#snapshot = undefined;
    return refresh(entry, this.#context, this.#clock.now());
  }

  #armRetry(): void {
    const nextMs = this.#retries.nextMs();
    if (nextMs === undefined) return;
    this.#timers.set('retry', Math.max(nextMs - this.#clock.now(), 0), () => {
      for (const entry of this.#retries.due(this.#clock.now())) this.#book.dirty.add(entry);
      this.#mustLook = true;
      this.#wake();
    });
  }

  #sweepIn(delayMs: number | undefined): void {
    if (delayMs !== undefined) this.#timers.set('sweep', delayMs, () => this.#sweepNow());
  }

  /** Lets go of what an earlier run left and nobody announced again. */
  #sweepNow(): void {
    if (!this.#loop.isRunning || this.#sweep.isDone) return;
    const { entries, why } = this.#sweep.verdict(this.#book.leftovers, this.#clock.now());
    for (const entry of entries) this.#book.confirm(entry);
    this.#counters.swept += entries.length;
    if (entries.length > 0) this.#report({ kind: 'swept', count: entries.length, why });
    this.#wake();
  }
}
