/**
 * How the pools stand: who has which block, what is free, and what is wrong.
 *
 * Owns: the picture of it. Must not know: how it is shown, stores, clocks. What is wrong is found in problems.ts.
 */
import { comparePrefixes, type Prefix, prefixContains } from '../../bgp/net/index.js';
import type { ConfigError, IpPool } from '../resources/index.js';
import { countBlocks } from './blocks.js';
import { takenBlocks } from './held.js';
import { findProblems } from './problems.js';
import {
  defaultIpamLimits,
  type IpamFacts,
  type IpamLimits,
  type IpamReport,
  type NodeUse,
  type TakenBlock,
} from './types.js';

export function ipamReport(facts: IpamFacts, limits: IpamLimits = defaultIpamLimits): IpamReport {
  const { pools } = facts.resources;
  const taken = takenBlocks(facts.resources);
  const prefixes = taken.map(({ cidr }) => cidr);
  const blocks = taken.map((block) => ({ ...block, pool: poolOf(pools, block.cidr) }));
  const nodes = nodeUses(facts, limits, taken);
  return {
    pools: pools.map((pool) => ({ pool, ...countBlocks(pool, prefixes) })),
    nodes,
    blocks,
    problems: findProblems(facts, nodes, blocks),
  };
}

/** How the node of this name stands, whether or not there is a Node. */
export function nodeStanding(
  { resources, leftOut, signs, nowMs }: IpamFacts,
  { silentAfterMs, leakedAfterMs }: IpamLimits,
  name: string,
): Pick<NodeUse, 'state' | 'silentForMs'> {
  const sign = signs?.get(name);
  // A sign may be younger than the moment at which the clock was asked.
  const silentForMs = sign === undefined ? undefined : Math.max(0, nowMs - sign.atMs);
  const age = silentForMs === undefined ? {} : { silentForMs };
  if (leftOut.some((entry) => isAbout(entry, 'Node', name))) return { state: 'leftOut', ...age };
  if (!resources.nodes.some((node) => node.name === name)) return { state: 'noNode', ...age };
  if (silentForMs === undefined) return { state: 'noSign' };
  const state = silentForMs < silentAfterMs ? 'live' : silentForMs < leakedAfterMs ? 'silent' : 'gone';
  return { state, silentForMs };
}

function nodeUses(facts: IpamFacts, limits: IpamLimits, taken: readonly TakenBlock[]): readonly NodeUse[] {
  const names = new Set(
    [...facts.resources.nodes, ...taken.map(({ node }) => ({ name: node }))].map(({ name }) => name),
  );
  return [...names].sort().map((name) => ({
    name,
    ...nodeStanding(facts, limits, name),
    blocks: taken.filter(({ node }) => node === name).sort((a, b) => comparePrefixes(a.cidr, b.cidr)),
  }));
}

function poolOf(pools: readonly IpPool[], block: Prefix): IpPool | undefined {
  return pools.find(({ cidr }) => prefixContains(cidr, block));
}

/** True where an entry of `leftOut` says of what is left out that it is this resource. */
export function isAbout({ path }: ConfigError, kind: string, name: string): boolean {
  return path.split(' ', 1)[0] === `${kind}/${name}`;
}
