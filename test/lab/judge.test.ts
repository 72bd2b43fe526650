import { describe, expect, test } from 'vitest';
import type { Sighting } from './captures.js';
import { judgeWires, pingFault } from './judge.js';
import { pairsOf } from './pairs.js';
import type { Leg } from './paths.js';
import { loadTopology } from './topology-file.js';

const topology = loadTopology(new URL('../../deploy/lab/mesh.yaml', import.meta.url).pathname);
const pairs = pairsOf(topology, () => '192.168.1.11');
const sequence = pairs.findIndex(({ from, to }) => from === 'pod-a1' && to === 'pod-c1');
const pair = pairs[sequence];
if (pair === undefined) throw new Error('no pair pod-a1 pod-c1');

describe('a ping from a pod to a pod in another subnet', () => {
  const request = { source: '10.244.1.2', ttl: 62 };
  const reply = { source: '10.244.3.2', ttl: 62 };

  test('passes when both packets arrive as they were sent, through two nodes each', () => {
    expect(pingFault(pair, { request, reply, failure: undefined })).toBeUndefined();
  });

  test.each([
    [
      'masqueraded on the way',
      { request: { ...request, source: '192.168.1.11' }, reply },
      /request came from/,
    ],
    ['forwarded once too often', { request: { ...request, ttl: 61 }, reply }, /TTL 61/],
    ['not there', { request: undefined, reply }, /request did not arrive/],
    ['not answered', { request, reply: undefined }, /reply did not/],
    ['answered by another', { request, reply: { ...reply, source: '192.168.2.13' } }, /reply came from/],
    ['answered over another way', { request, reply: { ...reply, ttl: 61 } }, /TTL 61/],
  ])('fails when it is %s', (_name, seen, fault) => {
    expect(pingFault(pair, { ...seen, failure: undefined })).toMatch(fault);
  });

  test('fails in the words of whoever refused it', () => {
    const failure = 'host unreachable, says 10.244.1.1';
    expect(pingFault(pair, { request: undefined, reply: undefined, failure })).toBe(failure);
  });
});

describe('a ping that must not get through', () => {
  const seen = { source: '10.244.1.2', ttl: 62 };
  const lostThere = { ...pair, request: { ...pair.request, lostAt: 'router' } };
  const lostBack = { ...pair, reply: { ...pair.reply, lostAt: 'router' } };
  const failure = 'network unreachable, says 192.168.1.254';

  test('passes when it is lost where it should be, told or not', () => {
    expect(pingFault(lostThere, { request: undefined, reply: undefined, failure })).toBeUndefined();
    expect(pingFault(lostBack, { request: seen, reply: undefined, failure })).toBeUndefined();
    expect(pingFault(lostBack, { request: seen, reply: undefined, failure: undefined })).toBeUndefined();
  });

  test('fails when it arrives, or is lost before', () => {
    const through = { request: seen, reply: { ...seen, source: '10.244.3.2' }, failure: undefined };
    expect(pingFault(lostThere, through)).toMatch(/the request arrived; router should have no way/);
    expect(pingFault(lostBack, through)).toMatch(/the reply arrived; router should have no way/);
    const nothing = { request: undefined, reply: undefined, failure };
    expect(pingFault(lostBack, nothing)).toBe('the request did not arrive');
    const masqueraded = { request: { ...seen, source: '192.168.1.11' }, reply: undefined, failure };
    expect(pingFault(lostBack, masqueraded)).toMatch(/request came from/);
  });
});

describe('a capture on the router', () => {
  const covers = ({ network, from, to }: Leg) =>
    network === 'net-a' && (from === 'router' || to === 'router');
  const sight = (kind: 'request' | 'reply', outer: string | undefined): Sighting => {
    return { echo: { kind, id: 7, sequence }, outer, index: 0 };
  };
  const there = sight('request', '192.168.1.11>192.168.2.13');
  const back = sight('reply', '192.168.2.13>192.168.1.11');
  const verdicts = (sightings: readonly Sighting[]) =>
    judgeWires(covers, sightings, [...pairs], 7)
      .filter((finding) => finding.pair === pair)
      .map(({ ok }) => ok);

  test('passes when request and reply cross in IPIP between the two nodes', () => {
    expect(verdicts([there, back])).toEqual([true, true]);
  });

  test.each([
    ['crosses plain', sight('request', undefined)],
    ['crosses between other nodes', sight('request', '192.168.1.12>192.168.2.13')],
  ])('fails when the request %s', (_name, wrong) => {
    expect(verdicts([wrong, back])).toEqual([false, true]);
  });

  test('fails when a packet is missing or comes twice', () => {
    expect(verdicts([back])).toEqual([false, true]);
    expect(verdicts([there, there, back])).toEqual([false, true]);
  });

  test('fails when it sees what should have stayed inside one L2 network', () => {
    const inside = pairs.findIndex(({ from, to }) => from === 'pod-a1' && to === 'pod-b1');
    const stray = { echo: { kind: 'request', id: 7, sequence: inside } as const, outer: undefined, index: 0 };
    const finding = judgeWires(covers, [stray], pairs, 7).find((each) => each.pair === pairs[inside]);
    expect(finding).toMatchObject({ expected: [], seen: ['plain'], ok: false });
  });

  test('overlooks the pings of other runs', () => {
    const other = { ...there, echo: { ...there.echo, id: 8 } };
    expect(verdicts([other, there, back])).toEqual([true, true]);
  });
});
