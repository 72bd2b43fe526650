/**
 * The source of a node's own packets, by what comes back: without it the answer goes to an address that the other node
 * has no route to. In namespaces of the running kernel; needs root, iproute2 and ping.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { address4, address6 } from '../../support/addresses.js';
import { RealMachine } from '../../support/machine.js';
import { Namespace } from '../../support/netns.js';
import { changes, FACTS, learned, Plane } from '../../support/plane.js';

/** A virtual address in front of the node's: what the kernel chooses by itself, and nobody routes. */
const VIP = '203.0.113.5/32';
const VIP6 = 'fd00:bad::5/64';

let node: Namespace;
let other: Namespace;
let machine: RealMachine;
let plane: Plane;

beforeEach(async () => {
  [node, other] = Namespace.linked(
    'podroute-source',
    [VIP, '192.168.1.11/32', VIP6, '2001:db8:1::11/64'],
    ['192.168.1.12/32', '2001:db8:1::12/64'],
  );
  node.ip('route', 'add', '192.168.1.12', 'dev', 'eth0');
  other.ip('route', 'add', '192.168.1.11', 'dev', 'eth0');
  // A pod of the other node, one of each family.
  other.ip('address', 'add', '10.244.2.1/32', 'dev', 'lo');
  other.ip('address', 'add', 'fd00:244:2::1/128', 'dev', 'lo', 'nodad');
  machine = new RealMachine(node);
  plane = new Plane(machine);
  await plane.dataplane.start();
  plane.dataplane.setNode({ ...FACTS, nodeAddress6: address6('2001:db8:1::11'), pools: [] });
});

afterEach(async () => {
  await plane.dataplane.stop();
  await machine.remove();
  await other.remove();
});

function answers(pod: string): boolean {
  try {
    node.run('ping', '-n', '-c', '1', '-W', '1', pod);
    return true;
  } catch {
    return false;
  }
}

test.each([
  ['10.244.2.0/24', '192.168.1.12', '10.244.2.1', '192.168.1.11'],
  ['fd00:244:2::/64', '2001:db8:1::12', 'fd00:244:2::1', '2001:db8:1::11'],
])('%s: the answer of a pod finds the node by its address', async (to, via, pod, source) => {
  plane.dataplane.applyChanges(changes(learned(to, via)));
  await plane.dataplane.settled();
  expect(plane.route(to)).toMatchObject({ mode: 'direct', state: 'ok' });
  expect(machine.sourceTowards(pod)).toBe(source);
  expect(answers(pod)).toBe(true);
  // That it is the source which does it: the same route without one loses the answer.
  await plane.dataplane.stop();
  machine.ip(`route replace ${to} via ${via} dev eth0 proto 179 metric 2048`);
  expect(machine.sourceTowards(pod)).not.toBe(source);
  expect(answers(pod)).toBe(false);
});

test('a node address on another device than the one that leads to the pods', async () => {
  node.ip('address', 'delete', '192.168.1.11/32', 'dev', 'eth0');
  node.ip('address', 'add', '192.168.1.11/32', 'dev', 'lo');
  plane.dataplane.setNode({ ...FACTS, nodeAddress: address4('192.168.1.11'), pools: [] });
  plane.dataplane.applyChanges(changes(learned('10.244.2.0/24', '192.168.1.12')));
  await plane.changed(() => plane.state('10.244.2.0/24') === 'ok');
  expect(answers('10.244.2.1')).toBe(true);
});
