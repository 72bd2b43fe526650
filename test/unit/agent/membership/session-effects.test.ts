/** What a change of the resources does to sessions, node by node. */
import { describe, expect, test } from 'vitest';
import { sessionEffects } from '../../../../agent/membership/index.js';
import { CLUSTER, configuration, manifest, node, peer, resources } from '../../../support/manifests.js';

/** `node-a peer/tor resets: AS number 65001 -> 65002`. */
function effects(before: readonly string[], after: readonly string[]): readonly string[] {
  return sessionEffects(resources(...before), resources(...after)).map(
    ({ node, peer = 'all', outcome, reasons }) => `${node} ${peer} ${outcome}: ${reasons.join(', ')}`,
  );
}

const [POOL = '', A = '', B = '', C = '', D = '', TOR = ''] = CLUSTER;
const tor = (spec: object) =>
  peer('tor', { nodeSelector: "rack == 'a'", peerIP: '192.168.1.1', asNumber: 65001, ...spec });

test('nothing changes: nothing is told', () => {
  expect(effects(CLUSTER, CLUSTER)).toEqual([]);
});

describe('a session', () => {
  test('is reset by what the two ends agreed on', () => {
    expect(effects(CLUSTER, [POOL, A, B, C, D, tor({ asNumber: 65002 })])).toEqual([
      'node-a peer/tor resets: AS number 65001 -> 65002',
    ]);
  });

  test('goes on with what can change live', () => {
    expect(
      effects(CLUSTER, [
        POOL,
        A,
        B,
        C,
        D,
        tor({ maxPrefixes: { limit: 10 }, filters: ['f'] }),
        manifest('BGPFilter', 'f', {}),
      ]),
    ).toEqual([
      'node-a peer/tor changes: limit of prefixes none -> 10 (stop), filters none -> f, filter rules changed',
    ]);
  });

  test('comes and goes with the labels that select it', () => {
    const labelled = node('b', '192.168.1.12/24', ['10.244.2.0/24']).replace('"rack":"b"', '"rack":"a"');
    expect(effects(CLUSTER, [POOL, A, labelled, C, D, TOR])).toEqual([
      'node-b peer/tor comes: by BGPPeer/tor',
    ]);
    expect(effects([POOL, A, labelled, C, D, TOR], CLUSTER)).toEqual([
      'node-b peer/tor goes: no longer by BGPPeer/tor',
    ]);
  });
});

describe('a node', () => {
  test('that is new has sessions with all, and all with it', () => {
    expect(effects([POOL, A, B], [POOL, A, B, C])).toEqual([
      'node-a mesh/node-c comes: Node/node-c is new',
      'node-b mesh/node-c comes: Node/node-c is new',
      'node-c mesh/node-a comes: Node/node-c is new',
      'node-c mesh/node-b comes: Node/node-c is new',
    ]);
  });

  test('that goes takes them along', () => {
    expect(effects([POOL, A, B, C], [POOL, A, B])).toEqual([
      'node-a mesh/node-c goes: Node/node-c goes',
      'node-b mesh/node-c goes: Node/node-c goes',
      'node-c mesh/node-a goes: Node/node-c goes',
      'node-c mesh/node-b goes: Node/node-c goes',
    ]);
  });

  test('with another address resets all of its own, and the others theirs with it', () => {
    const moved = node('b', '192.168.1.22/24', ['10.244.2.0/24']);
    const told = effects([POOL, A, B], [POOL, A, moved]);
    expect(told).toHaveLength(2);
    expect(told[0]).toMatch(/^node-a mesh\/node-b resets: address 192\.168\.1\.12 -> 192\.168\.1\.22/);
    expect(told[1]).toMatch(/^node-b all resets: .*node address 192\.168\.1\.12 -> 192\.168\.1\.22/);
  });

  test('without an address takes no part, before or afterwards', () => {
    const silent = manifest('Node', 'node-b', {});
    expect(effects([POOL, A, silent], [POOL, A, B])).toEqual([
      'node-a mesh/node-b comes: Node/node-b is new',
      'node-b mesh/node-a comes: Node/node-b is new',
    ]);
    expect(effects([POOL, A], [POOL, A, silent])).toEqual([]);
  });
});

describe('all nodes', () => {
  test('a mesh that ends', () => {
    expect(effects([POOL, A, B], [POOL, A, B, configuration({ nodeToNodeMeshEnabled: false })])).toEqual([
      'node-a mesh/node-b goes: no longer by the node-to-node mesh',
      'node-b mesh/node-a goes: no longer by the node-to-node mesh',
    ]);
  });

  test('another AS number resets every session once', () => {
    const told = effects([POOL, A, B], [POOL, A, B, configuration({ asNumber: 64600 })]);
    expect(told).toEqual([
      'node-a all resets: AS number 64512 -> 64600',
      'node-b all resets: AS number 64512 -> 64600',
    ]);
  });

  test('advertisements change without a reset', () => {
    const told = effects(
      [POOL, A],
      [POOL, A, configuration({ serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] })],
    );
    expect(told).toEqual(['node-a all changes: advertisements none -> 10.96.0.0/12']);
  });
});

describe('a range of routers', () => {
  const range = (spec: object) => peer('racks', { peerRange: '192.168.1.128/25', ...spec });

  test('comes, goes, is reset, or goes on', () => {
    expect(effects([POOL, A], [POOL, A, range({})])).toEqual([
      'node-a dynamic/racks comes: range 192.168.1.128/25',
    ]);
    expect(effects([POOL, A, range({})], [POOL, A])).toEqual([
      'node-a dynamic/racks goes: range 192.168.1.128/25',
    ]);
    expect(effects([POOL, A, range({ asNumber: 65001 })], [POOL, A, range({ asNumber: 65002 })])).toEqual([
      'node-a dynamic/racks resets: AS number 65001 -> 65002',
    ]);
    expect(effects([POOL, A, range({ maxPeers: 5 })], [POOL, A, range({ maxPeers: 6 })])).toEqual([
      'node-a dynamic/racks changes: limit of peers 5 -> 6',
    ]);
  });
});
