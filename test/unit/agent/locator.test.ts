/** Where a machine is: the address under which the others know it stays, as long as the machine has it. */
import { describe, expect, test } from 'vitest';
import { readMethod } from '../../../agent/detect/index.js';
import { Locator } from '../../../agent/locator.js';
import { formatIpAddress } from '../../../bgp/net/index.js';
import { node, pool, resources } from '../../support/manifests.js';

/** This machine has it whatever else it has, and no method but the name of it would choose it. */
const HERE = '127.0.0.1/8';
/** No machine has it (RFC 5737). */
const AWAY = '203.0.113.77/24';

async function located(method: string, entered?: string): Promise<string> {
  const ip = readMethod('ipv4')(method);
  if ('problem' in ip) throw new Error(ip.problem);
  const cluster = resources(pool(), ...(entered === undefined ? [] : [node('a', entered)]));
  const locator = new Locator({ ip: ip.value, tunnelDevice: 'podroute0' });
  const { ipv4 } = await locator.locate(cluster, cluster.nodes[0]);
  return 'problem' in ipv4 ? ipv4.problem : `${formatIpAddress(ipv4.chosen.address)}: ${ipv4.chosen.reason}`;
}

describe('the address of this machine', () => {
  test('entered before and still here: it stays, although the method would choose another one or none', async () => {
    expect(await located('first-found', HERE)).toBe('127.0.0.1: entered before, and still of this machine');
  });

  test('entered before and gone: the method decides', async () => {
    expect(await located('first-found', AWAY)).toBe(await located('first-found'));
    expect(await located('first-found', AWAY)).not.toContain('203.0.113.77');
  });

  test('a method that somebody has named is asked at the start', async () => {
    expect(await located('interface=^no-such-device$', HERE)).toContain('no address of this node was found');
  });

  test('one that is set goes before what was entered', async () => {
    expect(await located(AWAY, HERE)).toContain('203.0.113.77: as set');
  });
});
