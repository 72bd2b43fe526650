/** The methods of address detection as words of the settings. */
import { describe, expect, test } from 'vitest';
import { readMethod } from '../../../../agent/detect/index.js';
import { parsePrefix } from '../../../../bgp/net/index.js';

describe('right', () => {
  test.each([
    ['first-found', { type: 'first-found' }],
    ['autodetect', { type: 'first-found' }],
    ['can-reach=router', { type: 'can-reach', host: 'router' }],
    ['interface=^eth[01]$,bond.*', { type: 'interface', patterns: [/^eth[01]$/, /bond.*/] }],
    ['skip-interface=docker.*', { type: 'skip-interface', patterns: [/docker.*/] }],
    [
      'cidr=10.0.0.0/8,192.168.0.0/16',
      { type: 'cidr', cidrs: [parsePrefix('10.0.0.0/8'), parsePrefix('192.168.0.0/16')] },
    ],
  ])('%s', (text, method) => {
    expect(readMethod('ipv4')(text)).toEqual({ value: method });
  });
});

describe('wrong, with the remedy', () => {
  test.each([
    ['', 'is no method; write first-found, can-reach=ADDRESS, interface=REGEX'],
    ['kubernetes-internal-ip', '"kubernetes-internal-ip" is no method; write first-found'],
    ['interfaces=eth0', '"interfaces=eth0" is no method'],
    ['first-found=eth0', 'first-found takes no value; write first-found'],
    ['can-reach=', '"" is no address and no name; write it like can-reach=192.168.1.11'],
    ['can-reach', '"" is no address and no name'],
    ['can-reach=http://router', '"http://router" is no address and no name'],
    ['can-reach=2001:db8::1', 'can-reach=2001:db8::1 is of the other family; name an IPv4 address'],
    ['interface=', '"" is no regular expression; write it like interface=^eth'],
    ['interface=eth0,', '"" is no regular expression'],
    ['skip-interface=docker(', '"docker(" is no regular expression; write it like skip-interface=^eth'],
    ['cidr=192.168.1.11/24', '"192.168.1.11/24" is no IPv4 network; write it like cidr=192.168.0.0/16'],
    ['cidr=2001:db8::/32', '"2001:db8::/32" is no IPv4 network'],
    ['192.168.1.11', '"192.168.1.11" lacks the prefix length of its network; write it like 192.168.1.11/24'],
    ['192.168.1.11/33', '"192.168.1.11/33" is no method'],
    ['2001:db8::11/64', '"2001:db8::11/64" is no IPv4 address; write it like 192.168.1.11/24'],
    ['224.0.0.5/24', '"224.0.0.5/24" is no address that other nodes reach'],
    ['192.168.1.11/0', '"192.168.1.11/0" is no address that other nodes reach'],
  ])('%s', (text, sentence) => {
    const reading = readMethod('ipv4')(text);
    expect('problem' in reading && reading.problem).toContain(sentence);
  });

  test('of IPv6', () => {
    const problem = (text: string) => {
      const reading = readMethod('ipv6')(text);
      return 'problem' in reading ? reading.problem : '';
    };
    expect(problem('192.168.1.11/24')).toContain('is no IPv6 address; write it like 2001:db8::11/64');
    expect(problem('fe80::1/64')).toContain('is no address that other nodes reach');
    expect(problem('cidr=10.0.0.0/8')).toContain('write it like cidr=2001:db8::/32');
  });
});
