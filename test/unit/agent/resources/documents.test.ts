/** What nodes write of themselves: a wrong one, or a later one that contradicts, is left out, and the others go on. */
import { describe, expect, test } from 'vitest';
import {
  checkText,
  type LocatedDocument,
  parseDocuments,
  type ResourcesResult,
} from '../../../../agent/resources/index.js';
import { formatPrefix } from '../../../../bgp/net/index.js';

function document(kind: string, name: string, spec: object): LocatedDocument {
  const value = { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec };
  return { file: `${kind}/${name}`, value, lineOf: () => 1 };
}

const POOL = document('IPPool', 'pods', { cidr: '10.244.0.0/16', blockSize: 24 });
const node = (name: string, ipv4Address: string) => document('Node', name, { bgp: { ipv4Address } });
const block = (cidr: string, nodeName: string, state = 'confirmed') =>
  document('BlockAffinity', cidr.replace(/[./]/g, '-'), { cidr, node: nodeName, state });

function right(result: ResourcesResult) {
  if ('errors' in result) throw new Error(checkText(result.errors));
  return result;
}

describe('documents that nodes write of themselves', () => {
  test('none at all is an empty cluster', () => {
    expect(right(parseDocuments([])).resources.nodes).toEqual([]);
  });

  test('claims are blocks beside the nodes', () => {
    const { resources, leftOut } = right(
      parseDocuments([POOL, node('a', '192.168.1.11/24'), block('10.244.1.0/24', 'a')]),
    );
    expect(leftOut).toEqual([]);
    expect(resources.blocks.map(({ cidr, node, state }) => [formatPrefix(cidr), node, state])).toEqual([
      ['10.244.1.0/24', 'a', 'confirmed'],
    ]);
  });

  test('of two nodes with one address the earlier stays, whatever they are called', () => {
    const { resources, leftOut } = right(
      parseDocuments([
        node('z', '192.168.1.11/24'),
        node('a', '192.168.1.11/24'),
        node('b', '192.168.1.12/24'),
      ]),
    );
    expect(resources.nodes.map(({ name }) => name)).toEqual(['b', 'z']);
    expect(checkText(leftOut)).toContain(
      'Node/a spec.bgp.ipv4Address: 192.168.1.11 is the address of Node/z (Node/z:1) too',
    );
  });

  test.each([
    ['the same', '10.244.1.0/24', '10.244.1.0/24'],
    ['one in the other', '10.244.0.0/23', '10.244.1.0/24'],
    ['one around the other', '10.244.1.0/24', '10.244.0.0/23'],
  ])('of two claims, %s, the earlier stays', (_name, first, second) => {
    const earlier = document('BlockAffinity', 'earlier', { cidr: first, node: 'z' });
    const later = document('BlockAffinity', 'later', { cidr: second, node: 'a' });
    const { resources, leftOut } = right(parseDocuments([POOL, earlier, later]));
    expect(resources.blocks.map(({ name }) => name)).toEqual(['earlier']);
    expect(leftOut).toHaveLength(1);
    expect(checkText(leftOut)).toContain('BlockAffinity/later spec.cidr: ');
  });

  test('who lost to one that is itself left out, stays', () => {
    const { resources } = right(
      parseDocuments([
        document('Node', 'broken', { bgp: { ipv4Address: '192.168.1.11/24', asNumber: 0 } }),
        node('a', '192.168.1.11/24'),
      ]),
    );
    expect(resources.nodes.map(({ name }) => name)).toEqual(['a']);
  });

  test('a node that is wrong by itself is left out, with every fault', () => {
    const { leftOut } = right(
      parseDocuments([document('Node', 'a', { bgp: { ipv4Address: 'x', asNumber: 0 } })]),
    );
    expect(checkText(leftOut).split('\n')).toHaveLength(2);
  });

  test('what people write is refused as ever', () => {
    const result = parseDocuments([
      POOL,
      document('IPPool', 'rest', { cidr: '10.244.8.0/24' }),
      node('a', '192.168.1.11/24'),
    ]);
    expect('errors' in result && checkText(result.errors)).toContain('keep pools apart');
  });
});
