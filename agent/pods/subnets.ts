/**
 * Which of the node's pod subnets a CNI plugin can give addresses of, and what keeps it from the others.
 *
 * Owns: the choice. Must not know: how a plugin is told. Pure.
 *
 * Source: containernetworking/plugins, host-local (range.go: a subnet longer than /30, or /126, is refused), bridge
 * (bridge.go, ensureAddr: a bridge that has an IPv4 address takes no second one).
 */
import { familyBits, type Prefix, prefixContains, prefixFamily, prefixLength } from '../../bgp/net/index.js';

/** Which plugin gives a pod its link: `ptp` a wire of its own, `bridge` a port of one bridge. */
export type PodPlugin = 'ptp' | 'bridge';

/** What the choice rests on. */
export interface PodSubnetFacts {
  /** The pod subnets of this node, in prefix order. */
  readonly blocks: readonly Prefix[];
  readonly pools: readonly { readonly cidr: Prefix; readonly disabled: boolean }[];
  readonly plugin: PodPlugin;
}

export interface PodSubnets {
  /** In prefix order. */
  readonly used: readonly Prefix[];
  readonly unused: readonly { readonly block: Prefix; readonly reason: string }[];
}

/** The network's address, the gateway's, one for a pod, and in IPv4 that of the broadcast. */
const SPARE_BITS = 2;

export function podSubnets({ blocks, pools, plugin }: PodSubnetFacts): PodSubnets {
  const used: Prefix[] = [];
  const unused: { block: Prefix; reason: string }[] = [];
  for (const block of blocks) {
    const reason = whyUnused(block, pools, plugin, used);
    if (reason === undefined) used.push(block);
    else unused.push({ block, reason });
  }
  return { used, unused };
}

function whyUnused(
  block: Prefix,
  pools: PodSubnetFacts['pools'],
  plugin: PodPlugin,
  used: readonly Prefix[],
): string | undefined {
  const family = prefixFamily(block);
  const longest = familyBits(family) - SPARE_BITS;
  if (!pools.some(({ cidr, disabled }) => !disabled && prefixContains(cidr, block))) {
    return 'no other node reaches pods there; add an IPPool around it that is not disabled';
  }
  if (prefixLength(block) > longest) {
    return `host-local takes no subnet longer than /${longest}; set blockSize to ${longest} or less`;
  }
  if (plugin === 'bridge' && used.some((other) => prefixFamily(other) === family)) {
    return 'the bridge plugin serves one subnet of each family; set --cni-plugin ptp, which serves all';
  }
  return undefined;
}
