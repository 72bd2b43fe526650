/**
 * The rules of outgoing NAT as the text of an nftables table: what leaves the pods' pools gets this node's address.
 *
 * Owns: which packets are masqueraded, and how that is written. Must not know: how rules are loaded. Pure.
 *
 * A packet is masqueraded whose source is in a pool that asks for it, and whose destination is neither in any pool
 * (disabled ones included: their pods exist) nor a node's address. So pods see each other's addresses, and nodes see
 * those of pods. The outer packet of the tunnel has a node's address as its source and is in none of the sets.
 *
 * `fully-random`: two pods that choose the same source port towards one server would otherwise race for one mapping, and
 * the loser's first packet is dropped.
 *
 * Source: nft(8).
 */
import {
  addressFamily,
  formatIpAddress,
  formatPrefix,
  type IpAddress,
  type Prefix,
  prefixFamily,
} from '../bgp/net/index.js';

/** What decides who is masqueraded. */
export interface NatFacts {
  /** The pools with `natOutgoing`. */
  readonly masqueraded: readonly Prefix[];
  /** All pools, disabled ones too. */
  readonly pools: readonly Prefix[];
  /** The addresses of all nodes. */
  readonly nodes: readonly IpAddress[];
}

/** The families of nftables, each of which has a table of ours. */
export type NatFamily = 'ip' | 'ip6';

export const NAT_FAMILIES: readonly NatFamily[] = ['ip', 'ip6'];

/** The name of our tables; whatever is in a table of this name is ours. */
export const NAT_TABLE = 'podroute';

/**
 * Of the table that is in force while {@link NAT_TABLE} is replaced. A transaction has both tables hooked for a moment, and
 * a packet that has passed the new one before it takes effect, and meets the old one after, would be masqueraded by neither.
 */
export const NAT_STAND_IN = 'podroute-next';

/**
 * One transaction that puts a table in the place of whatever has its name.
 * @returns undefined where no pool of this family asks for NAT
 */
export function natRules(facts: NatFacts, family: NatFamily, name: string = NAT_TABLE): string | undefined {
  const masqueraded = natPools(facts, family);
  if (masqueraded.length === 0) return undefined;
  const nodes = facts.nodes.filter((address) => addressFamily(address) === BGP_FAMILY[family]);
  return natRemoval(family, name).concat(
    [
      `table ${family} ${name} {`,
      ...set('masqueraded', family, masqueraded.map(formatPrefix)),
      ...set('pools', family, ofFamily(facts.pools, family).map(formatPrefix)),
      ...set('nodes', family, nodes.map(formatIpAddress)),
      '\tchain postrouting {',
      '\t\ttype nat hook postrouting priority srcnat; policy accept;',
      `\t\t${family} saddr @masqueraded ${family} daddr != @pools ${family} daddr != @nodes masquerade fully-random`,
      '\t}',
      '}',
      '',
    ].join('\n'),
  );
}

/** The pools of a family that ask for NAT. */
export function natPools({ masqueraded }: NatFacts, family: NatFamily): readonly Prefix[] {
  return ofFamily(masqueraded, family);
}

function ofFamily(prefixes: readonly Prefix[], family: NatFamily): readonly Prefix[] {
  return prefixes.filter((prefix) => prefixFamily(prefix) === BGP_FAMILY[family]);
}

/** One transaction that removes the table, whether it is there or not. */
export function natRemoval(family: NatFamily, name: string = NAT_TABLE): string {
  return `add table ${family} ${name}\ndelete table ${family} ${name}\n`;
}

const BGP_FAMILY = { ip: 'ipv4', ip6: 'ipv6' } as const;
const ADDRESS_TYPE = { ip: 'ipv4_addr', ip6: 'ipv6_addr' } as const;

/** Sorted and each element once, so that the same facts are the same text. nft refuses an empty list of elements. */
function set(name: string, family: NatFamily, elements: readonly string[]): readonly string[] {
  const unique = [...new Set(elements)].sort();
  return [
    `\tset ${name} {`,
    `\t\ttype ${ADDRESS_TYPE[family]}`,
    '\t\tflags interval',
    '\t\tauto-merge',
    ...(unique.length === 0 ? [] : [`\t\telements = { ${unique.join(', ')} }`]),
    '\t}',
  ];
}
