/**
 * What is wrong with the claims of a cluster, each as a sentence with the command that mends it.
 *
 * Owns: when a claim is wrong. Must not know: how problems are shown, stores. Two claims of the same addresses are never
 * in force at one time: who reads the resources leaves out the later one, and that is told here.
 */
import { formatPrefix, prefixLength } from '../../bgp/net/index.js';
import { type ConfigError, selects } from '../resources/index.js';
import { countBlocks } from './blocks.js';
import { claimsWanted } from './claims-wanted.js';
import { exhaustedText, poolText } from './sentences.js';
import type { BlockUse, IpamFacts, IpamProblem, IpamProblemCode, NodeUse } from './types.js';

export function findProblems(
  facts: IpamFacts,
  nodes: readonly NodeUse[],
  blocks: readonly BlockUse[],
): readonly IpamProblem[] {
  return [
    ...nodes.flatMap(leaks),
    ...facts.leftOut.flatMap((entry) => leftOutProblem(entry, nodes)),
    ...blocks.flatMap((block) => blockProblems(facts, block)),
    ...nodes.flatMap((node) => unserved(facts, node)),
  ];
}

function leaks({ name, state, silentForMs, blocks }: NodeUse): readonly IpamProblem[] {
  const claims = blocks.filter(({ source }) => source === 'claim').map(({ cidr }) => formatPrefix(cidr));
  if (claims.length === 0 || (state !== 'noNode' && state !== 'gone')) return [];
  const release = `"podroute ipam release --node ${name}"`;
  const has = `still has ${claims.join(', ')}`;
  const message =
    state === 'gone'
      ? `${name} gives no sign of life any more and ${has}; if it is gone for good, "podroute delete node ${name}", then ${release}`
      : silentForMs === undefined
        ? `there is no Node ${name}, but it ${has}; free it by ${release}`
        : `there is no Node ${name} any more, but it ${has}; once its agent is stopped for good, ${release}`;
  return [{ code: 'leak', subject: name, message }];
}

function leftOutProblem({ path, message }: ConfigError, nodes: readonly NodeUse[]): readonly IpamProblem[] {
  const [resource = '', field = ''] = path.split(' ');
  const [kind = '', name = ''] = resource.split('/');
  const problem = (remedy: string): IpamProblem => ({
    code: 'leftOut',
    subject: resource,
    message: `${resource} is used by nobody: ${[field, message].filter((part) => part !== '').join(' ')}; ${remedy}`,
  });
  if (kind === 'BlockAffinity') return [problem(`or "podroute delete blockaffinity ${name}"`)];
  const concerned = field.startsWith('spec.podCIDRs') || nodes.some((node) => node.name === name);
  return concerned ? [problem('or correct the Node by "podroute apply"')] : [];
}

function blockProblems({ resources }: IpamFacts, block: BlockUse): readonly IpamProblem[] {
  const { cidr, node: nodeName, source, state, pool } = block;
  const text = formatPrefix(cidr);
  // What is written with a node is checked where it is read, and may have any size.
  if (source === 'podCIDRs') return [];
  const release = `"podroute ipam release ${text}"`;
  const problem = (code: IpamProblemCode, message: string): IpamProblem => ({ code, subject: text, message });
  const problems: IpamProblem[] = [];
  if (state !== 'confirmed') {
    const message = `${text} of ${nodeName} is ${state}: it is taken, and nobody announces it; free it by ${release}`;
    problems.push(problem('reserved', message));
  }
  const node = resources.nodes.find(({ name }) => name === nodeName);
  if (pool === undefined) {
    const message = `${text} of ${nodeName} lies in no IPPool, so that no other node imports it; ${release}, or add an IPPool around it`;
    problems.push(problem('outside', message));
  } else if (pool.disabled) {
    const message = `${text} of ${nodeName} lies in ${poolText(pool)}, which is disabled: no other node imports it; ${release}, or enable the pool`;
    problems.push(problem('outside', message));
  } else if (node !== undefined && !selects(pool.nodeSelector, node.labels)) {
    const message = `${text} lies in ${poolText(pool)}, whose nodeSelector does not match ${nodeName}; ${release}, or change the selector or the labels`;
    problems.push(problem('outside', message));
  }
  if (pool !== undefined && prefixLength(cidr) !== pool.blockSize) {
    const message = `${text} of ${nodeName} is no block of ${poolText(pool)}, whose blocks are /${pool.blockSize}; it works, and ${release} lets the node claim one of that size`;
    problems.push(problem('size', message));
  }
  return problems;
}

/** Who is written by hand takes no part in claims; who is silent lacks nothing. */
function unserved({ resources }: IpamFacts, { name, state }: NodeUse): readonly IpamProblem[] {
  if (state !== 'live') return [];
  const plan = claimsWanted(resources, name);
  if ('problem' in plan) return [{ code: 'unserved', subject: name, message: plan.problem }];
  const taken = [
    ...resources.nodes.flatMap(({ podCIDRs }) => podCIDRs),
    ...resources.blocks.map(({ cidr }) => cidr),
  ];
  return plan.wanted
    .filter(({ pools }) => pools.every((pool) => countBlocks(pool, taken).free === 0n))
    .map(({ pools }) => ({
      code: 'unserved',
      subject: name,
      message: `${name} gets no pod subnet: ${exhaustedText(pools, taken)}`,
    }));
}
