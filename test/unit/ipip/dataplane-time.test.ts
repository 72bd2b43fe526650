/** The data plane over time, and when the kernel says no: on the fake kernel, with a clock that the test holds. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KernelError, type LearnedRoute, type NodeFacts } from '../../../ipip/index.js';
import { address, prefix } from '../../support/addresses.js';
import { FakeClock } from '../../support/fake-clock.js';
import type { FakeCall } from '../../support/fake-kernel.js';
import { FakeMachine } from '../../support/fake-machine.js';
import { changes, FACTS, learned, Plane } from '../../support/plane.js';

const START_MS = 1_000_000;
const SWEEP_MS = 60_000;
const READ_BACK_MS = 90_000;

let machine: FakeMachine;
let clock: FakeClock;
let plane: Plane;

beforeEach(async () => {
  machine = new FakeMachine({ hasIpip: true });
  machine.addDevice('eth0', '192.168.1.11/24');
  machine.ip('route add default via 192.168.1.254');
  machine.ip('route add 10.99.0.0/16 via 192.168.1.1 proto 4 metric 2048');
  clock = new FakeClock(START_MS);
  plane = new Plane(machine, { clock });
});

afterEach(() => plane.dataplane.stop());

const start = (...routes: readonly LearnedRoute[]) => startWith(FACTS, ...routes);

async function startWith(facts: NodeFacts, ...routes: readonly LearnedRoute[]): Promise<void> {
  await plane.dataplane.start();
  plane.dataplane.setNode(facts);
  plane.dataplane.applyChanges(changes(...routes));
  await outlast();
}

/** Lets time pass and everything that follows from it happen. */
async function advance(ms: number): Promise<void> {
  clock.advance(ms);
  await outlast();
}

async function advanceTo(ms: number): Promise<void> {
  await advance(ms - clock.now());
}

/** Settles; where that waits for a pause to end, the clock moves on to its end. */
async function outlast(): Promise<void> {
  await new Promise(setImmediate);
  let isSettled = false;
  const settled = plane.dataplane.settled().then(() => {
    isSettled = true;
  });
  for (let pauses = 0; ; pauses++) {
    await new Promise(setImmediate);
    if (isSettled) break;
    if (pauses === 200) throw new Error('it does not settle');
    clock.advance((clock.nextMs ?? clock.now()) - clock.now());
  }
  await settled;
}

const ourRoutes = () => machine.routes().filter((line) => line.includes('proto 179'));
const BLACKHOLE = 'blackhole 10.244.1.0/24 proto 179 metric 2048';
const DIRECT = '10.244.2.0/24 via 192.168.1.12 dev eth0 proto 179 metric 2048';
const FOREIGN = '10.99.0.0/16 via 192.168.1.1 dev eth0 proto 4 metric 2048';

describe('reading back', () => {
  test('what changed without a word is found on the timer, put right, and counted', async () => {
    await start(learned('10.244.2.0/24', '192.168.1.12'));
    const [gone] = machine.kernel.allRoutes().filter((route) => route.prefix === prefix('10.244.2.0/24'));
    await machine.kernel.apply([{ op: 'delete', route: gone as NonNullable<typeof gone> }]);
    await advance(READ_BACK_MS - 1);
    expect(ourRoutes()).not.toContain(DIRECT);
    await advance(1);
    expect(ourRoutes()).toContain(DIRECT);
    expect(plane.dataplane.counters()).toMatchObject({ drift: 1 });
    expect(plane.events).toContainEqual({ kind: 'drift', count: 1, examples: [prefix('10.244.2.0/24')] });
  });

  test('forwarding that somebody turned off is turned on again', async () => {
    await start();
    machine.sysctl.write('net/ipv4/ip_forward', '0');
    await advance(READ_BACK_MS);
    expect(machine.sysctl.read('net/ipv4/ip_forward')).toBe('1');
  });

  test('a next hop that no route names any more is not asked about', async () => {
    await start(learned('10.244.2.0/24', '192.168.1.12'));
    plane.dataplane.applyChanges(changes('10.244.2.0/24'));
    await outlast();
    machine.kernel.calls.length = 0;
    await advance(READ_BACK_MS);
    expect(machine.kernel.calls).not.toContain('lookup');
  });

  test('a change of one route reads no table', async () => {
    await start(learned('10.244.2.0/24', '192.168.1.12'));
    machine.kernel.calls.length = 0;
    plane.dataplane.applyChanges(changes(learned('10.244.2.0/24', '192.168.1.13')));
    await outlast();
    expect(machine.kernel.calls).toEqual(['lookup', 'apply']);
  });

  test('a storm of events is read once, and once more after a pause', async () => {
    await start();
    await advance(1_000);
    const { readBacks } = plane.dataplane.counters();
    for (let index = 0; index < 100; index++) machine.addDevice(`veth${index}`);
    await new Promise(setImmediate);
    expect(plane.dataplane.counters().readBacks).toBe(readBacks + 1);
    for (let index = 100; index < 200; index++) {
      machine.addDevice(`veth${index}`);
      await new Promise(setImmediate);
    }
    await advance(1_000);
    expect(plane.dataplane.counters().readBacks).toBe(readBacks + 2);
  });

  test('lost events are told, and everything is read', async () => {
    await start(learned('10.244.2.0/24', '192.168.1.12'));
    await advance(1_000);
    const { readBacks } = plane.dataplane.counters();
    machine.kernel.loseEvents();
    await outlast();
    expect(plane.events).toContainEqual({ kind: 'eventsLost' });
    expect(plane.dataplane.counters().readBacks).toBe(readBacks + 1);
  });

  test('after the sweep, a stranger with our mark goes; before it, it is a leftover', async () => {
    await start();
    const stray = 'route add 10.244.8.0/24 via 192.168.1.12 proto 179 metric 2048';
    machine.ip(stray);
    await advance(1_000);
    expect(plane.state('10.244.8.0/24')).toBe('stale');
    plane.dataplane.setPeers({ anyUp: true, endOfRibFrom: new Set(), allComplete: true });
    await outlast();
    machine.ip(stray);
    await advance(1_000);
    expect(ourRoutes()).toEqual([BLACKHOLE]);
  });
});

describe('the sweep', () => {
  const STALE = '10.244.6.0/24 via 192.168.1.16 dev eth0 proto 179 metric 2048';
  const up = { anyUp: true, endOfRibFrom: new Set<never>(), allComplete: false };

  beforeEach(() => machine.ip('route add 10.244.6.0/24 via 192.168.1.16 proto 179 metric 2048'));

  test('some time after the start all go that nobody announced', async () => {
    await start();
    plane.dataplane.setPeers(up);
    await advanceTo(START_MS + SWEEP_MS - 1);
    expect(ourRoutes()).toContain(STALE);
    await advance(1);
    expect(ourRoutes()).toEqual([BLACKHOLE]);
    expect(plane.events).toContainEqual({ kind: 'swept', count: 1, why: 'timeout' });
    expect(plane.dataplane.counters().swept).toBe(1);
  });

  test('not while no peer is up, however long', async () => {
    await start();
    await advance(10 * SWEEP_MS);
    expect(ourRoutes()).toContain(STALE);
  });

  test('a first peer that comes late gets the same time', async () => {
    await start();
    await advance(2 * SWEEP_MS);
    plane.dataplane.setPeers(up);
    await advance(SWEEP_MS - 1);
    expect(ourRoutes()).toContain(STALE);
    await advance(1);
    expect(ourRoutes()).toEqual([BLACKHOLE]);
  });

  test('a peer that goes before the time is over keeps them', async () => {
    await start();
    plane.dataplane.setPeers(up);
    plane.dataplane.setPeers({ ...up, anyUp: false });
    await advance(2 * SWEEP_MS);
    expect(ourRoutes()).toContain(STALE);
  });

  test('a blackhole of an earlier run has no peer: it goes with the last ones', async () => {
    machine.ip('route add blackhole 10.244.66.0/24 proto 179 metric 2048');
    await start();
    plane.dataplane.setPeers({ ...up, endOfRibFrom: new Set([address('192.168.1.16')]) });
    await outlast();
    expect(ourRoutes()).toEqual([BLACKHOLE, 'blackhole 10.244.66.0/24 proto 179 metric 2048']);
    plane.dataplane.setPeers({ ...up, allComplete: true });
    await outlast();
    expect(ourRoutes()).toEqual([BLACKHOLE]);
  });

  test("an earlier run's other metric: ours is installed first, then the old one goes", async () => {
    machine.ip('route add 10.244.2.0/24 via 192.168.1.12 proto 179 metric 1000');
    await start(learned('10.244.2.0/24', '192.168.1.12'));
    expect(ourRoutes().filter((line) => line.startsWith('10.244.2.0'))).toEqual([DIRECT]);
  });
});

describe('refusals', () => {
  test('a refused route is told with the kernel’s words, tried again later and later, and recovers', async () => {
    machine.kernel.failNext('add', 'ENOMEM', 4);
    await startWith({ ...FACTS, pools: [] }, learned('10.244.2.0/24', '192.168.1.12'));
    expect(plane.route('10.244.2.0/24')).toMatchObject({
      state: 'failed',
      reason:
        'next hop 192.168.1.12 is on the same L2 network (eth0); the kernel refused: the kernel is out of memory (ENOMEM)',
    });
    expect(plane.events).toContainEqual(
      expect.objectContaining({ kind: 'routesFailed', code: 'KERNEL_ENOMEM', count: 1 }),
    );
    // The own subnet's blackhole is refused as often: one second after the first refusal, two after the second.
    await advance(1_000);
    await advance(1_999);
    expect(plane.state('10.244.2.0/24')).toBe('failed');
    await advance(1);
    expect(plane.state('10.244.2.0/24')).toBe('ok');
    expect(plane.dataplane.counters()).toMatchObject({ applied: 2, failed: 4 });
    expect(plane.events).toContainEqual(expect.objectContaining({ kind: 'routesRecovered', count: 2 }));
  });

  test('a thousand routes that fail for one reason are one event', async () => {
    const many = Array.from({ length: 1000 }, (_each, index) =>
      learned(`10.244.${100 + Math.floor(index / 256)}.${index % 256}/32`, '192.168.1.12'),
    );
    machine.kernel.failNext('add', 'ENOMEM', 1001);
    await start(...many);
    const failed = plane.events.filter((event) => event.kind === 'routesFailed');
    expect(failed.map((event) => event.count).sort()).toEqual([1, 1000]);
    expect(failed.every((event) => event.examples.length <= 5)).toBe(true);
  });

  test('a foreign route that nobody told us of is found by the refusal, and is a conflict', async () => {
    await start();
    await machine.kernel.close();
    machine.ip('route add 10.244.2.0/24 via 192.168.1.1 proto 4 metric 2048');
    plane.dataplane.applyChanges(changes(learned('10.244.2.0/24', '192.168.1.12')));
    await outlast();
    expect(plane.state('10.244.2.0/24')).toBe('conflict');
    expect(machine.routes()).toContain('10.244.2.0/24 via 192.168.1.1 dev eth0 proto 4 metric 2048');
  });

  test('a withdrawn route that somebody removed unheard is no failure', async () => {
    await start(learned('10.244.2.0/24', '192.168.1.12'));
    await machine.kernel.close();
    machine.ip('route delete 10.244.2.0/24 via 192.168.1.12 proto 179 metric 2048');
    plane.dataplane.applyChanges(changes('10.244.2.0/24'));
    await outlast();
    expect(plane.state('10.244.2.0/24')).toBeUndefined();
    expect(plane.dataplane.counters().failed).toBe(0);
  });

  test('a route to be changed that somebody removed unheard is put back', async () => {
    await start(learned('10.244.2.0/24', '192.168.1.13'));
    await machine.kernel.close();
    machine.ip('route delete 10.244.2.0/24 via 192.168.1.13 proto 179 metric 2048');
    plane.dataplane.applyChanges(changes(learned('10.244.2.0/24', '192.168.1.12')));
    await outlast();
    expect(ourRoutes()).toContain(DIRECT);
  });

  test('without CAP_NET_ADMIN the start fails with the remedy', async () => {
    machine.kernel.failNext('checkPermission', 'EPERM');
    const error = await plane.dataplane.start().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(KernelError);
    expect(error).toMatchObject({ code: 'KERNEL_EPERM', remedy: expect.stringContaining('CAP_NET_ADMIN') });
  });

  test('a kernel that cannot be read is told once, and told when it can', async () => {
    await start(learned('10.244.2.0/24', '192.168.1.12'));
    machine.kernel.failNext('routes', 'ENOBUFS', 3);
    clock.advance(READ_BACK_MS);
    await outlast();
    const told = plane.events.filter(({ kind }) => kind === 'kernelUnreadable' || kind === 'kernelReadable');
    expect(told).toEqual([
      expect.objectContaining({ kind: 'kernelUnreadable', code: 'KERNEL_ENOBUFS' }),
      { kind: 'kernelReadable', failures: 3 },
    ]);
  });

  test('a /proc/sys that is read-only is told once, with the remedy', async () => {
    machine.sysctl.isReadOnly = true;
    await start();
    await advance(READ_BACK_MS);
    const told = plane.events.filter((event) => event.kind === 'settingWrong');
    expect(told).toEqual([
      expect.objectContaining({
        setting: 'net.ipv4.ip_forward',
        remedy: expect.stringContaining('ip_forward=1'),
      }),
    ]);
  });

  const SCENARIOS: readonly (readonly [FakeCall, string])[] = [
    ['links', 'EINTR'],
    ['addresses', 'EINTR'],
    ['routes', 'ENOBUFS'],
    ['lookup', 'ENOBUFS'],
    ['apply', 'ENOBUFS'],
    ['add', 'ENOMEM'],
    ['add', 'EEXIST'],
    ['replace', 'ENOENT'],
    ['replace', 'ENETUNREACH'],
    ['delete', 'EBUSY'],
    ['createIpip', 'EOPNOTSUPP'],
    ['addAddress', 'ENOMEM'],
    ['setUp', 'EBUSY'],
    ['changeIpip', 'EINVAL'],
  ];

  test.each(SCENARIOS)('%s fails once with %s: in the end everything is as wanted', async (call, errno) => {
    await start(learned('10.244.2.0/24', '192.168.1.13'), learned('10.244.4.0/24', '192.168.1.14'));
    // A device and a route of each kind to be made, changed and removed, with the failure in the middle of it.
    machine.ip('link delete podroute0');
    machine.ip('link add podroute0 type ipip local 192.168.1.99');
    machine.kernel.failNext(call, errno);
    if (call === 'links' || call === 'addresses' || call === 'routes') clock.advance(READ_BACK_MS);
    plane.dataplane.applyChanges(
      changes(
        learned('10.244.2.0/24', '192.168.1.12'),
        learned('10.244.3.0/24', '192.168.2.11'),
        '10.244.4.0/24',
      ),
    );
    if (call === 'createIpip') machine.ip('link delete podroute0');
    await outlast();
    await advance(READ_BACK_MS);
    await outlast();
    expect(machine.routes().filter((line) => !line.startsWith('default'))).toEqual([
      DIRECT,
      '10.244.3.0/24 via 192.168.2.11 dev podroute0 proto 179 src 10.244.1.0 metric 2048 onlink mtu 1480',
      FOREIGN,
      BLACKHOLE,
    ]);
    expect(
      plane.dataplane
        .routes()
        .map((route) => route.state)
        .sort(),
    ).toEqual(['blackhole', 'ok', 'ok']);
    expect(machine.kernel.unspentFailures).toBe(0);
  });
});
