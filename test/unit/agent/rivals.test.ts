/** Pod subnets that two announce: who keeps them, alike at both ends. */
import { describe, expect, test } from 'vitest';
import { rivalsOf, rivalText } from '../../../agent/rivals.js';
import { poolPolicy } from '../../../bgp/policy/index.js';
import { Rib, type RibPeer } from '../../../bgp/rib/index.js';
import type { PathAttributes } from '../../../bgp/wire/index.js';
import { announce, identifier, node, prefix, router, sequence } from '../../support/rib.js';

const OWN = identifier('192.168.1.11');
const BLOCK = '10.244.1.0/24';

/** What this node makes of a route for its own block, as one peer tells it. */
function heard(peer: RibPeer, attributes: Partial<PathAttributes> = {}, former?: string) {
  const rib = new Rib({
    localAs: 64512,
    bgpIdentifier: OWN,
    policy: poolPolicy({
      pools: [prefix('10.244.0.0/16')],
      exportablePools: [],
      ownBlocks: [prefix(BLOCK)],
      advertisements: [],
    }),
  });
  rib.setLocalRoutes([{ prefix: prefix(BLOCK) }]);
  rib.peerUp(peer);
  rib.applyUpdate(peer.id, announce([BLOCK], '192.168.1.99', attributes));
  const own = {
    identifier: OWN,
    asNumber: 64512,
    blocks: [prefix(BLOCK)],
    ...(former === undefined ? {} : { former: new Set([identifier(former)]) }),
  };
  return rivalsOf(own, (each) => rib.paths(each)).map(({ peer, verdict }) => [peer, verdict]);
}

describe('a pod subnet of this node that another announces', () => {
  test('is nobody else’s where only this node announces it', () => {
    const rib = new Rib({
      localAs: 64512,
      bgpIdentifier: OWN,
      policy: poolPolicy({ pools: [], exportablePools: [], ownBlocks: [], advertisements: [] }),
    });
    rib.setLocalRoutes([{ prefix: prefix(BLOCK) }]);
    expect(
      rivalsOf({ identifier: OWN, asNumber: 64512, blocks: [prefix(BLOCK)] }, (each) => rib.paths(each)),
    ).toEqual([]);
  });

  test.each([
    ['a node with a higher identifier', node(12), {}, 'ours'],
    ['a node with a lower identifier', node(10), {}, 'theirs'],
    ['a lower one behind a reflector', node(99), { originatorId: identifier('192.168.1.10') }, 'theirs'],
    ['a higher one behind a reflector', node(5), { originatorId: identifier('192.168.1.12') }, 'ours'],
    ['a node of another AS', node(10, { type: 'ebgp', asn: 64600 }), { asPath: sequence(64600) }, 'theirs'],
    ['somebody behind a router', router(1), { asPath: sequence(65001, 65099) }, 'open'],
    ['somebody behind a node', node(12), { asPath: sequence(65001) }, 'open'],
  ] as const)('%s', (_name, peer, attributes, verdict) => {
    expect(heard(peer, attributes)).toEqual([[peer.id, verdict]]);
  });

  test.each([
    ['our own, by a reflector', node(12), { originatorId: OWN }],
    ['our own, by another AS', router(1), { asPath: sequence(65001, 64512) }],
  ] as const)('%s', (_name, peer, attributes) => {
    expect(heard(peer, attributes)).toEqual([]);
  });

  test('what a reflector has kept of us under an earlier identifier is our own', () => {
    const kept = { originatorId: identifier('192.168.1.9') };
    expect(heard(node(12), kept)).toEqual([['node-12', 'theirs']]);
    expect(heard(node(12), kept, '192.168.1.9')).toEqual([]);
  });

  test('the sentence names the subnet, the other one, the outcome and the remedy', () => {
    const rival = {
      prefix: prefix(BLOCK),
      peer: 'mesh/node-b',
      identifier: identifier('192.168.1.10'),
      verdict: 'theirs',
    } as const;
    expect(rivalText(rival)).toBe(
      'the pod subnet 10.244.1.0/24 of this node is announced by 192.168.1.10 (told by mesh/node-b) too: the other one has the lower BGP identifier, so that this node has stopped announcing it; give each node its own',
    );
  });
});
