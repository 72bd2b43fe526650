/**
 * A membership as the speaker and the data plane want it told.
 *
 * Owns: the translation between the folders, and the timers that are the same for every peer. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { type IpAddress, isLinkLocal, prefixContains, prefixFamily } from '../bgp/net/index.js';
import {
  type FilterRule,
  filterPolicy,
  type InterfaceTable,
  type PeerFilters,
  type PoolPolicyOptions,
  poolPolicy,
} from '../bgp/policy/index.js';
import {
  type BestPathChange,
  decodeFacts,
  encodeFacts,
  type LocalRoute,
  type Path,
  type RoutePolicy,
} from '../bgp/rib/index.js';
import type { DynamicPeerRange, ListenOptions, PeerConfig, PeerStatus } from '../bgp/speaker/index.js';
import type {
  LearnedNextHop,
  NatFacts,
  NextHopFacts,
  NodeFacts,
  PeerProgress,
  RouteChange,
} from '../ipip/index.js';
import type { AgentSettings } from './config/index.js';
import type { Membership, PeerSpec } from './membership/index.js';
import type { BgpFilter, BgpFilterRule } from './resources/index.js';
import type { Secrets } from './secrets.js';

/** Keepalives every 30 s; a silent peer is given up after 90 s. */
const HOLD_TIME_SECONDS = 90;
const CONNECT_RETRY_SECONDS = 5;
const BGP_PORT = 179;
/** How long peers keep our routes while the agent restarts; Calico's default of `maxRestartTime`. */
const RESTART_TIME_SECONDS = 120;

/** The peers with their secrets; their filters are in {@link policyOf}. */
export function peerConfigs(membership: Membership, secrets: Secrets): readonly PeerConfig[] {
  return membership.peers.map((peer) => {
    const { id, address, zone, port, asn, place, dial } = peer;
    const where = zone === undefined ? { address } : { address, zone };
    return { id, ...where, asn, dial, ...sessionSettings(membership, peer, secrets), port, place };
  });
}

/** The ranges whose routers become peers when they connect. */
export function dynamicPeerRanges(membership: Membership, secrets: Secrets): readonly DynamicPeerRange[] {
  return membership.dynamicPeers.map((peer) => ({
    name: peer.name,
    prefix: peer.range,
    asn: peer.asn ?? 'external',
    limit: peer.limit,
    template: sessionSettings(membership, peer, secrets),
  }));
}

type SessionSpec = Pick<
  PeerSpec,
  'localAs' | 'sourceAddress' | 'routeReflectorClient' | 'nextHop' | 'options'
>;

/** All of a peer but who it is. */
function sessionSettings(
  { nodeAddress6 }: Membership,
  { localAs, sourceAddress, routeReflectorClient, nextHop, options }: SessionSpec,
  secrets: Secrets,
): DynamicPeerRange['template'] {
  const { restartTimeSeconds, holdTimeSeconds, allowedOwnAs, ttlSecurityHops, maxPrefixes, role } = options;
  const password = options.password && secrets.valueOf(options.password);
  return {
    port: BGP_PORT,
    localAs,
    place: 'outside',
    ...(sourceAddress === undefined ? {} : { source: sourceAddress }),
    ...(nodeAddress6 === undefined ? {} : { localAddress6: nodeAddress6 }),
    holdTimeSeconds: holdTimeSeconds ?? HOLD_TIME_SECONDS,
    connectRetrySeconds: CONNECT_RETRY_SECONDS,
    restartTimeSeconds: restartTimeSeconds ?? RESTART_TIME_SECONDS,
    families: ['ipv4', 'ipv6'],
    ...(password === undefined ? {} : { password }),
    ...(allowedOwnAs === undefined ? {} : { allowedOwnAs }),
    ...(ttlSecurityHops === undefined ? {} : { ttlSecurityHops }),
    ...(maxPrefixes === undefined ? {} : { maxPrefixes }),
    ...(role === undefined ? {} : { role }),
    ...(routeReflectorClient ? { routeReflectorClient } : {}),
    ...(nextHop === 'auto' ? {} : { nextHop }),
  };
}

/** What the settings of this node say goes before what the cluster says. */
export function listenOptionsOf(membership: Membership, settings: AgentSettings): ListenOptions {
  const address = settings.listenAddress ?? membership.listenAddress;
  return {
    port: settings.bgpPort ?? membership.listenPort,
    ...(address === undefined ? {} : { address }),
  };
}

/** All that the policy rests on: the same grounds, the same policy. */
export interface PolicyGrounds extends PoolPolicyOptions {
  /** Of the peers that have some. */
  readonly filters: ReadonlyMap<string, PeerFilters>;
  readonly interfaces: InterfaceTable;
}

/** @param interfaces by which device what is reached, for filters that ask; absent: none of their rules matches */
export function policyGroundsOf(
  { pools, blocks, advertisements, peers, dynamicPeers }: Membership,
  interfaces: InterfaceTable = new Map(),
): PolicyGrounds {
  const enabled = pools.filter((pool) => !pool.disabled);
  const filtered = [...peers, ...dynamicPeers].filter(({ filters }) => filters.length > 0);
  return {
    pools: enabled.map((pool) => pool.cidr),
    exportablePools: enabled.filter((pool) => !pool.disableBGPExport).map((pool) => pool.cidr),
    ownBlocks: blocks,
    advertisements,
    filters: new Map(filtered.map((peer) => [peer.id, filtersOf(peer)])),
    interfaces,
  };
}

/** What the filters of the peers say, and the pool policy where they say nothing. */
export function policyOf({ filters, interfaces, ...pools }: PolicyGrounds): RoutePolicy {
  const { ownBlocks } = pools;
  return filterPolicy({ filters, filterIdOf, interfaces, otherwise: poolPolicy(pools), ownBlocks });
}

/** Routers of one range, `dynamic/NAME/ADDRESS`, have its filters. */
function filterIdOf(id: string): string {
  return /^dynamic\/[^/]*/.exec(id)?.[0] ?? id;
}

function filtersOf({ filters }: Pick<PeerSpec, 'filters'>): PeerFilters {
  return {
    import: filters.flatMap((filter) => [...rules(filter, 'importV4'), ...rules(filter, 'importV6')]),
    export: filters.flatMap((filter) => [...rules(filter, 'exportV4'), ...rules(filter, 'exportV6')]),
  };
}

type RuleList = 'importV4' | 'importV6' | 'exportV4' | 'exportV6';

function rules(filter: BgpFilter, list: RuleList): FilterRule[] {
  const family = list.endsWith('V4') ? 'ipv4' : 'ipv6';
  return filter[list].map((rule, index) => ({
    name: `BGPFilter/${filter.name} spec.${list}[${index}]`,
    family,
    ...policyRule(rule),
  }));
}

function policyRule(rule: BgpFilterRule): Omit<FilterRule, 'name' | 'family'> {
  const { action, match, source, peerType, community, asPathPrefix, operations } = rule;
  const { interface: through } = rule;
  return {
    action: action === 'Accept' ? 'accept' : 'reject',
    ...(match === undefined ? {} : { prefix: match }),
    ...(source === undefined ? {} : { source: 'peers' }),
    ...(peerType === undefined ? {} : { peerType }),
    ...(through === undefined ? {} : { interface: through }),
    ...(community === undefined ? {} : { community }),
    ...(asPathPrefix === undefined ? {} : { asPathPrefix }),
    operations,
  };
}

/**
 * Own blocks and advertisements, with the communities of every range that they are in.
 * @param facts what this node says of itself with its IPv4 blocks; undefined: nothing
 */
export function localRoutesOf(membership: Membership, facts?: NextHopFacts): readonly LocalRoute[] {
  const said = facts && encodeFacts(membership.localAs, facts);
  const blocks = new Set(membership.blocks);
  const prefixes = new Set([...membership.blocks, ...membership.advertisements]);
  return [...prefixes].map((prefix) => {
    const carried = membership.prefixCommunities
      .filter(({ cidr }) => prefixContains(cidr, prefix))
      .flatMap(({ communities }) => communities);
    const { extendedCommunities, largeCommunities: facts = [] } =
      said !== undefined && prefixFamily(prefix) === 'ipv4' && blocks.has(prefix) ? said : {};
    const communities = new Set(carried.filter((community) => typeof community === 'number'));
    const largeCommunities = [...facts, ...carried]
      .filter((community) => typeof community !== 'number')
      .filter((one, index, all) => all.findIndex((other) => isDeepStrictEqual(one, other)) === index);
    return {
      prefix,
      ...(communities.size === 0 ? {} : { communities: [...communities] }),
      ...(extendedCommunities === undefined ? {} : { extendedCommunities }),
      ...(largeCommunities.length === 0 ? {} : { largeCommunities }),
    };
  });
}

export function nodeFactsOf(membership: Membership): NodeFacts {
  const pools = membership.pools.filter((pool) => !pool.disabled);
  return {
    nodeAddress: membership.nodeAddress,
    ...(membership.nodeAddress6 === undefined ? {} : { nodeAddress6: membership.nodeAddress6 }),
    blocks: membership.blocks,
    pools: pools.map(({ cidr, ipipMode }) => ({ prefix: cidr, ipipMode })),
    gateways: membership.peers.flatMap(({ id, address, gateway }) =>
      gateway === undefined ? [] : [{ peer: id, address, gateway }],
    ),
    nodes: membership.nodes.map(({ address }) => address),
    overrides: new Map(
      membership.peers.flatMap(({ address, encapsulation }) =>
        encapsulation === undefined ? [] : [[address, encapsulation]],
      ),
    ),
  };
}

/**
 * What the nodes of the cluster say of themselves, read from their routes.
 * @returns for a path the facts of its next hop. undefined: it carries none; or they are not to be trusted, because its
 *   next hop is no node, or because it has been in an AS that no node is in, whose routers may say anything.
 */
export function nextHopFacts({ localAs, nodes }: Membership): (path: Path) => NextHopFacts | undefined {
  const asNumbers = new Map<IpAddress, number>(nodes.map(({ address, asn }) => [address, asn]));
  const cluster = new Set([localAs, ...asNumbers.values()]);
  const known = new WeakMap<Path, { readonly facts: NextHopFacts | undefined }>();
  const read = ({ nextHop, attributes }: Path): NextHopFacts | undefined => {
    const asn = asNumbers.get(nextHop.address);
    const isInside = attributes.asPath.every(({ asns }) => asns.every((each) => cluster.has(each)));
    return asn === undefined || !isInside ? undefined : decodeFacts(asn, attributes);
  };
  // Many prefixes share one path.
  return (path) => {
    const entry = known.get(path) ?? { facts: read(path) };
    known.set(path, entry);
    return entry.facts;
  };
}

/** A disabled pool counts as any other: its pods exist. */
export function natFactsOf({ pools, nodeAddresses }: Membership): NatFacts {
  return {
    masqueraded: pools.filter(({ natOutgoing }) => natOutgoing).map(({ cidr }) => cidr),
    pools: pools.map(({ cidr }) => cidr),
    nodes: nodeAddresses,
  };
}

/** The paths to a prefix as the data plane wants them: this node's own routes are not reachability. */
export function routeChangeOf(
  { prefix, best, multipath }: Pick<BestPathChange, 'prefix' | 'best' | 'multipath'>,
  factsOf: (path: Path) => NextHopFacts | undefined,
): RouteChange {
  const peer = best?.peer;
  if (best === undefined || peer === undefined) return { prefix };
  return {
    prefix,
    route: {
      prefix,
      nextHops: (multipath ?? [best]).map((path) => nextHopOf(path, factsOf(path))),
      learnedFrom: { peer: peer.id, asn: peer.asn, type: peer.type },
      ...(best.stale === true ? { stale: true } : {}),
    },
  };
}

function nextHopOf({ nextHop, peer }: Path, facts: NextHopFacts | undefined): LearnedNextHop {
  const { address, linkLocal } = nextHop;
  // What is link-local is so on the link of the session, where it has one.
  const device = linkLocal !== undefined || isLinkLocal(address) ? peer?.device : undefined;
  return {
    address,
    ...(linkLocal === undefined ? {} : { linkLocal }),
    ...(device === undefined ? {} : { device }),
    ...(peer === undefined ? {} : { peer: peer.id }),
    ...(facts === undefined ? {} : { facts }),
  };
}

/** Whose tables are complete: what the data plane may sweep of an earlier run. */
export function progressOf(peers: readonly PeerStatus[]): PeerProgress {
  const complete = peers.filter(({ session, endOfRibFrom }) =>
    session?.families.every((family) => endOfRibFrom.includes(family)),
  );
  return {
    anyUp: peers.some(({ session }) => session !== undefined),
    endOfRibFrom: new Set(complete.map(({ config }) => config.address)),
    allComplete: peers.length > 0 && complete.length === peers.length,
  };
}
