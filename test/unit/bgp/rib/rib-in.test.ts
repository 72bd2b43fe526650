import { describe, expect, test } from 'vitest';
import type { Prefix } from '../../../../bgp/net/index.js';
import { type BestPathChange, Rib, type RibPeer, type RoutePolicy } from '../../../../bgp/rib/index.js';
import type { PathAttributes, UpdateMessage } from '../../../../bgp/wire/index.js';
import {
  acceptAll,
  address,
  announce,
  identifier,
  node,
  prefix,
  router,
  sequence,
  withdraw,
} from '../../../support/rib.js';

const A = '10.244.1.0/24';
const B = '10.244.2.0/24';

function ribWith(peers: readonly RibPeer[], policy: RoutePolicy = acceptAll): Rib {
  const rib = new Rib({
    localAs: 64512,
    bgpIdentifier: identifier('192.168.1.1'),
    policy,
    ownAddresses: [address('172.16.0.1')],
  });
  for (const peer of peers) rib.peerUp(peer);
  return rib;
}

/** `prefix -> next hop (peer)`, or `prefix -> none`. */
function shown(changes: readonly BestPathChange[]): readonly string[] {
  return changes.map(({ prefix: to, best, isBestSame }) => {
    const name = to === prefix(A) ? 'A' : to === prefix(B) ? 'B' : `${to}`;
    if (isBestSame) return `${name} is ${best?.stale ? 'stale' : 'fresh'}`;
    return best === undefined
      ? `${name} none`
      : `${name} ${best.peer?.id ?? 'local'} ${best.nextHop.address}`;
  });
}

function via(peer: string, hop: string): string {
  return `${peer} ${address(hop)}`;
}

describe('changes of the best path', () => {
  test('the first path, a better one, its loss and the last loss are one change each', () => {
    const rib = ribWith([node(2), node(3)]);
    const first = rib.applyUpdate('node-3', announce([A, B], '192.168.1.3'));
    expect(shown(first)).toEqual([`A ${via('node-3', '192.168.1.3')}`, `B ${via('node-3', '192.168.1.3')}`]);
    expect(first[0]).toMatchObject({ reason: 'the only path' });
    expect(first[0]).not.toHaveProperty('previous');

    const better = rib.applyUpdate('node-2', announce([A], '192.168.1.2', { localPref: 200 }));
    expect(shown(better)).toEqual([`A ${via('node-2', '192.168.1.2')}`]);
    expect(better[0]?.reason).toBe('higher LOCAL_PREF (200 over 100)');
    expect(better[0]?.previous).toBe(first[0]?.best);

    expect(rib.applyUpdate('node-3', announce([A], '192.168.1.33'))).toEqual([]);
    const lost = rib.applyUpdate('node-2', withdraw(A));
    expect(shown(lost)).toEqual([`A ${via('node-3', '192.168.1.33')}`]);
    const gone = rib.applyUpdate('node-3', withdraw(A));
    expect(shown(gone)).toEqual(['A none']);
    expect(gone[0]).toMatchObject({ previous: lost[0]?.best, reason: 'no usable path is left' });
    expect(gone[0]).not.toHaveProperty('best');
    expect(rib.size('ipv4')).toBe(1);
  });

  test('a next hop that alone is another one is a change, though the preference is the same', () => {
    const rib = ribWith([node(2)]);
    rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
    const changes = rib.applyUpdate('node-2', announce([A], '192.168.1.22'));
    expect(shown(changes)).toEqual([`A ${via('node-2', '192.168.1.22')}`]);
  });

  test.each<[string, Partial<PathAttributes>]>([
    ['a community', { communities: [1] }],
    ['the MED', { med: 1 }],
    ['an unknown attribute', { unknown: [{ code: 99, flags: 0xc0, value: new Uint8Array([1]) }] }],
  ])('%s that alone is another one is a change', (_name, changed) => {
    const rib = ribWith([node(2)]);
    rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
    expect(rib.applyUpdate('node-2', announce([A], '192.168.1.2', changed))).toHaveLength(1);
    expect(rib.applyUpdate('node-2', announce([A], '192.168.1.2', changed))).toEqual([]);
  });

  test('RFC 4271 §4.3: withdrawn and announced in one message is announced, and is one change', () => {
    const rib = ribWith([node(2)]);
    rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
    const both: UpdateMessage = { ...announce([A], '192.168.1.22'), unreach: withdraw(A).unreach };
    expect(shown(rib.applyUpdate('node-2', both))).toEqual([`A ${via('node-2', '192.168.1.22')}`]);
    const same: UpdateMessage = { ...announce([A], '192.168.1.22'), unreach: withdraw(A).unreach };
    expect(rib.applyUpdate('node-2', same)).toEqual([]);
  });

  test('a withdrawal of what was never announced is none', () => {
    expect(ribWith([node(2)]).applyUpdate('node-2', withdraw(A))).toEqual([]);
  });

  test('RFC 4760: a family that the session does not carry is ignored', () => {
    const rib = ribWith([node(2, { families: ['ipv4'] })]);
    expect(rib.applyUpdate('node-2', announce(['fd00:1::/64'], 'fd00::2'))).toEqual([]);
    expect(rib.counters('node-2').received).toBe(0);
  });

  test('prefixes of one UPDATE, and of later equal ones, share one path', () => {
    const rib = ribWith([node(2)]);
    rib.applyUpdate('node-2', announce([A], '192.168.1.2', { communities: [7] }));
    rib.applyUpdate('node-2', announce([B], '192.168.1.2', { communities: [7] }));
    expect(rib.best(prefix(A))).toBe(rib.best(prefix(B)));
  });

  test('an UPDATE of a peer without a session, and a second session, are faults of the caller', () => {
    const rib = ribWith([node(2)]);
    expect(() => rib.applyUpdate('node-3', withdraw(A))).toThrow('peer node-3 has no session');
    expect(() => rib.peerUp(node(2))).toThrow('peer node-2 has a session already');
  });
});

describe('paths that are received and not used', () => {
  const peer = router(4, { localAddress: address('192.168.1.1'), localAs: 64999 });

  test.each<[string, string, Partial<PathAttributes>, string]>([
    [
      'RFC 4271 §9.1.2 our AS on the session',
      '192.168.1.4',
      { asPath: sequence(65004, 64999) },
      'AS_PATH loop: it contains our own AS 64999',
    ],
    [
      'RFC 4271 §9.1.2 our AS elsewhere',
      '192.168.1.4',
      { asPath: sequence(65004, 64512) },
      'AS_PATH loop: it contains our own AS 64512',
    ],
    [
      'our AS in an AS_SET',
      '192.168.1.4',
      { asPath: [...sequence(65004), { kind: 'set', asns: [1, 64512] }] },
      'AS_PATH loop: it contains our own AS 64512',
    ],
    [
      'RFC 4456 §8 ORIGINATOR_ID',
      '192.168.1.4',
      { originatorId: identifier('192.168.1.1') },
      'reflection loop: ORIGINATOR_ID is our own identifier 192.168.1.1',
    ],
    [
      'RFC 4456 §8 CLUSTER_LIST',
      '192.168.1.4',
      { clusterList: [identifier('9.9.9.9'), identifier('192.168.1.1')] },
      'reflection loop: CLUSTER_LIST contains our own cluster id 192.168.1.1',
    ],
    ['RFC 4271 §6.3 next hop 0.0.0.0', '0.0.0.0', {}, 'next hop 0.0.0.0 is no host address'],
    ['a next hop of class D', '224.0.0.5', {}, 'next hop 224.0.0.5 is no host address'],
    ['a next hop of class E', '255.255.255.255', {}, 'next hop 255.255.255.255 is no host address'],
    ['our address of the session', '192.168.1.1', {}, 'next hop 192.168.1.1 is an address of this node'],
    ['another address of ours', '172.16.0.1', {}, 'next hop 172.16.0.1 is an address of this node'],
    ['a loopback address', '127.0.0.1', {}, 'next hop 127.0.0.1 is an address of this node'],
    ['our IPv6 address of the session', 'fd00::1', {}, 'next hop fd00::1 is an address of this node'],
  ])('%s', (_name, hop, changed, reason) => {
    const rib = ribWith([peer]);
    const to = hop.includes(':') ? 'fd00:1::/64' : A;
    expect(rib.applyUpdate('router-4', announce([to], hop, changed))).toEqual([]);
    expect(rib.best(prefix(to))).toBeUndefined();
    expect([...rib.received('router-4')]).toMatchObject([{ prefix: prefix(to), accepted: false, reason }]);
    expect(rib.paths(prefix(to))).toMatchObject([{ state: 'unused', reason }]);
    expect(rib.counters('router-4')).toMatchObject({ received: 1, accepted: 0, rejected: 1 });
  });

  test('a usable path that turns into a loop is the loss of the route', () => {
    const rib = ribWith([peer]);
    rib.applyUpdate('router-4', announce([A], '192.168.1.4'));
    const changes = rib.applyUpdate('router-4', announce([A], '192.168.1.4', { asPath: sequence(64512) }));
    expect(shown(changes)).toEqual(['A none']);
  });

  test('what the policy refuses stays in the Adj-RIB-In with its reason, and comes into use with another policy', () => {
    const refuseB: RoutePolicy = {
      ...acceptAll,
      importRoute: (_peer, to: Prefix) =>
        to === prefix(B) ? { accept: false, reason: 'B is not wanted' } : { accept: true },
    };
    const rib = ribWith([node(2)], refuseB);
    expect(shown(rib.applyUpdate('node-2', announce([A, B], '192.168.1.2')))).toEqual([
      `A ${via('node-2', '192.168.1.2')}`,
    ]);
    expect([...rib.received('node-2')].map(({ accepted, reason }) => [accepted, reason])).toEqual([
      [true, undefined],
      [false, 'B is not wanted'],
    ]);
    expect(shown(rib.setPolicy(acceptAll))).toEqual([`B ${via('node-2', '192.168.1.2')}`]);
    expect(shown(rib.setPolicy(refuseB))).toEqual(['B none']);
    expect(rib.setPolicy(refuseB)).toEqual([]);
  });

  test('what the policy changes is what the decision sees, and what is received stays as received', () => {
    const prefer: RoutePolicy = {
      ...acceptAll,
      importRoute: (peerOf, _to, path) =>
        peerOf.id === 'node-3'
          ? { accept: true, path: { ...path, attributes: { ...path.attributes, localPref: 300 } } }
          : { accept: true },
    };
    const rib = ribWith([node(2), node(3)], prefer);
    rib.applyUpdate('node-2', announce([A, B], '192.168.1.2'));
    rib.applyUpdate('node-3', announce([A, B], '192.168.1.3'));
    expect(rib.best(prefix(A))).toMatchObject({ peer: { id: 'node-3' }, attributes: { localPref: 300 } });
    expect(rib.best(prefix(B))).toBe(rib.best(prefix(A)));
    expect([...rib.received('node-3')][0]?.path.attributes.localPref).toBeUndefined();
    expect(shown(rib.setPolicy(acceptAll))).toEqual([
      `A ${via('node-2', '192.168.1.2')}`,
      `B ${via('node-2', '192.168.1.2')}`,
    ]);
  });
});

describe('RFC 4724 §4.2 the peer restarts', () => {
  function restarted(): Rib {
    const rib = ribWith([node(2), node(3)]);
    rib.applyUpdate('node-2', announce([A, B], '192.168.1.2', { localPref: 200 }));
    rib.applyUpdate('node-3', announce([A], '192.168.1.3'));
    expect(shown(rib.peerDown('node-2', { keepStale: true }))).toEqual(['A is stale', 'B is stale']);
    return rib;
  }

  test('its routes stay in use, marked stale', () => {
    const rib = restarted();
    expect(rib.best(prefix(A))).toMatchObject({ peer: { id: 'node-2' }, stale: true });
    expect(rib.counters('node-2')).toMatchObject({ received: 2, accepted: 2, stale: 2 });
  });

  test('what it announces again loses the mark, of which nobody is told, and the sweep removes the rest alone', () => {
    const rib = restarted();
    expect(rib.peerUp(node(2))).toEqual([]);
    expect(shown(rib.applyUpdate('node-2', announce([B], '192.168.1.2', { localPref: 200 })))).toEqual([
      'B is fresh',
    ]);
    expect(rib.best(prefix(B))).not.toHaveProperty('stale');
    expect(rib.counters('node-2')).toMatchObject({ received: 2, stale: 1 });
    expect(shown(rib.sweepStale('node-2', 'ipv6'))).toEqual([]);
    expect(shown(rib.sweepStale('node-2', 'ipv4'))).toEqual([`A ${via('node-3', '192.168.1.3')}`]);
    expect(rib.counters('node-2')).toMatchObject({ received: 1, accepted: 1, stale: 0 });
    expect(rib.sweepStale('node-2')).toEqual([]);
  });

  test('a second loss before the End-of-RIB removes what was stale already', () => {
    const rib = restarted();
    rib.peerUp(node(2));
    rib.applyUpdate('node-2', announce([B], '192.168.1.2'));
    expect(shown(rib.peerDown('node-2', { keepStale: true }))).toEqual([
      `A ${via('node-3', '192.168.1.3')}`,
      'B is stale',
    ]);
    expect(rib.best(prefix(B))).toMatchObject({ stale: true });
  });

  test('that it is still away is no second loss', () => {
    const rib = restarted();
    expect(rib.peerDown('node-2', { keepStale: true })).toEqual([]);
    expect(rib.counters('node-2')).toMatchObject({ received: 2, stale: 2 });
  });

  test('a session without a family of the stale routes removes them at once', () => {
    const rib = ribWith([node(2)]);
    rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
    rib.applyUpdate('node-2', announce(['fd00:1::/64'], 'fd00::2'));
    rib.peerDown('node-2', { keepStale: true });
    const changes = rib.peerUp(node(2, { families: ['ipv4'] }));
    expect(changes.map((change) => change.prefix)).toEqual([prefix('fd00:1::/64')]);
    expect(rib.best(prefix(A))).toMatchObject({ stale: true });
  });

  test('its restart time is over while it is away: everything goes', () => {
    const rib = restarted();
    expect(shown(rib.sweepStale('node-2'))).toEqual([`A ${via('node-3', '192.168.1.3')}`, 'B none']);
    expect(rib.counters('node-2').received).toBe(0);
  });

  test('without keeping, its routes go with the session, stale ones too', () => {
    const rib = restarted();
    expect(shown(rib.peerDown('node-2', { keepStale: false }))).toEqual([
      `A ${via('node-3', '192.168.1.3')}`,
      'B none',
    ]);
    expect(shown(rib.peerDown('node-3', { keepStale: false }))).toEqual(['A none']);
    expect(rib.peerDown('node-3', { keepStale: false })).toEqual([]);
    expect(rib.peerDown('node-3', { keepStale: true })).toEqual([]);
    expect(rib.size('ipv4')).toBe(0);
  });
});

describe('routes of this node itself', () => {
  test('come, change and go with the list; received paths do not displace them', () => {
    const rib = ribWith([node(2)]);
    expect(shown(rib.setLocalRoutes([{ prefix: prefix(A) }]))).toEqual([`A local 0`]);
    expect(rib.applyUpdate('node-2', announce([A], '192.168.1.2', { localPref: 1000 }))).toEqual([]);
    expect(rib.setLocalRoutes([{ prefix: prefix(A), communities: [] }])).toEqual([]);
    expect(
      shown(rib.setLocalRoutes([{ prefix: prefix(A), communities: [5] }, { prefix: prefix(B) }])),
    ).toEqual(['A local 0', 'B local 0']);
    expect(shown(rib.setLocalRoutes([]))).toEqual([`A ${via('node-2', '192.168.1.2')}`, 'B none']);
  });
});

describe('the paths of one prefix', () => {
  test('the best first, then the others with what they lost by, then those not used', () => {
    const rib = ribWith([node(2), node(3), router(4), router(5)]);
    rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
    rib.applyUpdate('node-3', announce([A], '192.168.1.3'));
    rib.applyUpdate('router-4', announce([A], '192.168.1.4', { asPath: sequence(65004) }));
    rib.applyUpdate('router-5', announce([A], '192.168.1.5', { asPath: sequence(65005, 64512) }));
    expect(
      rib
        .paths(prefix(A))
        .map(({ path, state, reason, equalCost }) => [path.peer?.id, state, reason, equalCost]),
    ).toEqual([
      ['node-2', 'best', 'lower BGP identifier (192.168.1.2 over 192.168.1.3)', true],
      ['router-4', 'lost', 'shorter AS_PATH (0 over 1)', false],
      ['node-3', 'lost', 'lower BGP identifier (192.168.1.2 over 192.168.1.3)', true],
      ['router-5', 'unused', 'AS_PATH loop: it contains our own AS 64512', false],
    ]);
    expect([...rib.bestRoutes()]).toEqual([
      {
        prefix: prefix(A),
        path: rib.best(prefix(A)),
        reason: 'lower BGP identifier (192.168.1.2 over 192.168.1.3)',
      },
    ]);
    expect(rib.paths(prefix(B))).toEqual([]);
  });
});
