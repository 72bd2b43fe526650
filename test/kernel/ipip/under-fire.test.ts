/**
 * The data plane on the running kernel when the kernel refuses, interrupts or drops, and when others change what is ours:
 * what it believes is what there is, and what is ours comes back at once. Needs root and iproute2.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LearnedRoute } from '../../../ipip/index.js';
import { prefix } from '../../support/addresses.js';
import { FakeClock } from '../../support/fake-clock.js';
import { must, RealMachine } from '../../support/machine.js';
import { changes, FACTS, learned, Plane } from '../../support/plane.js';
import { until } from '../../support/until.js';

const VIA = '192.168.1.12';
const READ_BACK_MS = 90_000;

let machine: RealMachine;
let plane: Plane;

beforeEach(() => {
  machine = new RealMachine();
  // The kernel speaks of its IPv6 addresses for a second or two: no test here is to take that for news of its own.
  machine.sysctl.write('net/ipv6/conf/default/disable_ipv6', '1');
  machine.addDevice('eth0', '192.168.1.11/24');
  plane = new Plane(machine);
});

afterEach(async () => {
  await plane.dataplane.stop();
  await machine.remove();
});

/** The data plane runs with these routes and no subnet of its own. */
async function run(...routes: readonly LearnedRoute[]): Promise<void> {
  await plane.start();
  plane.dataplane.setNode({ ...FACTS, blocks: [], pools: [] });
  plane.dataplane.applyChanges(changes(...routes));
  await plane.settled();
}

/** So many prefixes, from 10.16.0.0/24 on. */
function prefixes(count: number): readonly string[] {
  return Array.from({ length: count }, (_each, index) => {
    const [high, low] = [16 + Math.floor(index / 65_536), index % 65_536];
    return `10.${high}.${Math.floor(low / 256)}.${low % 256}/32`;
  });
}

const line = (to: string) => `${to.replace('/32', '')} via ${VIA} dev eth0 proto 179 metric 2048`;

async function ourCount(): Promise<number> {
  return (await machine.kernel.routes(179)).length;
}

describe('refusals', () => {
  test.each([
    ['unreachable', 'ENETUNREACH'],
    ['prohibit', 'EACCES'],
    ['blackhole', 'EINVAL'],
  ])(
    'an %s rule makes the kernel refuse one route with %s: told, the others done, tried again',
    async (rule, errno) => {
      // The rule is asked for packets out of eth0, and so for gateways there, but not when the next hop is looked up.
      machine.ip(`rule add oif eth0 to 192.168.1.13 ${rule} pref 100`);
      await run(
        learned('10.244.2.0/24', VIA),
        learned('10.244.3.0/24', '192.168.1.13'),
        learned('10.244.4.0/24', '192.168.1.14'),
      );
      expect(await ourCount()).toBe(2);
      expect(plane.route('10.244.3.0/24')).toMatchObject({
        mode: 'direct',
        state: 'failed',
        reason: `next hop 192.168.1.13 is on the same L2 network (eth0); the kernel refused: Nexthop has invalid gateway (${errno})`,
      });
      expect(plane.events).toContainEqual(
        expect.objectContaining({
          kind: 'routesFailed',
          code: `KERNEL_${errno}`,
          count: 1,
          examples: [prefix('10.244.3.0/24')],
        }),
      );
      machine.ip('rule delete pref 100');
      await plane.changed(() => plane.state('10.244.3.0/24') === 'ok');
      expect(await ourCount()).toBe(3);
    },
  );
});

describe('readings that are interrupted', () => {
  /** Enough for a dump of several parts. */
  const ADDRESSES = 1_000;

  beforeEach(async () => {
    const lines = Array.from({ length: ADDRESSES }, (_each, index) => {
      return `address add 172.16.${Math.floor(index / 250)}.${1 + (index % 250)}/32 dev eth0`;
    });
    machine.batch(lines);
    await machine.kernel.open();
  });

  test('a table that changes once while it is read is read again, and is right', async () => {
    const reading = machine.kernel.addresses();
    // The first part is made when the kernel is asked; this comes between it and the others.
    await new Promise(setImmediate);
    machine.ip('address delete 172.16.0.1/32 dev eth0');
    machine.ip('address add 172.31.0.1/32 dev eth0');
    const read = (await reading).map(({ address }) => address);
    expect(read).toHaveLength(new Set(read).size);
    expect(new Set(read)).toEqual(new Set((await machine.kernel.addresses()).map(({ address }) => address)));
  });

  test('a table that never rests is an error after some readings, not half a table', async () => {
    let isOver = false;
    const reading = machine.kernel.addresses().finally(() => {
      isOver = true;
    });
    reading.catch(() => {}); // expected below
    for (let round = 0; !isOver; round++) {
      machine.ip(`address ${round % 2 === 0 ? 'add' : 'delete'} 172.31.0.1/32 dev eth0`);
      await new Promise(setImmediate);
    }
    await expect(reading).rejects.toMatchObject({ code: 'KERNEL_DUMP_INTERRUPTED' });
  });
});

describe('what others change', () => {
  test.each([
    ['deleted', `route delete 10.244.2.0/24 proto 179`],
    [
      'led elsewhere under our mark',
      `route replace 10.244.2.0/24 via 192.168.1.99 dev eth0 proto 179 metric 2048`,
    ],
    ['flushed with all others', 'route flush proto 179'],
    ['dropped with the link', 'link set eth0 down'],
    ['dropped with the last address', 'address delete 192.168.1.11/24 dev eth0'],
  ])('a route that is %s is back in under a second, and counted as drift', async (_what, command) => {
    await run(learned('10.244.2.0/24', VIA), ...prefixes(200).map((to) => learned(to, VIA)));
    const before = machine.routes();
    const { drift } = plane.dataplane.counters();
    machine.ip(command);
    if (command.startsWith('link')) machine.ip('link set eth0 up');
    if (command.startsWith('address')) machine.ip('address add 192.168.1.11/24 dev eth0');
    const changedAt = performance.now();
    await until('the routes are as before', () => machine.routes().join() === before.join(), 5_000);
    const tookMs = performance.now() - changedAt;
    expect(tookMs).toBeLessThan(1_000);
    await plane.settled();
    expect(plane.dataplane.counters().drift).toBeGreaterThan(drift);
  });

  test('more events than the kernel keeps for us: told as lost, and everything is read', async () => {
    await run(learned('10.244.2.0/24', VIA));
    const flood = prefixes(60_000).map((to) => `route add ${to} via ${VIA} proto 4`);
    // While this runs, nothing is read: the last change is lost with the rest.
    machine.batch([...flood, 'route delete 10.244.2.0/24 proto 179']);
    await plane.until('it is told', () => plane.events.some(({ kind }) => kind === 'eventsLost'));
    await plane.until('ours is back', async () => (await ourCount()) === 1);
    expect((await machine.kernel.routes(179)).map((route) => route.prefix)).toEqual([
      prefix('10.244.2.0/24'),
    ]);
    expect(plane.dataplane.counters().drift).toBe(1);
  });

  test('what nobody announces is found every 90 s', async () => {
    const clock = new FakeClock(1_800_000_000_000);
    plane = new Plane(machine, { clock });
    await run(learned('10.244.2.0/24', VIA));
    // The data plane does not hear what its own socket does.
    const [route] = await machine.kernel.routes(179);
    await machine.kernel.apply([{ op: 'delete', route: must(route) }]);
    clock.advance(READ_BACK_MS - 1);
    await plane.settled();
    expect(await ourCount()).toBe(0);
    clock.advance(1);
    await plane.settled();
    expect(machine.routes()).toEqual([line('10.244.2.0/24')]);
    expect(plane.dataplane.counters()).toMatchObject({ drift: 1, readBacks: 2 });
  });
});

describe('bursts', () => {
  test('thousands of changes in one turn are a few batches', async () => {
    let batches = 0;
    const apply = machine.kernel.apply.bind(machine.kernel);
    machine.kernel.apply = (operations) => {
      batches += 1;
      return apply(operations);
    };
    await run();
    for (const to of prefixes(10_000)) plane.dataplane.applyChanges(changes(learned(to, VIA)));
    await plane.settled();
    expect(await ourCount()).toBe(10_000);
    expect(batches).toBe(3);
  });

  test('hundreds of changes of links are read at once and once more', async () => {
    await run(learned('10.244.2.0/24', VIA));
    const { readBacks } = plane.dataplane.counters();
    machine.batch(Array.from({ length: 300 }, (_each, index) => `link set eth0 mtu ${1400 + (index % 100)}`));
    await plane.until('it is heard', () => plane.dataplane.counters().readBacks > readBacks);
    await plane.settled();
    expect(plane.dataplane.counters().readBacks - readBacks).toBeLessThanOrEqual(3);
  });
});

test('100 000 routes: the times of an install and of a link that bounces (printed, not judged)', async () => {
  const count = 100_000;
  await run();
  const routes = prefixes(count).map((to) => learned(to, VIA));
  const timed = async (work: () => Promise<void>) => {
    const started = performance.now();
    await work();
    return `${Math.round(performance.now() - started)} ms`;
  };
  const installed = await timed(async () => {
    plane.dataplane.applyChanges(changes(...routes));
    await plane.settled();
  });
  expect(await ourCount()).toBe(count);
  machine.ip('link set eth0 down');
  await plane.changed(() => plane.state(prefixes(1)[0] ?? '') === 'failed');
  expect(await ourCount()).toBe(0);
  machine.ip('link set eth0 up');
  const back = await timed(async () => {
    await plane.changed(() => plane.state(prefixes(1)[0] ?? '') === 'ok');
  });
  expect(await ourCount()).toBe(count);
  const readBack = await timed(async () => {
    await machine.kernel.routes();
  });
  process.stdout.write(
    `${count} routes: installed in ${installed}, back after a link bounce in ${back}, read in ${readBack}\n`,
  );
});
