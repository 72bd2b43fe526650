import { describe, expect, test } from 'vitest';
import type { Path, RibPeer } from '../../../../bgp/rib/index.js';
import { sameRoute } from '../../../../bgp/rib/path.js';
import { address, attributes, identifier, node } from '../../../support/rib.js';

function path(changes: Partial<Path> = {}): Path {
  return {
    peer: node(2),
    attributes: attributes(),
    nextHop: { address: address('192.168.1.2') },
    ...changes,
  };
}

describe('the same route', () => {
  test('is one with the same content from the same peer, in another object and another session', () => {
    expect(sameRoute(path(), path())).toBe(true);
    expect(sameRoute(undefined, undefined)).toBe(true);
  });

  test('is it still when it is stale, and when our own address on the session is another one', () => {
    expect(sameRoute(path(), path({ stale: true }))).toBe(true);
    expect(sameRoute(path(), path({ peer: node(2, { localAddress: address('192.168.1.99') }) }))).toBe(true);
  });

  test('is no other one, and not none', () => {
    expect(sameRoute(path(), undefined)).toBe(false);
    expect(sameRoute(undefined, path())).toBe(false);
    expect(sameRoute(path(), path({ nextHop: { address: address('192.168.1.3') } }))).toBe(false);
    expect(sameRoute(path(), path({ attributes: attributes({ origin: 'EGP' }) }))).toBe(false);
    const { peer: _, ...own } = path();
    expect(sameRoute(path(), own)).toBe(false);
  });

  test.each<Partial<RibPeer>>([
    { id: 'another' },
    { type: 'ebgp' },
    { place: 'outside' },
    { asn: 64999 },
    { address: address('192.168.1.99') },
    { identifier: identifier('9.9.9.9') },
    { localAs: 64999 },
    { routeReflectorClient: true },
  ])('is another one where the peer differs in what decides or is told: %o', (changes) => {
    expect(sameRoute(path(), path({ peer: node(2, changes) }))).toBe(false);
  });
});
