/** Equal-cost paths: which share the traffic, and who hears of it. */
import { describe, expect, test } from 'vitest';
import { type BestPathChange, Rib, type RibPeer } from '../../../../bgp/rib/index.js';
import type { PathAttributes } from '../../../../bgp/wire/index.js';
import {
  acceptAll,
  address,
  announce,
  identifier,
  node,
  prefix,
  pull,
  pullRoutes,
  router,
  sequence,
  withdraw,
} from '../../../support/rib.js';

const A = '10.244.9.0/24';

function ribWith(peers: readonly RibPeer[], maxPaths?: number): Rib {
  const rib = new Rib({
    localAs: 64512,
    bgpIdentifier: identifier('192.168.1.1'),
    policy: acceptAll,
    ...(maxPaths === undefined ? {} : { maxPaths }),
  });
  for (const peer of peers) rib.peerUp(peer);
  return rib;
}

/** The last octets of the next hops that share the traffic, the best one first. */
function hops(changes: readonly BestPathChange[]): readonly (readonly number[])[] {
  return changes.map(({ best, multipath = best === undefined ? [] : [best] }) =>
    multipath.map((path) => Number(path.nextHop.address) & 0xff),
  );
}

const from = (rib: Rib, peer: number, changes: Partial<PathAttributes> = {}) =>
  rib.applyUpdate(`node-${peer}`, announce([A], `192.168.1.${peer}`, changes));

describe('paths that share the traffic', () => {
  test('grow and shrink with what is announced, in one order whatever came first', () => {
    const rib = ribWith([node(2), node(3), node(4)], 16);
    expect(hops(from(rib, 3))).toEqual([[3]]);
    expect(hops(from(rib, 4))).toEqual([[3, 4]]);
    expect(hops(from(rib, 2))).toEqual([[2, 3, 4]]);
    expect(hops(rib.applyUpdate('node-3', withdraw(A)))).toEqual([[2, 4]]);
    expect(hops(rib.peerDown('node-2', { keepStale: false }))).toEqual([[4]]);
    expect(hops(rib.applyUpdate('node-4', withdraw(A)))).toEqual([[]]);
  });

  test('are said to be the only change where the best path is what it was', () => {
    const rib = ribWith([node(2), node(3)], 16);
    const [first] = from(rib, 2);
    expect(first).not.toHaveProperty('isBestSame');
    expect(first).not.toHaveProperty('multipath');
    const [grown] = from(rib, 3);
    expect(grown).toMatchObject({ isBestSame: true, best: first?.best, previous: first?.best });
    const [shrunk] = rib.applyUpdate('node-3', withdraw(A));
    expect(shrunk).toMatchObject({ isBestSame: true, best: first?.best });
    expect(shrunk).not.toHaveProperty('multipath');
  });

  test('are no news while nothing of them changes, and are where an attribute of one does', () => {
    const rib = ribWith([node(2), node(3)], 16);
    from(rib, 2);
    from(rib, 3);
    expect(from(rib, 3)).toEqual([]);
    expect(hops(from(rib, 3, { communities: [7] }))).toEqual([[2, 3]]);
  });

  test('are at most as many as allowed: those that the tie-breaks prefer', () => {
    const rib = ribWith([node(2), node(3), node(4), node(5)], 2);
    from(rib, 5);
    from(rib, 4);
    from(rib, 3);
    expect(hops(from(rib, 2))).toEqual([[2, 3]]);
    expect(rib.applyUpdate('node-5', withdraw(A))).toEqual([]);
    expect(hops(rib.applyUpdate('node-2', withdraw(A)))).toEqual([[3, 4]]);
  });

  test.each([
    ['unless more are allowed', undefined],
    ['where one is allowed', 1],
  ])('are the best one alone %s', (_name, maxPaths) => {
    const rib = ribWith([node(2), node(3)], maxPaths);
    from(rib, 2);
    expect(from(rib, 3)).toEqual([]);
    expect([...rib.bestRoutes()][0]).not.toHaveProperty('multipath');
  });

  test('RFC 4456: two reflectors that tell of one next hop are one way to it', () => {
    const rib = ribWith([node(2), node(3), node(4)], 16);
    const reflected = { originatorId: identifier('192.168.1.9'), clusterList: [identifier('1.1.1.1')] };
    rib.applyUpdate('node-2', announce([A], '192.168.1.9', reflected));
    expect(rib.applyUpdate('node-3', announce([A], '192.168.1.9', reflected))).toEqual([]);
    expect(hops(from(rib, 4))).toEqual([[4, 9]]);
    // One of the two is left: the ways are the same.
    expect(rib.applyUpdate('node-3', withdraw(A))).toEqual([]);
  });

  test.each<[string, Partial<PathAttributes>]>([
    ['another LOCAL_PREF', { localPref: 90 }],
    ['a longer AS_PATH', { asPath: sequence(65009) }],
    ['another ORIGIN', { origin: 'INCOMPLETE' }],
    ['a higher MED from the same AS', { med: 5 }],
  ])('do not include one with %s', (_name, changes) => {
    const rib = ribWith([node(2), node(3)], 16);
    from(rib, 2);
    expect(from(rib, 3, changes)).toEqual([]);
  });

  test('do not mix eBGP and iBGP', () => {
    const rib = ribWith([node(2), router(4)], 16);
    from(rib, 2, { asPath: sequence(65009) });
    const ebgp = rib.applyUpdate('router-4', announce([A], '192.168.1.4', { asPath: sequence(65004) }));
    expect(hops(ebgp)).toEqual([[4]]);
  });

  test('may have AS_PATHs of one length through different ASes: two racks, two routers', () => {
    const rib = ribWith([router(4), router(5)], 16);
    rib.applyUpdate('router-4', announce([A], '192.168.1.4', { asPath: sequence(65004), med: 1 }));
    const second = rib.applyUpdate(
      'router-5',
      announce([A], '192.168.1.5', { asPath: sequence(65005), med: 9 }),
    );
    expect(hops(second)).toEqual([[4, 5]]);
  });

  test('RFC 4724 §4.2: include what a restarting peer announced, until it is swept', () => {
    const rib = ribWith([node(2), node(3)], 16);
    from(rib, 2);
    from(rib, 3);
    expect(rib.peerDown('node-3', { keepStale: true })).toEqual([]);
    expect([...rib.bestRoutes()][0]?.multipath?.map(({ stale }) => stale)).toEqual([undefined, true]);
    expect(hops(rib.sweepStale('node-3'))).toEqual([[2]]);
  });

  test("never stand beside this node's own route", () => {
    const rib = ribWith([node(2), node(3)], 16);
    from(rib, 2);
    from(rib, 3);
    const [own] = rib.setLocalRoutes([{ prefix: prefix(A) }]);
    expect(own?.best?.peer).toBeUndefined();
    expect(own).not.toHaveProperty('multipath');
    expect(hops(rib.setLocalRoutes([]))).toEqual([[2, 3]]);
  });

  test('are in the snapshot of the table', () => {
    const rib = ribWith([node(2), node(3)], 16);
    from(rib, 2);
    from(rib, 3);
    const [row] = rib.bestRoutes();
    expect(row?.multipath?.map(({ peer }) => peer?.id)).toEqual(['node-2', 'node-3']);
    expect(row?.multipath?.[0]).toBe(row?.path);
  });

  test('of IPv6 are told apart by their global next hop', () => {
    const rib = ribWith([node(2), node(3)], 16);
    rib.applyUpdate('node-2', announce(['fd00:9::/64'], 'fd00::2'));
    const [both] = rib.applyUpdate('node-3', announce(['fd00:9::/64'], 'fd00::3'));
    expect(both?.multipath?.map(({ nextHop }) => nextHop.address)).toEqual([
      address('fd00::2'),
      address('fd00::3'),
    ]);
  });
});

describe('a change among equal paths', () => {
  test('is told to no peer: they hear of the best path alone', () => {
    const rib = ribWith([node(2), node(3), router(4)], 16);
    from(rib, 2);
    expect(pullRoutes(rib, 'router-4')).toHaveLength(1);
    for (const id of ['node-2', 'node-3']) pull(rib, id);
    expect(hops(from(rib, 3))).toEqual([[2, 3]]);
    expect(hops(rib.applyUpdate('node-3', withdraw(A)))).toEqual([[2]]);
    for (const id of ['node-2', 'node-3', 'router-4']) expect(rib.hasPending(id)).toBe(false);
  });
});
