/**
 * Peers that are reached through gateways (`reachableBy`): one suite for the fake and the real kernel.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NodeFacts, PeerGateway } from '../../ipip/index.js';
import { address, prefix } from './addresses.js';
import type { Machine } from './machine.js';
import { FACTS, learned, ourRoutes, Plane } from './plane.js';

const ROUTER: PeerGateway = {
  peer: 'peer/tor',
  address: address('203.0.113.9'),
  gateway: address('192.168.1.1'),
};
const TO_ROUTER = '203.0.113.9/32';

/** Runs the suite over machines that `make` makes, one per test. */
export function gatewaySuite(make: () => Machine): void {
  let machine: Machine;
  let plane: Plane;

  beforeEach(async () => {
    machine = make();
    machine.addDevice('eth0', '192.168.1.11/24', '2001:db8::11/64');
    machine.ip('route add default via 192.168.1.254');
    plane = new Plane(machine);
    await plane.dataplane.start();
  });

  afterEach(async () => {
    await plane.dataplane.stop();
    await machine.remove();
  });

  async function know(...gateways: readonly PeerGateway[]): Promise<void> {
    const pools: NodeFacts['pools'] = [{ prefix: prefix('10.244.0.0/16'), ipipMode: 'Never' }];
    plane.dataplane.setNode({ ...FACTS, pools, gateways });
    await plane.dataplane.settled();
  }
  test('there is a route to the peer alone while there is the peer, and it says why', async () => {
    await know(ROUTER);
    expect(ourRoutes(machine)).toEqual(['203.0.113.9 via 192.168.1.1 dev eth0 proto 179 metric 2048']);
    expect(plane.route(TO_ROUTER)).toMatchObject({
      mode: 'direct',
      state: 'ok',
      reason: 'reachableBy of peer/tor: gateway 192.168.1.1 is on the same L2 network (eth0)',
      nextHops: [{ address: address('192.168.1.1'), device: 'eth0', mode: 'direct' }],
    });
    expect(plane.route(TO_ROUTER).learnedFrom).toBeUndefined();
    await know();
    expect(ourRoutes(machine)).toEqual([]);
    expect(plane.state(TO_ROUTER)).toBeUndefined();
  });

  test('another gateway takes its place', async () => {
    await know(ROUTER);
    await know({ ...ROUTER, gateway: address('192.168.1.2') });
    expect(ourRoutes(machine)).toEqual(['203.0.113.9 via 192.168.1.2 dev eth0 proto 179 metric 2048']);
  });

  test('IPv6', async () => {
    const peer = { ...ROUTER, address: address('2001:db8:9::9'), gateway: address('2001:db8::1') };
    await know(peer);
    expect(ourRoutes(machine)).toEqual(['2001:db8:9::9 via 2001:db8::1 dev eth0 proto 179 metric 2048']);
    await know();
    expect(ourRoutes(machine)).toEqual([]);
  });

  test('a route of another program at our metric is a conflict and stays; a better one is above ours', async () => {
    machine.ip('route add 203.0.113.9/32 via 192.168.1.3 proto 4 metric 2048');
    await know(ROUTER);
    expect(plane.state(TO_ROUTER)).toBe('conflict');
    expect(machine.routes()).toContain('203.0.113.9 via 192.168.1.3 dev eth0 proto 4 metric 2048');
    machine.ip('route delete 203.0.113.9/32 via 192.168.1.3 proto 4 metric 2048');
    machine.ip('route add 203.0.113.9/32 via 192.168.1.3 proto 4 metric 100');
    await plane.changed(() => plane.state(TO_ROUTER) === 'shadowed');
    expect(ourRoutes(machine)).toEqual(['203.0.113.9 via 192.168.1.1 dev eth0 proto 179 metric 2048']);
  });

  test('what peers announce for its address waits beneath it, and comes when the gateway goes', async () => {
    await know(ROUTER);
    await plane.apply(learned(TO_ROUTER, '192.168.1.12'));
    expect(ourRoutes(machine)).toEqual(['203.0.113.9 via 192.168.1.1 dev eth0 proto 179 metric 2048']);
    expect(plane.route(TO_ROUTER).learnedFrom).toBeUndefined();
    await know();
    expect(ourRoutes(machine)).toEqual(['203.0.113.9 via 192.168.1.12 dev eth0 proto 179 metric 2048']);
    expect(plane.route(TO_ROUTER).learnedFrom?.peer).toBe('mesh/node-b');
  });

  test("the peer's routes go by the gateway, where no pool sends them through the tunnel", async () => {
    await know(ROUTER);
    await plane.apply(learned('198.51.100.0/24', '203.0.113.9'), learned('10.244.7.0/24', '203.0.113.9'));
    expect(ourRoutes(machine)).toEqual([
      '10.244.7.0/24 via 192.168.1.1 dev eth0 proto 179 metric 2048',
      '198.51.100.0/24 via 192.168.1.1 dev eth0 proto 179 metric 2048',
      '203.0.113.9 via 192.168.1.1 dev eth0 proto 179 metric 2048',
    ]);
    expect(plane.route('198.51.100.0/24')).toMatchObject({
      mode: 'direct',
      state: 'ok',
      reason: 'next hop 203.0.113.9 is behind gateway 192.168.1.1 (eth0), as its reachableBy says',
    });
  });

  test('but not those of another router behind the same gateway, nor where the peer is reached by another way', async () => {
    machine.ip('route add 203.0.113.10/32 via 192.168.1.1');
    await know(ROUTER);
    await plane.apply(learned('198.51.100.0/24', '203.0.113.10'));
    expect(plane.route('198.51.100.0/24')).toMatchObject({ mode: 'none', state: 'failed' });
    await plane.apply(learned('198.51.100.0/24', '203.0.113.9'));
    expect(plane.state('198.51.100.0/24')).toBe('ok');
    machine.ip('route add 203.0.113.9/32 via 192.168.1.3 proto 4 metric 100');
    await plane.changed(() => plane.state('198.51.100.0/24') === 'failed');
    expect(ourRoutes(machine)).toEqual(['203.0.113.9 via 192.168.1.1 dev eth0 proto 179 metric 2048']);
  });

  test.each([
    [
      'a gateway that is not on a network of this machine',
      '198.51.100.1',
      'is itself behind gateway 192.168.1.254',
    ],
    ['a gateway that is this machine', '192.168.1.11', 'is an address of this node'],
  ])('%s gives no route and a sentence', async (_name, gateway, reason) => {
    await know({ ...ROUTER, gateway: address(gateway) });
    expect(ourRoutes(machine)).toEqual([]);
    expect(plane.route(TO_ROUTER)).toMatchObject({
      mode: 'none',
      state: 'failed',
      reason: `reachableBy of peer/tor: gateway ${gateway} ${reason}`,
    });
  });

  test('a route that was deleted is put back', async () => {
    await know(ROUTER);
    machine.ip('route delete 203.0.113.9/32 via 192.168.1.1 proto 179 metric 2048');
    await plane.changed(() => plane.events.some(({ kind }) => kind === 'drift'));
    expect(ourRoutes(machine)).toEqual(['203.0.113.9 via 192.168.1.1 dev eth0 proto 179 metric 2048']);
  });
}
