/**
 * Builders of manifests: the small cluster that most tests of the agent begin with.
 */
import { parseResources, type Resources, type ResourcesResult } from '../../agent/resources/index.js';

export const API_VERSION = 'projectcalico.org/v3';

/** One resource as JSON, which is YAML. */
export function manifest(kind: string, name: string, spec: object, metadata: object = {}): string {
  return JSON.stringify({ apiVersion: API_VERSION, kind, metadata: { name, ...metadata }, spec });
}

export function pool(name = 'pods', cidr = '10.244.0.0/16', spec: object = {}): string {
  return manifest('IPPool', name, { cidr, ipipMode: 'CrossSubnet', blockSize: 24, ...spec });
}

/** `node('a', '192.168.1.11/24', ['10.244.1.0/24'])` is Node/node-a with label rack: a. */
export function node(
  letter: string,
  ipv4Address: string,
  podCIDRs: readonly string[] = [],
  bgp: object = {},
): string {
  return manifest(
    'Node',
    `node-${letter}`,
    { bgp: { ipv4Address, ...bgp }, podCIDRs },
    { labels: { rack: letter } },
  );
}

export function peer(name: string, spec: object): string {
  return manifest('BGPPeer', name, spec);
}

export function configuration(spec: object): string {
  return manifest('BGPConfiguration', 'default', spec);
}

/** Four nodes in two networks, a pool, and the router `tor` beside node-a. */
export const CLUSTER: readonly string[] = [
  pool(),
  node('a', '192.168.1.11/24', ['10.244.1.0/24']),
  node('b', '192.168.1.12/24', ['10.244.2.0/24']),
  node('c', '192.168.2.11/24', ['10.244.3.0/24']),
  node('d', '192.168.2.12/24', ['10.244.4.0/24']),
  peer('tor', { nodeSelector: "rack == 'a'", peerIP: '192.168.1.1', asNumber: 65001 }),
];

/** One file, `cluster.yaml`, with one document per line: document n is on line 2n - 1. */
export function parse(...documents: readonly string[]): ResourcesResult {
  return parseResources([{ path: 'cluster.yaml', text: documents.join('\n---\n') }]);
}

/** The resources of documents that are right. */
export function resources(...documents: readonly string[]): Resources {
  const result = parse(...documents);
  if ('errors' in result) throw new Error(`wrong test data: ${JSON.stringify(result.errors)}`);
  return result.resources;
}
