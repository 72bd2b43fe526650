/**
 * What a peer's settings and role change in the tables, and that a change of them needs no new session.
 */
import { describe, expect, test } from 'vitest';
import { formatIpAddress, formatPrefix } from '../../../../bgp/net/index.js';
import { type Path, Rib, type RibPeer, type RoutePolicy } from '../../../../bgp/rib/index.js';
import { type BgpRole, COMMUNITY, type UpdateMessage } from '../../../../bgp/wire/index.js';
import {
  acceptAll,
  announce,
  identifier,
  node,
  prefix,
  pull,
  pullMessages,
  router,
  sequence,
  withdraw,
} from '../../../support/rib.js';

const OUR_AS = 64512;

function ribWith(policy: RoutePolicy = acceptAll, clusterId?: string): Rib {
  const own = { localAs: OUR_AS, bgpIdentifier: identifier('192.168.1.1'), policy };
  return new Rib(clusterId === undefined ? own : { ...own, clusterId: identifier(clusterId) });
}

function best(rib: Rib, text: string): Path | undefined {
  return rib.best(prefix(text));
}

/** Why the route is not used. */
function reason(rib: Rib, text: string): string | undefined {
  return rib.paths(prefix(text)).find(({ state }) => state === 'unused')?.reason;
}

/** The last announcement of the route among what the peer is sent now. */
function told(rib: Rib, peer: RibPeer): UpdateMessage | undefined {
  return pull(rib, peer.id).findLast(({ reach }) => reach.length > 0);
}

function nextHopTold(rib: Rib, peer: RibPeer): string | undefined {
  const address = told(rib, peer)?.reach[0]?.nextHop.address;
  return address === undefined ? undefined : formatIpAddress(address);
}

describe('allowedOwnAs: RFC 4271 9.1.2 with an exception', () => {
  const LOOPED = announce(['10.0.0.0/24'], '192.168.1.2', { asPath: sequence(65002, OUR_AS, 65009, OUR_AS) });

  test.each([
    [undefined, false],
    [1, false],
    [2, true],
  ])('%s: own AS twice in the path is used: %s', (allowedOwnAs, used) => {
    const rib = ribWith();
    rib.peerUp(router(2, allowedOwnAs === undefined ? {} : { allowedOwnAs }));
    rib.applyUpdate('router-2', LOOPED);
    expect(best(rib, '10.0.0.0/24') !== undefined).toBe(used);
    if (!used) expect(reason(rib, '10.0.0.0/24')).toMatch(/our own AS 64512/);
  });

  test('a change applies to what was received before', () => {
    const rib = ribWith();
    rib.peerUp(router(2));
    rib.applyUpdate('router-2', LOOPED);
    expect(rib.updatePeer(router(2, { allowedOwnAs: 2 }))).toHaveLength(1);
    expect(best(rib, '10.0.0.0/24')).toBeDefined();
    expect(rib.updatePeer(router(2))).toMatchObject([{ prefix: prefix('10.0.0.0/24') }]);
    expect(best(rib, '10.0.0.0/24')).toBeUndefined();
    rib.applyUpdate('router-2', withdraw('10.0.0.0/24'));
    expect(rib.counters('router-2').received).toBe(0);
  });
});

describe('nextHop: self, keep or auto for one peer', () => {
  const setup = (nextHop?: RibPeer['nextHop']) => {
    const rib = ribWith();
    const target = node(3, nextHop === undefined ? {} : { nextHop });
    rib.peerUp(router(2));
    rib.peerUp(target);
    rib.applyUpdate('router-2', announce(['10.0.0.0/24'], '192.168.1.2', { asPath: sequence(65002) }));
    return { rib, target };
  };

  test.each([
    [undefined, '192.168.1.1'],
    ['auto', '192.168.1.1'],
    ['self', '192.168.1.1'],
    ['keep', '192.168.1.2'],
  ] as const)('%s towards iBGP, of a route from eBGP: %s', (nextHop, address) => {
    const { rib, target } = setup(nextHop);
    expect(nextHopTold(rib, target)).toBe(address);
  });

  test('what a filter says goes before it', () => {
    const keeping: RoutePolicy = { ...acceptAll, exportRoute: () => ({ accept: true, nextHop: 'keep' }) };
    const rib = ribWith(keeping);
    rib.peerUp(router(2));
    rib.peerUp(node(3, { nextHop: 'self' }));
    rib.applyUpdate('router-2', announce(['10.0.0.0/24'], '192.168.1.2', { asPath: sequence(65002) }));
    expect(nextHopTold(rib, node(3))).toBe('192.168.1.2');
  });

  test('a change is told at once, and only the difference', () => {
    const { rib, target } = setup();
    pull(rib, target.id);
    rib.updatePeer({ ...target, nextHop: 'keep' });
    expect(nextHopTold(rib, target)).toBe('192.168.1.2');
    rib.updatePeer({ ...target, nextHop: 'keep' });
    expect(pull(rib, target.id)).toEqual([]);
  });
});

describe('RFC 4456: route reflection', () => {
  const setup = (clusterId?: string) => {
    const rib = ribWith(acceptAll, clusterId);
    for (const number of [2, 3]) rib.peerUp(node(number));
    for (const number of [2, 3]) pull(rib, `node-${number}`);
    rib.applyUpdate('node-2', announce(['10.0.0.0/24'], '192.168.1.2', { localPref: 100 }));
    return rib;
  };

  test('6: a peer that becomes a client is told what it was not told before, without a new session', () => {
    const rib = setup();
    expect(told(rib, node(3))).toBeUndefined();
    rib.updatePeer(node(3, { routeReflectorClient: true }));
    expect(told(rib, node(3))?.reach[0]?.prefixes).toEqual([prefix('10.0.0.0/24')]);
    rib.updatePeer(node(3));
    expect(pull(rib, 'node-3')[0]?.unreach[0]?.prefixes).toEqual([prefix('10.0.0.0/24')]);
  });

  test('6: the routes of a peer that becomes a client go to everybody', () => {
    const rib = setup();
    rib.updatePeer(node(2, { routeReflectorClient: true }));
    expect(told(rib, node(3))?.reach[0]?.prefixes).toEqual([prefix('10.0.0.0/24')]);
  });

  test('8: the configured cluster id is put in front, and a route that carries it is a loop', () => {
    const rib = setup('9.9.9.9');
    rib.updatePeer(node(3, { routeReflectorClient: true }));
    expect(told(rib, node(3))?.attributes?.clusterList).toEqual([identifier('9.9.9.9')]);
    const [ours, other] = ['9.9.9.9', '192.168.1.1'].map((id) => ({ clusterList: [identifier(id)] }));
    rib.applyUpdate('node-2', announce(['10.0.1.0/24'], '192.168.1.2', { localPref: 100, ...ours }));
    rib.applyUpdate('node-2', announce(['10.0.2.0/24'], '192.168.1.2', { localPref: 100, ...other }));
    expect(reason(rib, '10.0.1.0/24')).toBe(
      'reflection loop: CLUSTER_LIST contains our own cluster id 9.9.9.9',
    );
    expect(best(rib, '10.0.2.0/24')).toBeDefined();
  });
});

describe('RFC 8326 4.2: GRACEFUL_SHUTDOWN', () => {
  const LEAVING = { communities: [COMMUNITY.GRACEFUL_SHUTDOWN] };

  test('a route that carries it has LOCAL_PREF 0 and loses to any other', () => {
    const rib = ribWith();
    for (const number of [2, 3]) rib.peerUp(router(number));
    rib.applyUpdate(
      'router-2',
      announce(['10.0.0.0/24'], '192.168.1.2', { asPath: sequence(65002), ...LEAVING }),
    );
    expect(best(rib, '10.0.0.0/24')?.attributes.localPref).toBe(0);
    const longer = sequence(65003, 65004, 65005);
    rib.applyUpdate('router-3', announce(['10.0.0.0/24'], '192.168.1.3', { asPath: longer }));
    expect(best(rib, '10.0.0.0/24')?.peer?.id).toBe('router-3');
  });

  test('over iBGP the LOCAL_PREF of whoever brought it in counts', () => {
    const rib = ribWith();
    rib.peerUp(node(2));
    rib.applyUpdate('node-2', announce(['10.0.0.0/24'], '192.168.1.2', { localPref: 50, ...LEAVING }));
    expect(best(rib, '10.0.0.0/24')?.attributes.localPref).toBe(50);
  });

  test('a filter that takes the community off takes its effect off', () => {
    const strip: RoutePolicy = {
      ...acceptAll,
      importRoute: (_peer, _prefix, path) => {
        const { communities: _, ...attributes } = path.attributes;
        return { accept: true, path: { ...path, attributes } };
      },
    };
    const rib = ribWith(strip);
    rib.peerUp(router(2));
    rib.applyUpdate(
      'router-2',
      announce(['10.0.0.0/24'], '192.168.1.2', { asPath: sequence(65002), ...LEAVING }),
    );
    expect(best(rib, '10.0.0.0/24')?.attributes.localPref).toBeUndefined();
  });
});

describe('RFC 9234 5: OTC', () => {
  /** What a route of this peer becomes: its OTC, or why it is not used. */
  const imported = (role: BgpRole | undefined, otc: number | undefined): number | string | undefined => {
    const rib = ribWith();
    rib.peerUp(router(2, role === undefined ? {} : { role }));
    const mark = otc === undefined ? {} : { otc };
    rib.applyUpdate(
      'router-2',
      announce(['10.0.0.0/24'], '192.168.1.2', { asPath: sequence(65002), ...mark }),
    );
    return best(rib, '10.0.0.0/24')?.attributes.otc ?? reason(rib, '10.0.0.0/24');
  };

  test.each<[BgpRole | undefined, number | undefined, number | string | undefined]>([
    ['provider', 65002, 'route leak: it carries OTC 65002, and we are its provider'],
    ['rs', 65002, 'route leak: it carries OTC 65002, and we are its rs'],
    ['peer', 65099, 'route leak: it carries OTC 65099, and we are its peer'],
    ['peer', 65002, 65002],
    ['customer', undefined, 65002],
    ['rs-client', undefined, 65002],
    ['peer', undefined, 65002],
    ['customer', 65099, 65099],
    ['provider', undefined, undefined],
    [undefined, 65099, 65099],
    [undefined, undefined, undefined],
  ])('ingress as %s, with OTC %s: %s', (role, otc, becomes) => {
    expect(imported(role, otc)).toBe(becomes);
  });

  /** What a peer to whom we are `role` is told of a route with this OTC. */
  const exported = (role: BgpRole | undefined, otc: number | undefined): number | string | undefined => {
    const rib = ribWith();
    const target = router(3, role === undefined ? {} : { role });
    rib.peerUp(router(2));
    rib.peerUp(target);
    const mark = otc === undefined ? {} : { otc };
    rib.applyUpdate(
      'router-2',
      announce(['10.0.0.0/24'], '192.168.1.2', { asPath: sequence(65002), ...mark }),
    );
    const update = told(rib, target);
    return update === undefined ? 'not told' : update.attributes?.otc;
  };

  test.each<[BgpRole | undefined, number | undefined, number | string | undefined]>([
    ['customer', 65002, 'not told'],
    ['peer', 65002, 'not told'],
    ['rs-client', 65002, 'not told'],
    ['provider', 65002, 65002],
    ['rs', 65002, 65002],
    ['provider', undefined, OUR_AS],
    ['peer', undefined, OUR_AS],
    ['rs', undefined, OUR_AS],
    ['customer', undefined, undefined],
    [undefined, 65002, 65002],
    [undefined, undefined, undefined],
  ])('egress as %s, with OTC %s: %s', (role, otc, becomes) => {
    expect(exported(role, otc)).toBe(becomes);
  });
});

describe('RFC 8950: IPv4 over an IPv6 next hop', () => {
  const OVER_6: UpdateMessage = {
    ...announce(['10.0.0.0/24'], '192.168.1.2', { asPath: sequence(65002) }),
    reach: [
      {
        family: 'ipv4',
        nextHop: announce(['fd01::/64'], 'fd00::2').reach[0]?.nextHop ?? { address: identifier('0.0.0.0') },
        prefixes: [prefix('10.0.0.0/24')],
      },
    ],
  };

  test('is used where both sides have said so, and not otherwise', () => {
    for (const [changes, expected] of [
      [{ extendedNextHop: ['ipv4'] }, undefined],
      [{}, 'next hop fd00::2 of another family was not negotiated'],
    ] as const) {
      const rib = ribWith();
      rib.peerUp(router(2, changes));
      rib.applyUpdate('router-2', OVER_6);
      expect(reason(rib, '10.0.0.0/24')).toBe(expected);
    }
  });

  test('goes on to a peer that takes it, and with our own IPv4 address to one that does not', () => {
    const rib = ribWith();
    const [takes, plain] = [
      node(3, { extendedNextHop: ['ipv4'], nextHop: 'keep' }),
      node(4, { nextHop: 'keep' }),
    ];
    for (const peer of [router(2, { extendedNextHop: ['ipv4'] }), takes, plain]) rib.peerUp(peer);
    rib.applyUpdate('router-2', OVER_6);
    expect(nextHopTold(rib, takes)).toBe('fd00::2');
    expect(nextHopTold(rib, plain)).toBe('192.168.1.1');
  });
});

describe('RFC 7313 4: a refresh on its way out', () => {
  const MARKS = ['request', 'BoRR', 'EoRR'];
  const words = (rib: Rib): readonly string[] =>
    pullMessages(rib, 'node-2').map((message) => {
      if (message.type === 'ROUTE-REFRESH') return MARKS[message.subtype] ?? 'unknown';
      const [reach] = message.reach;
      if (reach !== undefined) return `+${reach.prefixes.map(formatPrefix).sort().join(' ')}`;
      return `-${message.unreach[0]?.prefixes.map(formatPrefix).join(' ')}`;
    });
  const setup = () => {
    const rib = ribWith();
    rib.setLocalRoutes(['10.0.0.0/24', '10.0.1.0/24'].map((text) => ({ prefix: prefix(text) })));
    rib.peerUp(node(2, { enhancedRouteRefresh: true, families: ['ipv4'] }));
    return rib;
  };

  test('asked for before the initial table is out: Begin-of-RR comes after End-of-RIB', () => {
    const rib = setup();
    rib.refreshOut('node-2', 'ipv4');
    const table = '+10.0.0.0/24 10.0.1.0/24';
    expect(words(rib)).toEqual([table, '-', 'BoRR', table, 'EoRR']);
  });

  /** The refresh is under way: of two UPDATEs the first is out, the other waits, and End-of-RR behind it. */
  const halfWay = () => {
    const rib = ribWith();
    const routes = (community: number) => [
      { prefix: prefix('10.0.0.0/24'), communities: [1] },
      { prefix: prefix('10.0.1.0/24'), communities: [community] },
    ];
    rib.setLocalRoutes(routes(2));
    rib.peerUp(node(2, { enhancedRouteRefresh: true, families: ['ipv4'] }));
    words(rib);
    rib.refreshOut('node-2', 'ipv4');
    expect(pullMessages(rib, 'node-2', 2)).toMatchObject([
      { type: 'ROUTE-REFRESH', subtype: 1 },
      { type: 'UPDATE' },
    ]);
    return { rib, change: () => rib.setLocalRoutes(routes(3)) };
  };

  test('what changes while it waits is told before End-of-RR', () => {
    const { rib, change } = halfWay();
    change();
    expect(words(rib)).toEqual(['+10.0.1.0/24', 'EoRR']);
  });

  test('a new policy under way does not let End-of-RR overtake what is told again', () => {
    const { rib } = halfWay();
    rib.setPolicy({ ...acceptAll });
    expect(words(rib)).toEqual(['+10.0.1.0/24', 'EoRR']);
  });
});
