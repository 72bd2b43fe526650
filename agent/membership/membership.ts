/**
 * Cluster resources and the name of this node -> its BGP plan.
 *
 * Owns: who peers with whom, and who of the two connects. Must not know: sockets, sessions, files.
 * Source: the meaning of the node-to-node mesh and of BGPPeer is Calico's.
 */
import {
  addressFamily,
  comparePrefixes,
  formatIpAddress,
  formatZoned,
  type IpAddress,
  type Ipv4,
  isLinkLocal,
  type Prefix,
  prefixOf,
} from '../../bgp/net/index.js';
import {
  type BgpFilter,
  type BgpPeer,
  hasPeer,
  type NodeResource,
  type Resources,
  selects,
} from '../resources/index.js';
import { didYouMean } from '../schema/index.js';
import type { DynamicPeerSpec, Membership, MembershipResult, PeerSpec } from './types.js';

/** How long the lower address of a pair waits for the higher one to connect. */
const LISTENER_DIALS_AFTER_SECONDS = 30;

const DEFAULT_PORT = 179;

/** What the ids of peers in the node-to-node mesh begin with. */
export const MESH = 'mesh/';

/** A node that takes part in BGP. */
type Speaker = NodeResource & { readonly ipv4: NonNullable<NodeResource['ipv4']> };

/** What the peerings with nodes that one resource asks for have in common. */
interface NodePeering extends Pick<PeerSpec, 'nextHop' | 'encapsulation' | 'filters' | 'options'> {
  readonly origin: string;
  readonly sourceAddress: BgpPeer['sourceAddress'];
}

/**
 * The plan of the node named `nodeName`.
 * @returns a problem where the resources have no such node, or the node has no address.
 */
export function planMembership(resources: Resources, nodeName: string): MembershipResult {
  const own = resources.nodes.find((node) => node.name === nodeName);
  if (own === undefined) return { problem: unknownNode(resources, nodeName) };
  if (!isSpeaker(own)) {
    return { problem: `Node/${nodeName} has no spec.bgp.ipv4Address; add its address, like 192.168.1.11/24` };
  }
  const { configuration } = resources;
  const localAs = own.asNumber ?? configuration.asNumber;
  const membership: Membership = {
    nodeName,
    localAs,
    bgpIdentifier: own.ipv4.address,
    nodeAddress: own.ipv4.address,
    nodeSubnet: prefixOf(own.ipv4.address, own.ipv4.lengthBits),
    ...(own.ipv6 && { nodeAddress6: own.ipv6.address }),
    listenPort: configuration.listenPort,
    ...(configuration.bindMode === 'NodeIP' && { listenAddress: own.ipv4.address }),
    ...(own.routeReflectorClusterId !== undefined && { clusterId: own.routeReflectorClusterId }),
    blocks: blocksOf(resources, own),
    advertisements: [...new Set([...configuration.advertisements, ...own.anycastCIDRs])].sort(
      comparePrefixes,
    ),
    prefixCommunities: configuration.prefixCommunities,
    pools: resources.pools,
    nodes: otherSpeakers(resources, own).map((node) => ({
      name: node.name,
      address: node.ipv4.address,
      asn: asNumberOf(resources, node),
    })),
    nodeAddresses: resources.nodes.flatMap(({ ipv4, ipv6 }) =>
      [ipv4, ipv6].flatMap((own) => own?.address ?? []),
    ),
    peers: planPeers(resources, own),
    dynamicPeers: planDynamicPeers(resources, own),
  };
  return { membership };
}

/** What is written with the node, and what it has claimed. */
function blocksOf({ blocks }: Resources, own: NodeResource): readonly Prefix[] {
  const claimed = blocks.filter(({ node, state }) => node === own.name && state === 'confirmed');
  return [...own.podCIDRs, ...claimed.map(({ cidr }) => cidr)].sort(comparePrefixes);
}

function unknownNode(resources: Resources, nodeName: string): string {
  const names = resources.nodes.map((node) => node.name);
  const known = didYouMean(nodeName, names) || `; there is ${names.join(', ') || 'no Node at all'}`;
  return `this node is called "${nodeName}", but no Node of the resources is${known}; set --node-name or add the Node`;
}

function isSpeaker(node: NodeResource): node is Speaker {
  return node.ipv4 !== undefined;
}

/**
 * One peer per address: what a BGPPeer says goes before the mesh, and the earlier name before the later. Rivals that
 * would not be the same peering are refused when the resources are read.
 */
function planPeers(resources: Resources, own: Speaker): PeerSpec[] {
  const byAddress = new Map<string, PeerSpec>();
  const planned = [
    ...resources.peers.flatMap((peer) => peersOf(resources, peer, own)),
    ...meshPeers(resources, own),
  ];
  for (const peer of planned) {
    const text = formatZoned(peer.address, peer.zone);
    if (!byAddress.has(text)) byAddress.set(text, peer);
  }
  return [...byAddress.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** Route reflectors are in no mesh: whom they peer with, BGPPeers say. */
function meshPeers(resources: Resources, own: Speaker): PeerSpec[] {
  const { nodeToNodeMeshEnabled, mesh } = resources.configuration;
  if (!nodeToNodeMeshEnabled || isReflector(own)) return [];
  const peering: NodePeering = {
    origin: 'node-to-node mesh',
    sourceAddress: 'UseNodeIP',
    nextHop: 'auto',
    filters: [],
    options: mesh,
  };
  return otherSpeakers(resources, own)
    .filter((node) => !isReflector(node))
    .map((node) => nodePeer(resources, own, node, `${MESH}${node.name}`, peering));
}

function isReflector(node: NodeResource): boolean {
  return node.routeReflectorClusterId !== undefined;
}

function peersOf(resources: Resources, peer: BgpPeer, own: Speaker): PeerSpec[] {
  const { target } = peer;
  const description = `BGPPeer ${peer.name}`;
  if (target.type === 'nodes') {
    const peering: NodePeering = { ...peer, origin: description, filters: filtersOf(resources, peer) };
    const isLocal = hasPeer(peer, own);
    const isTarget = selects(target.selector, own.labels);
    return otherSpeakers(resources, own)
      .filter(
        (node) =>
          (isLocal && selects(target.selector, node.labels)) ||
          (target.peerBack && isTarget && hasPeer(peer, node)),
      )
      .map((node) => nodePeer(resources, own, node, `peer/${peer.name}/${node.name}`, peering));
  }
  if (target.type === 'range' || !hasPeer(peer, own)) return [];
  const { address, zone } = target;
  // A peer of all nodes that is a node itself has no session with itself.
  if (address === own.ipv4.address || address === own.ipv6?.address) return [];
  const node = resources.nodes.find(
    ({ ipv4, ipv6 }) => address === ipv4?.address || address === ipv6?.address,
  );
  const source = sourceTowards(address, own, peer.sourceAddress);
  const localAs = peer.localAsNumber ?? asNumberOf(resources, own);
  const type = target.asNumber === localAs ? 'ibgp' : 'ebgp';
  return [
    {
      id: `peer/${peer.name}`,
      address,
      ...(zone !== undefined && { zone }),
      port: target.port ?? (node === undefined ? DEFAULT_PORT : resources.configuration.listenPort),
      asn: target.asNumber,
      localAs,
      type,
      place: node === undefined ? 'outside' : 'cluster',
      dial: dialOf(peer, own, node),
      ...(source !== undefined && { sourceAddress: source }),
      ...(target.gateway !== undefined && { gateway: target.gateway }),
      routeReflectorClient: isClient(own, node, type),
      nextHop: peer.nextHop,
      ...(peer.encapsulation !== undefined && { encapsulation: peer.encapsulation }),
      filters: filtersOf(resources, peer),
      options: peer.options,
      ...(node !== undefined && { node: node.name }),
      description,
    },
  ];
}

function planDynamicPeers(resources: Resources, own: Speaker): DynamicPeerSpec[] {
  return resources.peers.flatMap((peer) => {
    const { target } = peer;
    if (target.type !== 'range' || !hasPeer(peer, own)) return [];
    const { range, asNumber, limit } = target;
    return [
      {
        id: `dynamic/${peer.name}`,
        name: peer.name,
        range,
        ...(asNumber !== undefined && { asn: asNumber }),
        limit,
        localAs: peer.localAsNumber ?? asNumberOf(resources, own),
        routeReflectorClient: isReflector(own),
        nextHop: peer.nextHop,
        filters: filtersOf(resources, peer),
        options: peer.options,
      },
    ];
  });
}

function dialOf(peer: BgpPeer, own: Speaker, node: NodeResource | undefined): PeerSpec['dial'] {
  if (peer.options.passive) return 'never';
  return node === undefined || !isSpeaker(node) ? 'now' : dialTowards(own.ipv4.address, node.ipv4.address);
}

/** RFC 4456: a reflector reflects for all iBGP peers but the other reflectors of its cluster. */
function isClient(own: Speaker, node: NodeResource | undefined, type: PeerSpec['type']): boolean {
  return (
    type === 'ibgp' &&
    own.routeReflectorClusterId !== undefined &&
    own.routeReflectorClusterId !== node?.routeReflectorClusterId
  );
}

/** Those that do not exist are refused when the resources are read. */
function filtersOf({ filters }: Resources, peer: BgpPeer): readonly BgpFilter[] {
  return peer.filters.flatMap((name) => filters.filter((filter) => filter.name === name));
}

function otherSpeakers(resources: Resources, own: Speaker): Speaker[] {
  return resources.nodes.filter(isSpeaker).filter((node) => node.name !== own.name);
}

function nodePeer(
  resources: Resources,
  own: Speaker,
  node: Speaker,
  id: string,
  { origin, sourceAddress, nextHop, encapsulation, filters, options }: NodePeering,
): PeerSpec {
  const asn = asNumberOf(resources, node);
  const localAs = asNumberOf(resources, own);
  const type = asn === localAs ? 'ibgp' : 'ebgp';
  const source = sourceTowards(node.ipv4.address, own, sourceAddress);
  return {
    id,
    address: node.ipv4.address,
    port: resources.configuration.listenPort,
    asn,
    localAs,
    type,
    place: 'cluster',
    dial: dialTowards(own.ipv4.address, node.ipv4.address),
    ...(source !== undefined && { sourceAddress: source }),
    routeReflectorClient: isClient(own, node, type),
    nextHop,
    ...(encapsulation !== undefined && { encapsulation }),
    filters,
    options,
    node: node.name,
    description: `${node.name} (${formatIpAddress(node.ipv4.address)}), ${origin}`,
  };
}

function asNumberOf(resources: Resources, node: NodeResource): number {
  return node.asNumber ?? resources.configuration.asNumber;
}

function sourceTowards(
  address: IpAddress,
  own: Speaker,
  mode: BgpPeer['sourceAddress'],
): IpAddress | undefined {
  // Towards what is link-local a session comes from an address of that link.
  if (mode === 'None' || isLinkLocal(address)) return undefined;
  return addressFamily(address) === 'ipv4' ? own.ipv4.address : own.ipv6?.address;
}

/**
 * Of two nodes the one with the higher address connects, so that their attempts never cross: a crossing attempt ends a
 * graceful restart. The lower one listens, and dials itself only where nobody came.
 */
export function dialTowards(own: Ipv4, other: Ipv4): PeerSpec['dial'] {
  return own > other ? 'now' : { afterSeconds: LISTENER_DIALS_AFTER_SECONDS };
}
