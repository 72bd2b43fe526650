/**
 * The one table of resource kinds: which schema a kind has, which rules its fields obey together, which value it becomes.
 *
 * Owns: a resource seen alone. Must not know: syntax, other resources.
 * A new kind is a row here, a schema, and a list in {@link Draft}.
 */
import { type StaticDecode, type TSchema, Type } from 'typebox';
import { familyBits, prefixFamily, prefixLength } from '../../bgp/net/index.js';
import { checkValue, type Fault, mapping, type Path } from '../schema/index.js';
import { buildConfiguration, configurationRules } from './configuration.js';
import { bgpFilterSpec } from './filter-schema.js';
import { buildFilter, filterRules } from './filters.js';
import { buildPeer, peerRules } from './peers.js';
import {
  bgpConfigurationSpec,
  bgpPeerSpec,
  blockAffinitySpec,
  ipPoolSpec,
  metadataSchema,
  nodeSpec,
} from './schemas.js';
import type { Labels } from './selector.js';
import type { BgpConfiguration, BgpFilter, BgpPeer, BlockAffinity, IpPool, NodeResource } from './types.js';

/** A resource with its name for error messages and the way back to its lines. */
export interface Located<T> {
  readonly resource: T;
  readonly origin: Origin;
}

/** Where a resource was written. */
export interface Origin {
  readonly kind: string;
  readonly name: string;
  readonly file: string;
  readonly lineOf: (path: Path) => number;
}

/** The resources that were right by themselves, before they are compared with each other. */
export interface Draft {
  readonly nodes: Located<NodeResource>[];
  readonly pools: Located<IpPool>[];
  readonly configurations: Located<BgpConfiguration>[];
  readonly peers: Located<BgpPeer>[];
  readonly filters: Located<BgpFilter>[];
  readonly blocks: Located<BlockAffinity>[];
}

/** What a kind makes of one document. */
export type KindReading =
  | { readonly faults: readonly Fault[] }
  | {
      readonly name: string;
      readonly warnings: readonly Fault[];
      readonly addTo: (draft: Draft, origin: Origin) => void;
    };

/** Reads one document of its kind. */
export type KindReader = (document: unknown) => KindReading;

const ANY = Type.Unknown();

const KEPT_METADATA: ReadonlySet<string> = new Set(['name', 'labels', 'annotations']);

/** What stands in `metadata` for Kubernetes alone. */
export const BOOKKEEPING: ReadonlySet<string> = new Set(
  Object.keys(metadataSchema.properties).filter((field) => !KEPT_METADATA.has(field)),
);

interface Header {
  readonly name: string;
  readonly labels: Labels;
}

/** A row of the table; `rules` sees only documents whose every field is right. */
function kind<Spec extends TSchema, Resource>(row: {
  readonly spec: Spec;
  readonly rules: (spec: StaticDecode<Spec>, header: Header) => readonly Fault[];
  readonly build: (spec: StaticDecode<Spec>, header: Header) => Resource;
  readonly list: (draft: Draft) => Located<Resource>[];
}): KindReader {
  const schema = mapping(
    {
      apiVersion: ANY,
      kind: ANY,
      metadata: metadataSchema,
      spec: row.spec,
      status: Type.Optional(ANY),
    },
    { description: 'A resource.' },
  );
  return (document) => {
    const checked = checkValue(schema, document);
    if ('faults' in checked) return checked;
    // The compiler does not resolve the decoded type while `Spec` is open.
    const { metadata, spec } = checked.value as unknown as {
      readonly metadata: StaticDecode<typeof metadataSchema>;
      readonly spec: StaticDecode<Spec>;
    };
    const header: Header = { name: metadata.name, labels: metadata.labels ?? new Map() };
    const faults = row.rules(spec, header);
    if (faults.length > 0) return { faults };
    const resource = row.build(spec, header);
    return {
      name: header.name,
      warnings: checked.warnings,
      addTo: (draft, origin) => row.list(draft).push({ resource, origin }),
    };
  };
}

/** Default and smallest block sizes are those of Calico. */
const BLOCK_SIZES = { ipv4: { default: 26, min: 20 }, ipv6: { default: 122, min: 116 } } as const;

/** The kinds that this agent reads, by the word in `kind`. */
export const KINDS: ReadonlyMap<string, KindReader> = new Map([
  ['Node', kind({ spec: nodeSpec, rules: nodeRules, build: buildNode, list: (draft) => draft.nodes })],
  ['IPPool', kind({ spec: ipPoolSpec, rules: poolRules, build: buildPool, list: (draft) => draft.pools })],
  [
    'BGPConfiguration',
    kind({
      spec: bgpConfigurationSpec,
      rules: configurationRules,
      build: buildConfiguration,
      list: (draft) => draft.configurations,
    }),
  ],
  ['BGPPeer', kind({ spec: bgpPeerSpec, rules: peerRules, build: buildPeer, list: (draft) => draft.peers })],
  [
    'BGPFilter',
    kind({ spec: bgpFilterSpec, rules: filterRules, build: buildFilter, list: (draft) => draft.filters }),
  ],
  [
    'BlockAffinity',
    kind({
      spec: blockAffinitySpec,
      rules: () => [],
      build: ({ cidr, node, state }, { name }) => ({ name, cidr, node, state }),
      list: (draft) => draft.blocks,
    }),
  ],
]);

type NodeSpec = StaticDecode<typeof nodeSpec>;

/** A block is announced with an address of its own family as the next hop. */
function nodeRules(spec: NodeSpec): Fault[] {
  const faults: Fault[] = [];
  const hasFamily = { ipv4: spec.bgp?.ipv4Address !== undefined, ipv6: spec.bgp?.ipv6Address !== undefined };
  if (hasFamily.ipv6 && !hasFamily.ipv4) {
    faults.push({
      path: ['spec', 'bgp'],
      message: 'has an IPv6 address alone; add ipv4Address: the sessions between nodes use IPv4',
    });
  }
  for (const list of ['podCIDRs', 'anycastCIDRs'] as const) {
    for (const [index, prefix] of spec[list].entries()) {
      const family = prefixFamily(prefix);
      if (hasFamily[family]) continue;
      const [word, field] = family === 'ipv4' ? ['IPv4', 'ipv4Address'] : ['IPv6', 'ipv6Address'];
      faults.push({
        path: ['spec', list, index],
        message: `is ${word}, but the node has no ${word} address to be its next hop; add spec.bgp.${field}`,
      });
    }
  }
  return faults;
}

function buildNode(spec: NodeSpec, header: Header): NodeResource {
  const { bgp } = spec;
  return {
    ...header,
    podCIDRs: spec.podCIDRs,
    anycastCIDRs: spec.anycastCIDRs,
    ...(bgp?.ipv4Address && { ipv4: bgp.ipv4Address }),
    ...(bgp?.ipv6Address && { ipv6: bgp.ipv6Address }),
    ...(bgp?.asNumber !== undefined && { asNumber: bgp.asNumber }),
    ...(bgp?.routeReflectorClusterID !== undefined && {
      routeReflectorClusterId: bgp.routeReflectorClusterID,
    }),
  };
}

type IpPoolSpec = StaticDecode<typeof ipPoolSpec>;

function poolRules(spec: IpPoolSpec): Fault[] {
  const faults: Fault[] = [];
  const family = prefixFamily(spec.cidr);
  const limits = BLOCK_SIZES[family];
  if (family === 'ipv6' && spec.ipipMode !== 'Never') {
    faults.push({
      path: ['spec', 'ipipMode'],
      message: `"${spec.ipipMode}" is impossible for an IPv6 pool: IPIP carries IPv4 alone; write Never`,
    });
  }
  const { blockSize } = spec;
  if (blockSize !== undefined && (blockSize < limits.min || blockSize > familyBits(family))) {
    faults.push({
      path: ['spec', 'blockSize'],
      message: `${blockSize} is not between ${limits.min} and ${familyBits(family)}`,
    });
  }
  const effectiveSize = blockSize ?? limits.default;
  if (effectiveSize < prefixLength(spec.cidr)) {
    faults.push({
      path: ['spec', blockSize === undefined ? 'cidr' : 'blockSize'],
      message: `blocks of /${effectiveSize} do not fit into a pool of /${prefixLength(spec.cidr)}; set blockSize to ${prefixLength(spec.cidr)} or more`,
    });
  }
  return faults;
}

function buildPool(spec: IpPoolSpec, header: Header): IpPool {
  return {
    name: header.name,
    cidr: spec.cidr,
    ipipMode: spec.ipipMode,
    blockSize: spec.blockSize ?? BLOCK_SIZES[prefixFamily(spec.cidr)].default,
    disabled: spec.disabled,
    disableBGPExport: spec.disableBGPExport,
    natOutgoing: spec.natOutgoing,
    nodeSelector: spec.nodeSelector,
  };
}
