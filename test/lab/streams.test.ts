import { describe, expect, test } from 'vitest';
import { transfersOf } from './bulk.js';
import { pairsOf } from './pairs.js';
import { StreamBook } from './streams.js';
import { loadTopology } from './topology-file.js';

const topology = loadTopology(new URL('../../deploy/lab/varied.yaml', import.meta.url).pathname);
const pairs = pairsOf(topology, () => undefined);
const pair = pairs.find(({ from, to }) => from === 'pod-a1' && to === 'pod-d1');
if (pair === undefined) throw new Error('no pair pod-a1 pod-d1');
const covers = ({ network }: { readonly network: string }) => network === 'net-a';

const [POD_A, POD_D, NODE_A, NODE_D] = ['10.244.1.2', '10.244.4.2', '192.168.1.11', '192.168.2.14'];
const DF = 0x4000;
const MF = 0x2000;

/** RFC 791: a header of 20 octets, and what is behind it. */
function ipv4(source: string, destination: string, protocol: number, flags: number, payload: Buffer): Buffer {
  const octets = (address: string) => address.split('.').map(Number);
  const total = 20 + payload.length;
  const fields = [0x45, 0, total >> 8, total & 0xff, 0, 0, flags >> 8, flags & 0xff, 64, protocol, 0, 0];
  return Buffer.concat([Buffer.from([...fields, ...octets(source), ...octets(destination)]), payload]);
}

const tcp = (source: string, destination: string, flags = DF) =>
  ipv4(source, destination, 6, flags, Buffer.alloc(20));
const there = (inner = DF, outer = DF) => ipv4(NODE_A, NODE_D, 4, outer, tcp(POD_A, POD_D, inner));
const back = (inner = DF, outer = DF) => ipv4(NODE_D, NODE_A, 4, outer, tcp(POD_D, POD_A, inner));

function faultOf(...packets: readonly Buffer[]): string | undefined {
  const book = new StreamBook();
  for (const packet of packets) book.note(packet);
  if (pair === undefined) return 'no pair';
  return book.faultOf(pair, covers);
}

describe('TCP between two pods at one point', () => {
  test('passes in IPIP both ways, DF in both headers', () => {
    expect(faultOf(there(), back(), there())).toBeUndefined();
  });

  test.each([
    ['one direction is missing', [there()], /saw nothing from 10\.244\.4\.2/],
    [
      'some of it is plain',
      [there(), back(), tcp(POD_A, POD_D)],
      /saw ipip 192\.168\.1\.11>192\.168\.2\.14, plain/,
    ],
    [
      'the outer header lacks DF',
      [there(DF, 0), back()],
      /from 192\.168\.1\.11 to 192\.168\.2\.14 without DF/,
    ],
    ['the inner header lacks DF', [there(), back(0)], /from 10\.244\.4\.2 to 10\.244\.1\.2 without DF/],
    ['somebody cut a packet', [there(DF, MF), back()], /a fragment from 192\.168\.1\.11/],
  ])('fails when %s', (_name, packets, fault) => {
    expect(faultOf(...packets)).toMatch(fault);
  });

  test('overlooks what is no TCP', () => {
    const ping = ipv4(POD_A, POD_D, 1, 0, Buffer.alloc(8));
    expect(faultOf(there(), back(), ping, Buffer.alloc(3))).toBeUndefined();
  });
});

test('there is one transfer for each kind of sender, receiver and way, and none where no way is', () => {
  const chosen = transfersOf(topology, pairs).map(({ from, to }) => `${from} ${to}`);
  expect(chosen).toEqual(
    expect.arrayContaining(['pod-a1 pod-b1', 'pod-a1 pod-d1', 'pod-a1 pod-e1', 'pod-e1 pod-a1']),
  );
  expect(chosen).toEqual(expect.not.arrayContaining(['pod-a1 pod-d2']));
  expect(new Set(chosen).size).toBe(chosen.length);
});
