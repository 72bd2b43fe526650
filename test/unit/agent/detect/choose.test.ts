/** Which address a node takes, and what is said of the others. */
import { describe, expect, test } from 'vitest';
import {
  chooseAddress,
  type DetectionContext,
  detectionText,
  type InterfaceFacts,
  readMethod,
} from '../../../../agent/detect/index.js';
import { type Family, parseCidr, parseIpAddress } from '../../../../bgp/net/index.js';
import { pool, resources } from '../../../support/manifests.js';

function device(name: string, ...addresses: readonly string[]): InterfaceFacts {
  return {
    name,
    isUp: true,
    mac: '02:00:00:00:00:01',
    addresses: addresses.map((text) => {
      const address = parseCidr(text);
      if (address === undefined) throw new Error(`wrong test data: ${text}`);
      return address;
    }),
  };
}

/** A Vagrant machine: NAT first, then the network of the mesh; Docker, our tunnel, the bridge of the pods. */
const MACHINE: readonly InterfaceFacts[] = [
  device('lo', '127.0.0.1/8', '::1/128'),
  device('docker0', '172.17.0.1/16'),
  device('eth0', '10.0.2.15/24', 'fe80::1/64', '2001:db8:2::15/64'),
  device('eth1', '169.254.7.7/16', '192.168.1.11/24', '192.168.1.100/32', '2001:db8:1::11/64'),
  device('podroute0', '10.244.1.0/32'),
  device('br0', '10.244.1.1/24'),
];

const POOLS = resources(pool()).pools;

interface Asked extends Partial<Omit<DetectionContext, 'source'>> {
  readonly source?: string;
}

function choose(text: string, machine = MACHINE, { source, family = 'ipv4', ...rest }: Asked = {}) {
  const method = readMethod(family)(text);
  if ('problem' in method) throw new Error(`wrong test data: ${method.problem}`);
  const address = source === undefined ? undefined : parseIpAddress(source);
  return chooseAddress(method.value, machine, {
    family,
    pools: POOLS,
    tunnelDevice: 'podroute0',
    ...rest,
    ...(address !== undefined && { source: { address } }),
  });
}

describe('the methods', () => {
  test.each<[method: string, family: Family, source: string | undefined, chosen: string]>([
    ['first-found', 'ipv4', undefined, '10.0.2.15/24 of eth0: first-found'],
    ['autodetect', 'ipv4', undefined, '10.0.2.15/24 of eth0: first-found'],
    ['first-found', 'ipv6', undefined, '2001:db8:2::15/64 of eth0: first-found'],
    ['skip-interface=eth0', 'ipv4', undefined, '192.168.1.11/24 of eth1: skip-interface'],
    ['skip-interface=^ens,0$', 'ipv4', undefined, '192.168.1.11/24 of eth1: skip-interface'],
    ['interface=eth1', 'ipv4', undefined, '192.168.1.11/24 of eth1: interface'],
    ['interface=docker.*', 'ipv4', undefined, '172.17.0.1/16 of docker0: interface'],
    ['interface=^bond,^eth[1-9]$', 'ipv6', undefined, '2001:db8:1::11/64 of eth1: interface'],
    ['cidr=192.168.0.0/16', 'ipv4', undefined, '192.168.1.11/24 of eth1: cidr'],
    ['cidr=172.16.0.0/12,192.168.1.0/24', 'ipv4', undefined, '192.168.1.11/24 of eth1: cidr'],
    ['cidr=2001:db8:1::/48', 'ipv6', undefined, '2001:db8:1::11/64 of eth1: cidr'],
    [
      'can-reach=192.168.1.254',
      'ipv4',
      '192.168.1.11',
      '192.168.1.11/24 of eth1: the source towards 192.168.1.254',
    ],
    [
      'can-reach=router.example',
      'ipv4',
      '10.0.2.15',
      '10.0.2.15/24 of eth0: the source towards router.example',
    ],
    ['192.168.1.100/32', 'ipv4', undefined, '192.168.1.100/32 of eth1: as set'],
    ['192.168.9.9/24', 'ipv4', undefined, '192.168.9.9/24: as set, although no interface has it'],
  ])('%s (%s)', (method, family, source, chosen) => {
    const text = detectionText(choose(method, MACHINE, { family, ...(source && { source }) }));
    expect(text.split(';')[0]).toBe(chosen);
  });

  test('the order of the machine decides, and every other address is named with a reason', () => {
    expect(detectionText(choose('first-found'))).toBe(
      '10.0.2.15/24 of eth0: first-found' +
        '; not 127.0.0.1/8 of lo: a loopback address' +
        ', not 172.17.0.1/16 of docker0: a bridge of Docker' +
        ', not 169.254.7.7/16 of eth1: a link-local address' +
        ', not 192.168.1.11/24 of eth1: not the first' +
        ', not 192.168.1.100/32 of eth1: not the first' +
        ', not 10.244.1.0/32 of podroute0: the tunnel of podroute' +
        ', not 10.244.1.1/24 of br0: an address of IPPool/pods (10.244.0.0/16), and so of pods',
    );
  });
});

describe('what no method takes', () => {
  test.each([
    ['interface=lo', 'a loopback address'],
    ['interface=br0', 'an address of IPPool/pods (10.244.0.0/16), and so of pods'],
    ['interface=podroute0', 'the tunnel of podroute'],
    ['cidr=169.254.0.0/16', 'a link-local address'],
    ['cidr=172.17.0.0/16', 'a bridge of Docker'],
  ])('%s', (method, reason) => {
    const detection = choose(method);
    expect('problem' in detection && detection.problem).toContain(`(${reason})`);
  });

  test('a tunnel by another name, and an interface that is down', () => {
    const machine = [
      device('ipip7', '192.168.7.7/32'),
      { ...device('eth0', '192.168.1.11/24'), isUp: false },
      device('eth1', '192.168.2.11/24'),
    ];
    expect(detectionText(choose('first-found', machine, { tunnelDevice: 'ipip7' }))).toBe(
      '192.168.2.11/24 of eth1: first-found; not 192.168.7.7/32 of ipip7: the tunnel of podroute, not 192.168.1.11/24 of eth0: its interface is down',
    );
  });

  test.each([
    'docker_gwbridge',
    'br-1f2e',
    'podman1',
    'cbr0',
    'cni0',
    'lxcbr0',
    'lxdbr0',
    'virbr0',
    'kube-ipvs0',
    'kube-bridge',
    'nodelocaldns',
    'dummy0',
    'veth12ab',
    'cali123',
    'lxc1',
    'weave',
    'flannel.1',
    'cilium_host',
    'antrea-gw0',
    'vxlan.calico',
    'tunl0',
    'tun0',
    'tap0',
    'wireguard.cali',
    'wg-v6.cali',
    'podroute1',
  ])('first-found passes over %s', (name) => {
    const detection = choose('first-found', [
      device(name, '192.168.1.11/24'),
      device('ens3', '192.168.2.11/24'),
    ]);
    expect('chosen' in detection && detection.chosen.interface).toBe('ens3');
  });

  test.each(['eth0', 'ens3', 'enp1s0f0', 'bond0', 'br0', 'wlan0', 'lom0', 'vlan10', 'wg0'])(
    'and not over %s',
    (name) => {
      const detection = choose('first-found', [device(name, '192.168.1.11/24')]);
      expect('chosen' in detection && detection.chosen.interface).toBe(name);
    },
  );
});

describe('no address', () => {
  test('one sentence with what was seen', () => {
    expect(detectionText(choose('cidr=192.168.9.0/24', MACHINE.slice(0, 3)))).toBe(
      'no address of this node was found by cidr: there is 127.0.0.1/8 of lo (a loopback address), ' +
        '172.17.0.1/16 of docker0 (a bridge of Docker), 10.0.2.15/24 of eth0 (in none of the networks of cidr=)' +
        '; name it with --ip ADDRESS/LENGTH, or choose another method',
    );
  });

  test('nothing to see', () => {
    expect(
      detectionText(choose('first-found', [device('eth0', '192.168.1.11/24')], { family: 'ipv6' })),
    ).toBe(
      'no address of this node was found by first-found: no interface that is up has an IPv6 address' +
        '; name it with --ip6 ADDRESS/LENGTH, or choose another method',
    );
  });

  test('no way to the address that should be reached', () => {
    const method = readMethod('ipv4')('can-reach=192.168.9.9');
    if ('problem' in method) throw new Error(method.problem);
    const source = { problem: 'the kernel has no way to 192.168.9.9' };
    const context = { family: 'ipv4', pools: [], tunnelDevice: 'podroute0', source } as const;
    expect(chooseAddress(method.value, MACHINE, context)).toEqual(source);
  });
});
