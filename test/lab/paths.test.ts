import { describe, expect, test } from 'vitest';
import { PAIR_KINDS, type PairKind, pairsOf } from './pairs.js';
import { type Path, pathOf } from './paths.js';
import { loadTopology } from './topology-file.js';

const topology = loadTopology(new URL('../../deploy/lab/mesh.yaml', import.meta.url).pathname);
const pairs = pairsOf(topology, () => '192.168.1.11');

function pairOf(from: string, to: string) {
  const pair = pairs.find((each) => each.from === from && each.to === to);
  if (pair === undefined) throw new Error(`no pair ${from} ${to}`);
  return pair;
}

describe('what the lab expects of each kind of ping', () => {
  // The values were taken with ping and tcpdump on machines set up by hand.
  test.each([
    ['pods on one bridge', 'pod-a1', 'pod-a2', '10.244.1.2', 64, 64],
    ['pods on one L2 network', 'pod-a1', 'pod-b2', '10.244.1.2', 62, 62],
    ['pods in two subnets', 'pod-a1', 'pod-c1', '10.244.1.2', 62, 62],
    ['node to its own pod', 'node-a', 'pod-a1', '10.244.1.1', 64, 64],
    ['node to a pod next door', 'node-a', 'pod-b1', '192.168.1.11', 63, 63],
    ['node to a pod in another subnet', 'node-a', 'pod-d1', '10.244.1.0', 63, 63],
    ['pod to its own node', 'pod-a1', 'node-a', '10.244.1.2', 64, 64],
    ['pod to the node next door', 'pod-a1', 'node-b', '10.244.1.2', 63, 63],
    ['pod to a node in another subnet', 'pod-a1', 'node-c', '10.244.1.2', 62, 63],
    ['client to a pod behind its router', 'client', 'pod-a1', '192.168.3.10', 62, 61],
    ['client to a pod in the other subnet', 'client', 'pod-c1', '192.168.3.10', 61, 61],
    ['pod to the client', 'pod-c1', 'client', '10.244.3.2', 61, 61],
  ])('%s: %s to %s', (_name, from, to, source, requestTtl, replyTtl) => {
    const { request, reply } = pairOf(from, to);
    expect({ source: request.source, request: request.ttl, reply: reply.ttl }).toEqual({
      source,
      request: requestTtl,
      reply: replyTtl,
    });
  });

  test('pods in two subnets cross the router in IPIP, both ways', () => {
    const { request, reply } = pairOf('pod-a1', 'pod-c1');
    const there = { source: '192.168.1.11', destination: '192.168.2.13' };
    const back = { source: '192.168.2.13', destination: '192.168.1.11' };
    expect(request.legs.filter((leg) => leg.to === 'router' || leg.from === 'router')).toEqual([
      { network: 'net-a', from: 'node-a', to: 'router', outer: there },
      { network: 'net-b', from: 'router', to: 'node-c', outer: there },
    ]);
    expect(reply.legs.map((leg) => leg.outer)).toEqual([undefined, back, back, undefined]);
  });

  test('a pod reaches a remote node address plain, and the answer comes back in IPIP', () => {
    const { request, reply } = pairOf('pod-a1', 'node-c');
    expect(request.legs.every((leg) => leg.outer === undefined)).toBe(true);
    expect(reply.legs.filter((leg) => leg.outer !== undefined)).toHaveLength(2);
  });

  test('nothing inside one L2 network touches the router', () => {
    const inside = pairs.filter((pair) => pair.distance === 'same network' && !pair.kind.includes('client'));
    expect(inside.length).toBeGreaterThan(0);
    const legs = inside.flatMap((pair) => [...pair.request.legs, ...pair.reply.legs]);
    expect(legs.filter((leg) => leg.outer !== undefined || leg.to === 'router')).toEqual([]);
  });

  test('every pair of pods, nodes and client is there once', () => {
    const count = (kind: PairKind) => pairs.filter((pair) => pair.kind === kind).length;
    expect(Object.fromEntries(PAIR_KINDS.map((kind) => [kind, count(kind)]))).toEqual({
      'pod-pod': 56,
      'node-pod': 32,
      'pod-node': 32,
      'client-pod': 8,
      'pod-client': 8,
    });
    expect(new Set(pairs.map((pair) => `${pair.from} ${pair.to}`)).size).toBe(pairs.length);
  });

  test('a destination that the topology has no route to is an error, not a path', () => {
    const router = topology.machines.get('router');
    if (router === undefined) throw new Error('no router');
    expect(() => pathOf(topology, router, '10.244.1.2', () => undefined)).toThrow(/router has no route/);
  });
});

describe('what the lab expects where nodes differ', () => {
  const varied = loadTopology(new URL('../../deploy/lab/varied.yaml', import.meta.url).pathname);
  const variedPairs = pairsOf(varied, () => undefined);
  const find = (from: string, to: string) => {
    const pair = variedPairs.find((each) => each.from === from && each.to === to);
    if (pair === undefined) throw new Error(`no pair ${from} ${to}`);
    return pair;
  };
  const dresses = ({ legs }: Path) =>
    legs
      .filter(({ network }) => !network.startsWith('pods'))
      .map(({ from, to, outer }) => [from, to, outer?.source]);

  test.each([
    ['a /32 with an on-link route to its neighbour', 'pod-a1', 'pod-b1', '10.244.1.2', 62, 62],
    ['into a pool of Always, next door', 'node-a', 'pod-b2', '10.244.1.0', 63, 63],
    ['to a /32 that knows its gateway alone', 'pod-a1', 'pod-c1', '10.244.1.2', 62, 62],
    ['two subnets of one node', 'pod-d1', 'pod-d2', '10.244.4.2', 63, 63],
    ['to a BIRD in the other subnet', 'pod-a1', 'pod-e1', '10.244.1.2', 62, 62],
    ['from a BIRD in the other subnet', 'node-e', 'pod-a1', '10.244.5.0', 63, 63],
    ['from a BIRD to its neighbour', 'node-e', 'pod-d1', '192.168.2.15', 63, 63],
    ['a pod to a node behind two routers', 'pod-a1', 'node-d', '10.244.1.2', 61, 63],
  ])('%s: %s to %s', (_name, from, to, source, requestTtl, replyTtl) => {
    const { request, reply } = find(from, to);
    expect({ source: request.source, request: request.ttl, reply: reply.ttl }).toEqual({
      source,
      request: requestTtl,
      reply: replyTtl,
    });
  });

  test('a pool of Always is in IPIP even inside one network, one of CrossSubnet on the way back is not', () => {
    const { request, reply } = find('pod-a1', 'pod-b2');
    expect(dresses(request)).toEqual([['node-a', 'node-b', '192.168.1.11']]);
    expect(dresses(reply)).toEqual([['node-b', 'node-a', undefined]]);
  });

  test('both ways are in IPIP where one end has nothing but a gateway, and only its own go by the router', () => {
    const { request, reply } = find('pod-a1', 'pod-c1');
    expect(dresses(request)).toEqual([['node-a', 'node-c', '192.168.1.11']]);
    expect(dresses(reply)).toEqual([
      ['node-c', 'router-a', '192.168.1.13'],
      ['router-a', 'node-a', '192.168.1.13'],
    ]);
  });

  test('a pool of Never has no way to the other subnet, and packets out of it none back', () => {
    expect(find('pod-a1', 'pod-d2')).toMatchObject({
      request: { lostAt: 'router-a', legs: [{ to: 'node-a' }, { from: 'node-a', to: 'router-a' }] },
      reply: { legs: [] },
    });
    const { request, reply } = find('pod-d2', 'pod-a1');
    expect(request.lostAt).toBeUndefined();
    expect(reply.lostAt).toBe('router-a');
    expect(find('pod-e1', 'pod-d2').request.lostAt).toBeUndefined();
  });
});
