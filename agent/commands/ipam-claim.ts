/**
 * `podroute ipam claim NODE`: one more pod subnet for a node.
 *
 * Owns: the command. Must not know: which block is free.
 */
import { type Command, EXIT, type OptionValues, UsageError } from '../../api/index.js';
import type { Prefix } from '../../bgp/net/index.js';
import { type ClaimRequest, checkBlock, claimBlock, poolsFor, whyNone } from '../ipam/index.js';
import { checkText, type Resources } from '../resources/index.js';
import { didYouMean } from '../schema/index.js';
import { withClaims } from './ipam-facts.js';
import { readBlock } from './ipam-release.js';
import { FORMS, OUTPUT_OPTION } from './ipam-show.js';
import { answerText } from './ipam-text.js';
import { readForm, STORE_EXITS, STORE_OPTIONS, type StoreHooks } from './store.js';

const BY_HAND = 'add one to podCIDRs of the Node by "podroute apply"';

/** What is asked for beside the node. */
interface Wish {
  readonly pool: string | undefined;
  readonly block: Prefix | undefined;
}

export const ipamClaim: Command<StoreHooks> = {
  name: 'ipam claim',
  summary: 'Claim one more pod subnet for a node; its agent announces it at once.',
  argument: 'NODE',
  details: [
    'It is the first free block of the first pool, by name, that is enabled, selects the node, and has a free one. The',
    'blocks of other nodes are not borrowed.',
  ],
  options: {
    pool: {
      value: 'NAME',
      help: 'from this IPPool (default: the first of the IPv4 ones that has a free block)',
    },
    block: { value: 'CIDR', help: 'exactly this block' },
    output: OUTPUT_OPTION,
    ...STORE_OPTIONS,
  },
  exits: [
    [EXIT.ok, 'claimed'],
    [EXIT.attention, 'there is none that the node may have, or the store takes no writes'],
    [EXIT.usage, 'the command line or the resources are wrong'],
    ...STORE_EXITS,
  ],
  run: async (values, node, io) => {
    const form = readForm(values, FORMS);
    if (node === undefined) throw new UsageError('name the node that gets one');
    const wish = readWish(values);
    return await withClaims(values, io, BY_HAND, async ({ datastore, registry, facts }) => {
      mustExist(facts.resources, node, wish);
      const outcome = await claimBlock({ datastore, registry }, requestOf(node, wish));
      if ('errors' in outcome) {
        io.stderr.write(`${checkText(outcome.errors)}\n`);
        return EXIT.usage;
      }
      if ('problem' in outcome) {
        io.stderr.write(`${outcome.problem}\n`);
        return EXIT.attention;
      }
      const { cidr, pool } = outcome;
      if (form === 'json') io.stdout.write(answerText({ node, cidr, pool }));
      else io.stdout.write(`claimed ${cidr} of IPPool/${pool} for ${node}\n`);
      return EXIT.ok;
    });
  },
};

function readWish({ pool, block }: OptionValues): Wish {
  if (pool !== undefined && block !== undefined) throw new UsageError('give --pool or --block, not both');
  return {
    pool: typeof pool === 'string' ? pool : undefined,
    block: typeof block === 'string' ? readBlock(block) : undefined,
  };
}

/** A node or a pool that is not there is a wrong question. @throws UsageError */
function mustExist({ nodes, pools }: Resources, node: string, { pool }: Wish): void {
  for (const [kind, name, list] of [
    ['Node', node, nodes],
    ['IPPool', pool, pools],
  ] as const) {
    if (name === undefined || list.some((candidate) => candidate.name === name)) continue;
    const known = list.map((candidate) => candidate.name);
    throw new UsageError(`there is no ${kind} ${name}${didYouMean(name, known)}`);
  }
}

function requestOf(name: string, { pool, block }: Wish): ClaimRequest {
  return {
    node: name,
    ...(block !== undefined && { only: [block] }),
    pools: (resources, taken) => {
      const [node] = resources.nodes;
      if (node === undefined) return { problem: `there is no Node ${name} any more` };
      if (block !== undefined) {
        const checked = checkBlock(resources, taken, node, block);
        return 'problem' in checked ? checked : { pools: [checked.pool] };
      }
      const named = resources.pools.filter((candidate) => pool === undefined || candidate.name === pool);
      const ipv4 = poolsFor(named, node, 'ipv4');
      const pools = ipv4.length > 0 ? ipv4 : poolsFor(named, node, 'ipv6');
      return pools.length > 0 ? { pools } : { problem: whyNone(named, node) };
    },
  };
}
