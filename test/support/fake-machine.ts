/**
 * A machine with a fake kernel, and an administrator who speaks the few words of `ip` that the suites use.
 */
import {
  addressFamily,
  formatIpAddress,
  formatPrefix,
  type IpAddress,
  type Prefix,
  parseCidr,
  parseIpAddress,
  parseIpv4,
  prefixFamily,
  prefixOf,
} from '../../bgp/net/index.js';
import { kernelError } from '../../ipip/kernel/errors.js';
import {
  type InterfaceIndex,
  type KernelNextHop,
  type KernelRoute,
  MAIN_TABLE,
  type NeighbourState,
  type RouteType,
  type Sysctl,
} from '../../ipip/kernel/kernel.js';
import { FakeKernel } from './fake-kernel.js';
import { type Machine, must } from './machine.js';

/** RTPROT_BOOT: what `ip route add` says of itself. */
const PROTOCOL_BOOT = 3;
const PROTOCOL_KERNEL = 2;
/** What the kernel takes for an IPv6 route without a metric. */
const IPV6_DEFAULT_METRIC = 1024;

/** Kernel settings in memory; settings that were never set do not exist. */
export class FakeSysctl implements Sysctl {
  readonly values = new Map<string, string>([['net/ipv4/ip_forward', '0']]);
  isReadOnly = false;

  read(name: string): string | undefined {
    return this.values.get(name);
  }

  list(folder: string): readonly string[] {
    const below = [...this.values.keys()].filter((name) => name.startsWith(`${folder}/`));
    return [...new Set(below.map((name) => name.slice(folder.length + 1).split('/')[0] ?? ''))];
  }

  write(name: string, value: string): void {
    if (this.isReadOnly) throw kernelError(30, `/proc/sys/${name}`);
    this.values.set(name, value);
  }
}

/** A machine with a fake kernel. */
export class FakeMachine implements Machine {
  readonly kernel: FakeKernel;
  readonly sysctl = new FakeSysctl();

  constructor(options: { readonly hasIpip: boolean }) {
    this.kernel = new FakeKernel(options);
  }

  addDevice(name: string, ...addresses: readonly string[]): void {
    const index = this.kernel.addDevice(name);
    for (const address of addresses) this.kernel.addAddress({ index, ...must(parseCidr(address), address) });
  }

  ip(command: string): void {
    const [object, verb, ...words] = command.split(' ');
    if (object === 'link' && verb === 'set') this.#setLink(words, command);
    else if (object === 'link' && verb === 'add') this.#addLink(words, command);
    else if (object === 'link' && verb === 'delete') {
      this.kernel.changeLink({ op: 'deleteLink', index: this.kernel.indexOf(must(words[0], command)) });
    } else if (object === 'address' && (verb === 'add' || verb === 'delete')) {
      const index = this.kernel.indexOf(must(option(words, 'dev'), command));
      const address = { index, ...must(parseCidr(must(words[0], command)), command) };
      this.kernel.changeLink({ op: verb === 'add' ? 'addAddress' : 'removeAddress', address });
    } else if (
      object === 'route' &&
      (verb === 'add' || verb === 'append' || verb === 'replace' || verb === 'delete')
    ) {
      this.kernel.foreign(verb, this.#route(words, command));
    } else if (object === 'neigh' && (verb === 'replace' || verb === 'delete')) {
      this.#setNeighbour(verb, words, command);
    } else throw new Error(`the fake machine does not understand "ip ${command}"`);
  }

  #setLink(words: readonly string[], command: string): void {
    // The other end of the wire has a machine of its own; what it does shows here as the carrier.
    const [, device] = /^(.*)-peer$/.exec(must(words[0], command)) ?? [];
    if (device !== undefined) {
      this.kernel.setCarrier(this.kernel.indexOf(device), words.includes('up'));
      return;
    }
    const index = this.kernel.indexOf(must(words[0], command));
    const mtu = option(words, 'mtu');
    const ttl = option(words, 'ttl');
    if (ttl !== undefined) this.kernel.changeTunnel(index, { ttl: Number(ttl) });
    else if (mtu !== undefined) this.kernel.changeLink({ op: 'setMtu', index, mtuBytes: Number(mtu) });
    else this.kernel.setUp(index, words.includes('up'));
  }

  /** NAME type KIND [local ADDRESS] [remote ADDRESS] */
  #addLink(words: readonly string[], command: string): void {
    const name = must(words[0], command);
    const kind = must(option(words, 'type'), command);
    if (kind !== 'ipip') {
      this.kernel.addDevice(name, kind);
      return;
    }
    const [local, remote] = ['local', 'remote'].map((end) => {
      const address = parseIpv4(option(words, end) ?? '0.0.0.0');
      return must(address, command);
    });
    this.kernel.changeLink({
      op: 'createIpip',
      name,
      parameters: {
        local: must(local),
        remote: must(remote),
        ttl: 0,
        pathMtuDiscovery: true,
      },
      mtuBytes: 1480,
    });
  }

  /** ADDRESS dev DEVICE [nud STATE] */
  #setNeighbour(verb: string, words: readonly string[], command: string): void {
    const index = this.kernel.indexOf(must(option(words, 'dev'), command));
    const address = must(parseIpAddress(must(words[0], command)), command);
    const state = verb === 'delete' ? undefined : (must(option(words, 'nud'), command) as NeighbourState);
    this.kernel.setNeighbour(index, address, state);
  }

  /** [TYPE] PREFIX [via [inet6] GATEWAY] [dev DEVICE] [proto N] [metric N] [src ADDRESS] [mtu N] [onlink] */
  #route(words: readonly string[], command: string): KernelRoute {
    const isSpecial = words[0] === 'blackhole' || words[0] === 'unreachable';
    const type: RouteType = isSpecial ? (words[0] as RouteType) : 'unicast';
    const text = must(words[isSpecial ? 1 : 0], command);
    const cidr = must(parseDestination(text), command);
    const prefix = prefixOf(cidr.address, cidr.lengthBits);
    const via = option(words, 'inet6') ?? option(words, 'via');
    const gateway = via === undefined ? undefined : must(parseIpAddress(via), command);
    const device = option(words, 'dev');
    const source = option(words, 'src');
    const mtu = option(words, 'mtu');
    const index = device === undefined ? this.#deviceTowards(gateway) : this.kernel.indexOf(device);
    const defaultMetric = prefixFamily(prefix) === 'ipv4' ? 0 : IPV6_DEFAULT_METRIC;
    const hop: KernelNextHop = {
      ...(gateway === undefined ? {} : { gateway }),
      ...(index === undefined ? {} : { interfaceIndex: index }),
      onlink: words.includes('onlink'),
    };
    return {
      prefix,
      table: MAIN_TABLE,
      tos: 0,
      metric: Number(option(words, 'metric') ?? defaultMetric),
      protocol: Number(option(words, 'proto') ?? PROTOCOL_BOOT),
      type,
      ...(source === undefined ? {} : { source: must(parseIpAddress(source), command) }),
      ...(mtu === undefined ? {} : { mtuBytes: Number(mtu) }),
      nextHops: isSpecial ? [] : [hop],
    };
  }

  #deviceTowards(gateway: IpAddress | undefined): InterfaceIndex | undefined {
    return gateway === undefined ? undefined : this.kernel.match(gateway)?.nextHops[0]?.interfaceIndex;
  }

  routes(): readonly string[] {
    return this.kernel
      .allRoutes()
      .filter((route) => route.protocol !== PROTOCOL_KERNEL)
      .map((route) => this.lineOf(route))
      .sort();
  }

  /** As `ip -N route` words it; the next hops of a multipath route stand on lines of their own there. */
  lineOf(route: KernelRoute): string {
    const only = route.nextHops.length === 1 ? route.nextHops[0] : undefined;
    const prefix = formatPrefix(route.prefix)
      .replace(/^(0\.0\.0\.0|::)\/0$/, 'default')
      .replace(/\/(32|128)$/, '');
    return [
      ...(route.type === 'unicast' ? [] : [route.type]),
      prefix,
      ...(only?.gateway === undefined ? [] : ['via', ...gatewayWords(route.prefix, only.gateway)]),
      ...(only?.interfaceIndex === undefined ? [] : ['dev', this.kernel.nameOf(only.interfaceIndex)]),
      'proto',
      String(route.protocol),
      ...(route.source === undefined ? [] : ['src', formatIpAddress(route.source)]),
      ...(route.metric === 0 ? [] : ['metric', String(route.metric)]),
      ...(only?.onlink === true ? ['onlink'] : []),
      ...(route.mtuBytes === undefined ? [] : ['mtu', String(route.mtuBytes)]),
    ].join(' ');
  }

  addresses(device: string): readonly string[] {
    const index = this.kernel.indexOf(device);
    return this.kernel
      .allAddresses()
      .filter((entry) => entry.index === index)
      .map((entry) => `${formatIpAddress(entry.address)}/${entry.lengthBits}`);
  }

  async remove(): Promise<void> {
    await this.kernel.close();
  }
}

/** `10.0.0.0/8`, `default`, or one address. */
function parseDestination(text: string): ReturnType<typeof parseCidr> {
  const address = parseIpAddress(text);
  if (address === undefined) return parseCidr(text === 'default' ? '0.0.0.0/0' : text);
  return { address, lengthBits: addressFamily(address) === 'ipv4' ? 32 : 128 };
}

function gatewayWords(prefix: Prefix, gateway: IpAddress): readonly string[] {
  const isOther = addressFamily(gateway) !== prefixFamily(prefix);
  return isOther ? ['inet6', formatIpAddress(gateway)] : [formatIpAddress(gateway)];
}

function option(words: readonly string[], name: string): string | undefined {
  const index = words.indexOf(name);
  return index < 0 ? undefined : words[index + 1];
}
