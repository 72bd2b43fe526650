/** The table of interfaces for one membership: what routes of ours add to it. */
import { expect, test } from 'vitest';
import { withGateways } from '../../../agent/interfaces.js';
import { planMembership } from '../../../agent/membership/index.js';
import { prefix } from '../../support/addresses.js';
import { node, peer, resources } from '../../support/manifests.js';

const TABLE = new Map([
  [prefix('0.0.0.0/0'), 'wan0'],
  [prefix('192.168.1.0/24'), 'eth0'],
  [prefix('198.51.100.7/32'), 'eth9'],
  [prefix('192.0.2.0/24'), undefined],
]);

function table(...peers: readonly string[]) {
  const result = planMembership(resources(node('a', '192.168.1.11/24'), ...peers), 'node-a');
  if ('problem' in result) throw new Error(result.problem);
  return withGateways(TABLE, result.membership);
}
const far = (name: string, peerIP: string, spec: object = {}) =>
  peer(name, { peerIP, asNumber: 65001, ...spec });

test('a peer behind a gateway is reached by the interface of the gateway', () => {
  const made = table(far('far', '203.0.113.9', { reachableBy: '192.168.1.254' }));
  expect(made.get(prefix('203.0.113.9/32'))).toBe('eth0');
  expect(made.size).toBe(TABLE.size + 1);
  expect(TABLE.has(prefix('203.0.113.9/32'))).toBe(false);
});

test('a route of another program to that very address goes before ours', () => {
  const made = table(far('far', '198.51.100.7', { reachableBy: '192.168.1.254' }));
  expect(made.get(prefix('198.51.100.7/32'))).toBe('eth9');
});

test('without a gateway, or with one that is reached by none, nothing is added', () => {
  expect(table(far('far', '203.0.113.9'))).toBe(TABLE);
  expect(table(far('far', '203.0.113.9', { reachableBy: '192.0.2.1' }))).toBe(TABLE);
});
