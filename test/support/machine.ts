/**
 * A machine whose kernel a test drives from both sides: through our port, and as its administrator with `ip`.
 *
 * Owns: the contract that the fake and the real kernel share, and the real one. The same suites run over both.
 */
import { spawnSync } from 'node:child_process';
import type { Kernel, Sysctl } from '../../ipip/kernel/kernel.js';
import { nftables, type RuleSets } from '../../ipip/kernel/nft.js';
import { rtnetlinkKernel } from '../../ipip/kernel/rtnetlink.js';
import { procSysctl } from '../../ipip/kernel/sysctl.js';
import { inNamespace } from '../lab/libc.js';
import { netAtRest, netDump } from './net-dump.js';
import { Namespace } from './netns.js';

export interface Machine {
  readonly kernel: Kernel;
  readonly sysctl: Sysctl;
  /** A device with carrier, up, with these addresses (`192.168.1.11/24`). */
  addDevice(name: string, ...addresses: readonly string[]): void;
  /** What an administrator types after `ip`, such as `route add 10.0.0.0/8 via 192.168.1.1 proto 4`. */
  ip(command: string): void;
  /** Routes of the main table that the kernel itself did not install, as `ip -N route` words them, sorted. */
  routes(): readonly string[];
  /** Addresses of a device, as `10.0.0.1/24`. */
  addresses(device: string): readonly string[];
  remove(): Promise<void>;
}

/** A network namespace of the running kernel; needs root. */
export class RealMachine implements Machine {
  readonly kernel: Kernel;
  readonly sysctl: Sysctl;
  readonly ruleSets: RuleSets;
  readonly #namespace: Namespace;
  /** The path of its network namespace. */
  readonly path: string;

  constructor(namespace = Namespace.create('podroute-ipip')) {
    this.#namespace = namespace;
    const path = `/run/netns/${this.#namespace.name}`;
    this.path = path;
    const kernel = rtnetlinkKernel();
    const open = kernel.open.bind(kernel);
    kernel.open = (onEvents) => inNamespace(path, () => open(onEvents));
    this.kernel = kernel;
    this.sysctl = {
      read: (name) => inNamespace(path, () => procSysctl.read(name)),
      list: (folder) => inNamespace(path, () => procSysctl.list(folder)),
      write: (name, value) => inNamespace(path, () => procSysctl.write(name, value)),
    };
    this.ruleSets = ruleSetsIn(this.#namespace);
  }

  addDevice(name: string, ...addresses: readonly string[]): void {
    this.ip(`link add ${name} type veth peer name ${name}-peer`);
    this.ip(`link set ${name}-peer up`);
    this.ip(`link set ${name} up`);
    for (const address of addresses) {
      this.ip(`address add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`);
    }
  }

  ip(command: string): void {
    const words = command.split(' ');
    const isIpv6 = words[0] === 'route' && command.includes(':') && !words.includes('inet6');
    const family = isIpv6 ? ['-6'] : [];
    this.#namespace.ip(...family, ...words);
  }

  /** Many commands in one process, in their order; IPv4 only. */
  batch(commands: readonly string[]): void {
    this.#namespace.ipBatch(commands);
  }

  routes(): readonly string[] {
    const lines = ['-4', '-6'].flatMap((family) =>
      this.#namespace.ip('-N', family, 'route', 'show', 'table', '254').split('\n'),
    );
    return routeLines(lines);
  }

  addresses(device: string): readonly string[] {
    const out = this.#namespace.ip('-o', 'address', 'show', 'dev', device);
    return Array.from(out.matchAll(/inet6? (\S+)/g), (match) => match[1] ?? '').filter(
      (address) => !address.startsWith('fe80:'),
    );
  }

  /** Whether its kernel takes a chain that masquerades, asked as an administrator would. */
  hasNat(): boolean {
    const chain = '{ type nat hook postrouting priority srcnat; }';
    const rules = `add table ip probe; add chain ip probe c ${chain}; add rule ip probe c masquerade; delete table ip probe`;
    return spawnSync('ip', ['netns', 'exec', this.#namespace.name, 'nft', rules]).status === 0;
  }

  /** Resolves when nothing of its network moves by itself. */
  async atRest(): Promise<void> {
    await netAtRest(this.#namespace.name);
  }

  /** Everything of its network, as text. */
  dump(): ReturnType<typeof netDump> {
    return netDump(this.#namespace.name);
  }

  /** The source address of this machine's own packets to an address. */
  sourceTowards(address: string): string | undefined {
    return / src (\S+)/.exec(this.#namespace.ip('route', 'get', address))?.[1];
  }

  async remove(): Promise<void> {
    await this.#namespace.remove();
  }
}

/** nftables of a namespace: the child is started within the call, so it is born there. */
export function ruleSetsIn(namespace: Namespace): RuleSets {
  const path = `/run/netns/${namespace.name}`;
  return {
    apply: (text) => inNamespace(path, () => nftables.apply(text)),
    list: (family, table) => inNamespace(path, () => nftables.list(family, table)),
  };
}

/** What a test knows to be there. */
export function must<T>(value: T | undefined, what = 'what the test expects'): T {
  if (value === undefined) throw new Error(`${what} is not there`);
  return value;
}

const KERNEL_PROTOCOL = / proto 2( |$)/;
/** `ip -N` writes the type of a special route as its number. */
const TYPE_NUMBERS: Readonly<Record<string, string>> = {
  6: 'blackhole',
  7: 'unreachable',
  8: 'prohibit',
  9: 'throw',
};

/** Brings the lines of `ip -N route` into the one form that the suites compare. */
export function routeLines(lines: readonly string[]): readonly string[] {
  return lines
    .map((line) =>
      line
        .trim()
        .replace(/^([6-9]) /, (_all, number: string) => `${TYPE_NUMBERS[number]} `)
        .replace(/ (scope|pref|error|weight) \S+/g, '')
        .replace(/^(blackhole .*?) dev lo\b/, '$1')
        .replace(/\s+/g, ' '),
    )
    .filter((line) => line !== '' && !KERNEL_PROTOCOL.test(line) && !line.startsWith('nexthop'))
    .map((line) => line.replace(/ linkdown| dead/g, '').trim())
    .sort();
}
