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
  type IpAddress,
  type Ipv4,
  prefixOf,
} from '../../bgp/net/index.js';
import { type BgpPeer, hasPeer, type NodeResource, type Resources, selects } from '../resources/index.js';
import { didYouMean } from '../schema/index.js';
import type { Membership, MembershipResult, PeerSpec } from './types.js';

/** How long the lower address of a pair waits for the higher one to connect. */
const LISTENER_DIALS_AFTER_SECONDS = 30;

const DEFAULT_PORT = 179;

/** A node that takes part in BGP. */
type Speaker = NodeResource & { readonly ipv4: NonNullable<NodeResource['ipv4']> };

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
    blocks: [...own.podCIDRs].sort(comparePrefixes),
    pools: resources.pools,
    peers: planPeers(resources, own),
  };
  return { membership };
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
  const byAddress = new Map<IpAddress, PeerSpec>();
  const planned = [
    ...resources.peers.flatMap((peer) => peersOf(resources, peer, own)),
    ...meshPeers(resources, own),
  ];
  for (const peer of planned) {
    if (!byAddress.has(peer.address)) byAddress.set(peer.address, peer);
  }
  return [...byAddress.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function meshPeers(resources: Resources, own: Speaker): PeerSpec[] {
  if (!resources.configuration.nodeToNodeMeshEnabled) return [];
  return otherSpeakers(resources, own).map((node) =>
    nodePeer(resources, own, node, `mesh/${node.name}`, 'node-to-node mesh', 'UseNodeIP'),
  );
}

function peersOf(resources: Resources, peer: BgpPeer, own: Speaker): PeerSpec[] {
  const { target } = peer;
  const description = `BGPPeer ${peer.name}`;
  if (target.type === 'nodes') {
    const isLocal = hasPeer(peer, own);
    const isTarget = selects(target.selector, own.labels);
    return otherSpeakers(resources, own)
      .filter(
        (node) => (isLocal && selects(target.selector, node.labels)) || (isTarget && hasPeer(peer, node)),
      )
      .map((node) =>
        nodePeer(resources, own, node, `peer/${peer.name}/${node.name}`, description, peer.sourceAddress),
      );
  }
  if (!hasPeer(peer, own)) return [];
  const { address } = target;
  // A peer of all nodes that is a node itself has no session with itself.
  if (address === own.ipv4.address || address === own.ipv6?.address) return [];
  const node = resources.nodes.find(
    ({ ipv4, ipv6 }) => address === ipv4?.address || address === ipv6?.address,
  );
  const source = sourceTowards(address, own, peer.sourceAddress);
  return [
    {
      id: `peer/${peer.name}`,
      address,
      port: target.port ?? (node === undefined ? DEFAULT_PORT : resources.configuration.listenPort),
      asn: target.asNumber,
      type: target.asNumber === asNumberOf(resources, own) ? 'ibgp' : 'ebgp',
      place: node === undefined ? 'outside' : 'cluster',
      dial: node === undefined || !isSpeaker(node) ? 'now' : dialTowards(own.ipv4.address, node.ipv4.address),
      ...(source !== undefined && { sourceAddress: source }),
      ...(node !== undefined && { node: node.name }),
      description,
    },
  ];
}

function otherSpeakers(resources: Resources, own: Speaker): Speaker[] {
  return resources.nodes.filter(isSpeaker).filter((node) => node.name !== own.name);
}

function nodePeer(
  resources: Resources,
  own: Speaker,
  node: Speaker,
  id: string,
  origin: string,
  sourceMode: BgpPeer['sourceAddress'],
): PeerSpec {
  const asn = asNumberOf(resources, node);
  const source = sourceTowards(node.ipv4.address, own, sourceMode);
  return {
    id,
    address: node.ipv4.address,
    port: resources.configuration.listenPort,
    asn,
    type: asn === asNumberOf(resources, own) ? 'ibgp' : 'ebgp',
    place: 'cluster',
    dial: dialTowards(own.ipv4.address, node.ipv4.address),
    ...(source !== undefined && { sourceAddress: source }),
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
  if (mode === 'None') return undefined;
  return addressFamily(address) === 'ipv4' ? own.ipv4.address : own.ipv6?.address;
}

/**
 * Of two nodes the one with the higher address connects, so that their attempts never cross: a crossing attempt ends a
 * graceful restart. The lower one listens, and dials itself only where nobody came.
 */
export function dialTowards(own: Ipv4, other: Ipv4): PeerSpec['dial'] {
  return own > other ? 'now' : { afterSeconds: LISTENER_DIALS_AFTER_SECONDS };
}
