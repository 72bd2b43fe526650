/**
 * By which device this machine reaches what: the main table without our own routes, read again when it changes.
 *
 * Owns: the reduction of the kernel's routes to devices, and when they are read. Must not know: who asks, and why.
 *
 * It needs no capability, and serves where the data plane is off as well.
 */
import { type Prefix, prefixAddress, prefixLength, prefixOf } from '../bgp/net/index.js';
import { KernelError } from './kernel/errors.js';
import {
  type InterfaceIndex,
  type Kernel,
  type KernelEvent,
  type KernelRoute,
  MAIN_TABLE,
} from './kernel/kernel.js';
import { Timers } from './timers.js';
import type { Clock } from './types.js';

/** The device by which the addresses of a prefix are reached; the longest match counts. `undefined`: by none. */
export type InterfaceTable = ReadonlyMap<Prefix, string | undefined>;

/** What changes in one breath is read once. */
const SETTLE_MS = 50;
/** A storm of events costs at most this share of the time: a reading that took t is followed by a pause of 4t. */
const PAUSE_FACTOR = 4;
/** The kernel could not be read: so long until the next attempt. */
const RETRY_MS = 1_000;

export interface InterfaceWatchOptions {
  readonly kernel: Kernel;
  readonly clock: Clock;
  /** `rtm_protocol` of our own routes: what peers announced does not say where peers are. */
  readonly routeProtocol: number;
  /** The table is another one than before. */
  readonly onChange: (table: InterfaceTable) => void;
  /** The kernel cannot be read; told once until it can be again. The last table stays. */
  readonly onFailure: (error: KernelError) => void;
}

export class InterfaceWatch {
  readonly #options: InterfaceWatchOptions;
  readonly #timers: Timers<'read'>;
  #table: InterfaceTable = new Map();
  #reading: Promise<void> = Promise.resolve();
  #pauseMs = SETTLE_MS;
  #isFailing = false;
  #isStopped = false;

  constructor(options: InterfaceWatchOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** Opens the kernel and reads it. @throws KernelError */
  async start(): Promise<InterfaceTable> {
    await this.#options.kernel.open((events) => this.#heard(events));
    this.#table = await this.#read();
    return this.#table;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timers.close();
    await this.#reading;
    await this.#options.kernel.close();
  }

  #heard(events: readonly KernelEvent[]): void {
    const { routeProtocol } = this.#options;
    const isNews = events.some((event) => {
      if (event.kind === 'neighbour') return false;
      return event.kind !== 'route' || event.route.protocol !== routeProtocol;
    });
    if (isNews) this.#readIn(this.#pauseMs);
  }

  #readIn(delayMs: number): void {
    if (this.#isStopped || this.#timers.has('read')) return;
    this.#timers.set('read', delayMs, () => {
      this.#reading = this.#readAgain();
    });
  }

  async #readAgain(): Promise<void> {
    try {
      const table = await this.#read();
      this.#isFailing = false;
      if (this.#isStopped || sameInterfaces(table, this.#table)) return;
      this.#table = table;
      this.#options.onChange(table);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (!this.#isFailing) this.#options.onFailure(error);
      this.#isFailing = true;
      this.#readIn(RETRY_MS);
    }
  }

  async #read(): Promise<InterfaceTable> {
    const { kernel, clock, routeProtocol } = this.#options;
    const beganMs = clock.now();
    const names = new Map((await kernel.links()).map((link) => [link.index, link.name]));
    const routes = (await kernel.routes()).filter(({ protocol }) => protocol !== routeProtocol);
    this.#pauseMs = Math.max(SETTLE_MS, PAUSE_FACTOR * (clock.now() - beganMs));
    return interfaceTable(routes, names);
  }
}

/**
 * Reduces routes to devices. A route that says the same as the next shorter one around it is left out, so that most
 * changes of a large table are no change of this one.
 */
export function interfaceTable(
  routes: readonly KernelRoute[],
  names: ReadonlyMap<InterfaceIndex, string>,
): InterfaceTable {
  const best = new Map<Prefix, KernelRoute>();
  for (const route of routes) {
    if (route.table !== MAIN_TABLE || route.tos !== 0) continue;
    const rival = best.get(route.prefix);
    if (rival === undefined || route.metric < rival.metric) best.set(route.prefix, route);
  }
  const devices = new Map<Prefix, string | undefined>();
  for (const [prefix, { type, nextHops }] of best) {
    const index = nextHops[0]?.interfaceIndex;
    devices.set(prefix, type === 'unicast' && index !== undefined ? names.get(index) : undefined);
  }
  return new Map([...devices].filter(([prefix, device]) => deviceAround(devices, prefix) !== device));
}

/** The device of the next shorter prefix around `prefix`; `undefined` where there is none. */
function deviceAround(devices: InterfaceTable, prefix: Prefix): string | undefined {
  const address = prefixAddress(prefix);
  for (let length = prefixLength(prefix) - 1; length >= 0; length--) {
    const around = prefixOf(address, length);
    if (devices.has(around)) return devices.get(around);
  }
  return undefined;
}

function sameInterfaces(a: InterfaceTable, b: InterfaceTable): boolean {
  return a.size === b.size && [...a].every(([prefix, device]) => b.has(prefix) && b.get(prefix) === device);
}
