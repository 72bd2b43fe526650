import { describe, expect, test } from 'vitest';
import { type Decision, decide } from '../../../../bgp/rib/decision.js';
import type { Path, RibPeer } from '../../../../bgp/rib/index.js';
import type { PathAttributes } from '../../../../bgp/wire/index.js';
import { address, attributes, identifier, node, router, sequence } from '../../../support/rib.js';

interface Traits extends Partial<PathAttributes> {
  readonly peer?: RibPeer;
  readonly nextHop?: string;
}

function path({ peer = node(9), nextHop = '192.168.1.9', ...rest }: Traits = {}): Path {
  return { peer, nextHop: { address: address(nextHop) }, attributes: attributes(rest) };
}

const NEAR = address('192.168.1.2');
const igpCost: Parameters<typeof decide>[1] = (nextHop) => (nextHop.address === NEAR ? 10 : 20);

function choose(...paths: readonly [Path, ...Path[]]): Decision {
  return decide(paths, igpCost);
}

/** Bad at every step. Each row below is bad as well, but for the one step that it is named after. */
const WORST = {
  asPath: sequence(65001, 65002),
  origin: 'INCOMPLETE',
  med: 50,
  localPref: 50,
  clusterList: [identifier('1.1.1.1'), identifier('2.2.2.2')],
  nextHop: '192.168.1.9',
} as const satisfies Traits;

function worst(id: string, changes: Traits = {}): Path {
  return path({ peer: node(9, { id, identifier: identifier('9.9.9.9') }), ...WORST, ...changes });
}

const LADDER: readonly (readonly [step: string, path: Path, reason: string])[] = [
  [
    'a route of this node itself',
    {
      attributes: attributes({ origin: 'INCOMPLETE', localPref: 1 }),
      nextHop: { address: address('0.0.0.0') },
    },
    'announced by this node itself',
  ],
  ['§9.1.1 LOCAL_PREF', worst('pref', { localPref: 60 }), 'higher LOCAL_PREF (60 over 50)'],
  ['§9.1.2.2 a AS_PATH length', worst('short', { asPath: sequence(65001) }), 'shorter AS_PATH (1 over 2)'],
  ['§9.1.2.2 b ORIGIN', worst('egp', { origin: 'EGP' }), 'better ORIGIN (EGP over INCOMPLETE)'],
  ['§9.1.2.2 c MED', worst('med', { med: 40 }), 'lower MED from AS 65001 (40 over 50)'],
  [
    '§9.1.2.2 d eBGP over iBGP',
    worst('ebgp', { peer: router(9, { identifier: identifier('9.9.9.9') }) }),
    'eBGP over iBGP',
  ],
  ['§9.1.2.2 e IGP cost', worst('near', { nextHop: '192.168.1.2' }), 'lower IGP cost (10 over 20)'],
  [
    '§9.1.2.2 f BGP identifier',
    worst('id', { peer: node(9, { id: 'id', identifier: identifier('5.5.5.5') }) }),
    'lower BGP identifier (5.5.5.5 over 9.9.9.9)',
  ],
  [
    'RFC 4456 §9 CLUSTER_LIST length',
    worst('cluster', { clusterList: [identifier('1.1.1.1')] }),
    'shorter CLUSTER_LIST (1 over 2)',
  ],
  [
    '§9.1.2.2 g peer address',
    worst('address', { peer: node(8, { id: 'z', identifier: identifier('9.9.9.9') }) }),
    'lower peer address (192.168.1.8 over 192.168.1.9)',
  ],
  ['the name of the peer, where addresses are equal', worst('a'), 'first by name (a over b)'],
  ['nothing', worst('b'), ''],
];

describe('RFC 4271 §9.1 the decision process', () => {
  const pairs = LADDER.slice(0, -1).map((row, index) => [...row, LADDER.slice(index + 1)] as const);

  test.each(pairs)('%s wins over everything beneath it', (_step, better, reason, beneath) => {
    for (const [name, worse] of beneath) {
      for (const decision of [choose(better, worse), choose(worse, better)]) {
        expect(decision.best, `against ${name}`).toBe(better);
        expect(decision.reason).toBe(decision.lost[0]?.reason);
      }
    }
    const next = beneath[0]?.[1];
    expect(next && choose(next, better).reason).toBe(reason);
  });

  test('one walk over all of them names the step that each one lost at, and the last step as the reason', () => {
    const [first, ...rest] = LADDER.slice(1).map(([, row]) => row);
    if (first === undefined) throw new Error('the ladder is empty');
    const { best, reason, lost } = choose(first, ...rest);
    expect(best).toBe(LADDER[1]?.[1]);
    expect(reason).toBe('higher LOCAL_PREF (60 over 50)');
    expect(new Set(lost.map((one) => one.reason))).toEqual(new Set([reason]));
    expect(lost).toHaveLength(LADDER.length - 2);
  });

  test('a lone path wins by being the only one', () => {
    const only = path();
    expect(choose(only)).toEqual({ best: only, reason: 'the only path', lost: [], equalCost: [only] });
  });

  test('the reason is the step that removed the last rival, not the first step that removed one', () => {
    const best = worst('a', { origin: 'IGP' });
    const { reason } = choose(worst('b', { localPref: 10 }), worst('c'), best);
    expect(reason).toBe('better ORIGIN (IGP over INCOMPLETE)');
  });

  test('the same peer twice is a fault of the caller', () => {
    expect(() => choose(path(), path())).toThrow('two paths to one prefix from the same peer node-9');
  });
});

describe('RFC 4271 §9.1.2.2 a, the length of an AS_PATH', () => {
  const three = path({ peer: router(1), asPath: sequence(65001, 65002, 65003) });

  test('an AS_SET counts as one AS however many it holds', () => {
    const set = { kind: 'set', asns: [1, 2, 3, 4, 5] } as const;
    const two = path({ peer: router(2), asPath: [...sequence(65002), set] });
    expect(choose(three, two)).toMatchObject({ best: two, reason: 'shorter AS_PATH (2 over 3)' });
  });

  test('RFC 5065 §5.3: confederation segments count as nothing', () => {
    const confederation = { kind: 'confedSequence', asns: [1, 2, 3, 4, 5] } as const;
    const two = path({ peer: router(2), asPath: [confederation, ...sequence(65002, 65003)] });
    expect(choose(three, two)).toMatchObject({ best: two, reason: 'shorter AS_PATH (2 over 3)' });
  });
});

describe('RFC 4271 §9.1.2.2 c, MED', () => {
  test('is not compared between different neighbour ASes', () => {
    const low = path({ peer: router(2), asPath: sequence(65002), med: 1 });
    const high = path({ peer: router(1), asPath: sequence(65001), med: 100 });
    expect(choose(low, high)).toMatchObject({
      best: high,
      reason: 'lower BGP identifier (192.168.1.1 over 192.168.1.2)',
    });
  });

  test('a missing MED is the lowest', () => {
    const none = path({ peer: router(2), asPath: sequence(65001) });
    const one = path({ peer: router(1), asPath: sequence(65001), med: 1 });
    expect(choose(one, none)).toMatchObject({ best: none, reason: 'lower MED from AS 65001 (0 over 1)' });
  });

  test('over iBGP the neighbour AS is the first of the path; an empty one is of our own AS', () => {
    const inside = path({ peer: node(5), med: 100 });
    const other = path({ peer: node(6), med: 1 });
    expect(choose(inside, other).reason).toBe('lower MED from AS 64512 (1 over 100)');
  });

  test('a path that starts with an AS_SET came from the peer over eBGP, from our own AS over iBGP', () => {
    const asPath = [{ kind: 'set', asns: [65009] }] as const;
    const outside = path({ peer: router(1), asPath, med: 7 });
    const same = path({ peer: router(2), asPath: sequence(65001), med: 3 });
    expect(choose(outside, same)).toMatchObject({ best: same, reason: 'lower MED from AS 65001 (3 over 7)' });
    const inside = path({ peer: node(3), asPath, med: 9 });
    expect(choose(inside, same).reason).toBe('eBGP over iBGP');
  });

  test('eliminates before the router ids are compared, so that no order of arrival changes the outcome', () => {
    // By pairs a beats b, b beats c and c beats a: the example that a sequential comparison gets wrong.
    const a = path({
      peer: router(1, { identifier: identifier('3.3.3.3') }),
      asPath: sequence(65001),
      med: 10,
    });
    const b = path({
      peer: router(2, { identifier: identifier('1.1.1.1') }),
      asPath: sequence(65001),
      med: 20,
    });
    const c = path({
      peer: router(3, { identifier: identifier('2.2.2.2') }),
      asPath: sequence(65002),
      med: 0,
    });
    for (const order of [
      [a, b, c],
      [a, c, b],
      [b, a, c],
      [b, c, a],
      [c, a, b],
      [c, b, a],
    ] as const) {
      expect(choose(...order)).toMatchObject({
        best: c,
        reason: 'lower BGP identifier (2.2.2.2 over 3.3.3.3)',
        lost: [
          { path: b, reason: 'lower MED from AS 65001 (10 over 20)' },
          { path: a, reason: 'lower BGP identifier (2.2.2.2 over 3.3.3.3)' },
        ],
      });
    }
  });
});

describe('RFC 4456 §9, reflected paths', () => {
  test('ORIGINATOR_ID stands in for the identifier of the peer', () => {
    const reflected = path({ peer: node(2), originatorId: identifier('192.168.1.7') });
    const direct = path({ peer: node(5) });
    expect(choose(reflected, direct)).toMatchObject({
      best: direct,
      reason: 'lower BGP identifier (192.168.1.5 over 192.168.1.7)',
    });
  });
});

describe('paths that could share the traffic', () => {
  test('are those that only the tie-breaks tell apart', () => {
    const [a, b] = [path({ peer: node(2) }), path({ peer: node(3) })];
    const far = path({ peer: node(4), localPref: 90 });
    const { best, equalCost } = choose(far, b, a);
    expect(best).toBe(a);
    expect(new Set(equalCost)).toEqual(new Set([a, b]));
  });

  test('are the best alone where an earlier step decides', () => {
    const [a, b] = [path({ peer: node(2), med: 1 }), path({ peer: node(3), med: 2 })];
    expect(choose(a, b).equalCost).toEqual([a]);
  });
});
