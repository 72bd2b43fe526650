/**
 * The kernel that a suite is about: on a machine of its own for each test, open, with a device and what is heard of it.
 */
import { afterEach, beforeEach } from 'vitest';
import {
  type InterfaceIndex,
  type KernelEvent,
  type KernelNextHop,
  type KernelRoute,
  MAIN_TABLE,
  type RouteOperation,
} from '../../ipip/kernel/kernel.js';
import { address, prefix } from './addresses.js';
import { type Machine, must } from './machine.js';

/** The protocol of our routes. */
export const OURS = 179;
const METRIC = 2048;

/** eth0 has 192.168.1.11/24 and 2001:db8:1::11/64. */
export class KernelSubject {
  #machine: Machine | undefined;
  /** What was heard since the test began, or since it emptied the list. */
  readonly events: KernelEvent[] = [];

  /** Has one for each test of the suite that asks. */
  static forEachTest(make: () => Machine): KernelSubject {
    const subject = new KernelSubject();
    beforeEach(() => subject.#begin(make()));
    afterEach(() => subject.#end());
    return subject;
  }

  get machine(): Machine {
    return must(this.#machine, 'the machine of a test');
  }

  async device(name: string): Promise<InterfaceIndex> {
    return must((await this.machine.kernel.links()).find((link) => link.name === name)).index;
  }

  /** A route of ours through eth0, or through next hops as they are given; a blackhole without any. */
  async route(
    to: string,
    via: readonly (string | KernelNextHop)[],
    change: Partial<KernelRoute> = {},
  ): Promise<KernelRoute> {
    const output = await this.device('eth0');
    return {
      prefix: prefix(to),
      table: MAIN_TABLE,
      tos: 0,
      metric: METRIC,
      protocol: OURS,
      type: via.length === 0 ? 'blackhole' : 'unicast',
      nextHops: via.map((hop) =>
        typeof hop === 'string' ? { gateway: address(hop), interfaceIndex: output, onlink: false } : hop,
      ),
      ...change,
    };
  }

  /** Carries the operations out. @returns `ok`, or the code of the refusal, of each */
  async codes(operations: readonly RouteOperation[]): Promise<readonly string[]> {
    const results = await this.machine.kernel.apply(operations);
    return results.map((result) => result.error?.code ?? 'ok');
  }

  async #begin(machine: Machine): Promise<void> {
    this.#machine = machine;
    this.events.length = 0;
    machine.addDevice('eth0', '192.168.1.11/24', '2001:db8:1::11/64');
    await machine.kernel.open((heard) => this.events.push(...heard));
  }

  async #end(): Promise<void> {
    await this.machine.kernel.close();
    await this.machine.remove();
  }
}
