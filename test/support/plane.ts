/**
 * A data plane on a machine of a test: how it is told, what it told, and when it is done.
 */
import {
  type Clock,
  Dataplane,
  type DataplaneEvent,
  type DataplaneSettings,
  type Kernel,
  type LearnedRoute,
  type NextHopFacts,
  type NodeFacts,
  type RouteStatus,
  type SettingStore,
} from '../../ipip/index.js';
import { address as ip, address4 as ip4, prefix } from './addresses.js';
import { type Machine, must } from './machine.js';
import { until } from './until.js';

const clock: Clock = {
  now: () => Date.now(),
  setTimer: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export const FACTS: NodeFacts = {
  nodeAddress: ip4('192.168.1.11'),
  blocks: [prefix('10.244.1.0/24')],
  pools: [{ prefix: prefix('10.244.0.0/16'), ipipMode: 'CrossSubnet' }],
};

export function learned(to: string, ...via: readonly string[]): LearnedRoute {
  return {
    prefix: prefix(to),
    nextHops: via.map((nextHop) => ({ address: ip(nextHop) })),
    learnedFrom: { peer: 'mesh/node-b', asn: 64512, type: 'ibgp' },
  };
}

/** A change per route, and a withdrawal per plain prefix. */
export const changes = (...routes: readonly (LearnedRoute | string)[]) =>
  routes.map((route) =>
    typeof route === 'string' ? { prefix: prefix(route) } : { prefix: route.prefix, route },
  );

export interface PlaneOptions {
  /** The port that it uses in place of the machine's own. */
  readonly kernel?: Kernel;
  readonly clock?: Clock;
  readonly settings?: Partial<DataplaneSettings>;
  readonly settingStore?: SettingStore;
}

/** A data plane on a machine, with what it told. */
export class Plane {
  readonly events: DataplaneEvent[] = [];
  /** What it had the node say of itself, in order. */
  readonly facts: NextHopFacts[] = [];
  readonly dataplane: Dataplane;
  #onChanged: (() => void) | undefined;

  constructor(machine: Machine, options: PlaneOptions = {}) {
    this.dataplane = new Dataplane({
      ...(options.settingStore === undefined ? {} : { settingStore: options.settingStore }),
      kernel: options.kernel ?? machine.kernel,
      sysctl: machine.sysctl,
      clock: options.clock ?? clock,
      settings: options.settings ?? {},
      report: (event) => {
        this.events.push(event);
        this.#onChanged?.();
      },
      onRoutesChanged: () => this.#onChanged?.(),
      onFactsChanged: (facts) => {
        this.facts.push(facts);
        this.#onChanged?.();
      },
    });
  }

  start(): Promise<void> {
    return this.dataplane.start();
  }

  /** Resolves when everything asked so far has been tried. */
  settled(): Promise<void> {
    return this.dataplane.settled();
  }

  route(text: string): RouteStatus {
    return must(this.dataplane.route(prefix(text)), text);
  }

  /** Resolves as soon as the question is answered by true; asked after every change of routes and every event. */
  async changed(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#onChanged = resolve;
      });
    }
    await this.settled();
  }

  /** Asks until the answer is true, of what no event of the data plane tells. */
  async until(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
    await until(what, ask);
  }

  /** Tells of the routes, and of withdrawals by their prefix; resolves when all has been tried. */
  async apply(...routes: readonly (LearnedRoute | string)[]): Promise<void> {
    this.dataplane.applyChanges(changes(...routes));
    await this.settled();
  }

  state(text: string): string | undefined {
    return this.dataplane.route(prefix(text))?.state;
  }
}

export const onItsOwn = (machine: Machine) => new Plane(machine);

/** The routes of ours that the machine has, without the node's own blackhole, which every machine has. */
export const ourRoutes = (machine: Machine): readonly string[] =>
  machine.routes().filter((line) => line.includes('proto 179') && !line.includes('10.244.1.0/24'));
