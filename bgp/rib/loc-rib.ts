/**
 * The Loc-RIB of one family: every usable path to every prefix, and the best one of each (RFC 4271 section 3.2).
 *
 * Owns: the candidates, best first, which of them share the traffic, and telling a changed route from an unchanged one.
 * Must not know: where candidates come from and who is told. A prefix with one path, the usual case, costs one reference.
 */
import type { Family, Prefix } from '../net/index.js';
import { type Decision, decide, type IgpCost } from './decision.js';
import { type Multipath, multipathOf, sameMultipath } from './multipath.js';
import { sameRoute } from './path.js';
import type { BestPathChange, BestRoute, Path, PeerId } from './types.js';

type Candidates = readonly [Path, ...Path[]];

export class LocRib {
  readonly family: Family;
  readonly #igpCost: IgpCost;
  readonly #maxPaths: number;
  /** A lone path, or several with the best one first. */
  readonly #routes = new Map<Prefix, Path | Candidates>();
  /** Of the prefixes whose traffic several paths share. */
  readonly #multipaths = new Map<Prefix, Multipath>();
  readonly #counts = new Map<PeerId | undefined, number>();

  /** @param maxPaths how many paths to one prefix may share its traffic; 1: the best one carries it alone */
  constructor(family: Family, igpCost: IgpCost, maxPaths: number) {
    this.family = family;
    this.#igpCost = igpCost;
    this.#maxPaths = maxPaths;
  }

  get size(): number {
    return this.#routes.size;
  }

  /** How many candidates a peer has, or this node itself. */
  countFrom(source: PeerId | undefined): number {
    return this.#counts.get(source) ?? 0;
  }

  best(prefix: Prefix): Path | undefined {
    return this.#candidates(prefix)?.[0];
  }

  /** The candidate of one peer, or of this node itself. */
  from(prefix: Prefix, source: PeerId | undefined): Path | undefined {
    return this.#candidates(prefix)?.find((path) => path.peer?.id === source);
  }

  /** Whether somebody else than `source` has told of the prefix in a session that is up. */
  hasOther(prefix: Prefix, source: PeerId): boolean {
    return (
      this.#candidates(prefix)?.some(({ peer, stale }) => peer?.id !== source && stale !== true) === true
    );
  }

  /** The whole decision for one prefix; undefined where there is no path. */
  explain(prefix: Prefix): Decision | undefined {
    const candidates = this.#candidates(prefix);
    return candidates && decide(candidates, this.#igpCost);
  }

  prefixes(): Iterable<Prefix> {
    return this.#routes.keys();
  }

  *bestRoutes(): Generator<BestRoute> {
    for (const [prefix, entry] of this.#routes) {
      const { best: path, reason } = decide(asCandidates(entry), this.#igpCost);
      yield { prefix, path, reason, ...multipathField(this.#multipaths.get(prefix)) };
    }
  }

  /**
   * Puts `path` in the place of what `source` offered before; undefined takes it away. A path of a peer that has another
   * name by now takes the place of what it offered under the old one.
   * @returns the change of the best route, of its stale mark, or of the paths that share its traffic, where one differs
   *   (see `sameRoute`).
   */
  replace(prefix: Prefix, source: PeerId | undefined, path: Path | undefined): BestPathChange | undefined {
    const before = this.#candidates(prefix) ?? [];
    const [previous] = before;
    const others = before.filter((candidate) => candidate.peer?.id !== source);
    if (path === undefined && others.length === before.length) return undefined;
    this.#count(source, others.length - before.length);
    if (path !== undefined) this.#count(path.peer?.id, 1);
    const [first, ...rest] = path === undefined ? others : [path, ...others];
    const sharedBefore = this.#multipaths.get(prefix);
    const from = previous === undefined ? {} : { previous };
    if (first === undefined) {
      this.#routes.delete(prefix);
      this.#multipaths.delete(prefix);
      return { prefix, reason: 'no usable path is left', ...from };
    }
    const { best, reason, equalCost } = decide([first, ...rest], this.#igpCost);
    const lesser = [first, ...rest].filter((candidate) => candidate !== best);
    this.#routes.set(prefix, lesser.length === 0 ? best : [best, ...lesser]);
    const multipath = multipathOf(equalCost, this.#maxPaths);
    if (multipath !== undefined) this.#multipaths.set(prefix, multipath);
    else if (sharedBefore !== undefined) this.#multipaths.delete(prefix);
    const isBestSame = sameRoute(previous, best);
    const isStaleSame = previous?.stale === best.stale;
    if (isBestSame && isStaleSame && sameMultipath(sharedBefore, multipath)) return undefined;
    const change = { prefix, best, reason, ...from, ...multipathField(multipath) };
    return isBestSame ? { ...change, isBestSame: true } : change;
  }

  #candidates(prefix: Prefix): Candidates | undefined {
    const entry = this.#routes.get(prefix);
    return entry && asCandidates(entry);
  }

  #count(source: PeerId | undefined, by: number): void {
    const count = this.countFrom(source) + by;
    if (count === 0) this.#counts.delete(source);
    else this.#counts.set(source, count);
  }
}

function asCandidates(entry: Path | Candidates): Candidates {
  return 'attributes' in entry ? [entry] : entry;
}

function multipathField(multipath: Multipath | undefined): { readonly multipath?: Multipath } {
  return multipath === undefined ? {} : { multipath };
}
