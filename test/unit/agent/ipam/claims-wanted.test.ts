/** Which blocks a node should claim, from which pools, and why none. */
import { describe, expect, test } from 'vitest';
import { checkBlock, claimsWanted, exhaustedText, takenBlocks } from '../../../../agent/ipam/index.js';
import type { Resources } from '../../../../agent/resources/index.js';
import { parsePrefix } from '../../../../bgp/net/index.js';
import { manifest, node, pool, resources } from '../../../support/manifests.js';

const NODE = node('a', '192.168.1.11/24');
const NODE6 = node('a', '192.168.1.11/24', [], { ipv6Address: '2001:db8::11/64' });
const POOL6 = pool('pods6', 'fd00:10:244::/48', { ipipMode: 'Never', blockSize: 122 });

function claim(cidr: string, owner: string, state = 'confirmed'): string {
  return manifest('BlockAffinity', cidr.replace(/[./:]/g, '-'), { cidr, node: owner, state });
}

/** `ipv4 1 from pods, spare` of each claim, or the problem. */
function wanted(cluster: Resources, blocksWanted = 1): readonly string[] | string {
  const plan = claimsWanted(cluster, 'node-a', undefined, blocksWanted);
  if ('problem' in plan) return plan.problem;
  return plan.wanted.map(
    ({ family, count, pools }) => `${family} ${count} from ${pools.map(({ name }) => name).join(', ')}`,
  );
}

describe('wanted', () => {
  test.each<[what: string, documents: string[], wanted: string[]]>([
    [
      'a block from the pools by name',
      [NODE, pool('pods'), pool('more', '10.9.0.0/16')],
      ['ipv4 1 from more, pods'],
    ],
    ['one of each family', [NODE6, pool(), POOL6], ['ipv4 1 from pods', 'ipv6 1 from pods6']],
    ['no IPv6 without an IPv6 address', [NODE, pool(), POOL6], ['ipv4 1 from pods']],
    ['nothing beside podCIDRs', [node('a', '192.168.1.11/24', ['10.244.1.0/24']), pool()], []],
    ['nothing beside a claim', [NODE, pool(), claim('10.244.1.0/24', 'node-a')], []],
    [
      'one beside what is only reserved',
      [NODE, pool(), claim('10.244.1.0/24', 'node-a', 'pendingDeletion')],
      ['ipv4 1 from pods'],
    ],
    [
      'one beside what is in a disabled pool',
      [NODE, pool('old', '10.9.0.0/16', { disabled: true }), pool(), claim('10.9.1.0/24', 'node-a')],
      ['ipv4 1 from pods'],
    ],
    [
      'only from pools that select it',
      [NODE, pool('b', '10.9.0.0/16', { nodeSelector: "rack == 'b'" }), pool()],
      ['ipv4 1 from pods'],
    ],
  ])('%s', (_what, documents, expected) => {
    expect(wanted(resources(...documents))).toEqual(expected);
  });

  test('several per node', () => {
    expect(wanted(resources(NODE, pool(), claim('10.244.1.0/24', 'node-a')), 3)).toEqual([
      'ipv4 2 from pods',
    ]);
  });
});

describe('why none', () => {
  test.each<[what: string, documents: string[], sentence: string]>([
    ['no pool', [NODE], 'there is no IPPool for node-a to claim a pod subnet from; add one'],
    [
      'none selects it',
      [
        NODE,
        pool('b', '10.9.0.0/16', { nodeSelector: "rack == 'b' && !has(old)" }),
        pool('c', '10.8.0.0/16', { disabled: true }),
      ],
      "no IPPool is for node-a: IPPool/b (10.9.0.0/16) is for nodes with rack == 'b' && (!has(old)), IPPool/c (10.8.0.0/16) is disabled; change a nodeSelector or the labels of the node, or add an IPPool",
    ],
    [
      'no address of the family',
      [NODE, POOL6],
      'node-a has no address of the family of IPPool/pods6 (fd00:10:244::/48), to be the next hop of a pod subnet; add spec.bgp.ipv4Address or ipv6Address to the Node',
    ],
    ['no Node', [pool()], 'node-a is no Node; register it first'],
  ])('%s', (_what, documents, sentence) => {
    expect(wanted(resources(...documents))).toBe(sentence);
  });

  test('exhausted, with counts', () => {
    const { pools } = resources(pool('a', '10.9.0.0/23'), pool('b', '10.8.0.0/24'));
    const taken = pools.map(({ cidr }) => cidr);
    expect(exhaustedText(pools, taken)).toBe(
      'IPPool/a (10.9.0.0/23) has no free block: all 2 blocks of /24 are taken, IPPool/b (10.8.0.0/24) has no free block: its one block of /24 is taken; release what nobody uses ("podroute ipam check" finds it), or add an IPPool',
    );
  });
});

describe('exactly this block', () => {
  const cluster = resources(
    NODE,
    node('b', '192.168.1.12/24', ['10.244.2.0/24']),
    pool(),
    pool('b', '10.9.0.0/16', { nodeSelector: "rack == 'b'" }),
    claim('10.244.1.0/24', 'node-a'),
  );
  const own = cluster.nodes.find(({ name }) => name === 'node-a');
  test.each([
    ['10.244.2.0/24', '10.244.2.0/24 is a pod subnet of node-b, and nothing is borrowed from another node'],
    ['10.244.1.0/24', 'node-a has 10.244.1.0/24 already; name no block'],
    ['10.244.3.0/26', '10.244.3.0/26 is no block of IPPool/pods (10.244.0.0/16), whose blocks are /24'],
    [
      '10.7.0.0/24',
      'no IPPool is around that block; there is IPPool/b (10.9.0.0/16), IPPool/pods (10.244.0.0/16)',
    ],
    ['10.9.1.0/24', "IPPool/b (10.9.0.0/16) is for nodes with rack == 'b'"],
  ])('%s is refused', (text, sentence) => {
    const block = parsePrefix(text);
    if (block === undefined || own === undefined) throw new Error('wrong test data');
    const checked = checkBlock(cluster, takenBlocks(cluster), own, block);
    expect('problem' in checked && checked.problem).toContain(sentence);
  });

  test('a free one is of its pool', () => {
    const block = parsePrefix('10.244.3.0/24');
    if (block === undefined || own === undefined) throw new Error('wrong test data');
    expect(checkBlock(cluster, takenBlocks(cluster), own, block)).toMatchObject({ pool: { name: 'pods' } });
  });
});
