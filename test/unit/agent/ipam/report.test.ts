/** How the pools stand, and what is wrong: each fault by itself, with its remedy. */
import { describe, expect, test } from 'vitest';
import { type IpamFacts, type IpamReport, ipamReport } from '../../../../agent/ipam/index.js';
import { parseDocuments } from '../../../../agent/resources/index.js';
import { formatPrefix } from '../../../../bgp/net/index.js';
import { manifest, node, pool } from '../../../support/manifests.js';

const NOW_MS = 1_000_000_000_000;
const MINUTE_MS = 60_000;

function claim(cidr: string, owner: string, spec: object = {}): string {
  return manifest('BlockAffinity', cidr.replace(/[./:]/g, '-'), { cidr, node: owner, ...spec });
}

/** A store that holds these documents, the oldest first; ages of signs in minutes by node. */
function factsOf(
  documents: readonly string[],
  ages: Readonly<Record<string, number>> | undefined = {},
): IpamFacts {
  const read = parseDocuments(
    documents.map((text) => ({ file: 'redis://test', value: JSON.parse(text), lineOf: () => 0 })),
  );
  if ('errors' in read) throw new Error(`wrong test data: ${JSON.stringify(read.errors)}`);
  const signs = Object.entries(ages).map(
    ([name, age]) => [name, { atMs: NOW_MS - age * MINUTE_MS }] as const,
  );
  return { ...read, signs: new Map(signs), nowMs: NOW_MS };
}

const report = (...facts: Parameters<typeof factsOf>) => ipamReport(factsOf(...facts));
const messages = ({ problems }: IpamReport) => problems.map(({ code, message }) => `${code}: ${message}`);

const HEALTHY = [
  pool(),
  node('a', '192.168.1.11/24'),
  node('b', '192.168.1.12/24', ['10.244.2.0/24']),
  claim('10.244.1.0/24', 'node-a'),
];

test('a cluster in which all is well', () => {
  const { pools, nodes, blocks, problems } = report(HEALTHY, { 'node-a': 0 });
  expect(pools).toMatchObject([{ pool: { name: 'pods' }, total: 256n, taken: 2n, free: 254n }]);
  expect(nodes.map(({ name, state }) => [name, state])).toEqual([
    ['node-a', 'live'],
    ['node-b', 'noSign'],
  ]);
  expect(blocks.map(({ cidr, node: owner, source }) => [formatPrefix(cidr), owner, source])).toEqual([
    ['10.244.1.0/24', 'node-a', 'claim'],
    ['10.244.2.0/24', 'node-b', 'podCIDRs'],
  ]);
  expect(problems).toEqual([]);
});

test('how a node stands, by the age of its sign', () => {
  const documents = [
    pool(),
    ...['a', 'b', 'c', 'd'].map((letter, index) => node(letter, `192.168.1.${index + 1}/24`)),
  ];
  const ages = { 'node-a': 1, 'node-b': 2, 'node-c': 24 * 60, 'node-d': -1 };
  expect(report(documents, ages).nodes.map(({ state }) => state)).toEqual(['live', 'silent', 'gone', 'live']);
});

describe('what is wrong', () => {
  test.each<[what: string, documents: string[], ages: Record<string, number>, message: string]>([
    [
      'claims of what is no Node',
      [...HEALTHY, claim('10.244.3.0/24', 'node-x'), claim('10.244.4.0/24', 'node-x')],
      {},
      'leak: there is no Node node-x, but it still has 10.244.3.0/24, 10.244.4.0/24; free it by "podroute ipam release --node node-x"',
    ],
    [
      'the same, and its agent gave a sign',
      [...HEALTHY, claim('10.244.3.0/24', 'node-x')],
      { 'node-x': 3 },
      'leak: there is no Node node-x any more, but it still has 10.244.3.0/24; once its agent is stopped for good, "podroute ipam release --node node-x"',
    ],
    [
      'a node that is silent for too long',
      HEALTHY,
      { 'node-a': 24 * 60 },
      'leak: node-a gives no sign of life any more and still has 10.244.1.0/24; if it is gone for good, "podroute delete node node-a", then "podroute ipam release --node node-a"',
    ],
    [
      'claimed twice: the later one is used by nobody',
      [...HEALTHY, claim('10.244.1.0/25', 'node-b')],
      {},
      'leftOut: BlockAffinity/10-244-1-0-25 is used by nobody: spec.cidr 10.244.1.0/25 overlaps 10.244.1.0/24, a pod subnet of BlockAffinity/10-244-1-0-24 (redis://test) too; give each node its own; or "podroute delete blockaffinity 10-244-1-0-25"',
    ],
    [
      'in no pool',
      [...HEALTHY, claim('10.9.0.0/24', 'node-a')],
      {},
      'outside: 10.9.0.0/24 of node-a lies in no IPPool, so that no other node imports it; "podroute ipam release 10.9.0.0/24", or add an IPPool around it',
    ],
    [
      'in a disabled pool',
      [...HEALTHY, pool('old', '10.9.0.0/16', { disabled: true }), claim('10.9.0.0/24', 'node-a')],
      {},
      'outside: 10.9.0.0/24 of node-a lies in IPPool/old (10.9.0.0/16), which is disabled: no other node imports it; "podroute ipam release 10.9.0.0/24", or enable the pool',
    ],
    [
      'in a pool that is not for it',
      [...HEALTHY, pool('b', '10.9.0.0/16', { nodeSelector: "rack == 'b'" }), claim('10.9.0.0/24', 'node-a')],
      {},
      'outside: 10.9.0.0/24 lies in IPPool/b (10.9.0.0/16), whose nodeSelector does not match node-a; "podroute ipam release 10.9.0.0/24", or change the selector or the labels',
    ],
    [
      'of the wrong size',
      [...HEALTHY, claim('10.244.8.0/26', 'node-a')],
      {},
      'size: 10.244.8.0/26 of node-a is no block of IPPool/pods (10.244.0.0/16), whose blocks are /24; it works, and "podroute ipam release 10.244.8.0/26" lets the node claim one of that size',
    ],
    [
      'reserved',
      [...HEALTHY, claim('10.244.8.0/24', 'node-a', { state: 'pending' })],
      {},
      'reserved: 10.244.8.0/24 of node-a is pending: it is taken, and nobody announces it; free it by "podroute ipam release 10.244.8.0/24"',
    ],
    [
      'a node that lives and gets none',
      [
        pool('pods', '10.244.1.0/24'),
        node('a', '192.168.1.11/24'),
        node('b', '192.168.1.12/24'),
        claim('10.244.1.0/24', 'node-a'),
      ],
      { 'node-a': 0, 'node-b': 0 },
      'unserved: node-b gets no pod subnet: IPPool/pods (10.244.1.0/24) has no free block: its one block of /24 is taken; release what nobody uses ("podroute ipam check" finds it), or add an IPPool',
    ],
  ])('%s', (_what, documents, ages, message) => {
    expect(messages(report(documents, ages))).toEqual([message]);
  });

  test('a Node that is left out is no leak: what is wrong with it is said', () => {
    const wrong = node('x', '192.168.1.11/24');
    const { nodes, problems } = report([...HEALTHY, wrong, claim('10.244.3.0/24', 'node-x')]);
    expect(nodes.find(({ name }) => name === 'node-x')?.state).toBe('leftOut');
    expect(problems.map(({ code }) => code)).toEqual(['leftOut']);
    expect(problems[0]?.message).toContain(
      'Node/node-x is used by nobody: spec.bgp.ipv4Address 192.168.1.11 is the address of',
    );
  });

  test('where the store takes no signs, nobody is silent', () => {
    const { signs: _none, ...facts } = factsOf(HEALTHY);
    expect(ipamReport(facts).problems).toEqual([]);
  });
});
