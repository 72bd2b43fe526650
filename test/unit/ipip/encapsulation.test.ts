/** What a node says of itself, and what two nodes make of what both say. */
import { describe, expect, test } from 'vitest';
import { MAX_ONLINK_PREFIXES, NO_FACTS, ownFacts, wayBetween } from '../../../ipip/encapsulation.js';
import type { EncapsulationOverride, NextHopFacts } from '../../../ipip/index.js';
import { interfaceIndex, type Lookup } from '../../../ipip/kernel/kernel.js';
import { address, address4, prefix } from '../../support/addresses.js';

const ETH0 = interfaceIndex(2);
const TUNNEL = interfaceIndex(9);
const onlink = (by: string, index = ETH0): Lookup => ({
  kind: 'onlink',
  interfaceIndex: index,
  prefix: prefix(by),
});
const GATEWAY: Lookup = {
  kind: 'gateway',
  gateway: address('192.168.1.254'),
  interfaceIndex: ETH0,
  prefix: prefix('0.0.0.0/0'),
};
const UNREACHABLE: Lookup = { kind: 'unreachable', reason: 'network is unreachable (ENETUNREACH)' };

function facts(
  prefixes: readonly string[],
  overrides: Record<string, EncapsulationOverride> = {},
): NextHopFacts {
  const entries = Object.entries(overrides).map(([node, way]) => [address4(node), way] as const);
  return { onlink: prefixes.map(prefix), overrides: new Map(entries) };
}

describe('the way between two nodes', () => {
  const A = '192.168.1.11';
  const B = '192.168.1.12';
  const NET = ['192.168.1.0/24'];
  const way = (ofA: NextHopFacts, ofB: NextHopFacts) => {
    const a = { address: address4(A), facts: ofA };
    const b = { address: address4(B), facts: ofB };
    return { atA: wayBetween(a, b), atB: wayBetween(b, a) };
  };

  test.each<[string, NextHopFacts, NextHopFacts, 'direct' | 'ipip', string, string]>([
    ['both reach each other', facts(NET), facts(NET), 'direct', '', ''],
    [
      'one is a /32 behind a gateway',
      facts(NET),
      facts([]),
      'ipip',
      ', but it does not reach this node directly, so both ends use IPIP',
      '',
    ],
    ['neither reaches the other', facts([]), facts(['10.0.0.0/8']), 'ipip', '', ''],
    ['host routes both ways', facts(['192.168.1.12/32']), facts(['192.168.1.11/32']), 'direct', '', ''],
    [
      'one is set to ipip',
      facts(NET, { [B]: 'ipip' }),
      facts(NET),
      'ipip',
      ', and encapsulation is set to ipip',
      ', but it sends to this node through IPIP, so both ends do',
    ],
    [
      'one is set to direct, the other has a network for it',
      facts([], { [B]: 'direct' }),
      facts(NET),
      'direct',
      ', and encapsulation is set to direct',
      '',
    ],
    [
      'one is set to direct, no network tells at the other',
      facts(NET, { [B]: 'direct' }),
      facts([]),
      'ipip',
      ', but it does not reach this node directly, so both ends use IPIP',
      '',
    ],
    [
      'both are set to direct, no network tells',
      facts([], { [B]: 'direct' }),
      facts([], { [A]: 'direct' }),
      'direct',
      ', and encapsulation is set to direct',
      ', and encapsulation is set to direct',
    ],
    [
      'one direct, the other ipip',
      facts(NET, { [B]: 'direct' }),
      facts(NET, { [A]: 'ipip' }),
      'ipip',
      ', but it sends to this node through IPIP, so both ends do',
      ', and encapsulation is set to ipip',
    ],
    ['set for a third node only', facts(NET, { '192.168.1.99': 'ipip' }), facts(NET), 'direct', '', ''],
  ])('%s', (_name, ofA, ofB, mode, becauseAtA, becauseAtB) => {
    expect(way(ofA, ofB)).toEqual({
      atA: { mode, because: becauseAtA },
      atB: { mode, because: becauseAtB },
    });
  });
});

describe('what a node says of itself', () => {
  const B = address4('192.168.1.12');
  const C = address4('192.168.1.13');
  const D = address4('192.168.2.14');
  const said = (
    lookups: ReadonlyMap<ReturnType<typeof address>, Lookup>,
    more: { overrides?: ReadonlyMap<typeof B, EncapsulationOverride>; before?: NextHopFacts } = {},
  ) =>
    ownFacts({
      nodes: [D, C, B],
      lookups,
      tunnelIndex: TUNNEL,
      overrides: more.overrides ?? new Map(),
      before: more.before ?? NO_FACTS,
    });

  test('the prefixes by which it reaches nodes on a link, each once, whatever was configured', () => {
    expect(
      said(
        new Map([
          [B, onlink('192.168.0.0/16')],
          [C, onlink('192.168.0.0/16')],
          [D, GATEWAY],
        ]),
      ),
    ).toEqual(facts(['192.168.0.0/16'], { '192.168.2.14': 'ipip' }));
    expect(
      said(
        new Map([
          [B, onlink('192.168.1.12/32')],
          [C, GATEWAY],
          [D, GATEWAY],
        ]),
      ),
    ).toEqual(facts(['192.168.1.12/32']));
  });

  test('a node that a host route leads elsewhere is told as an exception', () => {
    expect(
      said(
        new Map([
          [B, onlink('192.168.1.0/24')],
          [C, GATEWAY],
          [D, GATEWAY],
        ]),
      ),
    ).toEqual(facts(['192.168.1.0/24'], { '192.168.1.13': 'ipip' }));
  });

  test('what is set goes before what is found; what is set for others is not told', () => {
    const overrides = new Map([
      [B, 'ipip'],
      [C, 'direct'],
      [address4('203.0.113.9'), 'ipip'],
    ] as const);
    const lookups = new Map([
      [B, onlink('192.168.1.0/24')],
      [C, GATEWAY],
      [D, GATEWAY],
    ]);
    expect(said(lookups, { overrides })).toEqual(
      facts(['192.168.1.0/24'], { '192.168.1.12': 'ipip', '192.168.1.13': 'direct' }),
    );
  });

  test('while the kernel has no way to a node, what was said of it stays', () => {
    const before = facts(['192.168.1.0/24', '10.0.0.0/8']);
    expect(
      said(
        new Map([
          [B, UNREACHABLE],
          [C, UNREACHABLE],
          [D, UNREACHABLE],
        ]),
        { before },
      ),
    ).toEqual(facts(['192.168.1.0/24']));
    expect(
      said(
        new Map([
          [B, GATEWAY],
          [C, GATEWAY],
          [D, GATEWAY],
        ]),
        { before },
      ),
    ).toEqual(facts([]));
  });

  test('a node that is routed into our tunnel is on no link', () => {
    expect(
      said(
        new Map([
          [B, onlink('192.168.1.0/24', TUNNEL)],
          [C, GATEWAY],
          [D, GATEWAY],
        ]),
      ),
    ).toEqual(facts([]));
  });

  test('bounded, and the same in any order', () => {
    const nodes = Array.from({ length: 300 }, (_, index) => address4(`10.0.${index >> 8}.${index & 255}`));
    const lookups = new Map(
      nodes.map((node) => [
        node as ReturnType<typeof address>,
        onlink(`10.0.${(node >> 8) & 255}.${node & 255}/32`),
      ]),
    );
    const overrides = new Map(nodes.map((node) => [node as ReturnType<typeof address>, 'ipip' as const]));
    const one = ownFacts({ nodes, lookups, tunnelIndex: TUNNEL, overrides, before: NO_FACTS });
    const other = ownFacts({
      nodes: nodes.toReversed(),
      lookups,
      tunnelIndex: TUNNEL,
      overrides,
      before: NO_FACTS,
    });
    expect(one.onlink).toHaveLength(MAX_ONLINK_PREFIXES);
    expect(one.overrides.size).toBe(128);
    expect(other).toEqual(one);
  });
});
