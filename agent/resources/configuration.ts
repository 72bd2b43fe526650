/**
 * The BGPConfiguration: the rules that its fields obey together, and the value it becomes.
 *
 * Owns: names of communities, which mean nothing beyond it. Must not know: syntax, other resources.
 */
import type { StaticDecode } from 'typebox';
import { comparePrefixes } from '../../bgp/net/index.js';
import type { Community } from '../../bgp/policy/index.js';
import { didYouMean, type Fault } from '../schema/index.js';
import type { bgpConfigurationSpec } from './schemas.js';
import type { BgpConfiguration } from './types.js';

type BgpConfigurationSpec = StaticDecode<typeof bgpConfigurationSpec>;

/** What is wrong with one whose every field is right. */
export function configurationRules(spec: BgpConfigurationSpec, header: { readonly name: string }): Fault[] {
  const faults: Fault[] = [];
  if (header.name !== 'default') {
    faults.push({
      path: ['metadata', 'name'],
      message: `"${header.name}" is not "default": settings of single nodes are not supported yet; move them to the one named default`,
    });
  }
  for (const field of ['nodeMeshPassword', 'nodeMeshMaxRestartTime'] as const) {
    if (spec[field] === undefined || spec.nodeToNodeMeshEnabled) continue;
    faults.push({
      path: ['spec', field],
      message: 'is for the mesh, but nodeToNodeMeshEnabled is false; set it for each BGPPeer instead',
    });
  }
  return [...faults, ...communityFaults(spec)];
}

function communityFaults({ communities, prefixAdvertisements }: BgpConfigurationSpec): Fault[] {
  const names = communities.map(({ name }) => name);
  const twice = names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [
          {
            path: ['spec', 'communities', index, 'name'],
            message: `"${name}" is the name of another community too; give each its own`,
          },
        ],
  );
  const unknown = prefixAdvertisements.flatMap((advertisement, index) =>
    advertisement.communities.flatMap((community, at) => {
      if (typeof community !== 'string' || names.includes(community)) return [];
      const guess = didYouMean(community, names) || '; add it there, or write the value like "65000:100"';
      return [
        {
          path: ['spec', 'prefixAdvertisements', index, 'communities', at],
          message: `"${community}" is no name in spec.communities${guess}`,
        },
      ];
    }),
  );
  return [...twice, ...unknown];
}

/** The value of one that the rules find nothing wrong with. */
export function buildConfiguration(spec: BgpConfigurationSpec): BgpConfiguration {
  const named = new Map(spec.communities.map(({ name, value }) => [name, value]));
  const ranges = [...spec.serviceClusterIPs, ...spec.serviceExternalIPs, ...spec.serviceLoadBalancerIPs];
  return {
    asNumber: spec.asNumber,
    nodeToNodeMeshEnabled: spec.nodeToNodeMeshEnabled,
    listenPort: spec.listenPort,
    bindMode: spec.bindMode,
    advertisements: [...new Set(ranges.map(({ cidr }) => cidr))].sort(comparePrefixes),
    prefixCommunities: spec.prefixAdvertisements.map(({ cidr, communities }) => ({
      cidr,
      communities: communities.flatMap((community): Community[] => {
        const value = typeof community === 'string' ? named.get(community) : community;
        return value === undefined ? [] : [value];
      }),
    })),
    mesh: {
      ...(spec.nodeMeshPassword !== undefined && { password: spec.nodeMeshPassword }),
      ...(spec.nodeMeshMaxRestartTime !== undefined && { restartTimeSeconds: spec.nodeMeshMaxRestartTime }),
    },
  };
}
