/**
 * What a kernel does to routes by itself, mostly without a word: one suite for the fake and the real one. The data plane's
 * read-backs rest on it. Where the two differ, the fake is wrong.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  interfaceIndex,
  type KernelEvent,
  type KernelNextHop,
  type KernelRoute,
  MAIN_TABLE,
} from '../../ipip/kernel/kernel.js';
import { address, prefix } from './addresses.js';
import { type Machine, must } from './machine.js';
import { until } from './until.js';

const OURS = 179;
const TO = '10.244.2.0/24';

/** Runs the suite over machines that `make` makes, one per test: eth0 and eth1, each with an address. */
export function kernelHabitsSuite(make: () => Machine): void {
  let machine: Machine;
  let events: KernelEvent[];

  beforeEach(async () => {
    machine = make();
    events = [];
    machine.addDevice('eth0', '192.168.1.11/24');
    machine.addDevice('eth1', '192.168.7.11/24');
    await machine.kernel.open((heard) => events.push(...heard));
  });

  afterEach(async () => {
    await machine.kernel.close();
    await machine.remove();
  });

  const indexOf = async (name: string) =>
    must((await machine.kernel.links()).find((link) => link.name === name)).index;

  async function hop(gateway: string, device: string): Promise<KernelNextHop> {
    return { gateway: address(gateway), interfaceIndex: await indexOf(device), onlink: false };
  }

  async function install(...nextHops: readonly KernelNextHop[]): Promise<void> {
    const route: KernelRoute = {
      prefix: prefix(TO),
      table: MAIN_TABLE,
      tos: 0,
      metric: 2048,
      protocol: OURS,
      type: 'unicast',
      nextHops,
    };
    const [result] = await machine.kernel.apply([{ op: 'add', route }]);
    expect(result?.error).toBeUndefined();
    events.length = 0;
  }

  /** The gateways of our route as it is read; undefined where there is none. */
  async function gateways() {
    const [route] = await machine.kernel.routes(OURS);
    return route?.nextHops.map(({ gateway }) => gateway);
  }

  const heardOf = (name: string) =>
    until(`${name} is heard`, () =>
      events.some((event) => event.kind === 'link' && event.link.name === name),
    );
  const goneEvents = () => events.filter((event) => event.kind === 'route' && event.route.protocol === OURS);

  test('a link without a carrier keeps its routes', async () => {
    await install(await hop('192.168.1.12', 'eth0'));
    machine.ip('link set eth0-peer down');
    await until('the loss is heard', () =>
      events.some((event) => event.kind === 'link' && event.link.name === 'eth0' && !event.link.carrier),
    );
    expect(await gateways()).toEqual([address('192.168.1.12')]);
  });

  test('the last address of a device takes the routes of the device along, silently', async () => {
    await install(await hop('192.168.1.12', 'eth0'));
    machine.ip('address delete 192.168.1.11/24 dev eth0');
    await until('the address is heard', () => events.some((event) => event.kind === 'address'));
    expect(await gateways()).toBeUndefined();
    expect(goneEvents()).toEqual([]);
    machine.ip('address add 192.168.1.11/24 dev eth0');
    expect(await gateways()).toBeUndefined();
  });

  test('another address of the device keeps them, even where no gateway is on its subnet', async () => {
    machine.ip('address add 192.168.9.1/24 dev eth0');
    await install(await hop('192.168.1.12', 'eth0'));
    machine.ip('address delete 192.168.1.11/24 dev eth0');
    await until('the address is heard', () => events.some((event) => event.kind === 'address'));
    expect(await gateways()).toEqual([address('192.168.1.12')]);
  });

  test('a device that is deleted takes its routes along, silently', async () => {
    await install(await hop('192.168.7.12', 'eth1'));
    machine.ip('link delete eth1');
    await heardOf('eth1');
    expect(await gateways()).toBeUndefined();
    expect(goneEvents()).toEqual([]);
  });

  test('of a route with two ways out, the link of one goes down: the route stays, with both', async () => {
    const hops = [await hop('192.168.1.12', 'eth0'), await hop('192.168.7.12', 'eth1')];
    await install(...hops);
    machine.ip('link set eth1 down');
    await heardOf('eth1');
    expect(await gateways()).toEqual([address('192.168.1.12'), address('192.168.7.12')]);
    machine.ip('link set eth0 down');
    await heardOf('eth0');
    expect(await gateways()).toBeUndefined();
    expect(goneEvents()).toEqual([]);
  });

  test('of a route with two ways out, the device of one is deleted: the route goes, silently', async () => {
    await install(await hop('192.168.1.12', 'eth0'), await hop('192.168.7.12', 'eth1'));
    machine.ip('link delete eth1');
    await heardOf('eth1');
    expect(await gateways()).toBeUndefined();
    expect(goneEvents()).toEqual([]);
  });

  test('a gateway that is an address of this machine is taken: the plan has to know better', async () => {
    await install(await hop('192.168.1.11', 'eth0'));
    expect(await gateways()).toEqual([address('192.168.1.11')]);
  });

  test('operations on a device that is not there are refused with ENODEV', async () => {
    const index = interfaceIndex(4711);
    for (const operation of [
      { op: 'setUp', index },
      { op: 'setMtu', index, mtuBytes: 1400 },
      { op: 'deleteLink', index },
      { op: 'addAddress', address: { index, address: address('10.244.1.0'), lengthBits: 32 } },
    ] as const) {
      await expect(machine.kernel.applyLink(operation), operation.op).rejects.toMatchObject({
        code: 'KERNEL_ENODEV',
      });
    }
  });

  test('an address that is there already may be added again, and one that is not cannot be removed', async () => {
    const index = await indexOf('eth0');
    const own = { index, address: address('192.168.1.11'), lengthBits: 24 };
    const other = { index, address: address('10.244.1.0'), lengthBits: 32 };
    await machine.kernel.applyLink({ op: 'addAddress', address: own });
    expect(machine.addresses('eth0')).toEqual(['192.168.1.11/24']);
    await expect(machine.kernel.applyLink({ op: 'removeAddress', address: other })).rejects.toMatchObject({
      code: 'KERNEL_EADDRNOTAVAIL',
    });
  });
}
