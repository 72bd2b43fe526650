/**
 * Makes the kernel hold what the entries want: difference, operations in batches, results back into the entries.
 *
 * Owns: the mirror of the kernel's table, the handling of every refusal, the counters of operations. Must not know:
 * when it runs, how a plan came to be.
 */
import { diffPrefix, sameRoute, sameTarget } from './delta.js';
import type { Kernel, KernelRoute, RouteOperation, RouteResult } from './kernel/kernel.js';
import { MAIN_TABLE } from './kernel/kernel.js';
import { KernelMirror } from './mirror.js';
import { isWanted, type RouteEntry } from './route-entry.js';
import type { Clock, DataplaneSettings } from './types.js';

/** Entries per round: between rounds other work of the process gets its turn. */
const ROUND_SIZE = 4096;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

/** Seconds double with every refusal in a row: 1, 2, 4 ... 60. */
export function retryDelayMs(attempts: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), MAX_RETRY_MS);
}

/** What a round found that the caller must act on. */
export interface InstallerReport {
  /** Entries whose difference must be taken again: the kernel did not hold what we believed. */
  readonly again: readonly RouteEntry[];
  /** The kernel holds what we do not know: read it. */
  readonly mustRead: boolean;
}

export class RouteInstaller {
  readonly mirror = new KernelMirror();
  applied = 0;
  failed = 0;
  /** Found missing or altered, and not told yet: where answers are lost, it is told when they come. */
  readonly #drifted = new Set<RouteEntry>();
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #settings: DataplaneSettings;

  constructor(kernel: Kernel, clock: Clock, settings: DataplaneSettings) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#settings = settings;
  }

  /**
   * Settles the entries, whose plans are up to date. A refusal becomes the entry's failure and stops nothing else.
   * @param onSettled called once per entry; `drifted`: our route was not in the kernel as it was believed to be
   * @throws KernelError where answers were lost and everything must be read again
   */
  async settle(
    entries: readonly RouteEntry[],
    onSettled: (entry: RouteEntry, drifted: boolean) => void,
  ): Promise<InstallerReport> {
    const again: RouteEntry[] = [];
    let mustRead = false;
    for (let start = 0; start < entries.length; start += ROUND_SIZE) {
      const round = entries.slice(start, start + ROUND_SIZE);
      const operations: RouteOperation[] = [];
      const owners: RouteEntry[] = [];
      for (const entry of round) {
        const actual = this.mirror.at(entry.prefix);
        const own = this.#ownRoute(actual);
        if (entry.installed !== undefined && !isAsBefore(entry.installed, own)) this.#drifted.add(entry);
        entry.installed = own;
        for (const operation of this.#plan(entry, actual)) {
          operations.push(operation);
          owners.push(entry);
        }
      }
      const results = operations.length === 0 ? [] : await this.#kernel.apply(operations);
      const refused = new Set<RouteEntry>();
      operations.forEach((operation, index) => {
        const entry = owners[index];
        const result = results[index];
        if (entry === undefined || result === undefined) return;
        const verdict = this.#record(operation, result);
        if (verdict === 'again') again.push(entry);
        if (verdict === 'refused' || verdict === 'unknownRoute') refused.add(this.#refuse(entry, result));
        if (verdict === 'unknownRoute') mustRead = true;
      });
      for (const entry of new Set(owners)) entry.installed = this.#ownRoute(this.mirror.at(entry.prefix));
      for (const entry of round) {
        if (!refused.has(entry)) entry.failure = undefined;
        onSettled(entry, this.#drifted.delete(entry));
      }
    }
    return { again, mustRead };
  }

  /** Operations for one entry; sets what stands in the way of it. */
  #plan(entry: RouteEntry, actual: readonly KernelRoute[]): readonly RouteOperation[] {
    const wanted = isWanted(entry);
    // An earlier run's route stays as it is until it is confirmed or swept.
    if (entry.isLeftover && !wanted) return [];
    const target = wanted ? entry.plan?.target : undefined;
    const { routeProtocol, metric } = this.#settings;
    const desired: KernelRoute | undefined =
      target === undefined
        ? undefined
        : {
            prefix: entry.prefix,
            table: MAIN_TABLE,
            tos: 0,
            metric,
            protocol: routeProtocol,
            ...target,
          };
    const delta = diffPrefix(desired, actual, routeProtocol);
    entry.conflict = delta.conflict;
    entry.shadow = delta.shadow;
    return delta.operations;
  }

  /** Our route among those of one prefix: at our key, else any that an earlier run with another metric left. */
  #ownRoute(actual: readonly KernelRoute[]): KernelRoute | undefined {
    const { routeProtocol, metric } = this.#settings;
    let found: KernelRoute | undefined;
    for (const route of actual) {
      if (route.protocol !== routeProtocol) continue;
      if (route.metric === metric) return route;
      found ??= route;
    }
    return found;
  }

  /** Takes one result into the mirror and the counters. */
  #record(operation: RouteOperation, result: RouteResult): 'done' | 'again' | 'refused' | 'unknownRoute' {
    if (result.error === undefined) {
      this.applied++;
      this.mirror.applied(operation, result);
      return 'done';
    }
    const { code } = result.error;
    if (operation.op === 'delete' && code === 'KERNEL_ESRCH') {
      // Somebody was faster; it is gone, as we wanted.
      this.mirror.applied(operation, { route: operation.route });
      return 'done';
    }
    if (operation.op === 'replace' && code === 'KERNEL_ENOENT') {
      // What we meant to replace went away unheard. Forget it and take the difference anew.
      for (const route of this.mirror.at(operation.route.prefix)) {
        if (route.metric === operation.route.metric && route.protocol === operation.route.protocol) {
          this.mirror.applied({ op: 'delete', route }, { route });
        }
      }
      return 'again';
    }
    this.failed++;
    return operation.op === 'add' && code === 'KERNEL_EEXIST' ? 'unknownRoute' : 'refused';
  }

  #refuse(entry: RouteEntry, result: RouteResult): RouteEntry {
    const attempts = (entry.failure?.attempts ?? 0) + 1;
    entry.failure = {
      code: result.error?.code ?? 'KERNEL_UNKNOWN',
      reason: result.error?.message ?? 'the kernel did not answer',
      attempts,
      retryAtMs: this.#clock.now() + retryDelayMs(attempts),
    };
    return entry;
  }
}

function isAsBefore(installed: KernelRoute, own: KernelRoute | undefined): boolean {
  return own !== undefined && sameRoute(installed, own) && sameTarget(installed, own);
}
