/**
 * What we believe the kernel's main table holds: loaded by a full reading, kept by our own results and by events.
 *
 * Owns: the routes by prefix, ours and foreign. Must not know: what is wanted. Pure.
 *
 * It can be wrong between readings: the kernel drops the routes of a link that goes down without a word. Whoever uses
 * it reads again after such events and on a timer.
 */
import type { Prefix } from '../bgp/net/index.js';
import { sameKey, sameRoute } from './delta.js';
import type { KernelEvent, KernelRoute, RouteOperation, RouteResult } from './kernel/kernel.js';

const NONE: readonly KernelRoute[] = [];

export class KernelMirror {
  #routes = new Map<Prefix, readonly KernelRoute[]>();

  /** Takes a full reading in place of everything known. */
  load(routes: readonly KernelRoute[]): void {
    this.#routes = new Map();
    for (const route of routes) {
      const known = this.#routes.get(route.prefix);
      this.#routes.set(route.prefix, known === undefined ? [route] : [...known, route]);
    }
  }

  /** All routes of a prefix, in the kernel's order. */
  at(prefix: Prefix): readonly KernelRoute[] {
    return this.#routes.get(prefix) ?? NONE;
  }

  /** Every prefix with its routes. */
  entries(): IterableIterator<[Prefix, readonly KernelRoute[]]> {
    return this.#routes.entries();
  }

  /** Records an operation that the kernel carried out. */
  applied({ op, route }: RouteOperation, result: RouteResult): void {
    if (result.error !== undefined) return;
    if (op === 'delete') this.#remove(route);
    else if (op === 'replace') this.#replace(result.route);
    else this.#add(result.route);
  }

  /** Records a change by somebody else. Hearing of a change that is already known changes nothing. */
  heard(event: Extract<KernelEvent, { kind: 'route' }>): void {
    if (event.change === 'gone') this.#remove(event.route);
    else if (event.replaced) this.#replace(event.route);
    else this.#add(event.route);
  }

  #add(route: KernelRoute): void {
    const known = this.at(route.prefix);
    const index = known.findIndex((other) => sameRoute(other, route));
    this.#routes.set(route.prefix, index < 0 ? [...known, route] : known.with(index, route));
  }

  #replace(route: KernelRoute): void {
    const known = this.at(route.prefix);
    const index = known.findIndex((other) => sameKey(other, route));
    if (index < 0) this.#add(route);
    else this.#routes.set(route.prefix, known.with(index, route));
  }

  #remove(route: KernelRoute): void {
    const left = this.at(route.prefix).filter((other) => !sameRoute(other, route));
    if (left.length === 0) this.#routes.delete(route.prefix);
    else this.#routes.set(route.prefix, left);
  }
}
