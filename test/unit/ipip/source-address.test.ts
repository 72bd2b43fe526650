/** The source of the node's own packets: named where the kernel would choose another one, and only if it is there. */
import { describe, expect, test } from 'vitest';
import { interfaceIndex, type KernelAddress, type KernelLink } from '../../../ipip/kernel/kernel.js';
import { SourceAddresses } from '../../../ipip/source-address.js';
import { address, address4, address6 } from '../../support/addresses.js';

const ETH0 = interfaceIndex(2);
const ETH1 = interfaceIndex(3);
const NODE = { nodeAddress: address4('192.168.1.11'), nodeAddress6: address6('2001:db8::11') };

/** `192.168.1.11/24 secondary` */
function on(index: typeof ETH0, ...texts: readonly string[]): readonly KernelAddress[] {
  return texts.map((text) => {
    const [cidr = '', ...flags] = text.split(' ');
    const [host = '', lengthBits] = cidr.split('/');
    const marks = Object.fromEntries(flags.map((flag) => [flag, true as const]));
    return { index, address: address(host), lengthBits: Number(lengthBits), ...marks };
  });
}

const link = (index: typeof ETH0, up = true): KernelLink => ({
  index,
  name: `eth${index - 2}`,
  up,
  carrier: up,
  mtuBytes: 1500,
});

const sources = (addresses: readonly KernelAddress[], links = [link(ETH0), link(ETH1)]) =>
  new SourceAddresses(NODE, { addresses, links });

const GATEWAY = address('192.168.1.12');
const GATEWAY6 = address('2001:db8::12');

describe('a direct IPv4 route', () => {
  test.each([
    ['the only address', on(ETH0, '192.168.1.11/24')],
    ['the first of several in one subnet', on(ETH0, '192.168.1.11/24', '192.168.1.5/24 secondary')],
    ['in the subnet of the gateway, behind another one', on(ETH0, '10.9.0.1/16', '192.168.1.11/24')],
    ['the first, where no subnet holds the gateway', on(ETH0, '192.168.1.11/32', '10.9.0.1/16')],
    ['behind an address of narrower scope', on(ETH0, '169.254.0.1/32 narrow', '192.168.1.11/32')],
  ])('names none where the kernel chooses the node address: %s', (_name, addresses) => {
    expect(sources(addresses).direct('ipv4', GATEWAY, ETH0)).toEqual({});
  });

  test.each([
    ['a secondary address', on(ETH0, '192.168.1.5/24', '192.168.1.11/24 secondary')],
    ['another subnet of the device holds the gateway', on(ETH0, '192.168.1.11/32', '192.168.1.5/24')],
    ['a second NIC', [...on(ETH1, '192.168.1.11/24'), ...on(ETH0, '192.168.1.5/24')]],
    ['the device has no address', on(ETH1, '192.168.1.11/32')],
  ])('names the node address where the kernel chooses another one: %s', (_name, addresses) => {
    expect(sources(addresses).direct('ipv4', GATEWAY, ETH0)).toEqual({ source: NODE.nodeAddress });
  });

  test('RFC 8950: names it where the gateway is an IPv6 address', () => {
    const addresses = on(ETH0, '192.168.1.11/32', 'fe80::1/64 narrow');
    expect(sources(addresses).direct('ipv4', address('fe80::2'), ETH0)).toEqual({ source: NODE.nodeAddress });
  });

  test.each([
    ['no device has it', on(ETH0, '192.168.1.5/24'), undefined],
    ['its device is down', on(ETH1, '192.168.1.11/32'), [link(ETH0), link(ETH1, false)]],
  ])('names none, and says so, where the kernel would refuse it: %s', (_name, addresses, links) => {
    expect(sources(addresses, links).direct('ipv4', GATEWAY, ETH0)).toEqual({
      note: "without 192.168.1.11 as the source of this node's own packets, because no device that is up has that address",
    });
  });
});

describe('a direct IPv6 route', () => {
  test('names none where the node address is the only global one of the device', () => {
    const addresses = on(ETH0, 'fe80::1/64 narrow', '2001:db8::11/64');
    expect(sources(addresses).direct('ipv6', GATEWAY6, ETH0)).toEqual({});
  });

  test.each([
    ['one of two', on(ETH0, '2001:db8::11/64', '2001:db8::5/64')],
    ['on another device', [...on(ETH0, 'fe80::1/64 narrow'), ...on(ETH1, '2001:db8::11/128')]],
  ])('names it: %s', (_name, addresses) => {
    expect(sources(addresses).direct('ipv6', GATEWAY6, ETH0)).toEqual({ source: NODE.nodeAddress6 });
  });

  test('names none as long as duplicate address detection is not over', () => {
    const addresses = on(ETH0, '2001:db8::11/64 tentative', '2001:db8::5/64');
    expect(sources(addresses).direct('ipv6', GATEWAY6, ETH0).note).toContain('without 2001:db8::11');
  });

  test('a node without an IPv6 address names none, and that is no news', () => {
    const { nodeAddress } = NODE;
    const bare = new SourceAddresses({ nodeAddress }, { addresses: [], links: [link(ETH0)] });
    expect(bare.direct('ipv6', GATEWAY6, ETH0)).toEqual({});
  });
});

describe('a route through the tunnel', () => {
  test('names the address of the tunnel, and the node address where there is none', () => {
    const addresses = [...on(ETH0, '192.168.1.11/24'), ...on(ETH1, '10.244.1.0/32')];
    const tunnelAddress = address4('10.244.1.0');
    expect(sources(addresses).tunnel(tunnelAddress)).toEqual({ source: tunnelAddress });
    expect(sources(addresses).tunnel(undefined)).toEqual({ source: NODE.nodeAddress });
  });

  test('says so where neither is there', () => {
    expect(sources([]).tunnel(undefined).note).toContain('without 192.168.1.11');
  });
});
