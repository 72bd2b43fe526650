/**
 * A route with several ways out, under traffic: it shrinks and grows, and the flows on the ways that stay lose nothing.
 * One suite for plain next hops of both families, and for ways of which some lead through the tunnel.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Crossroads, Way } from './crossroads.js';
import { changes, learned, Plane } from './plane.js';
import { type FlowBalance, UdpFlows } from './udp-flows.js';

const FLOWS = 40;
const INTERVAL_MS = 25;
/** The time in which a way that is cut must be out of use. */
const REPAIR_MS = 1_000;

/** Runs the suite over crossroads that `make` makes, one per test. */
export function multipathSuite(make: () => Crossroads): void {
  let roads: Crossroads;
  let plane: Plane;

  beforeEach(async () => {
    roads = make();
    // Ports are part of the hash: without it all flows between two addresses go one way.
    roads.machine.sysctl.write(`net/${roads.family}/fib_multipath_hash_policy`, '1');
    plane = new Plane(roads.machine);
    await plane.dataplane.start();
    plane.dataplane.setNode(roads.facts);
    await announce(...roads.ways);
  });

  afterEach(async () => {
    await plane.dataplane.stop();
    await roads.remove();
  });

  async function announce(...ways: readonly Way[]): Promise<void> {
    plane.dataplane.applyChanges(changes(learned(roads.prefix, ...ways.map(({ nextHop }) => nextHop))));
    await plane.dataplane.settled();
  }

  const startFlows = () =>
    UdpFlows.start({
      path: roads.machine.path,
      service: roads.service,
      sinks: roads.ways.map(({ sink }) => sink),
      flows: FLOWS,
      intervalMs: INTERVAL_MS,
    });

  const installed = () => plane.route(roads.prefix).kernel?.nextHops ?? [];

  /** Every sink has flows, or nothing is proven. */
  function expectAllInUse(flows: UdpFlows): void {
    const used = new Set(flows.ways());
    for (const { sink } of roads.ways) expect(used).toContain(sink.name);
  }

  function lossOf(balances: readonly FlowBalance[]): number {
    return balances.reduce((sum, { lost }) => sum + lost, 0);
  }

  const [first, second, third] = [0, 1, 2] as const;
  const way = (number: number): Way => {
    const found = roads.ways[number];
    if (found === undefined) throw new Error(`there is no way ${number}`);
    return found;
  };

  test('withdrawn one after the other and announced again: no packet of any flow is lost', async () => {
    const flows = await startFlows();
    expectAllInUse(flows);
    await announce(way(first), way(third));
    const without = await flows.another();
    await announce(way(third));
    const alone = await flows.another();
    await announce(way(second), way(third));
    await flows.another();
    await announce(...roads.ways);
    const again = await flows.another();
    expectAllInUse(flows);
    await flows.stop();
    expect(lossOf(flows.balance())).toBe(0);
    // The withdrawn ways were out of use meanwhile, the others were not.
    const used = (fromMs: number, toMs: number) =>
      new Set(flows.balance(fromMs, toMs).flatMap(({ sinks }) => sinks));
    expect(used(without, alone)).toEqual(new Set([way(first).sink.name, way(third).sink.name]));
    expect(used(again, Number.POSITIVE_INFINITY).size).toBe(roads.ways.length);
  });

  describe.each([
    ['the far end goes: the device loses its carrier', (cut: Way) => cut.cut(), (cut: Way) => cut.mend()],
    [
      'the device is set down',
      (cut: Way) => roads.machine.ip(`link set ${cut.device} down`),
      (cut: Way) => roads.machine.ip(`link set ${cut.device} up`),
    ],
  ])('%s', (_name, down, up) => {
    test('the other flows lose nothing, and its own only until the way is out of use, within a second', async () => {
      const flows = await startFlows();
      expectAllInUse(flows);
      const cut = way(second);
      const before = flows.ways();
      const atMs = performance.now();
      down(cut);
      const isDownMs = performance.now();
      await plane.changed(() => installed().length === roads.ways.length - 1);
      const repairedMs = performance.now();
      await flows.another();
      await flows.stop();
      const balances = flows.balance();
      const others = balances.filter(({ flow }) => before[flow] !== cut.sink.name);
      const own = balances.filter(({ flow }) => before[flow] === cut.sink.name);
      expect(others.length).toBeGreaterThan(0);
      expect(own.length).toBeGreaterThan(0);
      expect(lossOf(others)).toBe(0);
      for (const { firstLostAtMs = atMs, lastLostAtMs = atMs } of own) {
        expect(firstLostAtMs).toBeGreaterThanOrEqual(atMs);
        expect(lastLostAtMs).toBeLessThanOrEqual(repairedMs);
      }
      expect(repairedMs - isDownMs).toBeLessThan(REPAIR_MS);
      expect(plane.state(roads.prefix)).toBe('ok');
      process.stdout.write(
        `${roads.prefix}: ${lossOf(own)} packets of ${own.length} flows lost, ` +
          `0 of ${others.length} others; out of use after ${(repairedMs - isDownMs).toFixed(0)} ms\n`,
      );
    });

    test('when it is back, the way is in use again and no flow loses a packet', async () => {
      const cut = way(second);
      down(cut);
      await plane.changed(() => installed().length === roads.ways.length - 1);
      const flows = await startFlows();
      expect(new Set(flows.ways())).not.toContain(cut.sink.name);
      up(cut);
      await plane.changed(() => installed().length === roads.ways.length);
      await flows.another();
      expectAllInUse(flows);
      await flows.stop();
      expect(lossOf(flows.balance())).toBe(0);
      for (const hop of installed()) expect(hop).not.toHaveProperty('state');
    });
  });
}
