/** The questions to this machine: only what holds on any machine is asserted. */
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import {
  detectAddress,
  detectionText,
  type Machine,
  readInterfaces,
  resolveHost,
  routeSource,
} from '../../../../agent/detect/index.js';
import { formatIpAddress, ipv4, ipv6, parseIpv4 } from '../../../../bgp/net/index.js';

const LOOPBACK = parseIpv4('127.0.0.1') ?? ipv4(0);
const CONTEXT = { family: 'ipv4', pools: [], tunnelDevice: 'podroute0' } as const;

test('every interface that Node names, in that order, with all addresses', () => {
  const written = readInterfaces().map(({ name, addresses }) => [
    name,
    addresses.map(({ address, lengthBits }) => `${formatIpAddress(address)}/${lengthBits}`),
  ]);
  const named = Object.entries(networkInterfaces()).map(([name, entries = []]) => [
    name,
    entries.map(({ cidr }) => cidr),
  ]);
  expect(written).toEqual(named);
  expect(written.flat(2)).toContain('127.0.0.1/8');
});

test('the source towards an address of this machine is that address', async () => {
  expect(await routeSource(LOOPBACK)).toEqual({ address: LOOPBACK });
});

test('where the kernel cannot send to, it says so', async () => {
  // A link-local address without its link: no kernel sends there, whatever its routes.
  const answer = await routeSource(ipv6((0xfe80n << 112n) + 1n));
  expect('problem' in answer && answer.problem).toMatch(
    /^the kernel has no way to fe80::1 \(E[A-Z]+\); add the route, or choose another method$/,
  );
});

describe('names', () => {
  test('localhost', async () => {
    expect(await resolveHost('localhost', 'ipv4')).toEqual({ address: LOOPBACK });
  });

  test('one that means nothing is one sentence', async () => {
    const answer = await resolveHost('no-such-name.invalid', 'ipv4');
    expect('problem' in answer && answer.problem).toMatch(
      /^the name no-such-name\.invalid cannot be resolved \([A-Z_]+\); write can-reach=ADDRESS, or mend the DNS$/,
    );
  });
});

describe('what is asked of the machine', () => {
  function machine(asked: string[]): Machine {
    return {
      readInterfaces: () => {
        asked.push('interfaces');
        const address = parseIpv4('192.168.1.11') ?? LOOPBACK;
        return [{ name: 'eth0', isUp: true, mac: '', addresses: [{ address, lengthBits: 24 }] }];
      },
      resolveHost: async (host) => {
        asked.push(`name ${host}`);
        return host === 'router' ? { address: LOOPBACK } : { problem: `${host} means nothing` };
      },
      routeSource: async (target) => {
        asked.push(`way to ${formatIpAddress(target)}`);
        return { address: parseIpv4('192.168.1.11') ?? LOOPBACK };
      },
    };
  }

  test.each([
    [
      'a name is resolved, then the way is asked for',
      { host: 'router' },
      ['name router', 'way to 127.0.0.1', 'interfaces'],
      '192.168.1.11/24 of eth0: the source towards router',
    ],
    [
      'an address is not resolved',
      { host: '127.0.0.1', address: LOOPBACK },
      ['way to 127.0.0.1', 'interfaces'],
      '192.168.1.11/24 of eth0: the source towards 127.0.0.1',
    ],
    ['a name that means nothing is the end', { host: 'nobody' }, ['name nobody'], 'nobody means nothing'],
  ])('%s', async (_name, target, expected, text) => {
    const asked: string[] = [];
    const detection = await detectAddress({ type: 'can-reach', ...target }, CONTEXT, machine(asked));
    expect(asked).toEqual(expected);
    expect(detectionText(detection)).toBe(text);
  });

  test('other methods ask for interfaces alone', async () => {
    const asked: string[] = [];
    await detectAddress({ type: 'first-found' }, CONTEXT, machine(asked));
    expect(asked).toEqual(['interfaces']);
  });
});
