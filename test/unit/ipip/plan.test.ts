/** Direct, tunnel or nothing: the decision for one route, and its sentence. */
import { describe, expect, test } from 'vitest';
import type { Prefix } from '../../../bgp/net/index.js';
import { NO_FACTS } from '../../../ipip/encapsulation.js';
import type {
  EncapsulationOverride,
  LearnedNextHop,
  LearnedRoute,
  NextHopFacts,
  PoolFacts,
} from '../../../ipip/index.js';
import { interfaceIndex, type Lookup } from '../../../ipip/kernel/kernel.js';
import { coveringPrefixes, Planner, poolOf } from '../../../ipip/plan.js';
import type { HostFacts, RoutePlan, TunnelUse } from '../../../ipip/plan-types.js';
import { SourceAddresses } from '../../../ipip/source-address.js';
import { address, address4, address6, prefix } from '../../support/addresses.js';
import { learned } from '../../support/plane.js';

const ETH0 = interfaceIndex(2);
const ETH1 = interfaceIndex(3);
const TUNNEL = interfaceIndex(9);
const READY = {
  state: 'ready',
  device: 'podroute0',
  interfaceIndex: TUNNEL,
  mtuBytes: 1480,
} as const satisfies TunnelUse;

const LOOKUPS: Readonly<Record<string, Lookup>> = {
  '192.168.1.12': { kind: 'onlink', interfaceIndex: ETH0, prefix: prefix('192.168.1.0/24') },
  '192.168.5.12': { kind: 'onlink', interfaceIndex: ETH1, prefix: prefix('192.168.5.0/24') },
  '192.168.2.11': {
    kind: 'gateway',
    gateway: address('192.168.1.254'),
    interfaceIndex: ETH0,
    prefix: prefix('0.0.0.0/0'),
  },
  '192.168.1.11': { kind: 'local' },
  '172.31.0.1': {
    kind: 'onlink',
    interfaceIndex: ETH0,
    prefix: prefix('172.31.0.1/32'),
    needsOnlink: true,
  },
  '203.0.113.1': { kind: 'unreachable', reason: 'network is unreachable (ENETUNREACH)' },
  '10.244.9.9': { kind: 'onlink', interfaceIndex: TUNNEL, prefix: prefix('10.244.9.0/24') },
  '2001:db8::2': { kind: 'onlink', interfaceIndex: ETH0, prefix: prefix('2001:db8::/64') },
  '2001:db8:9::2': {
    kind: 'gateway',
    gateway: address('2001:db8::1'),
    interfaceIndex: ETH0,
    prefix: prefix('::/0'),
  },
  'fe80::2': { kind: 'onlink', interfaceIndex: ETH0, prefix: prefix('fe80::/64') },
};

const pool = (cidr: string, ipipMode: PoolFacts['ipipMode']): PoolFacts => ({
  prefix: prefix(cidr),
  ipipMode,
});

function hostFacts(
  ipipMode: PoolFacts['ipipMode'],
  tunnel: TunnelUse = READY,
  change: Partial<HostFacts> = {},
): HostFacts {
  const lookups = new Map(Object.entries(LOOKUPS).map(([text, lookup]) => [address(text), lookup]));
  return {
    pools: [pool('10.244.0.0/16', ipipMode), pool('fd00:244::/32', ipipMode)],
    tunnel,
    lookups,
    deviceNames: new Map([
      [ETH0, 'eth0'],
      [ETH1, 'eth1'],
      [TUNNEL, 'podroute0'],
    ]),
    own: { address: address4('192.168.1.11'), facts: NO_FACTS },
    overrides: new Map(),
    withoutCarrier: new Set(),
    ...change,
  };
}

function planBy(facts: HostFacts, route: LearnedRoute): RoutePlan {
  return new Planner(facts, coveringPrefixes(facts.lookups.keys())).plan(route);
}

const plan = (route: LearnedRoute, mode: PoolFacts['ipipMode'] = 'CrossSubnet', tunnel?: TunnelUse) =>
  planBy(hostFacts(mode, tunnel), route);

const DIRECT = [{ gateway: address('192.168.1.12'), interfaceIndex: ETH0, onlink: false }];
const THROUGH = [{ gateway: address('192.168.2.11'), interfaceIndex: TUNNEL, onlink: true }];

describe('one next hop', () => {
  test.each([
    [
      'CrossSubnet, on-link: direct',
      'CrossSubnet',
      '192.168.1.12',
      'direct',
      DIRECT,
      'next hop 192.168.1.12 is on the same L2 network (eth0)',
    ],
    [
      'CrossSubnet, behind a gateway: tunnel',
      'CrossSubnet',
      '192.168.2.11',
      'ipip',
      THROUGH,
      'next hop 192.168.2.11 is behind gateway 192.168.1.254 (eth0)',
    ],
    [
      'Always, on-link: tunnel',
      'Always',
      '192.168.1.12',
      'ipip',
      [{ gateway: address('192.168.1.12'), interfaceIndex: TUNNEL, onlink: true }],
      "next hop 192.168.1.12 is on the same L2 network (eth0), and the pool's ipipMode is Always",
    ],
    [
      'Always, behind a gateway: tunnel',
      'Always',
      '192.168.2.11',
      'ipip',
      THROUGH,
      "next hop 192.168.2.11 is behind gateway 192.168.1.254 (eth0), and the pool's ipipMode is Always",
    ],
    [
      'Never, on-link: direct',
      'Never',
      '192.168.1.12',
      'direct',
      DIRECT,
      'next hop 192.168.1.12 is on the same L2 network (eth0)',
    ],
    [
      'Never, behind a gateway: nothing',
      'Never',
      '192.168.2.11',
      'none',
      undefined,
      "next hop 192.168.2.11 is behind gateway 192.168.1.254 (eth0), and the pool's ipipMode is Never",
    ],
    [
      'our own address: nothing',
      'CrossSubnet',
      '192.168.1.11',
      'none',
      undefined,
      'next hop 192.168.1.11 is an address of this node',
    ],
    [
      'unreachable: nothing',
      'CrossSubnet',
      '203.0.113.1',
      'none',
      undefined,
      'next hop 203.0.113.1 cannot be reached: network is unreachable (ENETUNREACH)',
    ],
    [
      'routed into the tunnel itself: nothing',
      'CrossSubnet',
      '10.244.9.9',
      'none',
      undefined,
      'next hop 10.244.9.9 is itself routed into podroute0 by 10.244.9.0/24',
    ],
    [
      'RFC 8950, an IPv6 next hop on-link: direct, Always or not',
      'Always',
      '2001:db8::2',
      'direct',
      [{ gateway: address('2001:db8::2'), interfaceIndex: ETH0, onlink: false }],
      'next hop 2001:db8::2 is on the same L2 network (eth0)',
    ],
    [
      'RFC 8950, an IPv6 next hop behind a gateway: nothing',
      'CrossSubnet',
      '2001:db8:9::2',
      'none',
      undefined,
      'next hop 2001:db8:9::2 is behind gateway 2001:db8::1 (eth0), and IPIP needs an IPv4 next hop',
    ],
    [
      'on-link by a route that the kernel takes for none of a connected network: with RTNH_F_ONLINK',
      'CrossSubnet',
      '172.31.0.1',
      'direct',
      [{ gateway: address('172.31.0.1'), interfaceIndex: ETH0, onlink: true }],
      'next hop 172.31.0.1 is on the same L2 network (eth0)',
    ],
  ] as const)('%s', (_name, mode, nextHop, expected, hops, reason) => {
    const made = plan(learned('10.244.3.0/24', nextHop), mode);
    expect(made.mode).toBe(expected);
    expect(made.target?.nextHops).toEqual(hops);
    expect(made.reason).toBe(reason);
  });

  test('outside every pool nothing is tunnelled', () => {
    expect(plan(learned('172.20.0.0/16', '192.168.1.12')).mode).toBe('direct');
    const behind = plan(learned('172.20.0.0/16', '192.168.2.11'));
    expect(behind.mode).toBe('none');
    expect(behind.reason).toContain('no pool with IPIP holds the prefix');
  });

  test('IPv6 goes direct where it can, Always or not, and never into IPIP', () => {
    expect(plan(learned('fd00:244:1::/64', '2001:db8::2'), 'Always').mode).toBe('direct');
    const behind = plan(learned('fd00:244:1::/64', '2001:db8:9::2'), 'Always');
    expect(behind.mode).toBe('none');
    expect(behind.reason).toContain('IPIP carries IPv4 only');
    expect(plan(learned('fd00:244:1::/64', '192.168.1.12')).reason).toContain('is an IPv4 address');
  });

  describe('RFC 2545 §3 link-local next hops', () => {
    const hop = (change: Partial<LearnedNextHop>, to = 'fd00:244:1::/64') =>
      plan({ ...learned(to), nextHops: [{ address: address('fe80::2'), ...change }] });
    const onEth0 = [{ gateway: address('fe80::2'), interfaceIndex: ETH0, onlink: false }];

    test.each(['fd00:244:1::/64', '10.244.3.0/24'])('on the link of its session: direct (%s)', (to) => {
      const made = hop({ device: 'eth0' }, to);
      expect(made.target?.nextHops).toEqual(onEth0);
      expect(made.nextHops).toEqual([{ address: address('fe80::2'), device: 'eth0', mode: 'direct' }]);
      expect(made.reason).toBe('next hop fe80::2 is on the same L2 network (eth0)');
    });

    test.each([
      ['without a device', {}, 'next hop fe80::2 is link-local and names no link'],
      [
        'of a device that is not there',
        { device: 'eth7' },
        'next hop fe80::2 is on the link of eth7, which this machine does not have',
      ],
    ])('%s: nothing', (_name, change, reason) => {
      expect(hop(change)).toMatchObject({ mode: 'none', reason });
    });

    test('beside a global address that is on-link: the global one', () => {
      const both = { address: address('2001:db8::2'), linkLocal: address6('fe80::2'), device: 'eth0' };
      expect(hop(both).target?.nextHops[0]?.gateway).toBe(address('2001:db8::2'));
    });

    test.each(['2001:db8:9::2', '2001:db8:7::1'])('beside %s, which is not: the link-local one', (global) => {
      const made = hop({ address: address(global), linkLocal: address6('fe80::2'), device: 'eth0' });
      expect(made.target?.nextHops).toEqual(onEth0);
      expect(made.reason).toBe(
        `next hop fe80::2 is on the same L2 network (eth0), the same machine as ${global}`,
      );
    });

    test('beside a global address, but of a session over several hops: only the global one counts', () => {
      const made = hop({ address: address('2001:db8:9::2'), linkLocal: address6('fe80::2') });
      expect(made.mode).toBe('none');
    });
  });

  test('a tunnel that drops everything keeps its routes: without them the packets would leave some other way', () => {
    const made = plan(learned('10.244.3.0/24', '192.168.2.11'), 'CrossSubnet', {
      ...READY,
      problem: 'it has no outer source',
    });
    expect(made).toMatchObject({ mode: 'ipip', problem: 'it has no outer source' });
    expect(made.target?.nextHops).toEqual(THROUGH);
    const direct = plan(learned('10.244.3.0/24', '192.168.1.12'), 'CrossSubnet', { ...READY, problem: 'it' });
    expect(direct.problem).toBeUndefined();
  });

  test('without the tunnel the mode is still ipip, with nothing to install and the reason of the tunnel', () => {
    const tunnel: TunnelUse = { state: 'absent', device: 'podroute0', reason: 'this kernel has no ipip' };
    const made = plan(learned('10.244.3.0/24', '192.168.2.11'), 'CrossSubnet', tunnel);
    expect(made).toMatchObject({ mode: 'ipip', needsTunnel: true });
    expect(made.target).toBeUndefined();
    expect(made.reason).toContain('so it needs the tunnel: this kernel has no ipip');
  });
});

describe('several next hops', () => {
  test('each goes its own way, and any in the tunnel makes the mode ipip', () => {
    const made = plan(learned('10.244.3.0/24', '192.168.1.12', '192.168.2.11'));
    expect(made.mode).toBe('ipip');
    expect(made.target?.nextHops).toEqual([...DIRECT, ...THROUGH]);
    expect(made.nextHops.map((hop) => hop.mode)).toEqual(['direct', 'ipip']);
  });

  test('those that cannot be used are left out and told', () => {
    const made = plan(learned('10.244.3.0/24', '192.168.1.12', '203.0.113.1'));
    expect(made.mode).toBe('direct');
    expect(made.target?.nextHops).toEqual(DIRECT);
    expect(made.reason).toContain('203.0.113.1 cannot be reached');
  });

  test('a missing tunnel leaves the direct one, and the mode is direct', () => {
    const tunnel: TunnelUse = { state: 'absent', device: 'podroute0', reason: 'no ipip' };
    const made = plan(learned('10.244.3.0/24', '192.168.1.12', '192.168.2.11'), 'CrossSubnet', tunnel);
    expect(made.mode).toBe('direct');
    expect(made.target?.nextHops).toEqual(DIRECT);
  });

  test('one that is told of twice is one: the kernel takes no IPv6 route with two equal ones', () => {
    const made = plan(learned('fd00:244:1::/64', '2001:db8::2', '2001:db8::2'));
    expect(made.target?.nextHops).toEqual([
      { gateway: address('2001:db8::2'), interfaceIndex: ETH0, onlink: false },
    ]);
    expect(made.nextHops).toHaveLength(1);
  });
});

describe('a device without carrier', () => {
  const without =
    (...idle: readonly (typeof ETH0)[]) =>
    (route: LearnedRoute) =>
      planBy(hostFacts('CrossSubnet', READY, { withoutCarrier: new Set(idle) }), route);

  test('takes its next hop out of use while others are left, and the reason says so', () => {
    const made = without(ETH1)(learned('10.244.3.0/24', '192.168.5.12', '192.168.1.12'));
    expect(made.target?.nextHops).toEqual(DIRECT);
    expect(made.nextHops).toEqual([
      { address: address('192.168.5.12'), device: 'eth1', mode: 'none' },
      { address: address('192.168.1.12'), device: 'eth0', mode: 'direct' },
    ]);
    expect(made.reason).toBe(
      'next hop 192.168.5.12 is on the same L2 network (eth1), left out while eth1 has no carrier; ' +
        'next hop 192.168.1.12 is on the same L2 network (eth0)',
    );
  });

  test('takes a next hop of the tunnel out of use that is reached by it', () => {
    const made = without(ETH0)(learned('10.244.3.0/24', '192.168.2.11', '192.168.5.12'));
    expect(made.target?.nextHops).toEqual([
      { gateway: address('192.168.5.12'), interfaceIndex: ETH1, onlink: false },
    ]);
    expect(made.mode).toBe('direct');
  });

  test('leaves a lone route as it is: without it the packets would leave some other way', () => {
    const made = without(ETH0)(learned('10.244.3.0/24', '192.168.1.12'));
    expect(made).toMatchObject({ mode: 'direct', target: { nextHops: DIRECT } });
  });

  test('leaves a route as it is that has no way with carrier', () => {
    const made = without(ETH0, ETH1)(learned('10.244.3.0/24', '192.168.5.12', '192.168.1.12', '203.0.113.1'));
    expect(made.target?.nextHops).toHaveLength(2);
  });
});

describe('source and MTU', () => {
  const NODE = address4('192.168.1.11');
  const TUNNEL_ADDRESS = address4('10.244.1.0');
  const links = [ETH0, TUNNEL].map((index) => ({ index, name: '', up: true, carrier: true, mtuBytes: 1500 }));

  /** A node whose eth0 has a VIP before the node address. */
  function target(...via: readonly string[]) {
    const lookups = new Map(Object.entries(LOOKUPS).map(([text, lookup]) => [address(text), lookup]));
    const addresses = [
      { index: ETH0, address: address('192.168.1.5'), lengthBits: 24 },
      { index: ETH0, address: NODE, lengthBits: 24, secondary: true as const },
      { index: TUNNEL, address: TUNNEL_ADDRESS, lengthBits: 32 },
    ];
    const facts: HostFacts = {
      pools: [pool('10.244.0.0/16', 'CrossSubnet')],
      tunnel: { ...READY, address: TUNNEL_ADDRESS },
      lookups,
      deviceNames: new Map(),
      withoutCarrier: new Set(),
      own: { address: NODE, facts: NO_FACTS },
      overrides: new Map(),
      sources: new SourceAddresses({ nodeAddress: NODE }, { links, addresses }),
    };
    return new Planner(facts, coveringPrefixes(lookups.keys())).plan(learned('10.244.3.0/24', ...via)).target;
  }

  test('direct: the node address, and the MTU of the device', () => {
    expect(target('192.168.1.12')).toEqual({ type: 'unicast', nextHops: DIRECT, source: NODE });
  });

  test('through the tunnel: its address and its MTU', () => {
    expect(target('192.168.2.11')).toEqual({
      type: 'unicast',
      nextHops: THROUGH,
      source: TUNNEL_ADDRESS,
      mtuBytes: 1480,
    });
  });

  test('both at once: those of the tunnel, which serve the direct way as well', () => {
    expect(target('192.168.1.12', '192.168.2.11')).toMatchObject({ source: TUNNEL_ADDRESS, mtuBytes: 1480 });
  });
});

describe('a route that holds next hops', () => {
  test.each([
    ['more specific than what leads to its own next hop', '192.168.1.0/25', '192.168.1.12', 'none'],
    ['as specific', '192.168.1.0/24', '192.168.1.12', 'none'],
    ['less specific: the connected route overrules it', '192.168.0.0/16', '192.168.1.12', 'direct'],
    ['direct, holding another next hop: an underlay route', '192.168.2.0/24', '192.168.1.12', 'direct'],
  ])('%s', (_name, to, via, mode) => {
    expect(plan(learned(to, via)).mode).toBe(mode);
  });

  test('through the tunnel, holding the far end of any tunnel', () => {
    const everything = [pool('0.0.0.0/0', 'CrossSubnet')];
    const lookups = new Map([
      [address('192.168.2.11'), LOOKUPS['192.168.2.11']],
      [address('192.168.3.11'), LOOKUPS['192.168.2.11']],
    ]) as HostFacts['lookups'];
    const facts = { ...hostFacts('CrossSubnet'), pools: everything, lookups };
    const both = new Planner(facts, coveringPrefixes(lookups.keys()));
    expect(both.plan(learned('192.168.2.0/24', '192.168.3.11')).reason).toContain('would lead into itself');
    expect(both.plan(learned('192.168.4.0/24', '192.168.3.11')).mode).toBe('ipip');
  });
});

describe('towards a node that says how it reaches the others', () => {
  const ON_LINK = '192.168.1.12';
  const BEHIND = '192.168.2.11';
  const NET = prefix('192.168.1.0/24');
  const facts = (...onlink: readonly Prefix[]): NextHopFacts => ({ onlink, overrides: new Map() });
  const set = (peer: string, way: EncapsulationOverride): NextHopFacts => ({
    onlink: [],
    overrides: new Map([[address4(peer), way]]),
  });
  const planned = (
    via: string,
    {
      own = facts(NET),
      other,
      mode = 'CrossSubnet' as PoolFacts['ipipMode'],
    }: {
      readonly own?: NextHopFacts;
      readonly other?: NextHopFacts;
      readonly mode?: PoolFacts['ipipMode'];
    },
  ) => {
    const base = hostFacts(mode);
    const nextHops = [{ address: address(via), ...(other === undefined ? {} : { facts: other }) }];
    const made = planBy(
      { ...base, own: { ...base.own, facts: own }, overrides: own.overrides },
      { ...learned('10.244.2.0/24'), nextHops },
    );
    return [made.mode, made.reason];
  };

  test('both on the network: direct', () => {
    expect(planned(ON_LINK, { other: facts(NET) })).toEqual([
      'direct',
      'next hop 192.168.1.12 is on the same L2 network (eth0)',
    ]);
  });

  test('it is on our network, but does not reach us there: IPIP', () => {
    expect(planned(ON_LINK, { other: facts() })).toEqual([
      'ipip',
      'next hop 192.168.1.12 is on the same L2 network (eth0), but it does not reach this node directly, so both ends use IPIP',
    ]);
  });

  test('it reaches us, we do not reach it: IPIP', () => {
    expect(planned(BEHIND, { other: facts(NET) })).toEqual([
      'ipip',
      'next hop 192.168.2.11 is behind gateway 192.168.1.254 (eth0)',
    ]);
  });

  test.each<[string, PoolFacts['ipipMode'], NextHopFacts, string]>([
    ['Always', 'Always', facts(NET), 'ipip'],
    ['Never, where the two would not go direct', 'Never', facts(), 'direct'],
  ])('the pool goes before: %s', (_name, mode, other, expected) => {
    expect(planned(ON_LINK, { other, mode })[0]).toBe(expected);
  });

  test('set to direct at both ends, with a gateway in between: nothing, and why', () => {
    expect(planned(BEHIND, { own: set(BEHIND, 'direct'), other: set('192.168.1.11', 'direct') })).toEqual([
      'none',
      'next hop 192.168.2.11 is behind gateway 192.168.1.254 (eth0), and encapsulation is set to direct, which takes a next hop on an own link',
    ]);
  });

  test('towards one that says nothing, what is set here decides alone', () => {
    expect(planned(ON_LINK, { own: set(ON_LINK, 'ipip') })).toEqual([
      'ipip',
      'next hop 192.168.1.12 is on the same L2 network (eth0), and encapsulation is set to ipip',
    ]);
    expect(planned(ON_LINK, { own: set(ON_LINK, 'direct') })[0]).toBe('direct');
    expect(planned(BEHIND, { own: set(BEHIND, 'direct') })[0]).toBe('none');
  });
});

test('of nested pools the longest decides', () => {
  const pools = [pool('10.0.0.0/8', 'Never'), pool('10.244.0.0/16', 'Always')];
  expect(poolOf(prefix('10.244.1.0/24'), pools)?.ipipMode).toBe('Always');
  expect(poolOf(prefix('10.1.1.0/24'), pools)?.ipipMode).toBe('Never');
  expect(poolOf(prefix('172.16.0.0/24'), pools)).toBeUndefined();
});
