import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { connectedLink, connectedRoute } from '../../../../bgp/speaker/connected-prefix.js';
import { address4, prefix } from '../../../support/addresses.js';

/** As the kernel writes it, with a default route, a gateway route, two nested connected ones and a blackhole. */
const TABLE = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\tFE01A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0000000A\t0C01A8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0
eth0\t0003F40A\t0C01A8C0\t0003\t0\t0\t2048\t00FFFFFF\t0\t0\t0
`;

describe('the connected prefix of a session whose interface Node does not show yet', () => {
  test.each([
    ['the longest that holds both', '192.168.1.11', '192.168.1.12', '192.168.1.0/24'],
    ['a wider one where only that holds both', '192.168.1.11', '192.168.7.12', '192.168.0.0/16'],
    ['none for a peer behind a gateway', '192.168.1.11', '10.244.3.1', ''],
    ['none by a route through a gateway', '10.1.0.1', '10.1.0.2', ''],
    ['none by the default route', '172.16.0.1', '172.16.0.2', ''],
  ])('%s', (_name, local, remote, expected) => {
    const found = connectedRoute(TABLE, address4(local), address4(remote));
    expect(found).toEqual(expected === '' ? undefined : { device: 'eth0', prefix: prefix(expected) });
  });

  test("this machine's own table is read without a complaint", () => {
    expect(
      connectedRoute(
        readFileSync('/proc/net/route', 'utf8'),
        address4('203.0.113.1'),
        address4('203.0.113.2'),
      ),
    ).toBe(undefined);
  });

  test('loopback is one connected prefix', () => {
    expect(connectedLink(address4('127.0.0.1'), address4('127.0.0.2'))).toEqual({
      device: 'lo',
      prefix: prefix('127.0.0.0/8'),
    });
  });
});
