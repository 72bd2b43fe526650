/**
 * The next hops in use, and how the kernel reaches each.
 *
 * Owns: who is in use, the last answers, and which prefixes bear on them. Must not know: routes and plans.
 */
import { type IpAddress, isLinkLocal, type Prefix } from '../bgp/net/index.js';
import type { Kernel, Lookup } from './kernel/kernel.js';
import { takerOf } from './neighbours.js';
import { coveringPrefixes } from './plan.js';
import type { LearnedNextHop } from './types.js';

/** An answer that differs from the last one. */
export interface LookupChange {
  readonly nextHop: IpAddress;
  readonly from: Lookup;
  readonly to: Lookup;
}

export class NextHopTable {
  /** How many routes name each next hop. */
  readonly #users = new Map<IpAddress, number>();
  #lookups: ReadonlyMap<IpAddress, Lookup> = new Map();
  #covering: ReadonlySet<Prefix> = new Set();
  #takers: ReadonlySet<IpAddress> = new Set();

  /** Answers by next hop; replaced, never changed, by `look`. */
  get lookups(): ReadonlyMap<IpAddress, Lookup> {
    return this.#lookups;
  }

  /** Prefixes whose routes can change an answer. */
  get covering(): ReadonlySet<Prefix> {
    return this.#covering;
  }

  /** The machines that take the packets: next hops on a link, and gateways towards the others. */
  get takers(): ReadonlySet<IpAddress> {
    return this.#takers;
  }

  use(nextHops: readonly LearnedNextHop[]): void {
    for (const { address } of nextHops) {
      // What is link-local is on its link, whatever the tables say.
      if (!isLinkLocal(address)) this.#users.set(address, (this.#users.get(address) ?? 0) + 1);
    }
  }

  release(nextHops: readonly LearnedNextHop[]): void {
    for (const { address } of nextHops) {
      const left = (this.#users.get(address) ?? 0) - 1;
      if (left > 0) this.#users.set(address, left);
      else this.#users.delete(address);
    }
  }

  /** Next hops that were never asked about. */
  unknown(): readonly IpAddress[] {
    return [...this.#users.keys()].filter((nextHop) => !this.#lookups.has(nextHop));
  }

  /**
   * Asks the kernel about `nextHops`.
   * @returns the answers that differ from what was known; a first answer is no change
   * @throws KernelError
   */
  async look(kernel: Kernel, nextHops: readonly IpAddress[]): Promise<readonly LookupChange[]> {
    const answers = nextHops.length === 0 ? [] : await kernel.lookup(nextHops);
    const lookups = new Map<IpAddress, Lookup>();
    for (const [nextHop, lookup] of this.#lookups) if (this.#users.has(nextHop)) lookups.set(nextHop, lookup);
    const changes: LookupChange[] = [];
    nextHops.forEach((nextHop, index) => {
      const to = answers[index];
      if (to === undefined) return;
      const from = this.#lookups.get(nextHop);
      if (from !== undefined && !sameLookup(from, to)) changes.push({ nextHop, from, to });
      lookups.set(nextHop, to);
    });
    this.#lookups = lookups;
    this.#covering = coveringPrefixes(lookups.keys());
    this.#takers = new Set(
      [...lookups].flatMap(([nextHop, lookup]) => takerOf(nextHop, lookup)?.address ?? []),
    );
    return changes;
  }

  /** Asks about every next hop in use. @throws KernelError */
  lookAll(kernel: Kernel): Promise<readonly LookupChange[]> {
    return this.look(kernel, [...this.#users.keys()]);
  }
}

function sameLookup(a: Lookup, b: Lookup): boolean {
  switch (a.kind) {
    case 'local':
      return b.kind === 'local';
    case 'unreachable':
      return b.kind === 'unreachable' && a.reason === b.reason;
    case 'onlink':
      return (
        b.kind === 'onlink' &&
        a.interfaceIndex === b.interfaceIndex &&
        a.prefix === b.prefix &&
        a.needsOnlink === b.needsOnlink
      );
    case 'gateway':
      return (
        b.kind === 'gateway' &&
        a.gateway === b.gateway &&
        a.interfaceIndex === b.interfaceIndex &&
        a.prefix === b.prefix
      );
    default:
      return a satisfies never;
  }
}
