/**
 * Prefixes: packing, text, containment, order.
 */
import { describe, expect, test } from 'vitest';
import {
  comparePrefixes,
  familyBits,
  formatPrefix,
  hostPrefix,
  isDefaultRoute,
  parseCidr,
  parsePrefix,
  prefix4,
  prefix6,
  prefixAddress,
  prefixContains,
  prefixContainsAddress,
  prefixesOverlap,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '../../../../bgp/net/index.js';
import { address, address4, address6, prefix } from '../../../support/addresses.js';

describe('packing', () => {
  test.each([
    ['0.0.0.0/0', '0.0.0.0', 0],
    ['10.244.1.0/24', '10.244.1.0', 24],
    ['128.0.0.0/1', '128.0.0.0', 1],
    ['255.255.255.255/32', '255.255.255.255', 32],
    ['::/0', '::', 0],
    ['2001:db8::/32', '2001:db8::', 32],
    ['8000::/1', '8000::', 1],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 128],
  ])('%s has its parts', (text, network, length) => {
    const packed = prefix(text);
    expect(prefixAddress(packed)).toBe(address(network));
    expect(prefixLength(packed)).toBe(length);
    expect(prefixFamily(packed)).toBe(text.includes(':') ? 'ipv6' : 'ipv4');
    expect(formatPrefix(packed)).toBe(text);
    expect(prefixOf(address(network), length)).toBe(packed);
  });

  test('host bits are cleared', () => {
    expect(prefix4(address4('10.244.1.77'), 24)).toBe(prefix('10.244.1.0/24'));
    expect(prefix4(address4('255.255.255.255'), 0)).toBe(prefix('0.0.0.0/0'));
    expect(prefix6(address6('2001:db8::dead:beef'), 96)).toBe(prefix('2001:db8::/96'));
    expect(prefix6(address6('ffff::1'), 0)).toBe(prefix('::/0'));
  });

  test('equal prefixes are the same map key; others are not', () => {
    const texts = ['10.0.0.0/8', '10.0.0.0/9', '10.0.0.0/32', '::/0', '0.0.0.0/0', '::/64', 'a00::/8'];
    expect(new Set(texts.map(prefix)).size).toBe(texts.length);
    expect(new Set([prefix('10.0.0.0/8'), prefix4(address4('10.9.9.9'), 8)]).size).toBe(1);
    expect(new Set([prefix('fd00::/8'), prefix6(address6('fd00::1'), 8)]).size).toBe(1);
  });

  test('the prefix of one host', () => {
    expect(formatPrefix(hostPrefix(address('192.168.1.11')))).toBe('192.168.1.11/32');
    expect(formatPrefix(hostPrefix(address('fd00::1')))).toBe('fd00::1/128');
    expect([familyBits('ipv4'), familyBits('ipv6')]).toEqual([32, 128]);
  });
});

describe('text', () => {
  test.each([
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/1000',
    '10.0.0.0/8/8',
    '/8',
    '10.0.0/8',
    '::/129',
    'fd00::%eth0/64',
    'default',
    '10.0.0.0 /8',
    '',
  ])('%j is neither prefix nor CIDR', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
    expect(parseCidr(text)).toBeUndefined();
  });

  test.each(['192.168.1.11/24', '10.0.0.1/0', 'fd00::1/64'])(
    '%s has host bits: a CIDR, no prefix',
    (text) => {
      expect(parsePrefix(text)).toBeUndefined();
      expect(parseCidr(text)).toEqual({
        address: address(text.split('/')[0] ?? ''),
        lengthBits: Number(text.split('/')[1]),
      });
    },
  );
});

describe('containment', () => {
  test.each([
    ['10.244.0.0/16', '10.244.1.0/24', true],
    ['10.244.0.0/16', '10.244.0.0/16', true],
    ['10.244.1.0/24', '10.244.0.0/16', false],
    ['10.244.1.0/24', '10.244.2.0/24', false],
    ['0.0.0.0/0', '255.255.255.255/32', true],
    ['128.0.0.0/1', '200.0.0.0/8', true],
    ['0.0.0.0/0', '::/0', false],
    ['::/0', '10.0.0.0/8', false],
    ['2001:db8::/32', '2001:db8:1::/48', true],
    ['2001:db8::/32', '2001:db9::/48', false],
  ])('%s contains %s: %s', (outer, inner, expected) => {
    expect(prefixContains(prefix(outer), prefix(inner))).toBe(expected);
    const overlap = expected || prefixContains(prefix(inner), prefix(outer));
    expect(prefixesOverlap(prefix(outer), prefix(inner))).toBe(overlap);
    expect(prefixesOverlap(prefix(inner), prefix(outer))).toBe(overlap);
  });

  test.each([
    ['192.168.1.0/24', '192.168.1.255', true],
    ['192.168.1.0/24', '192.168.2.0', false],
    ['192.168.1.1/32', '192.168.1.1', true],
    ['0.0.0.0/0', '::', false],
    ['fe80::/10', 'febf::1', true],
    ['::/0', '0.0.0.0', false],
  ])('%s contains the address %s: %s', (outer, inner, expected) => {
    expect(prefixContainsAddress(prefix(outer), address(inner))).toBe(expected);
  });

  test('only length 0 is a default route', () => {
    expect(['0.0.0.0/0', '::/0', '0.0.0.0/1', '::/1'].map((text) => isDefaultRoute(prefix(text)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

test('order: family, network address, shorter length first', () => {
  const sorted = [
    '0.0.0.0/0',
    '9.0.0.0/8',
    '10.0.0.0/8',
    '10.0.0.0/24',
    '10.0.1.0/24',
    '200.0.0.0/8',
    '::/0',
    '::/1',
    '8000::/1',
  ];
  expect(sorted.map(prefix).reverse().sort(comparePrefixes).map(formatPrefix)).toEqual(sorted);
});
