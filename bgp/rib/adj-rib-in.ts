/**
 * The Adj-RIB-In: what one peer has announced in one family, as received (RFC 4271 section 3.2).
 *
 * Owns: one reference per prefix to a shared `Received`; equal paths are one object, kept as long as a prefix uses it.
 * Must not know: other peers, the decision, policies.
 */
import type { Family, Prefix } from '../net/index.js';
import { pathKey } from './path.js';
import type { Path, RibPeer } from './types.js';

/** A path that came from a peer. */
export type PeerPath = Path & { readonly peer: RibPeer };

/** One path as received, shared by all prefixes that came with it. */
export interface Received {
  readonly path: PeerPath;
  /** Why no prefix may use it; see usable.ts. */
  readonly unusable?: string;
  /** What the policy has made of it, by `pathKey`: so its results are shared as well. */
  readonly changed: Map<string, Path>;
}

interface Entry extends Received {
  /** Prefixes that refer to it. */
  references: number;
}

export class AdjRibIn {
  readonly family: Family;
  readonly #whyUnusable: (path: PeerPath) => string | undefined;
  readonly #routes = new Map<Prefix, Entry>();
  readonly #entries = new Map<string, Entry>();
  #staleCount = 0;
  /** While a refresh is under way: what has not come again. */
  #unconfirmed: Set<Prefix> | undefined;

  constructor(family: Family, whyUnusable: (path: PeerPath) => string | undefined) {
    this.family = family;
    this.#whyUnusable = whyUnusable;
  }

  get size(): number {
    return this.#routes.size;
  }

  get staleCount(): number {
    return this.#staleCount;
  }

  get(prefix: Prefix): Received | undefined {
    return this.#routes.get(prefix);
  }

  prefixes(): Iterable<Prefix> {
    return this.#routes.keys();
  }

  routes(): Iterable<readonly [Prefix, Received]> {
    return this.#routes;
  }

  /** The peer announces `prefixes` with `path`; each one's earlier path is replaced (RFC 4271 §3.1). */
  announce(prefixes: readonly Prefix[], path: PeerPath): void {
    if (prefixes.length === 0) return;
    const entry = this.#intern(path);
    for (const prefix of prefixes) {
      this.#set(prefix, entry);
      this.#unconfirmed?.delete(prefix);
    }
  }

  withdraw(prefixes: Iterable<Prefix>): void {
    for (const prefix of prefixes) this.#delete(prefix);
  }

  /**
   * The session has ended and the peer is expected back. What was stale already goes: it did not come again in the
   * session that ends now (RFC 4724 §4.2).
   */
  markStale(): void {
    this.#unconfirmed = undefined;
    this.withdraw(this.stale());
    const marked = new Map<Entry, Entry>();
    for (const [prefix, entry] of this.#routes) {
      let stale = marked.get(entry);
      if (stale === undefined) {
        stale = this.#intern({ ...entry.path, stale: true });
        marked.set(entry, stale);
      }
      this.#set(prefix, stale);
    }
  }

  /** The prefixes that have not been announced again since `markStale`. */
  stale(): readonly Prefix[] {
    if (this.#staleCount === 0) return [];
    return [...this.#routes].filter(([, entry]) => entry.path.stale).map(([prefix]) => prefix);
  }

  /** The peer counts differently from now on: its paths are judged and marked anew. */
  setPeer(peer: RibPeer): void {
    this.#remake((path) => ({ ...path, peer }));
  }

  /** What `whyUnusable` says may be another thing now. */
  judgeAgain(): void {
    this.#remake((path) => ({ ...path }));
  }

  #remake(change: (path: PeerPath) => PeerPath): void {
    const moved = new Map<Entry, Entry>();
    this.#entries.clear();
    for (const [prefix, entry] of this.#routes) {
      let next = moved.get(entry);
      if (next === undefined) {
        next = this.#intern(change(entry.path));
        moved.set(entry, next);
      }
      next.references += 1;
      this.#routes.set(prefix, next);
    }
  }

  /** Begin-of-RR (RFC 7313 §4): all that is not announced until the end is gone. A second one begins anew. */
  beginRefresh(): void {
    this.#unconfirmed = new Set(this.#routes.keys());
  }

  /** End-of-RR. @returns what is gone; nothing without a begin. */
  endRefresh(): readonly Prefix[] {
    const gone = [...(this.#unconfirmed ?? [])];
    this.#unconfirmed = undefined;
    this.withdraw(gone);
    return gone;
  }

  /** Forgets what an earlier policy made of the paths. */
  forgetChanged(): void {
    for (const entry of this.#entries.values()) entry.changed.clear();
  }

  #intern(path: PeerPath): Entry {
    const key = internKey(path);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const unusable = this.#whyUnusable(path);
    const entry = {
      path,
      references: 0,
      changed: new Map(),
      ...(unusable === undefined ? {} : { unusable }),
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #set(prefix: Prefix, entry: Entry): void {
    const previous = this.#routes.get(prefix);
    if (previous === entry) return;
    entry.references += 1;
    if (entry.path.stale) this.#staleCount += 1;
    this.#routes.set(prefix, entry);
    if (previous !== undefined) this.#release(previous);
  }

  #delete(prefix: Prefix): void {
    const previous = this.#routes.get(prefix);
    if (previous === undefined) return;
    this.#routes.delete(prefix);
    this.#unconfirmed?.delete(prefix);
    this.#release(previous);
  }

  #release(entry: Entry): void {
    if (entry.path.stale) this.#staleCount -= 1;
    entry.references -= 1;
    if (entry.references === 0) this.#entries.delete(internKey(entry.path));
  }
}

function internKey(path: Path): string {
  return path.stale ? `stale ${pathKey(path)}` : pathKey(path);
}
