/**
 * A machine with three ways to one service, in network namespaces: three far ends have the service's address (anycast).
 * Once by plain next hops, once by two tunnels through a router and a plain next hop.
 */
import { writeFileSync } from 'node:fs';
import type { NodeFacts } from '../../ipip/index.js';
import { inNamespace } from '../lab/libc.js';
import { RealMachine } from './machine.js';
import { Namespace } from './netns.js';
import { FACTS } from './plane.js';
import type { Sink } from './udp-flows.js';

/** One of the ways to the service. */
export interface Way {
  /** The far end, which has the service. */
  readonly sink: Sink;
  /** What BGP tells of it. */
  readonly nextHop: string;
  /** This machine's device towards it. */
  readonly device: string;
  /** Cuts and mends the wire at the far end: here the device stays up and loses its carrier. */
  cut(): void;
  mend(): void;
}

/** A machine with several ways to a service; the second one has a device of its own. */
export interface Crossroads {
  readonly machine: RealMachine;
  readonly family: 'ipv4' | 'ipv6';
  readonly prefix: string;
  readonly service: string;
  readonly facts: NodeFacts;
  readonly ways: readonly [Way, Way, Way];
  remove(): Promise<void>;
}

/** Three links with a far end each. */
export function plainCrossroads(family: 'ipv4' | 'ipv6'): Crossroads {
  const machine = new RealMachine();
  keepAddresses(machine.path);
  const [service, network] = family === 'ipv4' ? ['10.244.9.1', '192.168.'] : ['fd00:9::1', 'fd00:1:'];
  const host = (link: number, number: number) =>
    family === 'ipv4' ? `${network}${link}.${number}` : `${network}${link}::${number}`;
  const ends: FarEnd[] = [];
  const wayBy = (link: number): Way => {
    const end = new FarEnd(machine, `eth${link}`, host(link, 1), host(link, 2), service);
    ends.push(end);
    return end.way(host(link, 2));
  };
  return {
    machine,
    family,
    prefix: family === 'ipv4' ? '10.244.9.0/24' : 'fd00:9::/64',
    service,
    facts: { ...FACTS, pools: [] },
    ways: [wayBy(1), wayBy(2), wayBy(3)],
    remove: () => removeAll(machine, ends),
  };
}

/** Two far ends behind a router, which a tunnel leads to, and one on a link of its own. Needs a kernel with ipip. */
export function tunnelCrossroads(): Crossroads {
  const machine = new RealMachine();
  const service = '10.244.9.1';
  const router = new FarEnd(machine, 'eth0', '192.168.1.11', '192.168.1.254', undefined);
  inNamespace(router.path, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
  const beside = new FarEnd(machine, 'eth1', '192.168.5.11', '192.168.5.12', service);
  const ends: FarEnd[] = [router, beside];
  const wayThrough = (device: string, subnet: string): Way => {
    const end = new FarEnd(router, device, `${subnet}.254`, `${subnet}.11`, service);
    ends.push(end);
    // No default route: it would lead to the far end beside as well, once its own link is down.
    machine.ip(`route add ${subnet}.0/24 via 192.168.1.254`);
    end.ip(`link add ipip1 type ipip local ${subnet}.11`);
    end.ip('link set ipip1 up');
    return { ...end.way(`${subnet}.11`), device: 'eth0' };
  };
  return {
    machine,
    family: 'ipv4',
    prefix: '10.244.9.0/24',
    service,
    facts: FACTS,
    ways: [wayThrough('eth1', '192.168.2'), beside.way('192.168.5.12'), wayThrough('eth2', '192.168.3')],
    remove: () => removeAll(machine, ends),
  };
}

/** Whatever `ip` can make the near end of a wire in. */
interface NearEnd {
  ip(command: string): void;
}

/** A namespace at the other end of a wire. */
class FarEnd implements NearEnd {
  readonly #namespace = Namespace.create('podroute-far');
  readonly path = `/run/netns/${this.#namespace.name}`;
  readonly #device: string;

  /** @param service the anycast address that it has */
  constructor(near: NearEnd, device: string, nearHost: string, host: string, service: string | undefined) {
    this.#device = device;
    keepAddresses(this.path);
    near.ip(`link add ${device} type veth peer name eth0 netns ${this.#namespace.name}`);
    near.ip(`link set ${device} up`);
    this.ip('link set eth0 up');
    near.ip(`address add ${withLength(nearHost)} dev ${device}${flagsOf(nearHost)}`);
    this.ip(`address add ${withLength(host)} dev eth0${flagsOf(host)}`);
    if (service !== undefined) this.ip(`address add ${service} dev lo${flagsOf(service)}`);
  }

  ip(command: string): void {
    this.#namespace.ip(...command.split(' '));
  }

  way(nextHop: string): Way {
    return {
      sink: { name: this.#namespace.name, path: this.path },
      nextHop,
      device: this.#device,
      cut: () => this.ip('link set eth0 down'),
      mend: () => this.ip('link set eth0 up'),
    };
  }

  remove(): Promise<void> {
    return this.#namespace.remove();
  }
}

const withLength = (host: string) => (host.includes(':') ? `${host}/64` : `${host}/24`);
/** Duplicate address detection would hold IPv6 addresses back for a second. */
const flagsOf = (host: string) => (host.includes(':') ? ' nodad' : '');

/** IPv6 addresses outlive a link that goes down, as IPv4 ones do. */
function keepAddresses(path: string): void {
  inNamespace(path, () => {
    for (const name of ['all', 'default']) {
      writeFileSync(`/proc/sys/net/ipv6/conf/${name}/keep_addr_on_down`, '1');
    }
  });
}

async function removeAll(machine: RealMachine, ends: readonly FarEnd[]): Promise<void> {
  for (const end of ends) await end.remove();
  await machine.remove();
}
