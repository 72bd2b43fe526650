import { describe, expect, test } from 'vitest';
import {
  formatDuration,
  renderPairs,
  renderPeer,
  renderPeers,
  renderRoutes,
  renderStatus,
  renderTable,
} from '../../../../api/index.js';
import {
  directRoute,
  idlePeer,
  localRoute,
  NOT_READY,
  NOW,
  peer,
  READY,
  route,
  SINCE,
  status,
  unreachableRoute,
} from '../rows.js';

const now = { now: NOW };

describe('tables', () => {
  test('routes', () => {
    const multipath = route({
      prefix: 'fd00:10:244:3::/64',
      nextHops: [
        { address: 'fd00::12', device: 'eth0', mode: 'direct', peer: 'node-c', neighbour: 'stale' },
        { address: 'fd00::13', device: 'eth0', mode: 'direct', peer: 'tor', neighbour: null },
      ],
      mode: 'direct',
      reason: 'the next hops are on eth0',
    });
    const rows = [localRoute, directRoute, route(), { ...unreachableRoute, since: null }, multipath];
    expect(renderRoutes(rows, now)).toBe(
      [
        'PREFIX              VIA                DEVICE     NEIGHBOUR  MODE    STATE   FROM        SINCE  REASON',
        '10.244.1.0/24       -                  -          -          local   ok      -           3m12s  a block of this node',
        '10.244.2.0/24       192.168.1.12       eth0       reachable  direct  ok      node-b      3m12s  the next hop is on eth0',
        '10.244.3.0/24       192.168.2.13       podroute0  -          ipip    ok      node-c      3m12s  the next hop is behind the gateway 192.168.1.254',
        '10.244.20.0/24      192.168.9.9        -          -          none    failed  node-c      -      no route to the next hop',
        'fd00:10:244:3::/64  fd00::12,fd00::13  eth0       stale,-    direct  ok      node-c,tor  3m12s  the next hops are on eth0',
        '',
      ].join('\n'),
    );
  });

  test('peers', () => {
    expect(renderPeers([peer(), idlePeer], now)).toBe(
      [
        'NAME    ADDRESS       AS     TYPE  STATE        SINCE  PREFIXES(in/acc/out)  LAST ERROR',
        'node-b  192.168.1.12  64512  ibgp  Established  3m12s  6/5/2                 Hold Timer Expired (sent, 3m12s ago)',
        'tor     192.168.1.1   65001  ebgp  Active       3m12s  6/5/2                 -',
        '',
      ].join('\n'),
    );
  });

  test('no rows are a header alone', () => {
    expect(renderRoutes([], now)).toBe('PREFIX  VIA  DEVICE  NEIGHBOUR  MODE  STATE  FROM  SINCE  REASON\n');
  });
});

describe('one thing in full', () => {
  test('a peer with a session', () => {
    expect(
      renderPeer(
        peer({
          rejected: [
            { prefix: '0.0.0.0/0', reason: 'a default route' },
            { prefix: '10.1.0.0/16', reason: 'outside every pool' },
          ],
        }),
        now,
      ),
    ).toBe(
      [
        'name                node-b',
        'address             192.168.1.12 port 179, from 192.168.1.11',
        'AS                  64512, ours 64512 (ibgp, cluster)',
        'state               Established for 3m12s',
        'connection          incoming (the peer connects; we do if it does not)',
        'identifier          192.168.1.12',
        'shut down           by administrator 3m12s ago: new cables',
        'last error          Hold Timer Expired (sent, 3m12s ago)',
        'timers              hold 90s, keepalive 30s; configured: hold 90s, connect retry 5s',
        'families            ipv4',
        'end of RIB          ipv4: received, sent',
        'prefixes            received 6, accepted 5, rejected 1, advertised 2',
        'messages            in 12 (3 updates), out 13 (4 updates)',
        'flaps               1',
        'our capabilities    multiprotocol ipv4 unicast',
        '                    route refresh',
        'their capabilities  multiprotocol ipv4 unicast',
        'negotiated          multiprotocol ipv4 unicast',
        'rejected            0.0.0.0/0: a default route',
        '                    10.1.0.0/16: outside every pool',
        '',
      ].join('\n'),
    );
  });

  test('a peer without one', () => {
    expect(renderPeer(idlePeer, now)).toBe(
      [
        'name                tor (top of rack)',
        'address             192.168.1.1 port 179, from -',
        'AS                  65001, ours 64512 (ebgp, outside)',
        'state               Active for 3m12s',
        'connection          we connect',
        'identifier          -',
        'last error          -',
        'timers              hold -, keepalive -; configured: hold 90s, connect retry 5s',
        'families            -',
        'end of RIB          -',
        'prefixes            received 6, accepted 5, rejected 1, advertised 2',
        'messages            in 12 (3 updates), out 13 (4 updates)',
        'flaps               1',
        'our capabilities    route refresh',
        'their capabilities  -',
        'negotiated          -',
        'rejected            -',
        '',
      ].join('\n'),
    );
  });

  test('a status with everything wrong', () => {
    expect(renderStatus({ ...status(), readiness: NOT_READY }, now)).toBe(
      [
        'node           node-a, AS 64512, identifier 192.168.1.11',
        'ready          no',
        '               no peer is established',
        'alarms         10.244.1.0/24 is announced by node-b too (3m12s ago)',
        'agent          0.1.0, up 10m00s',
        'listens on     192.168.1.11:179',
        'peers          1 of 2 established',
        'routes         3 of 4 ok',
        'data plane     on, drift 1, failures 2',
        '               last error: no such device (3m12s ago)',
        'tunnel         podroute0 up, address 10.244.1.0, mtu 1480',
        'pods           10.244.1.0/24, mtu 1480',
        'outgoing NAT   failed for 10.244.0.0/16, repaired 2 times',
        '               the reason: nft is not installed: install the package nftables',
        'settings       net.ipv4.ip_forward=1 (before: 0)',
        'datastore      file:/etc/podroute/cluster.yaml, failed',
        '               last error: the file is gone (3m12s ago)',
        'cluster        entered with 192.168.1.11/24 of eth0: first-found',
        '               not 172.17.0.1/16 of docker0: a container bridge',
        '               not heard by the store, alive by BGP: node-c',
        '               gone: node-d',
        'configuration  number 3, loaded 3m12s ago',
        '               still in force, because the newest one is wrong:',
        '               cluster.yaml:12: spec.cidr: not a prefix',
        '',
      ].join('\n'),
    );
  });

  test('a status with nothing wrong and no data plane', () => {
    const quiet = status({
      listen: [],
      datastore: {
        source: 'redis://192.0.2.1',
        state: 'unreachable',
        since: SINCE,
        reason: 'it does not answer',
        notes: ['nothing is held back'],
        lastError: null,
      },
      cluster: null,
      dataplane: {
        enabled: false,
        tunnel: null,
        drift: 0,
        failures: 0,
        lastError: null,
        nat: null,
        settings: [],
      },
      pods: { subnets: [], mtu: null },
      configErrors: [],
      alarms: [],
    });
    expect(renderStatus({ ...quiet, readiness: READY }, now)).toBe(
      [
        'node           node-a, AS 64512, identifier 192.168.1.11',
        'ready          yes',
        'agent          0.1.0, up 10m00s',
        'listens on     -',
        'peers          1 of 2 established',
        'routes         3 of 4 ok',
        'data plane     off: routes are exchanged, the kernel is left alone',
        'tunnel         -',
        'pods           no subnet',
        'datastore      redis://192.0.2.1, unreachable for 3m12s: it does not answer',
        '               nothing is held back',
        'configuration  number 3, loaded 3m12s ago',
        '',
      ].join('\n'),
    );
  });

  test('a tunnel that is not there yet', () => {
    const dataplane = {
      ...status().dataplane,
      tunnel: { device: 'podroute0', address: null, mtu: null, state: 'absent' },
    } as const;
    expect(renderStatus({ ...status({ dataplane }), readiness: READY }, now)).toContain(
      '\ntunnel         podroute0 absent\n',
    );
  });
});

describe('text on a terminal', () => {
  const columns = [
    { title: 'A', cell: ([a]: [string, string]) => a },
    { title: 'B', cell: ([, b]: [string, string]) => b },
  ];

  test('is cut where a width is given, and whole where none is', () => {
    const rows: [string, string][] = [
      ['aaaa', 'bbbbbbbb'],
      ['a', 'b'],
    ];
    expect(renderTable(columns, rows, { width: 10 })).toBe('A     B\naaaa  bbb…\na     b\n');
    expect(renderTable(columns, rows)).toBe('A     B\naaaa  bbbbbbbb\na     b\n');
    expect(renderPairs([['name', 'a long value']], { width: 10 })).toBe('name  a l…\n');
  });

  test('has no control characters, whatever a peer sends', () => {
    const evil = 'bye\u001b[2J\r\n\u202e!\u009b1m';
    const line = renderTable(columns, [['x', evil]]).split('\n')[1];
    expect(line).toBe('x  bye\ufffd[2J\ufffd\ufffd\ufffd!\ufffd1m');
    expect(
      renderPeers([peer({ lastError: { text: evil, at: peer().since, direction: 'received' } })], now),
    ).not.toContain('\u001b');
  });
});

describe('durations', () => {
  test.each([
    [-5, '0s'],
    [0, '0s'],
    [59.9, '59s'],
    [60, '1m00s'],
    [192, '3m12s'],
    [3599, '59m59s'],
    [3600, '1h00m'],
    [7500, '2h05m'],
    [86_399, '23h59m'],
    [86_400, '1d00h'],
    [360_000, '4d04h'],
  ])('%d s is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
