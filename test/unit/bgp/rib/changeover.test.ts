/**
 * What changes in the tables when nodes learn from each other in another way: a peer's name, whom we reflect for, and what
 * is kept of a peer that left.
 */
import { describe, expect, test } from 'vitest';
import { Rib } from '../../../../bgp/rib/index.js';
import {
  acceptAll,
  announce,
  identifier,
  node,
  PeerTable,
  prefix,
  pull,
  pullRoutes,
  withdraw,
} from '../../../support/rib.js';

const BLOCK = '10.244.2.0/24';

function newRib(clusterId?: string): Rib {
  const own = { localAs: 64512, bgpIdentifier: identifier('192.168.1.1'), policy: acceptAll };
  return new Rib(clusterId === undefined ? own : { ...own, clusterId: identifier(clusterId) });
}

describe('a peer with another name', () => {
  const renamed = node(2, { id: 'peer/reflectors/node-2' });

  function withRoutes() {
    const rib = newRib();
    rib.peerUp(node(2));
    rib.peerUp(node(3, { routeReflectorClient: true }));
    rib.applyUpdate('node-2', announce([BLOCK, '10.244.22.0/24'], '192.168.1.2'));
    const third = new PeerTable();
    for (const update of pull(rib, 'node-3')) third.apply(update);
    pull(rib, 'node-2');
    return { rib, third };
  }

  test('has the routes of the one with the old name, and nobody is told anything', () => {
    const { rib, third } = withRoutes();
    const changes = rib.updatePeer(renamed, 'node-2');
    expect(changes.map(({ best }) => best?.peer?.id)).toEqual([renamed.id, renamed.id]);
    expect(rib.paths(prefix(BLOCK)).map(({ path }) => path.peer?.id)).toEqual([renamed.id]);
    expect(rib.counters(renamed.id)).toMatchObject({ received: 2, accepted: 2 });
    expect(rib.counters('node-2')).toMatchObject({ received: 0, accepted: 0 });
    expect(third.routes.size).toBe(2);
    expect(pullRoutes(rib, 'node-3')).toEqual([]);
    expect(pullRoutes(rib, renamed.id)).toEqual([]);
  });

  test('is the one whose withdrawals and whose end count', () => {
    const { rib } = withRoutes();
    rib.updatePeer(renamed, 'node-2');
    rib.applyUpdate(renamed.id, withdraw(BLOCK));
    expect(rib.best(prefix(BLOCK))).toBeUndefined();
    expect(rib.size('ipv4')).toBe(1);
    rib.peerDown(renamed.id, { keepStale: false });
    expect(rib.size('ipv4')).toBe(0);
  });
});

describe('the cluster id of a speaker that is up (RFC 4456 8)', () => {
  test('reflected routes are told again with the new one, and no others', () => {
    const rib = newRib();
    rib.setLocalRoutes([{ prefix: prefix('10.244.1.0/24') }]);
    rib.peerUp(node(2, { routeReflectorClient: true }));
    rib.peerUp(node(3, { routeReflectorClient: true }));
    rib.applyUpdate('node-2', announce([BLOCK], '192.168.1.2'));
    pull(rib, 'node-3');
    expect(rib.setClusterId(identifier('244.0.0.1'))).toEqual([]);
    expect(pullRoutes(rib, 'node-3')).toMatchObject([
      { reach: [{ prefixes: [prefix(BLOCK)] }], attributes: { clusterList: [identifier('244.0.0.1')] } },
    ]);
    rib.setClusterId();
    expect(pullRoutes(rib, 'node-3')).toMatchObject([
      { attributes: { clusterList: [identifier('192.168.1.1')] } },
    ]);
    rib.setClusterId();
    expect(pullRoutes(rib, 'node-3')).toEqual([]);
  });

  test('what was received is judged anew: routes of our own cluster are loops', () => {
    const rib = newRib();
    rib.peerUp(node(2));
    rib.applyUpdate('node-2', announce([BLOCK], '192.168.1.3', { clusterList: [identifier('244.0.0.1')] }));
    expect(rib.setClusterId(identifier('244.0.0.1'))).toMatchObject([{ prefix: prefix(BLOCK) }]);
    expect(rib.best(prefix(BLOCK))).toBeUndefined();
    rib.setClusterId();
    expect(rib.best(prefix(BLOCK))).toBeDefined();
  });
});

describe('what a peer that left has announced', () => {
  function withTwo() {
    const rib = newRib();
    rib.peerUp(node(2));
    rib.applyUpdate('node-2', announce([BLOCK, '10.244.22.0/24'], '192.168.1.2'));
    rib.peerDown('node-2', { keepStale: true });
    rib.peerUp(node(3));
    return rib;
  }

  test('stays where nobody else has told of it, and goes where somebody has', () => {
    const rib = withTwo();
    expect(rib.sweepCovered('node-2')).toEqual([]);
    rib.applyUpdate('node-3', announce([BLOCK], '192.168.1.2'));
    expect(rib.best(prefix(BLOCK))?.peer?.id).toBe('node-2');
    rib.sweepCovered('node-2');
    expect(rib.paths(prefix(BLOCK)).map(({ path }) => path.peer?.id)).toEqual(['node-3']);
    expect(rib.best(prefix('10.244.22.0/24'))).toMatchObject({ stale: true, peer: { id: 'node-2' } });
    expect(rib.counters('node-2').stale).toBe(1);
  });

  test('is not covered by what is stale itself', () => {
    const rib = withTwo();
    rib.applyUpdate('node-3', announce([BLOCK], '192.168.1.2'));
    rib.peerDown('node-3', { keepStale: true });
    expect(rib.sweepCovered('node-2')).toEqual([]);
    expect(rib.counters('node-2').stale).toBe(2);
  });

  test('is its own matter again once it is back', () => {
    const rib = withTwo();
    rib.applyUpdate('node-3', announce([BLOCK], '192.168.1.2'));
    rib.peerUp(node(2));
    expect(rib.sweepCovered('node-2')).toEqual([]);
    expect(rib.counters('node-2').stale).toBe(2);
  });
});
