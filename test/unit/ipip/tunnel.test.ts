/** The tunnel as a value, and the steps to it. */
import { describe, expect, test } from 'vitest';
import type { IpAddress } from '../../../bgp/net/index.js';
import type { NodeFacts } from '../../../ipip/index.js';
import { interfaceIndex, type KernelAddress, type KernelLink } from '../../../ipip/kernel/kernel.js';
import { describeTunnel, diffTunnel, tunnelProblem, wishForTunnel } from '../../../ipip/tunnel.js';
import { address, address4, prefix } from '../../support/addresses.js';
import { FACTS } from '../../support/plane.js';

const ETH0: KernelLink = { index: interfaceIndex(2), name: 'eth0', up: true, carrier: true, mtuBytes: 1500 };
const PARAMETERS = {
  local: address4('192.168.1.11'),
  remote: address4('0.0.0.0'),
  ttl: 64,
  pathMtuDiscovery: true,
};
const TUNNEL: KernelLink = {
  index: interfaceIndex(9),
  name: 'podroute0',
  kind: 'ipip',
  up: true,
  carrier: true,
  mtuBytes: 1480,
  ipip: PARAMETERS,
};
/** No route names a source. */
const NONE: ReadonlySet<IpAddress> = new Set();
const NODE: KernelAddress = { index: ETH0.index, address: address('192.168.1.11'), lengthBits: 24 };
const own = (text: string, lengthBits = 32): KernelAddress => ({
  index: TUNNEL.index,
  address: address(text),
  lengthBits,
});

const describeIt = (facts: Partial<NodeFacts> = {}, links = [ETH0], addresses = [NODE]) =>
  describeTunnel('podroute0', { ...FACTS, ...facts }, links, addresses);

describe('the description', () => {
  test('local is the node address, MTU the underlay less 20, address the first subnet as /32', () => {
    expect(describeIt({ blocks: [prefix('10.244.1.0/24'), prefix('10.244.9.0/24')] })).toEqual({
      device: 'podroute0',
      local: address4('192.168.1.11'),
      mtuBytes: 1480,
      address: address4('10.244.1.0'),
    });
  });

  test('an IPv6 subnet names no address; the first IPv4 one does', () => {
    expect(describeIt({ blocks: [prefix('fd00:1::/64'), prefix('10.244.9.0/24')] }).address).toBe(
      address4('10.244.9.0'),
    );
    expect(describeIt({ blocks: [prefix('fd00:1::/64')] })).not.toHaveProperty('address');
  });

  test('the link that has the node address is the underlay, not any other', () => {
    const jumbo: KernelLink = { ...ETH0, index: interfaceIndex(3), name: 'eth1', mtuBytes: 9000 };
    expect(describeIt({}, [jumbo, ETH0]).mtuBytes).toBe(1480);
    expect(describeIt({}, [ETH0, jumbo], [{ ...NODE, index: jumbo.index }]).mtuBytes).toBe(8980);
    expect(describeIt({}, [jumbo], []).mtuBytes).toBe(1480);
  });
});

describe('the next step', () => {
  const spec = describeIt();

  test.each([
    [
      'no device: make it',
      [ETH0],
      [NODE],
      { op: 'createIpip', name: 'podroute0', parameters: PARAMETERS, mtuBytes: 1480 },
    ],
    [
      'a far end of its own: remove it, the kernel cannot change that',
      [ETH0, { ...TUNNEL, ipip: { ...PARAMETERS, remote: address4('192.168.2.11') } }],
      [NODE],
      { op: 'deleteLink', index: TUNNEL.index },
    ],
    [
      'another local end: change it',
      [ETH0, { ...TUNNEL, ipip: { ...PARAMETERS, local: address4('192.168.1.99') } }],
      [NODE, own('10.244.1.0')],
      { op: 'changeIpip', index: TUNNEL.index, parameters: PARAMETERS },
    ],
    [
      'ttl inherited: change it',
      [ETH0, { ...TUNNEL, ipip: { ...PARAMETERS, ttl: 0 } }],
      [NODE, own('10.244.1.0')],
      { op: 'changeIpip', index: TUNNEL.index, parameters: PARAMETERS },
    ],
    [
      'no path MTU discovery: change it',
      [ETH0, { ...TUNNEL, ipip: { ...PARAMETERS, pathMtuDiscovery: false } }],
      [NODE, own('10.244.1.0')],
      { op: 'changeIpip', index: TUNNEL.index, parameters: PARAMETERS },
    ],
    [
      'another MTU: set it',
      [ETH0, { ...TUNNEL, mtuBytes: 1500 }],
      [NODE, own('10.244.1.0')],
      { op: 'setMtu', index: TUNNEL.index, mtuBytes: 1480 },
    ],
    [
      'no address: add it',
      [ETH0, { ...TUNNEL, up: false }],
      [NODE],
      { op: 'addAddress', address: own('10.244.1.0') },
    ],
    [
      'another address: add ours before it goes',
      [ETH0, TUNNEL],
      [NODE, own('10.244.7.0')],
      { op: 'addAddress', address: own('10.244.1.0') },
    ],
    [
      'ours and another: remove the other',
      [ETH0, TUNNEL],
      [NODE, own('10.244.7.0'), own('10.244.1.0')],
      { op: 'removeAddress', address: own('10.244.7.0') },
    ],
    [
      'ours with another length: it is another one',
      [ETH0, TUNNEL],
      [NODE, own('10.244.1.0', 24), own('10.244.1.0')],
      { op: 'removeAddress', address: own('10.244.1.0', 24) },
    ],
    [
      'down: bring it up',
      [ETH0, { ...TUNNEL, up: false }],
      [NODE, own('10.244.1.0')],
      { op: 'setUp', index: TUNNEL.index },
    ],
  ] as const)('%s', (_name, links, addresses, operation) => {
    expect(diffTunnel(spec, links, addresses, NONE)).toEqual({ kind: 'step', operation });
  });

  test('as described: done; an IPv6 link-local address on it is the kernel’s own', () => {
    const addresses = [NODE, own('10.244.1.0'), own('fe80::1', 64)];
    expect(diffTunnel(spec, [ETH0, TUNNEL], addresses, NONE)).toEqual({
      kind: 'done',
      link: TUNNEL,
      waiting: [],
    });
  });

  test('an old address that routes name as their source waits for them; others go before it', () => {
    const old = own('10.244.7.0');
    const named = new Set([old.address]);
    const all = [NODE, old, own('10.244.8.0'), own('10.244.1.0')];
    expect(diffTunnel(spec, [ETH0, TUNNEL], all, named)).toEqual({
      kind: 'step',
      operation: { op: 'removeAddress', address: own('10.244.8.0') },
    });
    const left = [NODE, old, own('10.244.1.0')];
    expect(diffTunnel(spec, [ETH0, TUNNEL], left, named)).toEqual({
      kind: 'done',
      link: TUNNEL,
      waiting: [old],
    });
  });

  test('without a subnet of our own, the address that is there stays: the last one takes the routes along', () => {
    const bare = describeIt({ blocks: [] });
    expect(diffTunnel(bare, [ETH0, TUNNEL], [NODE, own('10.244.7.0')], NONE)).toMatchObject({ kind: 'done' });
  });

  test('a device of another kind is in the way', () => {
    const bridge: KernelLink = { ...ETH0, index: interfaceIndex(9), name: 'podroute0', kind: 'bridge' };
    expect(diffTunnel(spec, [ETH0, bridge], [NODE], NONE)).toEqual({
      kind: 'blocked',
      reason: expect.stringContaining('podroute0 exists and is no ipip device (bridge)'),
    });
  });
});

describe('the wish', () => {
  const facts = (blocks: readonly string[], ...modes: readonly ('Always' | 'CrossSubnet' | 'Never')[]) => ({
    ...FACTS,
    blocks: blocks.map(prefix),
    pools: modes.map((ipipMode) => ({ prefix: prefix('10.244.0.0/16'), ipipMode })),
  });

  test.each([
    [
      'a pool allows it and the node has a subnet',
      facts(['10.244.1.0/24'], 'Never', 'CrossSubnet'),
      false,
      'wanted',
    ],
    ['a route needs it', facts([], 'CrossSubnet'), true, 'wanted'],
    ['a pool allows it, no subnet yet', facts([], 'Always'), false, 'keep'],
    ['no pool allows it', facts(['10.244.1.0/24'], 'Never'), false, 'unwanted'],
    ['no pool at all', facts(['10.244.1.0/24']), false, 'unwanted'],
  ])('%s', (_name, given, routeNeedsIt, wish) => {
    expect(wishForTunnel(given, routeNeedsIt)).toBe(wish);
  });
});

test('a refusal to make the device names the remedy for a kernel without ipip, and the rival of its ends', () => {
  const spec = describeIt();
  const create = { op: 'createIpip', name: 'podroute0', parameters: PARAMETERS, mtuBytes: 1480 } as const;
  expect(tunnelProblem(spec, create, 'KERNEL_EOPNOTSUPP', '')).toContain('modprobe ipip');
  expect(tunnelProblem(spec, create, 'KERNEL_EEXIST', '')).toContain('another ipip device');
  expect(tunnelProblem(spec, { op: 'setUp', index: TUNNEL.index }, 'KERNEL_ENOMEM', 'no memory')).toBe(
    'podroute0 cannot be set up: no memory',
  );
});
