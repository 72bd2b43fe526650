/** What the data plane has its node say of itself, and what it does with what others say. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LearnedRoute, NextHopFacts } from '../../../ipip/index.js';
import { address, address4, prefix } from '../../support/addresses.js';
import { FakeMachine } from '../../support/fake-machine.js';
import { changes, FACTS, learned, Plane } from '../../support/plane.js';

const B = '192.168.1.12';
const C = '192.168.2.13';
const NET: NextHopFacts = { onlink: [prefix('192.168.1.0/24')], overrides: new Map() };
const NODE = { ...FACTS, nodes: [address4(B), address4(C)] };
const TO_B = prefix('10.244.2.0/24');

let machine: FakeMachine;
let plane: Plane;

beforeEach(async () => {
  machine = new FakeMachine({ hasIpip: true });
  machine.addDevice('eth0', '192.168.1.11/24');
  machine.ip('route add default via 192.168.1.254');
  plane = new Plane(machine);
  await plane.dataplane.start();
});

afterEach(async () => {
  await plane.dataplane.stop();
  await machine.remove();
});

async function setNode(node: typeof NODE): Promise<void> {
  plane.dataplane.setNode(node);
  await plane.dataplane.settled();
}

describe('what the node says', () => {
  test('is told when it is known, without any route, and once', async () => {
    await setNode(NODE);
    await setNode({ ...NODE, blocks: [...NODE.blocks, prefix('10.244.9.0/24')] });
    expect(plane.facts).toEqual([NET]);
  });

  test('that no other node is on a link is told too: it makes the others answer through the tunnel', async () => {
    await setNode({ ...NODE, nodes: [address4(C)] });
    expect(plane.facts).toEqual([{ onlink: [], overrides: new Map() }]);
  });

  test('a route that leads a node elsewhere, and back', async () => {
    await setNode(NODE);
    machine.ip(`route add ${B}/32 via 192.168.1.254`);
    await plane.changed(() => plane.facts.length > 1);
    machine.ip(`route delete ${B}/32 via 192.168.1.254`);
    await plane.changed(() => plane.facts.length > 2);
    expect(plane.facts).toEqual([NET, { onlink: [], overrides: new Map() }, NET]);
  });

  test('what the operator sets for a peer, live', async () => {
    await setNode(NODE);
    await setNode({ ...NODE, overrides: new Map([[address(B), 'ipip' as const]]) });
    await setNode(NODE);
    expect(plane.facts).toEqual([NET, { ...NET, overrides: new Map([[address4(B), 'ipip']]) }, NET]);
  });

  test('a link that goes down and comes back is nothing to tell', async () => {
    plane.dataplane.applyChanges(changes(learned('10.244.2.0/24', B)));
    await setNode(NODE);
    machine.ip('link set eth0 down');
    await plane.changed(() => plane.state('10.244.2.0/24') === 'failed');
    machine.ip('link set eth0 up');
    await plane.changed(() => plane.state('10.244.2.0/24') === 'ok');
    expect(plane.facts).toEqual([NET]);
  });
});

describe('what another node says', () => {
  const from = (facts?: NextHopFacts): LearnedRoute => ({
    ...learned('10.244.2.0/24'),
    nextHops: [{ address: address(B), ...(facts === undefined ? {} : { facts }) }],
  });
  const hear = async (facts?: NextHopFacts) => {
    plane.dataplane.applyChanges(changes(from(facts)));
    await plane.dataplane.settled();
    return machine.routes().filter((line) => line.startsWith('10.244.2.0/24'));
  };
  const DIRECT = [`10.244.2.0/24 via ${B} dev eth0 proto 179 metric 2048`];
  const IPIP = [`10.244.2.0/24 via ${B} dev podroute0 proto 179 src 10.244.1.0 metric 2048 onlink mtu 1480`];

  test('moves the route in place, both ways, as it changes', async () => {
    await setNode(NODE);
    expect(await hear()).toEqual(DIRECT);
    expect(await hear({ onlink: [], overrides: new Map() })).toEqual(IPIP);
    expect(plane.dataplane.route(TO_B)).toMatchObject({ mode: 'ipip', state: 'ok' });
    expect(await hear(NET)).toEqual(DIRECT);
    expect(await hear({ ...NET, overrides: new Map([[address4('192.168.1.11'), 'ipip']]) })).toEqual(IPIP);
    expect(await hear()).toEqual(DIRECT);
  });

  test('and so does what this node says: both ends change together', async () => {
    await setNode(NODE);
    await hear(NET);
    await setNode({ ...NODE, overrides: new Map([[address(B), 'ipip' as const]]) });
    expect(machine.routes()).toContain(IPIP[0]);
    await setNode(NODE);
    expect(machine.routes()).toContain(DIRECT[0]);
  });
});
