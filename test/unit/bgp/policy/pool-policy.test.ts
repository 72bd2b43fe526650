import { describe, expect, test } from 'vitest';
import { poolPolicy } from '../../../../bgp/policy/index.js';
import type { Path, RibPeer } from '../../../../bgp/rib/index.js';
import { address, attributes, node, prefix, router } from '../../../support/rib.js';

const policy = poolPolicy({
  pools: ['10.244.0.0/16', '10.99.0.0/16', 'fd00:244::/48'].map(prefix),
  exportablePools: ['10.244.0.0/16', 'fd00:244::/48'].map(prefix),
  ownBlocks: ['10.244.1.0/24', '10.99.1.0/24', '10.7.1.0/24', 'fd00:244:0:1::/64'].map(prefix),
  advertisements: ['10.96.0.0/12', '10.99.2.0/24'].map(prefix),
});

function path(peer?: RibPeer): Path {
  return {
    attributes: attributes(),
    nextHop: { address: address('192.168.1.2') },
    ...(peer === undefined ? {} : { peer }),
  };
}

describe('import without a filter', () => {
  test.each<[string, string, string]>([
    ['a block inside a pool', '10.244.2.0/24', ''],
    ['an address inside a pool', '10.244.2.7/32', ''],
    ['a pool whose export is disabled', '10.99.3.0/24', ''],
    ['an IPv6 block inside a pool', 'fd00:244:0:2::/64', ''],
    ['an own block', '10.244.1.0/24', 'it is in 10.244.1.0/24, a block of this node'],
    ['a part of an own block', '10.244.1.128/25', 'it is in 10.244.1.0/24, a block of this node'],
    ['a prefix around an own block, here a whole pool', '10.244.0.0/16', ''],
    ['an own block outside the pools', '10.7.1.0/24', 'it is in 10.7.1.0/24, a block of this node'],
    [
      'a part of an own IPv6 block',
      'fd00:244:0:1::7/128',
      'it is in fd00:244:0:1::/64, a block of this node',
    ],
    ['a prefix outside the pools', '192.0.2.0/24', 'it is in no enabled IPPool'],
    ['a prefix that is wider than its pool', '10.98.0.0/15', 'it is in no enabled IPPool'],
    ['the IPv4 default route', '0.0.0.0/0', 'a default route is not imported'],
    ['the IPv6 default route', '::/0', 'a default route is not imported'],
  ])('%s', (_name, to, reason) => {
    for (const peer of [node(2), router(4)]) {
      const verdict = policy.importRoute(peer, prefix(to), path(peer));
      expect(verdict).toEqual(reason === '' ? { accept: true } : { accept: false, reason });
    }
  });

  test('a whole pool, where this node has no block in it', () => {
    const bare = poolPolicy({
      pools: [prefix('10.244.0.0/16')],
      exportablePools: [],
      ownBlocks: [],
      advertisements: [],
    });
    expect(bare.importRoute(node(2), prefix('10.244.0.0/16'), path(node(2)))).toEqual({ accept: true });
    expect(bare.importRoute(node(2), prefix('10.0.0.0/8'), path(node(2)))).toEqual({
      accept: false,
      reason: 'it is in no enabled IPPool',
    });
  });
});

describe('export without a filter', () => {
  const ebgpNode = node(3, { type: 'ebgp', asn: 64999 });
  const outsideIbgp = router(6, { type: 'ibgp', asn: 64512 });

  test.each<[string, RibPeer, string, RibPeer | undefined, string]>([
    ['an own block to a node', node(2), '10.244.1.0/24', undefined, ''],
    ['an own block to a router', router(4), '10.244.1.0/24', undefined, ''],
    ['an own block outside all pools', router(4), '10.7.1.0/24', undefined, ''],
    ['a configured advertisement', router(4), '10.96.0.0/12', undefined, ''],
    ['an advertisement in a pool with disableBGPExport', node(2), '10.99.2.0/24', undefined, ''],
    [
      'an own block of a pool with disableBGPExport',
      node(2),
      '10.99.1.0/24',
      undefined,
      'its IPPool has disableBGPExport',
    ],
    [
      'an own route that is neither',
      router(4),
      '10.244.9.0/24',
      undefined,
      'it is no block of this node and no configured advertisement',
    ],
    ['a block of a node to a router', router(4), '10.244.2.0/24', node(2), ''],
    ['a block of a node to a router of our own AS', outsideIbgp, '10.244.2.0/24', node(2), ''],
    ['a block of a node with another AS to a router', router(4), '10.244.3.0/24', ebgpNode, ''],
    [
      'a block of a node in a pool with disableBGPExport',
      router(4),
      '10.99.3.0/24',
      node(2),
      'its IPPool has disableBGPExport',
    ],
    ['a route of a node outside the pools', router(4), '192.0.2.0/24', node(2), 'it is in no enabled IPPool'],
    [
      'a route of a node that looks like an advertisement of ours',
      router(4),
      '10.96.0.0/12',
      node(2),
      'it is in no enabled IPPool',
    ],
    ['a block of a node to a node, for a reflector', node(3), '10.244.2.0/24', node(2), ''],
    [
      'a block of a node to a node of another AS',
      ebgpNode,
      '10.244.2.0/24',
      node(2),
      'it was announced by node-2: nodes tell each other of their own blocks only',
    ],
    [
      'a block of a node of another AS to a node',
      node(2),
      '10.244.3.0/24',
      ebgpNode,
      'it was announced by node-3: nodes tell each other of their own blocks only',
    ],
    [
      'a pool route of a router to another router',
      router(5),
      '10.244.8.0/24',
      router(4),
      'it was announced by router-4, a router outside the cluster: a node is no transit',
    ],
    [
      'a pool route of a router to a node',
      node(2),
      '10.244.8.0/24',
      router(4),
      'it was announced by router-4, a router outside the cluster: a node is no transit',
    ],
  ])('%s', (_name, peer, to, source, reason) => {
    const verdict = policy.exportRoute(peer, prefix(to), path(source));
    expect(verdict).toEqual(reason === '' ? { accept: true } : { accept: false, reason });
  });
});
