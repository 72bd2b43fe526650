/**
 * Waits until every kernel of the lab has every route that it must have, woken by the kernels themselves
 * (`ip monitor route`), and tells when the last one came.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { namespaceName } from './namespaces.js';
import type { ExpectedRoute, KernelRoute } from './routes.js';
import { expectedOnBird, expectedOnMember, missing, readRoutes } from './routes.js';
import { machinesOf, membersOf, type Topology } from './topology.js';

/** How the wait ended. */
export interface Convergence {
  /** When the last missing route appeared, on the clock of `performance.now()`; undefined: some never did. */
  readonly lastRouteAtMs: number | undefined;
}

interface Table {
  readonly machine: string;
  readonly expected: readonly ExpectedRoute[];
  /** Prefixes of `expected` that are not there, by the events so far. */
  open: Set<string>;
  completeAtMs: number;
}

/** Events can be lost in a burst or before the monitor listens; the tables themselves cannot. */
const READ_BACK_MS = 3000;

/** Every table that the agents and BIRD have to fill. */
export function expectedTables(topology: Topology): ReadonlyMap<string, readonly ExpectedRoute[]> {
  return new Map([
    ...membersOf(topology).map((member) => [member.name, expectedOnMember(topology, member)] as const),
    ...machinesOf(topology, 'bird').map((bird) => [bird.name, expectedOnBird(topology, bird)] as const),
  ]);
}

/** Watches the tables of a lab from its creation on. */
export class ConvergenceWatch {
  readonly #lab: string;
  readonly #tables: readonly Table[];
  readonly #monitors: readonly ChildProcess[];
  #onProgress: (() => void) | undefined;

  constructor(lab: string, topology: Topology) {
    this.#lab = lab;
    this.#tables = [...expectedTables(topology)].map(([machine, expected]) => {
      const awaited = expected.filter(({ mode }) => mode !== 'none').map(({ prefix }) => prefix);
      return { machine, expected, open: new Set(awaited), completeAtMs: 0 };
    });
    this.#monitors = this.#tables.map((table) => this.#monitor(table));
  }

  /**
   * Resolves when all tables are complete, or waiting has become pointless, or `signal` is aborted, or after
   * `timeoutMs`.
   */
  async wait(timeoutMs: number, isPointless: () => boolean, signal: AbortSignal): Promise<Convergence> {
    signal.addEventListener('abort', () => this.#onProgress?.(), { once: true });
    const deadline = performance.now() + timeoutMs;
    let nextReadBack = performance.now() + READ_BACK_MS;
    while (this.#tables.some(({ open }) => open.size > 0)) {
      const now = performance.now();
      if (now >= deadline || signal.aborted || isPointless()) break;
      if (now >= nextReadBack) {
        await this.readBack();
        nextReadBack = performance.now() + READ_BACK_MS;
        continue;
      }
      await this.#progress(Math.min(deadline, nextReadBack) - now);
    }
    if (this.#tables.some(({ open }) => open.size > 0)) return { lastRouteAtMs: undefined };
    return { lastRouteAtMs: Math.max(...this.#tables.map(({ completeAtMs }) => completeAtMs)) };
  }

  close(): void {
    for (const monitor of this.#monitors) monitor.kill();
  }

  #monitor(table: Table): ChildProcess {
    const args = ['-netns', namespaceName(this.#lab, table.machine), 'monitor', 'route'];
    const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = readEvent(line);
      const expected = table.expected.find(({ prefix }) => prefix === event?.route.dst);
      if (event === undefined || expected === undefined) return;
      const fulfilled = missing([event.route], expected) === undefined;
      if (fulfilled && event.deleted) table.open.add(expected.prefix);
      else if (fulfilled) this.#close(table, expected.prefix);
    });
    return child;
  }

  /** Reads every table: what stands before the watch began makes no event. */
  async readBack(): Promise<void> {
    for (const table of this.#tables) {
      const routes = await readRoutes(this.#lab, table.machine);
      for (const expected of table.expected) {
        if (missing(routes, expected) === undefined) this.#close(table, expected.prefix);
        else table.open.add(expected.prefix);
      }
    }
  }

  #close(table: Table, prefix: string): void {
    if (!table.open.delete(prefix)) return;
    if (table.open.size === 0) table.completeAtMs = performance.now();
    this.#onProgress?.();
  }

  #progress(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#onProgress = undefined;
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#onProgress = done;
    });
  }
}

/** One line of `ip monitor route`: `[Deleted] [TYPE] PREFIX [via GATEWAY] [dev DEVICE] [proto N] [metric N] [onlink]`. */
function readEvent(line: string): { readonly deleted: boolean; readonly route: KernelRoute } | undefined {
  const words = line.trim().split(/\s+/);
  const deleted = words[0] === 'Deleted';
  if (deleted) words.shift();
  const type = words[0] === 'blackhole' ? words.shift() : undefined;
  const dst = words.shift();
  if (dst === undefined || dst === '') return undefined;
  const after = (word: string) => {
    const at = words.indexOf(word);
    return at < 0 ? undefined : words[at + 1];
  };
  const [gateway, dev, protocol, metric] = ['via', 'dev', 'proto', 'metric'].map(after);
  return {
    deleted,
    route: {
      dst,
      ...(type !== undefined && { type }),
      ...(gateway !== undefined && { gateway }),
      ...(dev !== undefined && { dev }),
      ...(protocol !== undefined && { protocol }),
      ...(metric !== undefined && { metric: Number(metric) }),
      flags: words.includes('onlink') ? ['onlink'] : [],
    },
  };
}
