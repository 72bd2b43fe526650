/**
 * The rules that hold between resources: one address one node, one block one node, pools apart from everything else,
 * peers that exist.
 *
 * Owns: what makes a set of valid resources wrong or suspicious as a whole. Must not know: syntax, the own node.
 * Each rule is a function from the draft to findings; {@link crossCheck} is the list of them.
 */
import {
  comparePrefixes,
  formatIpAddress,
  formatPrefix,
  formatZoned,
  type IpAddress,
  isIpv6,
  isLinkLocal,
  type Prefix,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
  prefixOf,
} from '../../bgp/net/index.js';
import { didYouMean, formatLocation, type Path } from '../schema/index.js';
import type { Draft, Located, Origin } from './kinds.js';
import { hasPeer } from './select-nodes.js';
import { type Selector, selects } from './selector.js';
import type { BgpPeer, NodeResource, PeerTarget } from './types.js';

/** A fault of one resource in the light of others. */
export interface Finding {
  readonly origin: Origin;
  readonly path: Path;
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

type Rule = (draft: Draft) => Finding[];

const RULES: readonly Rule[] = [
  oneNamePerResource,
  oneNodePerAddress,
  oneNodePerBlock,
  everyBlockInItsPool,
  everyClaimInItsPool,
  poolsApart,
  poolsApartFromNodeNetworks,
  poolsApartFromServices,
  peersNameNodes,
  peersInTheCluster,
  onePeeringPerRouter,
  ipv6PeersReachable,
  oneRangeOnce,
  peersNameFilters,
  reflectorsHavePeers,
];

/** All findings of all rules. */
export function crossCheck(draft: Draft): Finding[] {
  return RULES.flatMap((rule) => rule(draft));
}

function finding(
  { origin }: Located<unknown>,
  path: Path,
  message: string,
  severity: Finding['severity'] = 'error',
): Finding {
  return { origin, path, message, severity };
}

/** `Node/node-a (cluster.yaml:12)`, pointing at the line of `path`. */
function nameOf({ origin }: Located<unknown>, path: Path = ['metadata', 'name']): string {
  const place = formatLocation({ file: origin.file, line: origin.lineOf(path) });
  return `${origin.kind}/${origin.name} (${place})`;
}

function oneNamePerResource(draft: Draft): Finding[] {
  return Object.values(draft).flatMap((resources: readonly Located<unknown>[]) => {
    const first = new Map<string, Located<unknown>>();
    return resources.flatMap((located) => {
      const other = first.get(located.origin.name);
      if (other === undefined) {
        first.set(located.origin.name, located);
        return [];
      }
      return [
        finding(
          located,
          ['metadata', 'name'],
          `exists already as ${nameOf(other)}; rename or remove one of them`,
        ),
      ];
    });
  });
}

function oneNodePerAddress({ nodes }: Draft): Finding[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const path = ['spec', 'bgp', family === 'ipv4' ? 'ipv4Address' : 'ipv6Address'];
    const owners = new Map<IpAddress, Located<NodeResource>>();
    return nodes.flatMap((node) => {
      const address = node.resource[family]?.address;
      if (address === undefined) return [];
      const owner = owners.get(address);
      if (owner === undefined) {
        owners.set(address, node);
        return [];
      }
      const message = `${formatIpAddress(address)} is the address of ${nameOf(owner, path)} too; give each node its own`;
      return [finding(node, path, message)];
    });
  });
}

/** A prefix with the resource that it comes from. */
interface Claim {
  readonly prefix: Prefix;
  readonly owner: Located<unknown>;
  readonly path: Path;
}

/**
 * Each claim that overlaps an earlier one in prefix order, with that one. Sorted, a prefix stands before all that it
 * contains, so the chain of prefixes around the current one is a stack.
 */
function overlaps(claims: readonly Claim[]): { readonly inner: Claim; readonly outer: Claim }[] {
  const found: { inner: Claim; outer: Claim }[] = [];
  const around: Claim[] = [];
  for (const claim of [...claims].sort((a, b) => comparePrefixes(a.prefix, b.prefix))) {
    let outer = around.at(-1);
    while (outer !== undefined && !prefixContains(outer.prefix, claim.prefix)) {
      around.pop();
      outer = around.at(-1);
    }
    if (outer !== undefined) found.push({ inner: claim, outer });
    around.push(claim);
  }
  return found;
}

function blockClaims({ nodes, blocks }: Draft): Claim[] {
  return [
    ...nodes.flatMap((owner) =>
      owner.resource.podCIDRs.map((prefix, index) => ({ prefix, owner, path: ['spec', 'podCIDRs', index] })),
    ),
    ...blocks.map((owner) => ({ prefix: owner.resource.cidr, owner, path: ['spec', 'cidr'] })),
  ];
}

/** Of two that overlap the later one is at fault. */
function oneNodePerBlock(draft: Draft): Finding[] {
  const claims = blockClaims(draft);
  const age = new Map(claims.map((claim, index) => [claim, index]));
  const ageOf = (claim: Claim) => age.get(claim) ?? 0;
  return overlaps(claims).map(({ inner, outer }) => {
    const [first, second] = ageOf(outer) < ageOf(inner) ? [outer, inner] : [inner, outer];
    const relation = inner.prefix === outer.prefix ? 'is' : `overlaps ${formatPrefix(first.prefix)},`;
    const message = `${formatPrefix(second.prefix)} ${relation} a pod subnet of ${nameOf(first.owner, first.path)} too; give each node its own`;
    return finding(second.owner, second.path, message);
  });
}

/** Without a filter, nodes import what lies in an enabled pool: a block elsewhere would be announced in vain. */
function everyBlockInItsPool({ nodes, pools }: Draft): Finding[] {
  return nodes.flatMap((node) =>
    node.resource.podCIDRs.flatMap((block, index) => {
      const path = ['spec', 'podCIDRs', index];
      const around = pools.filter((pool) => prefixContains(pool.resource.cidr, block));
      const pool = around.find((candidate) => !candidate.resource.disabled) ?? around[0];
      if (pool === undefined) {
        const message = `${formatPrefix(block)} lies in no IPPool, so that no other node would import it; take one from a pool, or add an IPPool around it`;
        return [finding(node, path, message)];
      }
      if (pool.resource.disabled) {
        const message = `${formatPrefix(block)} lies in the disabled ${nameOf(pool)}: no other node imports it`;
        return [finding(node, path, message, 'warning')];
      }
      if (selects(pool.resource.nodeSelector, node.resource.labels)) return [];
      const message = `${formatPrefix(block)} lies in ${nameOf(pool)}, whose nodeSelector does not match this node; change the selector, the labels or the subnet`;
      return [finding(node, path, message)];
    }),
  );
}

/** A claim outlives its pool, or a change of its node's labels: it goes on being used until it is released. */
function everyClaimInItsPool({ blocks, pools, nodes }: Draft): Finding[] {
  const path = ['spec', 'cidr'];
  return blocks.flatMap((block) => {
    const { cidr, node: nodeName } = block.resource;
    const pool = pools.find(({ resource }) => prefixContains(resource.cidr, cidr));
    const node = nodes.find(({ resource }) => resource.name === nodeName);
    const problem =
      pool === undefined
        ? 'lies in no IPPool, so that no other node imports it'
        : pool.resource.disabled
          ? `lies in the disabled ${nameOf(pool)}: no other node imports it`
          : node !== undefined && !selects(pool.resource.nodeSelector, node.resource.labels)
            ? `lies in ${nameOf(pool)}, whose nodeSelector does not match ${nodeName}`
            : undefined;
    if (problem === undefined) return [];
    const message = `${formatPrefix(cidr)} ${problem}; release it, or change the pool`;
    return [finding(block, path, message, 'warning')];
  });
}

function poolsApart({ pools }: Draft): Finding[] {
  const path = ['spec', 'cidr'];
  const claims = pools.map((owner) => ({ prefix: owner.resource.cidr, owner, path }));
  return overlaps(claims).map(({ inner, outer }) =>
    finding(
      inner.owner,
      path,
      `${formatPrefix(inner.prefix)} overlaps ${formatPrefix(outer.prefix)} of ${nameOf(outer.owner, path)}; keep pools apart`,
    ),
  );
}

/** A route to a block that covers the node network would cut the nodes off from each other. */
function poolsApartFromNodeNetworks({ nodes, pools }: Draft): Finding[] {
  const firstOf = new Map<Prefix, Located<NodeResource>>();
  for (const node of nodes) {
    for (const address of [node.resource.ipv4, node.resource.ipv6]) {
      if (address === undefined) continue;
      const network = prefixOf(address.address, address.lengthBits);
      if (!firstOf.has(network)) firstOf.set(network, node);
    }
  }
  return pools.flatMap((pool) =>
    [...firstOf].flatMap(([network, node]) => {
      if (!prefixesOverlap(pool.resource.cidr, network)) return [];
      const message = `${formatPrefix(pool.resource.cidr)} overlaps the node network ${formatPrefix(network)} of ${nameOf(node, ['spec', 'bgp'])}; take a range that no machine uses`;
      return [finding(pool, ['spec', 'cidr'], message)];
    }),
  );
}

/** Every node announces the services' ranges: it would attract the packets of other nodes' pods, or its own pods theirs. */
function poolsApartFromServices({ pools, configurations }: Draft): Finding[] {
  const path = ['spec', 'cidr'];
  return configurations.flatMap((configuration) =>
    pools.flatMap((pool) =>
      configuration.resource.advertisements.flatMap((range) => {
        if (!prefixesOverlap(pool.resource.cidr, range)) return [];
        const message = `${formatPrefix(pool.resource.cidr)} overlaps the service range ${formatPrefix(range)} of ${nameOf(configuration)}; keep pods and services apart`;
        return [finding(pool, path, message)];
      }),
    ),
  );
}

function peersNameNodes({ nodes, peers }: Draft): Finding[] {
  const names = nodes.map((node) => node.resource.name);
  return peers.flatMap((peer) => {
    const findings: Finding[] = [];
    const { nodes: local, target } = peer.resource;
    if ('name' in local && !names.includes(local.name)) {
      const known = didYouMean(local.name, names) || `; there is ${names.join(', ') || 'no node'}`;
      findings.push(finding(peer, ['spec', 'node'], `"${local.name}" is no Node of these resources${known}`));
    }
    if ('selector' in local) findings.push(...emptySelection(peer, 'nodeSelector', local.selector, nodes));
    if (target.type === 'nodes')
      findings.push(...emptySelection(peer, 'peerSelector', target.selector, nodes));
    return findings;
  });
}

function emptySelection(
  peer: Located<BgpPeer>,
  field: string,
  selector: Selector,
  nodes: readonly Located<NodeResource>[],
): Finding[] {
  if (nodes.some((node) => selects(selector, node.resource.labels))) return [];
  return [
    finding(peer, ['spec', field], 'matches no node, so that this peering does not come to be', 'warning'),
  ];
}

/** A peerIP that belongs to a node must tell that node's AS number, or the session never comes up. */
function peersInTheCluster({ nodes, peers, configurations }: Draft): Finding[] {
  return peers.flatMap((peer) => {
    const { target } = peer.resource;
    if (target.type !== 'address') return [];
    const node = nodes.find(({ resource }) => nodeHasAddress(resource, target.address));
    const asNumber = node?.resource.asNumber ?? configurations[0]?.resource.asNumber;
    if (node === undefined || asNumber === undefined || asNumber === target.asNumber) return [];
    const message = `${target.asNumber} is not the AS number of ${nameOf(node)}, whose address this is; write ${asNumber}`;
    return [finding(peer, ['spec', 'asNumber'], message)];
  });
}

function nodeHasAddress(node: NodeResource, address: IpAddress): boolean {
  return node.ipv4?.address === address || node.ipv6?.address === address;
}

/** BGP has one session between two addresses; a second BGPPeer would fight with the first. */
function onePeeringPerRouter({ nodes, peers }: Draft): Finding[] {
  const byAddress = new Map<string, Located<BgpPeer>[]>();
  for (const peer of peers) {
    const { target } = peer.resource;
    if (target.type !== 'address') continue;
    const text = formatZoned(target.address, target.zone);
    byAddress.set(text, [...(byAddress.get(text) ?? []), peer]);
  }
  return [...byAddress].flatMap(([address, rivals]) =>
    rivals.flatMap((peer, index) => {
      for (const earlier of rivals.slice(0, index)) {
        const shared = nodes.find(
          ({ resource }) => hasPeer(peer.resource, resource) && hasPeer(earlier.resource, resource),
        );
        if (shared === undefined) continue;
        const message = `${address} is a peer of ${shared.resource.name} by ${nameOf(earlier, ['spec', 'peerIP'])} already; keep one of them`;
        return [finding(peer, ['spec', 'peerIP'], message)];
      }
      return [];
    }),
  );
}

function ipv6PeersReachable({ nodes, peers }: Draft): Finding[] {
  return peers.flatMap((peer) => {
    if (!isIpv6Target(peer.resource.target)) return [];
    const lacking = nodes.find(
      ({ resource }) =>
        hasPeer(peer.resource, resource) && resource.ipv4 !== undefined && resource.ipv6 === undefined,
    );
    if (lacking === undefined) return [];
    const field = peer.resource.target.type === 'range' ? 'peerRange' : 'peerIP';
    const message = `is IPv6, but ${nameOf(lacking)} has none to connect from; add spec.bgp.ipv6Address there, or select other nodes`;
    return [finding(peer, ['spec', field], message)];
  });
}

/** Ranges may lie in each other, the longest decides; of two equal ones nobody would know whose a router is. */
function oneRangeOnce({ nodes, peers }: Draft): Finding[] {
  const path = ['spec', 'peerRange'];
  return peers.flatMap((peer, index) => {
    const range = rangeOf(peer.resource);
    const rival = peers
      .slice(0, index)
      .find(
        (earlier) =>
          range !== undefined &&
          rangeOf(earlier.resource) === range &&
          nodes.some(
            ({ resource }) => hasPeer(peer.resource, resource) && hasPeer(earlier.resource, resource),
          ),
      );
    if (range === undefined || rival === undefined) return [];
    const message = `${formatPrefix(range)} is the range of ${nameOf(rival, path)} too; keep one of them`;
    return [finding(peer, path, message)];
  });
}

function rangeOf({ target }: BgpPeer): Prefix | undefined {
  return target.type === 'range' ? target.range : undefined;
}

function peersNameFilters({ peers, filters }: Draft): Finding[] {
  const names = filters.map(({ resource }) => resource.name);
  return peers.flatMap((peer) =>
    peer.resource.filters.flatMap((name, index) => {
      if (names.includes(name)) return [];
      const known = didYouMean(name, names) || `; there is ${names.join(', ') || 'none'}`;
      return [
        finding(peer, ['spec', 'filters', index], `"${name}" is no BGPFilter of these resources${known}`),
      ];
    }),
  );
}

/** A reflector leaves the mesh: without a BGPPeer it is alone. */
function reflectorsHavePeers({ nodes, peers }: Draft): Finding[] {
  return nodes.flatMap((node) => {
    const { resource } = node;
    const isPeer = peers.some(
      ({ resource: peer }) =>
        hasPeer(peer, resource) ||
        (peer.target.type === 'nodes' &&
          peer.target.peerBack &&
          selects(peer.target.selector, resource.labels)) ||
        (peer.target.type === 'address' && nodeHasAddress(resource, peer.target.address)),
    );
    if (resource.routeReflectorClusterId === undefined || isPeer) return [];
    const message =
      'takes this node out of the mesh, and no BGPPeer selects it; add one with peerSelector for the reflectors';
    return [finding(node, ['spec', 'bgp', 'routeReflectorClusterID'], message, 'warning')];
  });
}

function isIpv6Target(target: PeerTarget): boolean {
  if (target.type === 'range') return prefixFamily(target.range) === 'ipv6';
  // Every IPv6 link gives its ends an address to be link-local with.
  return target.type === 'address' && isIpv6(target.address) && !isLinkLocal(target.address);
}
