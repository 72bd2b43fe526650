/**
 * `subnet.env` in the form of flannel, which its CNI plugin reads, and whoever makes a bridge for the pods.
 *
 * Owns: the text. Must not know: files. Pure.
 *
 * FLANNEL_IPMASQ is always true. It does not say that somebody masquerades; it tells the plugin not to: where it is false,
 * the plugin makes the bridge masquerade everything that leaves the node's own subnet, and pods of other nodes would see
 * the node's address. What leaves the pools is the business of `natOutgoing`.
 *
 * Source: flannel, pkg/subnet/subnet.go, WriteSubnetFile; flannel-io/cni-plugin, flannel_linux.go.
 */
import {
  familyBits,
  formatIpAddress,
  formatPrefix,
  ipv4,
  ipv6,
  isIpv4,
  type Prefix,
  prefixAddress,
  prefixContains,
  prefixFamily,
  prefixLength,
} from '../../bgp/net/index.js';

/** What is known of the pods of this node. */
export interface PodNetwork {
  /** The pod subnets of this node; of each family the first counts, as it does for the tunnel's address. */
  readonly blocks: readonly Prefix[];
  /** The ranges that blocks are of. */
  readonly pools: readonly Prefix[];
  readonly mtuBytes: number;
}

/** @returns undefined where the node has no subnet in any pool: then there is nothing for a plugin to go by */
export function subnetEnv({ blocks, pools, mtuBytes }: PodNetwork): string | undefined {
  const lines = (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const block = blocks.find((candidate) => prefixFamily(candidate) === family);
    const pool = block === undefined ? undefined : pools.find((range) => prefixContains(range, block));
    if (block === undefined || pool === undefined) return [];
    const name = family === 'ipv4' ? 'FLANNEL' : 'FLANNEL_IPV6';
    return [`${name}_NETWORK=${formatPrefix(pool)}`, `${name}_SUBNET=${gatewayForm(block)}`];
  });
  if (lines.length === 0) return undefined;
  return [...lines, `FLANNEL_MTU=${mtuBytes}`, 'FLANNEL_IPMASQ=true', ''].join('\n');
}

/** The first address after the network's, which is the bridge's, with the length of the subnet. */
function gatewayForm(block: Prefix): string {
  const length = prefixLength(block);
  const network = prefixAddress(block);
  const isSingle = length === familyBits(prefixFamily(block));
  const next = isIpv4(network) ? ipv4(network + 1) : ipv6(network + 1n);
  return `${formatIpAddress(isSingle ? network : next)}/${length}`;
}
