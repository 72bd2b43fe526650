/**
 * A Rib, its peers' tables, and beside them a plain reading of what was announced: for the property tests of bgp/rib.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { formatPrefix, type Prefix, prefixFamily } from '../../bgp/net/index.js';
import {
  type BestPathChange,
  type LocalRoute,
  type Path,
  type PeerId,
  Rib,
  type RibPeer,
  type RoutePolicy,
} from '../../bgp/rib/index.js';
import { attributesKey, COMMUNITY, type PathAttributes, type UpdateMessage } from '../../bgp/wire/index.js';
import {
  acceptAll,
  address,
  attributes,
  identifier,
  node,
  PeerTable,
  prefix,
  pull,
  router,
  sequence,
} from './rib.js';

export const PEERS: readonly RibPeer[] = [
  node(2),
  node(3, { routeReflectorClient: true }),
  router(4),
  router(5, { families: ['ipv4'] }),
];
export const PREFIXES = [
  '10.244.1.0/24',
  '10.244.2.0/24',
  '10.244.2.0/25',
  '192.0.2.0/24',
  'fd00:1::/64',
  'fd00:2::/64',
].map(prefix);
/** Fewer than there are peers, so that the limit is reached. */
export const MAX_PATHS = 2;
const CLUSTER_ID = identifier('192.168.1.1');

const attributeSets: fc.Arbitrary<PathAttributes> = fc.constantFrom(
  attributes({ asPath: sequence(65004) }),
  attributes({ asPath: sequence(65004), med: 5 }),
  attributes({ asPath: sequence(65005, 65009), localPref: 120 }),
  attributes({ asPath: sequence(65005, 64512) }),
  attributes({ origin: 'INCOMPLETE', communities: [COMMUNITY.NO_EXPORT] }),
  attributes({ communities: [COMMUNITY.NO_ADVERTISE], localPref: 100 }),
  attributes({ originatorId: identifier('192.168.1.9'), clusterList: [identifier('192.168.1.9')] }),
);
const nextHops = { ipv4: ['192.168.1.8', '10.9.9.9', '192.168.1.4'], ipv6: ['fd00::8', 'fd00::9'] } as const;

/** Changes what it takes in, so that changed paths are part of the game; refuses by prefix and by peer. */
const choosy: RoutePolicy = {
  importRoute: (peer, to, path) =>
    to === PREFIXES[3] && peer.place === 'outside'
      ? { accept: false, reason: 'not this one' }
      : { accept: true, path: { ...path, attributes: { ...path.attributes, localPref: 300 } } },
  exportRoute: (peer, to, path) =>
    to === PREFIXES[0] && peer.type === 'ebgp'
      ? { accept: false, reason: 'not that one' }
      : { accept: true, nextHop: 'self', path: { ...path, attributes: { ...path.attributes, med: 77 } } },
};
const secretive: RoutePolicy = {
  ...acceptAll,
  exportRoute: () => ({ accept: false, reason: 'nothing at all' }),
};

type Step =
  | {
      readonly do: 'announce';
      readonly peer: number;
      readonly to: readonly Prefix[];
      readonly nextHop: number;
      readonly as: PathAttributes;
    }
  | { readonly do: 'withdraw'; readonly peer: number; readonly to: readonly Prefix[] }
  | { readonly do: 'flap'; readonly peer: number; readonly keepStale: boolean }
  | { readonly do: 'sweep' | 'refresh'; readonly peer: number; readonly family: 'ipv4' | 'ipv6' }
  | { readonly do: 'read'; readonly peer: number; readonly messages: number }
  | { readonly do: 'local'; readonly routes: readonly LocalRoute[] }
  | { readonly do: 'policy'; readonly policy: RoutePolicy };

const peerNumber = fc.nat(PEERS.length - 1);
const somePrefixes = fc.uniqueArray(fc.constantFrom(...PREFIXES), { minLength: 1, maxLength: 4 });
const family = fc.constantFrom('ipv4' as const, 'ipv6' as const);
const localRoute = fc.record({
  prefix: fc.constantFrom(...PREFIXES),
  communities: fc.constantFrom([], [1], [COMMUNITY.NO_EXPORT]),
});
/** One thing that can happen. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('announce' as const),
      peer: peerNumber,
      to: somePrefixes,
      nextHop: fc.nat(2),
      as: attributeSets,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('withdraw' as const), peer: peerNumber, to: somePrefixes }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('flap' as const), peer: peerNumber, keepStale: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('sweep' as const, 'refresh' as const),
      peer: peerNumber,
      family,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('read' as const), peer: peerNumber, messages: fc.nat(3) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('local' as const),
      routes: fc.array(localRoute, { maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('policy' as const),
      policy: fc.constantFrom(acceptAll, choosy, secretive),
    }),
  },
);

interface Announced {
  readonly attributes: PathAttributes;
  readonly nextHop: string;
  readonly stale: boolean;
}

/** The Rib under test and what a plain reading of the steps says it was told. */
export class World {
  readonly rib: Rib = newRib(acceptAll);
  readonly best = new Map<Prefix, Path>();
  /** What the data plane was told last: the paths that share the traffic of each prefix. */
  readonly multipath = new Map<Prefix, readonly Path[]>();
  readonly tables = new Map<PeerId, PeerTable>();
  readonly announced = new Map<PeerId, Map<Prefix, Announced>>();
  local: readonly LocalRoute[] = [];
  policy = acceptAll;

  constructor() {
    for (const peer of PEERS) {
      this.announced.set(peer.id, new Map());
      this.#up(peer);
    }
  }

  take(one: Step): void {
    switch (one.do) {
      case 'announce':
        this.#announce(peerOf(one.peer), one);
        return;
      case 'withdraw':
        this.#withdraw(peerOf(one.peer), one.to);
        return;
      case 'flap':
        this.#flap(peerOf(one.peer), one.keepStale);
        return;
      case 'sweep': {
        const { id } = peerOf(one.peer);
        for (const [to, { stale }] of this.of(id)) {
          if (stale && prefixFamily(to) === one.family) this.of(id).delete(to);
        }
        this.#changed(this.rib.sweepStale(id, one.family));
        return;
      }
      case 'refresh':
        this.rib.refreshOut(peerOf(one.peer).id, one.family);
        return;
      case 'read':
        this.#read(peerOf(one.peer).id, one.messages);
        return;
      case 'local':
        this.local = one.routes;
        this.#changed(this.rib.setLocalRoutes(one.routes));
        return;
      case 'policy':
        this.policy = one.policy;
        this.#changed(this.rib.setPolicy(one.policy));
        return;
      default:
        one satisfies never;
    }
  }

  /** Every peer reads to the end. */
  settle(): void {
    for (const { id } of PEERS) this.#read(id, Number.POSITIVE_INFINITY);
  }

  of(id: PeerId): Map<Prefix, Announced> {
    return this.announced.get(id) ?? new Map();
  }

  /** A fresh Rib that is told the outcome alone. */
  again(): World {
    const fresh = new World();
    fresh.take({ do: 'policy', policy: this.policy });
    fresh.take({ do: 'local', routes: this.local });
    for (const peer of PEERS) {
      const entries = [...this.of(peer.id)];
      const isStale = ([, { stale }]: (typeof entries)[number]) => stale;
      for (const entry of entries.filter(isStale)) fresh.#repeat(peer, ...entry);
      fresh.#flap(peer, true);
      for (const entry of entries.filter((one) => !isStale(one))) fresh.#repeat(peer, ...entry);
    }
    fresh.settle();
    return fresh;
  }

  #repeat(peer: RibPeer, to: Prefix, { attributes, nextHop }: Announced): void {
    this.#changed(this.rib.applyUpdate(peer.id, updateOf(to, attributes, nextHop)));
  }

  #announce(peer: RibPeer, { to, as, nextHop }: Extract<Step, { do: 'announce' }>): void {
    for (const one of to) {
      const hops = nextHops[prefixFamily(one)];
      const hop = hops[nextHop % hops.length] ?? hops[0];
      if (peer.families.includes(prefixFamily(one))) {
        this.of(peer.id).set(one, { attributes: as, nextHop: hop, stale: false });
      }
      this.#changed(this.rib.applyUpdate(peer.id, updateOf(one, as, hop)));
    }
  }

  #withdraw(peer: RibPeer, to: readonly Prefix[]): void {
    for (const one of to) {
      if (peer.families.includes(prefixFamily(one))) this.of(peer.id).delete(one);
      const unreach = [{ family: prefixFamily(one), prefixes: [one] }];
      this.#changed(this.rib.applyUpdate(peer.id, { type: 'UPDATE', unreach, reach: [], faults: [] }));
    }
  }

  #flap(peer: RibPeer, keepStale: boolean): void {
    const mine = this.of(peer.id);
    for (const [to, entry] of [...mine]) {
      if (keepStale && !entry.stale) mine.set(to, { ...entry, stale: true });
      else mine.delete(to);
    }
    this.#changed(this.rib.peerDown(peer.id, { keepStale }));
    this.#up(peer);
  }

  #up(peer: RibPeer): void {
    this.tables.set(peer.id, new PeerTable());
    // A new object each time, as a new session is.
    this.#changed(this.rib.peerUp({ ...peer }));
  }

  #read(id: PeerId, messages: number): void {
    for (const update of pull(this.rib, id, messages)) this.tables.get(id)?.apply(update);
  }

  /** Every change must be one, must name the state before it, and must come once. */
  #changed(changes: readonly BestPathChange[]): void {
    for (const { prefix: to, best, previous, isBestSame, multipath } of changes) {
      expect(contentOf(previous)).toEqual(contentOf(this.best.get(to)));
      const paths = multipath ?? (best === undefined ? [] : [best]);
      if (isBestSame) {
        expect(contentOf(best)).toEqual(contentOf(previous));
        // The stale mark is nothing that a peer is told, and yet news of the best path.
        const before = { stale: this.best.get(to)?.stale, paths: this.multipath.get(to)?.map(contentOf) };
        expect({ stale: best?.stale, paths: paths.map(contentOf) }).not.toEqual(before);
      } else {
        expect(contentOf(best)).not.toEqual(contentOf(previous));
      }
      if (best === undefined) {
        this.best.delete(to);
        this.multipath.delete(to);
      } else {
        this.best.set(to, best);
        this.multipath.set(to, paths);
      }
    }
  }
}

export function newRib(policy: RoutePolicy): Rib {
  return new Rib({ localAs: 64512, bgpIdentifier: CLUSTER_ID, policy, maxPaths: MAX_PATHS });
}

function peerOf(number: number): RibPeer {
  const peer = PEERS[number];
  if (peer === undefined) throw new Error(`no peer ${number}`);
  return peer;
}

function updateOf(to: Prefix, as: PathAttributes, nextHop: string): UpdateMessage {
  const reach = [{ family: prefixFamily(to), nextHop: { address: address(nextHop) }, prefixes: [to] }];
  return { type: 'UPDATE', unreach: [], reach, attributes: as, faults: [] };
}

export function contentOf(path: Path | undefined): string {
  if (path === undefined) return 'none';
  return `${path.peer?.id ?? 'local'} ${attributesKey(path.attributes, path.nextHop)}`;
}

export function contents(routes: Iterable<readonly [Prefix, Path]>): Record<string, string> {
  return Object.fromEntries([...routes].map(([to, path]) => [formatPrefix(to), contentOf(path)]));
}

export function bestOf(rib: Rib): Record<string, string> {
  return contents([...rib.bestRoutes()].map((route) => [route.prefix, route.path] as const));
}

/** The paths that share the traffic of each prefix, as the table has them. */
export function multipathsOf(rib: Rib): Record<string, readonly string[]> {
  return Object.fromEntries(
    [...rib.bestRoutes()].map(({ prefix: to, path, multipath = [path] }) => [
      formatPrefix(to),
      multipath.map(contentOf),
    ]),
  );
}
