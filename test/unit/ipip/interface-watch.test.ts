/** By which device what is reached: the reduction of the main table, and that it follows the kernel. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatPrefix } from '../../../bgp/net/index.js';
import { type InterfaceTable, InterfaceWatch } from '../../../ipip/index.js';
import { interfaceTable } from '../../../ipip/interface-watch.js';
import { interfaceIndex, type KernelRoute, MAIN_TABLE } from '../../../ipip/kernel/kernel.js';
import { prefix } from '../../support/addresses.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeMachine } from '../../support/fake-machine.js';

const NAMES = new Map([
  [interfaceIndex(2), 'eth0'],
  [interfaceIndex(3), 'eth1'],
]);

const inWords = (table: InterfaceTable) =>
  Object.fromEntries([...table].map(([to, device]) => [formatPrefix(to), device ?? 'none']));

function route(to: string, index: number, changes: Partial<KernelRoute> = {}): KernelRoute {
  return {
    prefix: prefix(to),
    table: MAIN_TABLE,
    tos: 0,
    metric: 0,
    protocol: 2,
    type: 'unicast',
    nextHops: [{ interfaceIndex: interfaceIndex(index), onlink: false }],
    ...changes,
  };
}

const reduced = (...routes: readonly KernelRoute[]) => inWords(interfaceTable(routes, NAMES));

describe('the table of interfaces', () => {
  test('has the device of each route', () => {
    expect(reduced(route('192.168.1.0/24', 2), route('fd00::/64', 3))).toEqual({
      '192.168.1.0/24': 'eth0',
      'fd00::/64': 'eth1',
    });
  });

  test('of the same prefix the lowest metric counts', () => {
    const [slow, fast] = [route('10.0.0.0/8', 2, { metric: 200 }), route('10.0.0.0/8', 3, { metric: 100 })];
    expect(reduced(slow, fast)).toEqual({ '10.0.0.0/8': 'eth1' });
    expect(reduced(fast, slow)).toEqual({ '10.0.0.0/8': 'eth1' });
  });

  test('what a route drops is reached by none, although a wider route has a device', () => {
    const hole = route('10.9.0.0/16', 2, { type: 'blackhole', nextHops: [] });
    expect(reduced(route('0.0.0.0/0', 2), hole)).toEqual({ '0.0.0.0/0': 'eth0', '10.9.0.0/16': 'none' });
    // IPv6 names a device all the same.
    const hole6 = route('fd00:9::/64', 3, { type: 'blackhole' });
    expect(reduced(route('::/0', 2), hole6)).toEqual({ '::/0': 'eth0', 'fd00:9::/64': 'none' });
  });

  test('a route that says the same as the one around it is left out, one that says another thing between them is not', () => {
    const same = route('10.0.0.0/8', 2);
    expect(reduced(route('0.0.0.0/0', 2), same)).toEqual({ '0.0.0.0/0': 'eth0' });
    expect(reduced(route('0.0.0.0/0', 2), route('10.0.0.0/8', 3), route('10.1.0.0/16', 2))).toEqual({
      '0.0.0.0/0': 'eth0',
      '10.0.0.0/8': 'eth1',
      '10.1.0.0/16': 'eth0',
    });
  });

  test('routes of other tables and of a type of service say nothing', () => {
    const others = [{ table: 100 }, { tos: 16 }];
    expect(reduced(...others.map((changes) => route('10.0.0.0/8', 2, changes)))).toEqual({});
  });
});

describe('the watch', () => {
  let machine: FakeMachine;
  let clock: FakeClock;
  let watch: InterfaceWatch;
  let tables: InterfaceTable[];
  let failures: string[];

  beforeEach(() => {
    machine = new FakeMachine({ hasIpip: true });
    machine.addDevice('eth0', '192.168.1.11/24');
    machine.addDevice('eth1', '192.168.2.11/24');
    clock = new FakeClock();
    tables = [];
    failures = [];
    watch = new InterfaceWatch({
      kernel: machine.kernel,
      clock,
      routeProtocol: 179,
      onChange: (table) => tables.push(table),
      onFailure: ({ code }) => failures.push(code),
    });
  });
  afterEach(async () => {
    await watch.stop();
    await machine.remove();
  });

  /** Lets the events arrive, the timer fire and the reading end. */
  async function pass(): Promise<void> {
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    // Not further: a reading that seems to take long is followed by a long pause.
    if (clock.nextMs !== undefined) clock.advance(clock.nextMs - clock.now());
    await new Promise(setImmediate);
  }

  test('reads at the start what is told nobody', async () => {
    expect(inWords(await watch.start())).toEqual({ '192.168.1.0/24': 'eth0', '192.168.2.0/24': 'eth1' });
    await pass();
    expect(tables).toEqual([]);
  });

  test('tells of a route that leads elsewhere, and of one that goes', async () => {
    await watch.start();
    machine.ip('route add 203.0.113.0/24 via 192.168.2.1');
    await pass();
    machine.ip('route delete 203.0.113.0/24 via 192.168.2.1');
    await pass();
    expect(tables.map((table) => inWords(table)['203.0.113.0/24'])).toEqual(['eth1', undefined]);
  });

  test('tells of a link that goes down: the kernel says nothing of its routes', async () => {
    await watch.start();
    machine.ip('link set eth1 down');
    await pass();
    expect(tables.map(inWords)).toEqual([{ '192.168.1.0/24': 'eth0' }]);
  });

  test('routes of our own say nothing of where peers are, and are not even read again', async () => {
    await watch.start();
    machine.ip('route add 203.0.113.0/24 via 192.168.2.1 proto 179');
    await new Promise(setImmediate);
    expect(clock.nextMs).toBeUndefined();
    machine.ip('route add 198.51.100.0/24 via 192.168.2.1');
    await pass();
    expect(tables.map(inWords)).toEqual([
      { '192.168.1.0/24': 'eth0', '192.168.2.0/24': 'eth1', '198.51.100.0/24': 'eth1' },
    ]);
  });

  test('a change that is none for the table is not told', async () => {
    await watch.start();
    machine.ip('route add 192.168.1.128/25 via 192.168.1.1');
    await pass();
    expect(tables).toEqual([]);
  });

  test('a kernel that cannot be read is told once, and read again later', async () => {
    await watch.start();
    machine.kernel.failNext('routes', 'ENOBUFS', 2);
    machine.ip('route add 203.0.113.0/24 via 192.168.2.1');
    await pass();
    await pass();
    await pass();
    expect(failures).toEqual(['KERNEL_ENOBUFS']);
    expect(tables).toHaveLength(1);
  });

  test('a reading that took long is followed by four times as long a pause', async () => {
    await watch.start();
    machine.ip('route add 203.0.113.0/24 via 192.168.2.1');
    await new Promise(setImmediate);
    clock.advance(50);
    // The reading has begun and not ended.
    clock.advance(1_000);
    await new Promise(setImmediate);
    machine.ip('route add 198.51.100.0/24 via 192.168.2.1');
    await new Promise(setImmediate);
    expect(clock.nextMs).toBe(clock.now() + 4_000);
  });

  test('after the stop nothing is told', async () => {
    await watch.start();
    machine.ip('route add 203.0.113.0/24 via 192.168.2.1');
    await new Promise(setImmediate);
    // The reading has begun.
    clock.advance(50);
    await watch.stop();
    await pass();
    expect(tables).toEqual([]);
  });
});
