/**
 * What the agent writes of its own node, and nothing else of it: the rest is the operators'.
 *
 * Owns: the manifest. Must not know: stores, when it is written. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Manifest } from '../datastore/index.js';

/** What this machine knows of itself. */
export interface OwnFacts {
  readonly name: string;
  /** With the prefix length of its network, such as `192.168.1.11/24`. */
  readonly ipv4Address: string;
  /** Absent: left as it is written. */
  readonly ipv6Address?: string;
  /** The address of the tunnel; absent: the node has no IPv4 block. */
  readonly tunnelAddress?: string;
}

/** @returns undefined where `stored` says all of it already */
export function ownManifest(stored: Manifest | undefined, facts: OwnFacts): Manifest | undefined {
  const spec = mappingIn(stored, 'spec');
  const { ipv4IPIPTunnelAddr: _former, ...bgp } = mappingIn(spec, 'bgp');
  const manifest = {
    ...(stored ?? { apiVersion: 'projectcalico.org/v3', kind: 'Node', metadata: { name: facts.name } }),
    spec: {
      ...spec,
      bgp: {
        ...bgp,
        ipv4Address: facts.ipv4Address,
        ...(facts.ipv6Address === undefined ? {} : { ipv6Address: facts.ipv6Address }),
        ...(facts.tunnelAddress === undefined ? {} : { ipv4IPIPTunnelAddr: facts.tunnelAddress }),
      },
    },
  };
  return isDeepStrictEqual(manifest, stored) ? undefined : manifest;
}

function mappingIn(value: Manifest | undefined, key: string): Readonly<Record<string, unknown>> {
  const inner = value?.[key];
  return typeof inner === 'object' && inner !== null ? (inner as Readonly<Record<string, unknown>>) : {};
}
