/** Direct, tunnel or nothing: the decision for one route, and its sentence. */
import { describe, expect, test } from 'vitest';
import type { LearnedRoute, PoolFacts } from '../../../ipip/index.js';
import { interfaceIndex, type Lookup } from '../../../ipip/kernel/kernel.js';
import { coveringPrefixes, type HostFacts, Planner, poolOf, type TunnelUse } from '../../../ipip/plan.js';
import { address, prefix } from '../../support/addresses.js';
import { learned } from '../../support/dataplane-suite.js';

const ETH0 = interfaceIndex(2);
const TUNNEL = interfaceIndex(9);
const READY: TunnelUse = { state: 'ready', device: 'podroute0', interfaceIndex: TUNNEL };

const LOOKUPS: Readonly<Record<string, Lookup>> = {
  '192.168.1.12': { kind: 'onlink', interfaceIndex: ETH0, prefix: prefix('192.168.1.0/24') },
  '192.168.2.11': {
    kind: 'gateway',
    gateway: address('192.168.1.254'),
    interfaceIndex: ETH0,
    prefix: prefix('0.0.0.0/0'),
  },
  '192.168.1.11': { kind: 'local' },
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

function planner(ipipMode: PoolFacts['ipipMode'], tunnel: TunnelUse = READY): Planner {
  const lookups = new Map(Object.entries(LOOKUPS).map(([text, lookup]) => [address(text), lookup]));
  const facts: HostFacts = {
    pools: [pool('10.244.0.0/16', ipipMode), pool('fd00:244::/32', ipipMode)],
    tunnel,
    lookups,
    deviceNames: new Map([
      [ETH0, 'eth0'],
      [TUNNEL, 'podroute0'],
    ]),
  };
  return new Planner(facts, coveringPrefixes(lookups.keys()));
}

const plan = (route: LearnedRoute, mode: PoolFacts['ipipMode'] = 'CrossSubnet', tunnel?: TunnelUse) =>
  planner(mode, tunnel).plan(route);

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
      'of the other family: nothing',
      'CrossSubnet',
      '2001:db8::2',
      'none',
      undefined,
      'next hop 2001:db8::2 is of the other address family',
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
    expect(plan(learned('fd00:244:1::/64', 'fe80::2')).reason).toContain('link-local');
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
    const facts = { pools: everything, tunnel: READY, lookups, deviceNames: new Map() };
    const both = new Planner(facts, coveringPrefixes(lookups.keys()));
    expect(both.plan(learned('192.168.2.0/24', '192.168.3.11')).reason).toContain('would lead into itself');
    expect(both.plan(learned('192.168.4.0/24', '192.168.3.11')).mode).toBe('ipip');
  });
});

test('of nested pools the longest decides', () => {
  const pools = [pool('10.0.0.0/8', 'Never'), pool('10.244.0.0/16', 'Always')];
  expect(poolOf(prefix('10.244.1.0/24'), pools)?.ipipMode).toBe('Always');
  expect(poolOf(prefix('10.1.1.0/24'), pools)?.ipipMode).toBe('Never');
  expect(poolOf(prefix('172.16.0.0/24'), pools)).toBeUndefined();
});
