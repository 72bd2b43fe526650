/**
 * What silence means: the kernel of the other side, or ours, dropped it without a word.
 */
import { describe, expect, test } from 'vitest';
import { dialFailureText } from '../../../../bgp/speaker/dial-failure.js';
import type { DialOptions } from '../../../../bgp/speaker/index.js';
import { dropsSince, type KernelDrops, parseNetstat } from '../../../../bgp/speaker/kernel-drops.js';
import { address } from '../../../support/addresses.js';

const NONE: KernelDrops = { keyMissing: 0, keyUnexpected: 0, keyWrong: 0, ttlTooLow: 0 };
const PLAIN: DialOptions = { remote: address('192.0.2.1'), port: 179, timeoutMs: 1000 };

function failed(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

describe('a dial that fails', () => {
  test.each([
    ['nothing listens', {}, 'ECONNREFUSED', NONE, /^connection refused/],
    ['no answer, nothing asked for', {}, 'ETIMEDOUT', NONE, /^connection timed out: no answer$/],
    ['no answer, counters unknown', {}, 'ETIMEDOUT', undefined, /^connection timed out: no answer$/],
    ['no answer to a signed one', { password: 'x' }, 'ETIMEDOUT', NONE, /^no answer; the key may differ$/],
    ['counters unknown', { password: 'x' }, 'ETIMEDOUT', undefined, /^no answer; the key may differ$/],
    ['an unsigned answer', { password: 'x' }, 'ETIMEDOUT', { ...NONE, keyMissing: 1 }, /may have no key set/],
    ['a signed answer', {}, 'ETIMEDOUT', { ...NONE, keyUnexpected: 1 }, /may ask for a password/],
    [
      'no near answer',
      { ttl: 255, minTtl: 255 },
      'ETIMEDOUT',
      NONE,
      /more than one hop away \(TTL security\)/,
    ],
    ['a far answer', { ttl: 255, minTtl: 254 }, 'ETIMEDOUT', { ...NONE, ttlTooLow: 2 }, /TTL of 254 or more/],
    ['a TTL that ended on the way', { ttl: 3 }, 'EHOSTUNREACH', NONE, /more than 3 hops away/],
    ['no such host', { ttl: 255, minTtl: 255 }, 'EHOSTUNREACH', NONE, /it does not answer on its network/],
    ['no route', {}, 'ENETUNREACH', NONE, /^network unreachable/],
    ['a code that we have no words for', {}, 'EWEIRD', NONE, /^connect EWEIRD$/],
  ])('%s', (_name, options, code, dropped, expected) => {
    expect(dialFailureText({ ...PLAIN, ...options }, failed(code), dropped)).toMatch(expected);
  });
});

describe('the counters of the kernel', () => {
  const NETSTAT = [
    'TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPMinTTLDrop',
    'TcpExt: 9 1 2 3 4',
    'IpExt: InNoRoutes',
    'IpExt: 7',
    '',
  ].join('\n');

  test('are found by name', () => {
    expect(parseNetstat(NETSTAT)).toEqual({ keyMissing: 1, keyUnexpected: 2, keyWrong: 3, ttlTooLow: 4 });
  });

  test('are 0 where the kernel has no such one, or shows nothing', () => {
    expect(parseNetstat('TcpExt: SyncookiesSent\nTcpExt: 9\n')).toEqual(NONE);
    expect(parseNetstat('')).toEqual(NONE);
  });

  test('count from one reading to the next', () => {
    const later = { keyMissing: 1, keyUnexpected: 2, keyWrong: 8, ttlTooLow: 4 };
    expect(dropsSince(parseNetstat(NETSTAT), later)).toEqual({ ...NONE, keyWrong: 5 });
  });
});
