/** What is believed of the kernel's table when somebody else changes it. */
import { expect, test } from 'vitest';
import {
  interfaceIndex,
  type KernelNextHop,
  type KernelRoute,
  MAIN_TABLE,
} from '../../../ipip/kernel/kernel.js';
import { KernelMirror } from '../../../ipip/mirror.js';
import { address, prefix } from '../../support/addresses.js';

const TO = prefix('10.244.2.0/24');
const hop = (host: number, change: Partial<KernelNextHop> = {}): KernelNextHop => ({
  gateway: address(`192.168.1.${host}`),
  interfaceIndex: interfaceIndex(2),
  onlink: false,
  ...change,
});
const route = (...nextHops: readonly KernelNextHop[]): KernelRoute => ({
  prefix: TO,
  table: MAIN_TABLE,
  tos: 0,
  metric: 2048,
  protocol: 179,
  type: 'unicast',
  nextHops,
});
const heard = (mirror: KernelMirror, change: 'new' | 'gone', of: KernelRoute) =>
  mirror.heard({ kind: 'route', change, route: of, replaced: false });

test('a route that is heard of again is taken as it is now: one of its next hops has died', () => {
  const mirror = new KernelMirror();
  mirror.load([route(hop(12), hop(13))]);
  const dying = route(hop(12), hop(13, { state: 'dead' }));
  heard(mirror, 'new', dying);
  expect(mirror.at(TO)).toEqual([dying]);
});

test('a route that is gone is gone, whatever was last known of its next hops', () => {
  const mirror = new KernelMirror();
  mirror.load([route(hop(12), hop(13, { state: 'dead', weight: 3 }))]);
  heard(mirror, 'gone', route(hop(13), hop(12)));
  expect(mirror.at(TO)).toEqual([]);
});

test('one of two next hops that is said to be gone is not the route', () => {
  const mirror = new KernelMirror();
  mirror.load([route(hop(12), hop(13))]);
  heard(mirror, 'gone', route(hop(13)));
  expect(mirror.at(TO)).toHaveLength(1);
});
