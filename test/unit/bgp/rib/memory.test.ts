/** What is no longer in use is not kept: each test would leave several megabytes behind if it were. */
import { describe, expect, test } from 'vitest';
import { Rib, type RoutePolicy } from '../../../../bgp/rib/index.js';
import type { PathAttributes } from '../../../../bgp/wire/index.js';
import { liveHeapBytes } from '../../../support/heap.js';
import { acceptAll, announce, identifier, node, pull, router, withdraw } from '../../../support/rib.js';

const TURNS = 2000;
const LIMIT_BYTES = 1_000_000;
const A = '10.244.1.0/24';

/** Attributes of 3 kB that differ from turn to turn. */
function bulky(number: number): Partial<PathAttributes> {
  return { communities: [number], unknown: [{ code: 99, flags: 0xe0, value: new Uint8Array(3000) }] };
}

function growth(turn: (rib: Rib, number: number) => void): number {
  const rib = new Rib({ localAs: 64512, bgpIdentifier: identifier('192.168.1.1'), policy: acceptAll });
  rib.peerUp(node(2));
  rib.peerUp(router(4));
  pull(rib, 'router-4');
  for (let warmUp = 0; warmUp < 200; warmUp += 1) turn(rib, TURNS + warmUp);
  const before = liveHeapBytes();
  for (let number = 0; number < TURNS; number += 1) turn(rib, number);
  const after = liveHeapBytes();
  expect(rib.size('ipv4')).toBeLessThanOrEqual(1);
  return after - before;
}

describe('memory is bounded by what is in the tables', () => {
  test('when a prefix changes again and again and every change is read', () => {
    const bytes = growth((rib, number) => {
      rib.applyUpdate('node-2', announce([A], '192.168.1.2', bulky(number)));
      pull(rib, 'router-4');
    });
    expect(bytes).toBeLessThan(LIMIT_BYTES);
  });

  test('when a prefix changes again and again and the peer reads nothing', () => {
    const bytes = growth((rib, number) => {
      rib.applyUpdate('node-2', announce([A], '192.168.1.2', bulky(number)));
      if (number % 2 === 0) rib.applyUpdate('node-2', withdraw(A));
    });
    expect(bytes).toBeLessThan(LIMIT_BYTES);
  });

  test('when every policy changes the paths in another way', () => {
    const bytes = growth((rib, number) => {
      const policy: RoutePolicy = {
        ...acceptAll,
        importRoute: (_peer, _to, path) => ({
          accept: true,
          path: { ...path, attributes: { ...path.attributes, ...bulky(number) } },
        }),
      };
      if (rib.counters('node-2').received === 0) rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
      rib.setPolicy(policy);
      pull(rib, 'router-4');
    });
    expect(bytes).toBeLessThan(LIMIT_BYTES);
  });

  test('when peers come and go', () => {
    const bytes = growth((rib, number) => {
      const peer = node(3, { id: `other-${number}` });
      rib.peerUp(peer);
      rib.applyUpdate(peer.id, announce([A], '192.168.1.3'));
      rib.peerDown(peer.id, { keepStale: number % 2 === 0 });
      rib.sweepStale(peer.id);
    });
    expect(bytes).toBeLessThan(LIMIT_BYTES);
  });
});
