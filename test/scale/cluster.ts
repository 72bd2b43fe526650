/**
 * The resources of a cluster of any size: nodes on one network, a pod subnet each.
 *
 * Owns: names, addresses and manifests. Must not know: who reads them.
 */
import type { Change, Manifest } from '../../agent/datastore/index.js';
import { API_VERSION } from '../support/manifests.js';

/** How nodes learn from each other. */
export type Shape = 'mesh' | 'reflectors';

/** Nodes 0 and 1 reflect, where there are reflectors. */
export const REFLECTORS = 2;
const CLUSTER_ID = '244.0.0.1';

export interface NodePlan {
  readonly name: string;
  readonly address: string;
  readonly block: string;
  /** The bridge of its pods. */
  readonly bridge: string;
}

export function nodePlan(index: number): NodePlan {
  // No host of a network ends in 0 or 255, which is for readers: the network is a /16.
  const host = `${Math.floor(index / 250)}.${(index % 250) + 1}`;
  return {
    name: `node-${index}`,
    address: `172.16.${host}`,
    block: `10.${128 + Math.floor(index / 256)}.${index % 256}.0/24`,
    bridge: `10.${128 + Math.floor(index / 256)}.${index % 256}.1/24`,
  };
}

/** The pool and the settings that all nodes share. */
export function clusterChanges(shape: Shape): readonly Change[] {
  return [
    change('IPPool', 'pods', { cidr: '10.128.0.0/9', blockSize: 24, ipipMode: 'CrossSubnet' }),
    ...peeringChanges(shape),
  ];
}

/** What makes a cluster one of this shape, beside the cluster ids of its reflectors. */
export function peeringChanges(shape: Shape): readonly Change[] {
  const isMesh = shape === 'mesh';
  return [meshChange(isMesh), reflectionChange(!isMesh)];
}

export function meshChange(isOn: boolean): Change {
  return change('BGPConfiguration', 'default', { asNumber: 64512, nodeToNodeMeshEnabled: isOn });
}

/** Every node with the reflectors, and they with each other. */
export function reflectionChange(isOn: boolean): Change {
  const key = { kind: 'BGPPeer', name: 'reflectors' };
  if (!isOn) return { ...key, expected: 'any', manifest: undefined };
  return change(key.kind, key.name, { nodeSelector: 'all()', peerSelector: "reflector == 'yes'" });
}

export function nodeChange(index: number, shape: Shape): Change {
  const { name, address, block } = nodePlan(index);
  const isReflector = index < REFLECTORS;
  const reflection = isReflector && shape === 'reflectors' ? { routeReflectorClusterID: CLUSTER_ID } : {};
  return change(
    'Node',
    name,
    { bgp: { ipv4Address: `${address}/16`, ...reflection }, podCIDRs: [block] },
    { labels: { reflector: isReflector ? 'yes' : 'no' } },
  );
}

export function goneChange(index: number): Change {
  return { kind: 'Node', name: nodePlan(index).name, expected: 'any', manifest: undefined };
}

function change(kind: string, name: string, spec: object, metadata: object = {}): Change {
  const manifest: Manifest = { apiVersion: API_VERSION, kind, metadata: { name, ...metadata }, spec };
  return { kind, name, expected: 'any', manifest };
}
