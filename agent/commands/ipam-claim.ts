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
    return await withClaims(values, io, BY_HAND, async ({ datastore, registry }) => {
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

function requestOf(node: string, { pool, block }: Wish): ClaimRequest {
  return {
    node,
    pools: (resources) => poolsOf(resources, node, { pool, block }),
    ...(block !== undefined && { only: [block] }),
  };
}

/** The resources may be others in each round; a node or a pool that is not there is a wrong question. */
function poolsOf(
  resources: Resources,
  name: string,
  { pool, block }: Wish,
): ReturnType<ClaimRequest['pools']> {
  const node = resources.nodes.find((candidate) => candidate.name === name);
  if (node === undefined) {
    const known = resources.nodes.map((candidate) => candidate.name);
    throw new UsageError(`there is no Node ${name}${didYouMean(name, known)}`);
  }
  if (block !== undefined) {
    const checked = checkBlock(resources, node, block);
    return 'problem' in checked ? checked : { pools: [checked.pool] };
  }
  const named = resources.pools.filter((candidate) => pool === undefined || candidate.name === pool);
  if (pool !== undefined && named.length === 0) {
    const known = resources.pools.map((candidate) => candidate.name);
    throw new UsageError(`there is no IPPool ${pool}${didYouMean(pool, known)}`);
  }
  const ipv4 = poolsFor(named, node, 'ipv4');
  const pools = ipv4.length > 0 ? ipv4 : poolsFor(named, node, 'ipv6');
  return pools.length > 0 ? { pools } : { problem: whyNone(named, node) };
}
