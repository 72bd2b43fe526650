/** subnet.env in flannel's form, and the MTU that stands in it. */
import { describe, expect, test } from 'vitest';
import { subnetEnv } from '../../../../agent/pods/index.js';
import { interfaceIndex } from '../../../../ipip/kernel/kernel.js';
import { podMtuBytes } from '../../../../ipip/pod-network.js';
import { prefix } from '../../../support/addresses.js';
import { FACTS } from '../../../support/plane.js';

const POOLS = [prefix('10.244.0.0/16'), prefix('10.250.0.0/16'), prefix('fd00:244::/48')];

describe('the text', () => {
  test('network, gateway form of the subnet, MTU, and never masquerading by the plugin', () => {
    expect(subnetEnv({ blocks: [prefix('10.244.1.0/24')], pools: POOLS, mtuBytes: 1480 })).toBe(
      'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1480\nFLANNEL_IPMASQ=true\n',
    );
  });

  test('IPv6 beside IPv4, and of each family the first block', () => {
    const blocks = ['10.250.7.64/26', '10.250.8.0/26', 'fd00:244:0:1::/64'].map(prefix);
    expect(subnetEnv({ blocks, pools: POOLS, mtuBytes: 1500 })).toBe(
      [
        'FLANNEL_NETWORK=10.250.0.0/16',
        'FLANNEL_SUBNET=10.250.7.65/26',
        'FLANNEL_IPV6_NETWORK=fd00:244::/48',
        'FLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64',
        'FLANNEL_MTU=1500',
        'FLANNEL_IPMASQ=true',
        '',
      ].join('\n'),
    );
  });

  test('a block of one address stays inside itself', () => {
    expect(subnetEnv({ blocks: [prefix('10.244.1.7/32')], pools: POOLS, mtuBytes: 1500 })).toContain(
      'FLANNEL_SUBNET=10.244.1.7/32\n',
    );
  });

  test('no subnet: no text', () => {
    expect(subnetEnv({ blocks: [], pools: POOLS, mtuBytes: 1500 })).toBeUndefined();
  });
});

describe('the MTU of the pods', () => {
  const eth0 = interfaceIndex(2);
  const host = {
    links: [{ index: eth0, name: 'eth0', up: true, carrier: true, mtuBytes: 1400 }],
    addresses: [{ index: eth0, address: FACTS.nodeAddress, lengthBits: 24 }],
  };
  const pool = (ipipMode: 'Always' | 'CrossSubnet' | 'Never') => ({
    ...FACTS,
    pools: [{ prefix: prefix('10.244.0.0/16'), ipipMode }],
  });

  test('leaves room for the outer header where a pool allows IPIP', () => {
    expect(podMtuBytes(pool('CrossSubnet'), host)).toBe(1380);
    expect(podMtuBytes(pool('Always'), host)).toBe(1380);
    expect(podMtuBytes(pool('Never'), host)).toBe(1400);
  });

  test('is not known while no device has the node address', () => {
    expect(podMtuBytes(FACTS, { ...host, addresses: [] })).toBeUndefined();
  });
});
