/**
 * Addresses: text in every form of RFC 4291 and RFC 5952, order, and what a host can have.
 */
import { describe, expect, test } from 'vitest';
import {
  addressFamily,
  compareAddresses,
  formatIpAddress,
  formatIpv4,
  ipv4,
  ipv6,
  isHostAddress,
  isIpv4,
  isIpv6,
  isLinkLocal,
  isLoopbackIpv4,
  parseIpAddress,
  parseIpv4,
  parseIpv6,
} from '../../../../bgp/net/index.js';
import { address, address4, address6 } from '../../../support/addresses.js';

describe('IPv4 text', () => {
  test.each([
    ['0.0.0.0', 0],
    ['10.0.0.1', 0x0a000001],
    ['127.255.255.255', 0x7fffffff],
    ['128.0.0.0', 0x80000000],
    ['255.255.255.255', 0xffffffff],
  ])('%s is %i and back', (text, value) => {
    expect(parseIpv4(text)).toBe(value);
    expect(parseIpAddress(text)).toBe(value);
    expect(formatIpv4(ipv4(value))).toBe(text);
    expect(formatIpAddress(ipv4(value))).toBe(text);
  });

  test.each([
    '',
    '10',
    '10.0.0',
    '10.0.0.0.0',
    '10.0.0.256',
    '10.0.0.1000',
    '10.0.0.-1',
    '10.0.0.01',
    '010.0.0.1',
    '10.0.0.1/24',
    ' 10.0.0.1',
    '10.0.0.1\n',
    '0x0a.0.0.1',
    '::1',
    'node-a',
  ])('%j is no address', (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  });
});

describe('IPv6 text', () => {
  test.each([
    ['::', 0n, '::'],
    ['::1', 1n, '::1'],
    ['2001:db8::1', 0x20010db8_00000000_00000000_00000001n, '2001:db8::1'],
    ['2001:0DB8:0:0:0:0:0:1', 0x20010db8_00000000_00000000_00000001n, '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', 0x20010db8_00000001_00010001_00010001n, '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', 0x00010000_00000002_00000000_00000003n, '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', 0x00010000_00000002_00030000_00000004n, '1::2:3:0:0:4'],
    ['::ffff:10.0.0.1', 0xffff_0a000001n, '::ffff:a00:1'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', (1n << 128n) - 1n, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('%s is %i, written %s (RFC 5952)', (text, value, canonical) => {
    expect(parseIpv6(text)).toBe(value);
    expect(parseIpAddress(text)).toBe(value);
    expect(formatIpAddress(ipv6(value))).toBe(canonical);
  });

  test.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '12345::',
    'g::',
    '::1/64',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7',
    '10.0.0.1',
  ])('%j is no address', (text) => {
    expect(parseIpv6(text)).toBeUndefined();
  });
});

describe('kinds of address', () => {
  test('the family is in the primitive', () => {
    const v4 = address('10.0.0.1');
    const v6 = address('::1');
    expect([isIpv4(v4), isIpv6(v4), addressFamily(v4)]).toEqual([true, false, 'ipv4']);
    expect([isIpv4(v6), isIpv6(v6), addressFamily(v6)]).toEqual([false, true, 'ipv6']);
  });

  test.each([
    ['fe80::1', true],
    ['febf:ffff::', true],
    ['fe7f::1', false],
    ['fec0::1', false],
    ['2001:db8::1', false],
    ['169.254.0.1', false],
  ])('%s in fe80::/10: %s', (text, expected) => {
    expect(isLinkLocal(address(text))).toBe(expected);
  });

  test.each([
    ['0.0.0.0', false],
    ['0.255.255.255', false],
    ['1.0.0.0', true],
    ['127.0.0.1', true],
    ['223.255.255.255', true],
    ['224.0.0.0', false],
    ['240.0.0.1', false],
    ['255.255.255.255', false],
    ['::', false],
    ['::1', false],
    ['::2', true],
    ['2001:db8::1', true],
    ['fe80::1', true],
    ['feff::', true],
    ['ff00::', false],
    ['ff02::1', false],
  ])('%s may be the address of a host: %s', (text, expected) => {
    expect(isHostAddress(address(text))).toBe(expected);
  });

  test('127.0.0.0/8 is the loopback', () => {
    const loopback = ['126.255.255.255', '127.0.0.0', '127.255.255.255', '128.0.0.0'].map((text) =>
      isLoopbackIpv4(address4(text)),
    );
    expect(loopback).toEqual([false, true, true, false]);
  });
});

describe('making addresses', () => {
  test('32 and 128 bits are kept, what is above is cut, nothing is negative', () => {
    expect(ipv4(0xc0a80001)).toBe(0xc0a80001);
    expect(ipv4(-1)).toBe(0xffffffff);
    expect(ipv4(0x1_0000_0001)).toBe(1);
    expect(ipv6((1n << 128n) + 1n)).toBe(1n);
    expect(ipv6(-1n)).toBe((1n << 128n) - 1n);
  });
});

test('order: IPv4 before IPv6, then by value, not by text', () => {
  const sorted = ['0.0.0.1', '9.0.0.0', '10.0.0.9', '10.0.0.10', '200.0.0.1', '::', '::1', 'ffff::'].map(
    address,
  );
  expect([...sorted].reverse().sort(compareAddresses)).toEqual(sorted);
  expect(compareAddresses(address6('::1'), address6('::1'))).toBe(0);
});
