import { describe, expect, test } from 'vitest';
import { ipv4, type Prefix, prefix4 } from '../../../../bgp/net/index.js';
import { Rib, type RibPeer, type RoutePolicy } from '../../../../bgp/rib/index.js';
import {
  decodeMessage,
  encodeMessage,
  endOfRib,
  endOfRibMessage,
  type PathAttributes,
  type UpdateMessage,
} from '../../../../bgp/wire/index.js';
import {
  acceptAll,
  address,
  announce,
  attributes,
  CONTEXT,
  identifier,
  node,
  PeerTable,
  prefix,
  pull,
  pullRoutes,
  router,
  sequence,
  withdraw,
} from '../../../support/rib.js';

const A = '10.244.1.0/24';
const B = '10.244.2.0/24';
const TOR = router(4, { families: ['ipv4'] });

function ribWith(...peers: readonly RibPeer[]): Rib {
  const rib = new Rib({ localAs: 64512, bgpIdentifier: identifier('192.168.1.1'), policy: acceptAll });
  for (const peer of peers) rib.peerUp(peer);
  return rib;
}

/** A Rib with node-2 as the source and `tor` up and in step. */
function settled(tor = TOR): Rib {
  const rib = ribWith(node(2), tor);
  rib.applyUpdate('node-2', announce([A, B], '192.168.1.2'));
  pull(rib, tor.id);
  return rib;
}

/** `count` prefixes of /24 from 11.0.0.0 on. */
function many(count: number, start = 0): readonly Prefix[] {
  return Array.from({ length: count }, (_, index) => prefix4(ipv4(0x0b00_0000 + (start + index) * 256), 24));
}

function announceMany(prefixes: readonly Prefix[], changes: Partial<PathAttributes> = {}): UpdateMessage {
  const reach = [{ family: 'ipv4' as const, nextHop: { address: address('192.168.1.2') }, prefixes }];
  return { type: 'UPDATE', unreach: [], reach, attributes: attributes(changes), faults: [] };
}

function tableOf(updates: readonly UpdateMessage[]): PeerTable {
  const table = new PeerTable();
  for (const update of updates) table.apply(update);
  return table;
}

describe('a session comes up', () => {
  test('RFC 4724 §2: the whole table, then the End-of-RIB of each family, also where a table is empty', () => {
    const rib = ribWith(node(2));
    rib.applyUpdate('node-2', announce([A, B], '192.168.1.2'));
    rib.setLocalRoutes([{ prefix: prefix('10.244.9.0/24') }]);
    rib.peerUp(router(4));
    expect(rib.hasPending('router-4')).toBe(true);
    const updates = pull(rib, 'router-4');
    const table = tableOf(updates);
    expect(new Set(table.routes.keys())).toEqual(new Set([A, B, '10.244.9.0/24'].map(prefix)));
    expect(updates.slice(-1)).toEqual([endOfRibMessage('ipv6')]);
    expect(updates.at(-2)).toEqual(endOfRibMessage('ipv4'));
    expect(table.endOfRibs).toEqual(['ipv4', 'ipv6']);
    expect(rib.hasPending('router-4')).toBe(false);
  });

  test('the End-of-RIB is known as sent when it has been pulled, anew in each session', () => {
    const rib = ribWith(TOR);
    expect(rib.endOfRibSent('router-4', 'ipv4')).toBe(false);
    pull(rib, 'router-4');
    expect(rib.endOfRibSent('router-4', 'ipv4')).toBe(true);
    expect(rib.endOfRibSent('router-4', 'ipv6')).toBe(false);
    rib.peerDown('router-4', { keepStale: true });
    expect(rib.endOfRibSent('router-4', 'ipv4')).toBe(false);
    rib.peerUp(TOR);
    expect(pull(rib, 'router-4')).toEqual([endOfRibMessage('ipv4')]);
  });

  test('what changes while the table is on its way is told as it is at the end', () => {
    const rib = ribWith(node(2));
    const prefixes = many(40_000);
    for (let start = 0; start < prefixes.length; start += 1000) {
      rib.applyUpdate('node-2', announceMany(prefixes.slice(start, start + 1000)));
    }
    rib.peerUp(TOR);
    const table = tableOf(pull(rib, 'router-4', 3));
    const gone = [...prefixes.slice(0, 5), ...prefixes.slice(-5)];
    const late = many(10, 50_000);
    rib.applyUpdate('node-2', {
      type: 'UPDATE',
      unreach: [{ family: 'ipv4', prefixes: gone }],
      reach: [],
      faults: [],
    });
    rib.applyUpdate('node-2', announceMany(late));
    for (const update of pull(rib, 'router-4')) table.apply(update);
    expect(table.routes.size).toBe(40_000);
    expect(gone.filter((one) => table.routes.has(one))).toEqual([]);
    expect(late.every((one) => table.routes.has(one))).toBe(true);
    expect(table.announced).toBe(40_005);
    expect(table.endOfRibs).toEqual(['ipv4']);
  });
});

describe('a peer that reads slowly', () => {
  test('is told of a prefix that changed many times once, as it is at the end', () => {
    const rib = settled();
    for (let med = 1; med <= 1000; med += 1) {
      rib.applyUpdate('node-2', announce([A], '192.168.1.2', { communities: [med] }));
      rib.applyUpdate('node-2', withdraw(A));
    }
    rib.applyUpdate('node-2', announce([A], '192.168.1.2', { communities: [7] }));
    expect(rib.counters('router-4')).toMatchObject({ pendingAnnouncements: 1, pendingWithdrawals: 0 });
    const updates = pull(rib, 'router-4');
    expect(updates).toMatchObject([{ attributes: { communities: [7] }, reach: [{ prefixes: [prefix(A)] }] }]);
  });

  test('is told nothing of a prefix that is at the end as it was', () => {
    const rib = settled();
    rib.applyUpdate('node-2', announce([A], '192.168.1.2', { communities: [7] }));
    rib.applyUpdate('node-2', withdraw(A));
    rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
    expect(rib.hasPending('router-4')).toBe(false);
    expect(pull(rib, 'router-4')).toEqual([]);
  });

  test('is told nothing of a prefix that came and went meanwhile', () => {
    const rib = settled();
    rib.applyUpdate('node-2', announce(['10.244.3.0/24'], '192.168.1.2'));
    rib.applyUpdate('node-2', withdraw('10.244.3.0/24'));
    expect(pull(rib, 'router-4')).toEqual([]);
  });

  test('withdrawals go first', () => {
    const rib = settled();
    rib.applyUpdate('node-2', announce(['10.244.3.0/24'], '192.168.1.2'));
    rib.applyUpdate('node-2', withdraw(A));
    expect(pull(rib, 'router-4')).toMatchObject([
      { unreach: [{ prefixes: [prefix(A)] }], reach: [] },
      { unreach: [], reach: [{ prefixes: [prefix('10.244.3.0/24')] }] },
    ]);
  });
});

describe('what is told when the best path changes', () => {
  test('the new best path replaces the old one, and the peer that it came from loses its own', () => {
    const [first, second] = [router(4), router(5)];
    const rib = ribWith(first, second);
    rib.applyUpdate('router-4', announce([A], '192.168.1.4', { asPath: sequence(65004, 65009) }));
    for (const { id } of [first, second]) pull(rib, id);
    rib.applyUpdate('router-5', announce([A], '192.168.1.5', { asPath: sequence(65005) }));
    expect(pull(rib, 'router-4')).toMatchObject([
      { attributes: { asPath: sequence(64512, 65005) }, reach: [{ prefixes: [prefix(A)] }] },
    ]);
    expect(pull(rib, 'router-5')).toMatchObject([{ unreach: [{ prefixes: [prefix(A)] }], reach: [] }]);
  });

  test('a change that the peer does not see is not told', () => {
    const rib = settled();
    rib.applyUpdate('node-2', announce([A], '192.168.1.2', { localPref: 200, med: 3 }));
    expect(pull(rib, 'router-4')).toEqual([]);
  });
});

describe('RFC 2918 the peer asks for everything again', () => {
  test('and gets the family it asked for, without an End-of-RIB', () => {
    const rib = settled();
    rib.refreshOut('router-4', 'ipv4');
    rib.refreshOut('router-4', 'ipv6');
    const updates = pull(rib, 'router-4');
    expect(new Set(tableOf(updates).routes.keys())).toEqual(new Set([A, B].map(prefix)));
    expect(updates.some((update) => endOfRib(update) !== undefined)).toBe(false);
  });

  test('what changed and changed back meanwhile is told again all the same', () => {
    const rib = settled();
    rib.refreshOut('router-4', 'ipv4');
    rib.applyUpdate('node-2', announce([A], '192.168.1.2', { communities: [7] }));
    expect(pull(rib, 'router-4', 1)).toHaveLength(1);
    rib.applyUpdate('node-2', announce([A], '192.168.1.2', { communities: [8] }));
    rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
    expect(tableOf(pull(rib, 'router-4')).routes.has(prefix(A))).toBe(true);
  });

  test('what is withdrawn meanwhile is withdrawn', () => {
    const rib = settled();
    rib.refreshOut('router-4', 'ipv4');
    rib.applyUpdate('node-2', withdraw(A, B));
    expect(pullRoutes(rib, 'router-4')).toMatchObject([{ unreach: [{ prefixes: [prefix(A), prefix(B)] }] }]);
    expect(rib.hasPending('router-4')).toBe(false);
  });

  test('a storm of requests is answered twice at most: the one under way and one for all the rest', () => {
    const rib = settled();
    for (let request = 0; request < 1000; request += 1) rib.refreshOut('router-4', 'ipv4');
    expect(tableOf(pull(rib, 'router-4')).announced).toBe(4);
  });
});

describe('another policy', () => {
  const onlyA: RoutePolicy = {
    ...acceptAll,
    exportRoute: (_peer, to) =>
      to === prefix(A) ? { accept: true } : { accept: false, reason: 'only A is told' },
  };

  test('withdraws what it forbids, announces what it allows, and repeats nothing', () => {
    const rib = settled();
    rib.setPolicy(onlyA);
    expect(pullRoutes(rib, 'router-4')).toMatchObject([{ unreach: [{ prefixes: [prefix(B)] }] }]);
    rib.setPolicy(onlyA);
    expect(pull(rib, 'router-4')).toEqual([]);
    rib.setPolicy(acceptAll);
    expect(pull(rib, 'router-4')).toMatchObject([{ reach: [{ prefixes: [prefix(B)] }] }]);
  });

  test('what waited under the old one and is forbidden now never leaves', () => {
    const rib = ribWith(node(2), TOR);
    rib.applyUpdate('node-2', announce([A, B], '192.168.1.2'));
    rib.setPolicy(onlyA);
    const table = tableOf(pull(rib, 'router-4'));
    expect([table.announced, table.withdrawn, table.endOfRibs]).toEqual([1, 0, ['ipv4']]);
  });

  test('the End-of-RIB goes behind what is judged anew', () => {
    const rib = ribWith(node(2));
    rib.applyUpdate('node-2', announce([A], '192.168.1.2', { communities: [1] }));
    rib.applyUpdate('node-2', announce([B], '192.168.1.2', { communities: [2] }));
    rib.peerUp(TOR);
    expect(pull(rib, 'router-4', 1)).toMatchObject([{ reach: [{ prefixes: [prefix(A)] }] }]);
    rib.setPolicy({ ...acceptAll });
    const rest = pull(rib, 'router-4');
    expect(rest).toMatchObject([{ reach: [{ prefixes: [prefix(B)] }] }, endOfRibMessage('ipv4')]);
  });

  test('does not cut short the answer to a ROUTE-REFRESH', () => {
    const rib = settled();
    rib.refreshOut('router-4', 'ipv4');
    rib.setPolicy({ ...acceptAll });
    expect(tableOf(pull(rib, 'router-4')).routes.size).toBe(2);
  });

  test('may treat prefixes with one and the same path in different ways', () => {
    const rib = settled();
    const self = address('192.168.1.1');
    rib.setPolicy({
      ...acceptAll,
      exportRoute: (_peer, to) => (to === prefix(A) ? { accept: true, nextHop: 'self' } : { accept: true }),
    });
    expect(pull(rib, 'router-4')).toMatchObject([
      { reach: [{ nextHop: { address: self }, prefixes: [prefix(A)] }] },
    ]);
    rib.setPolicy({
      ...acceptAll,
      exportRoute: (_peer, to, path) => ({
        accept: true,
        nextHop: 'self',
        ...(to === prefix(A) ? {} : { path: { ...path, attributes: { ...path.attributes, med: 9 } } }),
      }),
    });
    expect(pull(rib, 'router-4')).toMatchObject([
      { attributes: { med: 9 }, reach: [{ prefixes: [prefix(B)] }] },
    ]);
  });

  test('next hop and attributes are what it says', () => {
    const rib = settled();
    rib.setPolicy({
      ...acceptAll,
      exportRoute: (_peer, _to, path) => ({
        accept: true,
        nextHop: 'self',
        path: { ...path, attributes: { ...path.attributes, communities: [9] } },
      }),
    });
    const updates = pull(rib, 'router-4');
    expect(updates).toMatchObject([
      {
        attributes: { communities: [9] },
        reach: [{ nextHop: { address: address('192.168.1.1') }, prefixes: [prefix(A), prefix(B)] }],
      },
    ]);
  });
});

describe('RFC 4271 §9.2 packing', () => {
  test('10 000 prefixes with one attribute set go in as few messages as octets allow, none too long', () => {
    const rib = ribWith(node(2), TOR);
    const prefixes = many(10_000);
    for (let start = 0; start < prefixes.length; start += 100) {
      rib.applyUpdate('node-2', announceMany(prefixes.slice(start, start + 100)));
    }
    const updates = pullRoutes(rib, 'router-4');
    const frames = updates.map((update) => encodeMessage(update, { ...CONTEXT, peerType: 'ebgp' }));
    expect(Math.max(...frames.map((frame) => frame.length))).toBeLessThanOrEqual(4096);
    // A /24 takes 4 octets; header, lengths, ORIGIN, AS_PATH of one AS and NEXT_HOP take 19 + 4 + 4 + 9 + 7.
    expect(updates).toHaveLength(Math.ceil(10_000 / Math.floor((4096 - 43) / 4)));
    expect(new Set(tableOf(updates).routes.keys())).toEqual(new Set(prefixes));

    rib.peerDown('node-2', { keepStale: false });
    const withdrawals = pull(rib, 'router-4');
    expect(withdrawals).toHaveLength(Math.ceil(10_000 / Math.floor((4096 - 23) / 4)));
    expect(tableOf(withdrawals).withdrawn).toBe(10_000);
  });

  test('a message is filled to its last octet', () => {
    const rib = ribWith(node(2), TOR);
    rib.applyUpdate('node-2', announceMany(many(20)));
    const context = { ...CONTEXT, maxMessageLength: 43 + 10 * 4 };
    const frames = pull(rib, 'router-4', 2, context).map((update) => encodeMessage(update, context));
    expect(frames.map((frame) => frame.length)).toEqual([83, 83]);
    expect(rib.counters('router-4')).toMatchObject({ advertised: 20, pendingAnnouncements: 0 });
  });

  test('equal attributes of different peers travel together', () => {
    const rib = ribWith(node(2), node(3), TOR);
    rib.applyUpdate('node-2', announce([A], '192.168.1.9'));
    rib.applyUpdate('node-3', announce([B], '192.168.1.9'));
    expect(pullRoutes(rib, 'router-4')).toMatchObject([{ reach: [{ prefixes: [prefix(A), prefix(B)] }] }]);
  });

  test('RFC 8654: an extended message takes more', () => {
    const rib = ribWith(node(2), TOR);
    rib.applyUpdate('node-2', announceMany(many(10_000)));
    const context = { ...CONTEXT, maxMessageLength: 65_535 };
    const updates = pull(rib, 'router-4', Number.POSITIVE_INFINITY, context);
    expect(updates).toHaveLength(2);
    expect(updates.map((update) => encodeMessage(update, context).length <= 65_535)).toEqual([true, true]);
  });

  test('every message survives the codec: what the peer decodes is the table that was meant', () => {
    const rib = ribWith(node(2), node(3), router(4));
    const context = { ...CONTEXT, peerType: 'ebgp' as const };
    for (let set = 0; set < 50; set += 1) {
      rib.applyUpdate(
        'node-2',
        announceMany(many(7, set * 7), { communities: [set], asPath: sequence(65009) }),
      );
    }
    const ipv6 = Array.from({ length: 500 }, (_, index) => `fd00:1:${index.toString(16)}::/48`);
    rib.applyUpdate('node-3', announce(ipv6, 'fd00::3'));
    const meant = new PeerTable();
    const decoded = new PeerTable();
    for (const update of pull(rib, 'router-4', Number.POSITIVE_INFINITY, context)) {
      meant.apply(update);
      const frame = encodeMessage(update, context);
      expect(frame.length).toBeLessThanOrEqual(4096);
      const message = decodeMessage(frame, context);
      if (message.type !== 'UPDATE') throw new Error(`decoded as ${message.type}`);
      decoded.apply(message);
    }
    expect(decoded.routes).toEqual(meant.routes);
    expect(decoded.routes.size).toBe(850);
    expect(decoded.endOfRibs).toEqual(['ipv4', 'ipv6']);
  });

  test('attributes that fill the message keep their own route back and no other one', () => {
    const rib = settled();
    const long = { communities: Array.from({ length: 1012 }, (_, index) => index) };
    const reason = 'its attributes leave no room for a prefix in one message';
    rib.applyUpdate('node-2', announce([A], '192.168.1.2', long));
    rib.applyUpdate('node-2', announce(['10.244.3.0/24'], '192.168.1.2'));
    const table = tableOf(pull(rib, 'router-4'));
    expect([...table.routes.keys()]).toEqual([prefix('10.244.3.0/24')]);
    expect(table.withdrawn).toBe(1);
    expect(rib.counters('router-4')).toMatchObject({ advertised: 2, oversized: 1 });
    expect([...rib.advertised('router-4')]).toContainEqual({ prefix: prefix(A), state: 'refused', reason });
    expect(rib.hasPending('router-4')).toBe(false);

    rib.applyUpdate('node-2', announce([A], '192.168.1.2'));
    expect(tableOf(pull(rib, 'router-4')).routes.has(prefix(A))).toBe(true);
    expect(rib.counters('router-4')).toMatchObject({ advertised: 3, oversized: 0 });
  });
});

describe('the view of what a peer is told', () => {
  test('tells sent, pending and refused apart', () => {
    const rib = settled();
    rib.applyUpdate('node-2', announce([B], '192.168.1.2', { communities: [0xffffff01] }));
    rib.applyUpdate('node-2', announce(['10.244.3.0/24'], '192.168.1.2'));
    expect([...rib.advertised('router-4')]).toMatchObject([
      { prefix: prefix(A), state: 'sent', attributes: { asPath: sequence(64512) } },
      { prefix: prefix(B), state: 'refused', reason: 'it carries NO_EXPORT' },
      { prefix: prefix('10.244.3.0/24'), state: 'pending', nextHop: { address: address('192.168.1.2') } },
    ]);
    expect(rib.counters('router-4')).toMatchObject({
      advertised: 2,
      pendingAnnouncements: 1,
      pendingWithdrawals: 1,
    });
    expect([...rib.advertised('router-4', 'ipv6')]).toEqual([]);
    expect([...rib.advertised('nobody')]).toEqual([]);
    expect(rib.counters('nobody')).toMatchObject({ received: 0, advertised: 0 });
  });
});
