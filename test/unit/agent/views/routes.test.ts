/** Routes as rows of the API: every next hop, with who told of it and what the kernel makes of it. */
import { describe, expect, test } from 'vitest';
import { installedRouteRow, tableRouteRow } from '../../../../agent/views/routes.js';
import type { Path } from '../../../../bgp/rib/index.js';
import type { RouteStatus } from '../../../../ipip/index.js';
import { address, attributes, node, prefix } from '../../../support/rib.js';

const SINCE = Date.parse('2026-01-02T03:06:48.000Z');

test('an installed route: peers by next hop; weight and state as the kernel has them', () => {
  const status: RouteStatus = {
    prefix: prefix('10.244.9.0/24'),
    learnedFrom: { peer: 'node-2', asn: 64512, type: 'ibgp' },
    nextHops: [
      { address: address('192.168.1.2'), device: 'eth0', mode: 'direct', peer: 'node-2' },
      { address: address('192.168.1.3'), mode: 'none' },
    ],
    mode: 'direct',
    reason: 'both are near',
    kernel: {
      type: 'unicast',
      table: 254,
      protocol: 179,
      metric: 2048,
      nextHops: [
        { gateway: address('192.168.1.2'), device: 'eth0', onlink: false },
        { gateway: address('192.168.1.3'), device: 'eth1', onlink: true, weight: 3, state: 'dead' },
      ],
    },
    state: 'ok',
    sinceMs: SINCE,
  };
  expect(installedRouteRow(status)).toMatchObject({
    nextHops: [
      { address: '192.168.1.2', device: 'eth0', mode: 'direct', peer: 'node-2' },
      { address: '192.168.1.3', device: null, mode: 'none', peer: null },
    ],
    kernel: {
      nextHops: [
        { gateway: '192.168.1.2', device: 'eth0', onlink: false, weight: 1, state: 'ok' },
        { gateway: '192.168.1.3', device: 'eth1', onlink: true, weight: 3, state: 'dead' },
      ],
    },
  });
});

describe('a route of the tables, with the data plane off', () => {
  const pathOf = (number: number): Path => ({
    peer: node(number),
    attributes: attributes(),
    nextHop: { address: address(`192.168.1.${number}`) },
  });
  const row = { prefix: prefix('10.244.9.0/24'), path: pathOf(2), reason: 'the only path' };
  const hop = (number: number) => ({
    address: `192.168.1.${number}`,
    device: null,
    mode: 'none',
    peer: `node-${number}`,
  });

  test('with one path', () => {
    expect(tableRouteRow(row, SINCE)).toMatchObject({
      learnedFrom: { peer: 'node-2' },
      nextHops: [hop(2)],
    });
  });

  test('with several that share the traffic', () => {
    expect(tableRouteRow({ ...row, multipath: [pathOf(2), pathOf(3)] }, SINCE)).toMatchObject({
      learnedFrom: { peer: 'node-2' },
      nextHops: [hop(2), hop(3)],
    });
  });
});
