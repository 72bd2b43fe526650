/**
 * A membership as the speaker and the data plane want it told.
 *
 * Owns: the translation between the folders, and the timers that are the same for every peer. Pure.
 */
import { poolPolicy } from '../bgp/policy/index.js';
import type { BestPathChange, LocalRoute, RoutePolicy } from '../bgp/rib/index.js';
import type { ListenOptions, PeerConfig, PeerStatus } from '../bgp/speaker/index.js';
import type { NodeFacts, PeerProgress, RouteChange } from '../ipip/index.js';
import type { AgentSettings } from './config/index.js';
import type { Membership } from './membership/index.js';

/** Keepalives every 30 s; a silent peer is given up after 90 s. */
const HOLD_TIME_SECONDS = 90;
const CONNECT_RETRY_SECONDS = 5;
/** How long peers keep our routes while the agent restarts; Calico's default of `maxRestartTime`. */
const RESTART_TIME_SECONDS = 120;

export function peerConfigs(membership: Membership): readonly PeerConfig[] {
  const { localAs, nodeAddress6 } = membership;
  return membership.peers.map(({ id, address, port, asn, place, dial, sourceAddress }) => ({
    id,
    address,
    port,
    asn,
    localAs,
    place,
    dial,
    ...(sourceAddress === undefined ? {} : { source: sourceAddress }),
    ...(nodeAddress6 === undefined ? {} : { localAddress6: nodeAddress6 }),
    holdTimeSeconds: HOLD_TIME_SECONDS,
    connectRetrySeconds: CONNECT_RETRY_SECONDS,
    restartTimeSeconds: RESTART_TIME_SECONDS,
    families: ['ipv4', 'ipv6'],
  }));
}

/** What the settings of this node say goes before what the cluster says. */
export function listenOptionsOf(membership: Membership, settings: AgentSettings): ListenOptions {
  const address = settings.listenAddress ?? membership.listenAddress;
  return {
    port: settings.bgpPort ?? membership.listenPort,
    ...(address === undefined ? {} : { address }),
  };
}

/** What goes in and out without a filter: the pool policy. */
export function policyOf(membership: Membership): RoutePolicy {
  const enabled = membership.pools.filter((pool) => !pool.disabled);
  return poolPolicy({
    pools: enabled.map((pool) => pool.cidr),
    exportablePools: enabled.filter((pool) => !pool.disableBGPExport).map((pool) => pool.cidr),
    ownBlocks: membership.blocks,
    advertisements: [],
  });
}

export function localRoutesOf(membership: Membership): readonly LocalRoute[] {
  return membership.blocks.map((prefix) => ({ prefix }));
}

export function nodeFactsOf(membership: Membership): NodeFacts {
  const pools = membership.pools.filter((pool) => !pool.disabled);
  return {
    nodeAddress: membership.nodeAddress,
    blocks: membership.blocks,
    pools: pools.map(({ cidr, ipipMode }) => ({ prefix: cidr, ipipMode })),
  };
}

/** A new best path as the data plane wants it: this node's own routes are not reachability. */
export function routeChangeOf({ prefix, best }: BestPathChange): RouteChange {
  const peer = best?.peer;
  if (best === undefined || peer === undefined) return { prefix };
  return {
    prefix,
    route: {
      prefix,
      nextHops: [best.nextHop.address],
      learnedFrom: { peer: peer.id, asn: peer.asn, type: peer.type },
      ...(best.stale === true ? { stale: true } : {}),
    },
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
