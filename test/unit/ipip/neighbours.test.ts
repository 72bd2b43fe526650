/** The neighbours as last heard of, and the sentence about one that does not answer. */
import { describe, expect, test } from 'vitest';
import {
  interfaceIndex,
  type Kernel,
  type KernelNeighbour,
  type NeighbourState,
} from '../../../ipip/kernel/kernel.js';
import { NeighbourTable, neighbourProblem, takerOf } from '../../../ipip/neighbours.js';
import { address, prefix } from '../../support/addresses.js';
import { FakeKernel } from '../../support/fake-kernel.js';

const ETH0 = interfaceIndex(2);
const NODE_B = address('192.168.1.12');

const neighbour = (state: NeighbourState): KernelNeighbour => ({ index: ETH0, address: NODE_B, state });
const heard = (state: NeighbourState, change: 'new' | 'gone' = 'new') =>
  ({ kind: 'neighbour', change, neighbour: neighbour(state) }) as const;

describe('the table', () => {
  test('what is heard is news only where it says something else', () => {
    const table = new NeighbourTable();
    const news = [heard('incomplete'), heard('reachable'), heard('reachable'), heard('stale', 'gone')];
    expect(news.map((event) => table.heard(event))).toEqual([true, true, false, true]);
    expect(table.stateOf(ETH0, NODE_B)).toBeUndefined();
  });

  test('a reading takes the place of what was known', async () => {
    const kernel = new FakeKernel({ hasIpip: false });
    const table = new NeighbourTable();
    table.heard(heard('failed'));
    await table.read(kernel);
    expect(table.stateOf(ETH0, NODE_B)).toBeUndefined();
  });

  test('what is heard during a reading is newer than what it brings', async () => {
    const table = new NeighbourTable();
    const kernel = {
      neighbours: async () => {
        const read = [neighbour('stale')];
        table.heard(heard('failed'));
        return read;
      },
    } as Pick<Kernel, 'neighbours'> as Kernel;
    await table.read(kernel);
    expect(table.stateOf(ETH0, NODE_B)).toBe('failed');
  });
});

describe('who takes the packets', () => {
  const route = { interfaceIndex: ETH0, prefix: prefix('192.168.0.0/16') };

  test('the next hop on a link, the gateway towards another one, nobody for the rest', () => {
    expect(takerOf(NODE_B, { kind: 'onlink', ...route })).toEqual({
      index: ETH0,
      address: NODE_B,
      isGateway: false,
    });
    const gateway = address('192.168.1.254');
    expect(takerOf(NODE_B, { kind: 'gateway', gateway, ...route })).toEqual({
      index: ETH0,
      address: gateway,
      isGateway: true,
    });
    expect([takerOf(NODE_B, { kind: 'local' }), takerOf(NODE_B, undefined)]).toEqual([undefined, undefined]);
  });

  test.each([
    ['192.168.1.12', false, 'next hop 192.168.1.12 does not answer ARP'],
    ['192.168.1.254', true, 'gateway 192.168.1.254 does not answer ARP'],
    ['fe80::2', false, 'next hop fe80::2 does not answer neighbour discovery'],
  ])('%s failed (gateway: %s): %s', (text, isGateway, problem) => {
    const taker = { index: ETH0, address: address(text), isGateway };
    expect(neighbourProblem(taker, 'failed')).toBe(problem);
    expect(neighbourProblem(taker, 'incomplete')).toBeUndefined();
  });
});
