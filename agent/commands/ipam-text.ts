/**
 * How pools, nodes and blocks look on a terminal and as JSON.
 *
 * Owns: columns and field names. Must not know: stores.
 */
import { type Column, formatDuration, renderTable, type TextOptions } from '../../api/index.js';
import { formatPrefix } from '../../bgp/net/index.js';
import type { BlockUse, IpamProblem, IpamReport, NodeUse, PoolUse } from '../ipam/index.js';

/** From here on nobody counts blocks one by one. */
const MANY = 1_000_000_000n;

const POOLS: readonly Column<PoolUse>[] = [
  { title: 'POOL', cell: ({ pool }) => pool.name },
  { title: 'CIDR', cell: ({ pool }) => formatPrefix(pool.cidr) },
  { title: 'BLOCK SIZE', cell: ({ pool }) => `/${pool.blockSize}` },
  { title: 'BLOCKS', cell: ({ total }) => countText(total) },
  { title: 'TAKEN', cell: ({ taken }) => countText(taken) },
  { title: 'FREE', cell: ({ free }) => countText(free) },
  { title: 'STATE', cell: ({ pool }) => (pool.disabled ? 'disabled' : 'enabled') },
];

const NODES: readonly Column<NodeUse>[] = [
  { title: 'NODE', cell: ({ name }) => name },
  { title: 'STATE', cell: nodeStateText },
  { title: 'BLOCKS', cell: ({ blocks }) => blocks.map(({ cidr }) => formatPrefix(cidr)).join(', ') },
];

const BLOCKS: readonly Column<BlockUse>[] = [
  { title: 'BLOCK', cell: ({ cidr }) => formatPrefix(cidr) },
  { title: 'NODE', cell: ({ node }) => node },
  { title: 'POOL', cell: ({ pool }) => pool?.name ?? '' },
  { title: 'BY', cell: ({ source }) => source },
  { title: 'STATE', cell: ({ state }) => state },
];

export function reportText(report: IpamReport, showsBlocks: boolean, options: TextOptions): string {
  const last = showsBlocks
    ? renderTable(BLOCKS, report.blocks, options)
    : renderTable(NODES, report.nodes, options);
  return `${renderTable(POOLS, report.pools, options)}\n${last}`;
}

/** Numbers beyond 2^53 are the nearest that JSON's readers have. */
export function reportJson({ pools, nodes, blocks, problems }: IpamReport): unknown {
  return {
    pools: pools.map(({ pool, total, taken, free }) => ({
      name: pool.name,
      cidr: formatPrefix(pool.cidr),
      blockSize: pool.blockSize,
      disabled: pool.disabled,
      blocks: Number(total),
      taken: Number(taken),
      free: Number(free),
    })),
    nodes: nodes.map(({ name, state, silentForMs, blocks: own }) => ({
      name,
      state,
      silentForMs: silentForMs ?? null,
      blocks: own.map(({ cidr }) => formatPrefix(cidr)),
    })),
    blocks: blocks.map(({ cidr, node, pool, source, state }) => ({
      cidr: formatPrefix(cidr),
      node,
      pool: pool?.name ?? null,
      source,
      state,
    })),
    problems,
  };
}

/** An answer for scripts. */
export function answerText(answer: unknown): string {
  return `${JSON.stringify(answer, null, 2)}\n`;
}

/** One line per problem. */
export function problemsText(problems: readonly IpamProblem[]): string {
  return problems.map(({ code, message }) => `${code}: ${message}\n`).join('');
}

export function nodeStateText({ state, silentForMs }: Pick<NodeUse, 'state' | 'silentForMs'>): string {
  const ago = silentForMs === undefined ? '' : formatDuration(silentForMs / 1000);
  switch (state) {
    case 'live':
      return 'live';
    case 'silent':
    case 'gone':
      return `${state} for ${ago}`;
    case 'noSign':
      return 'no sign';
    case 'leftOut':
      return 'left out';
    case 'noNode':
      return ago === '' ? 'no Node' : `no Node, silent for ${ago}`;
    default:
      return state satisfies never;
  }
}

function countText(count: bigint): string {
  return count < MANY ? String(count) : Number(count).toExponential(1);
}
