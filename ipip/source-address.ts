/**
 * The source of this node's own packets to pods: the address that a route must name so that the answer finds back.
 *
 * Owns: what the kernel would choose by itself, and when that is not what we want. Must not know: how a route came to
 * be direct or IPIP. Pure.
 *
 * A direct route names the node address only where the kernel would choose another one: a route that names a source
 * goes, without a word, together with that address, and one that does not stays and serves the pods. A route through
 * the tunnel always names the tunnel's address (a subnet's own, which the far end answers through the tunnel), or the
 * node address where there is none.
 *
 * Source: net/ipv4/devinet.c inet_select_addr, net/ipv6/addrconf.c ipv6_dev_get_saddr (RFC 6724 section 5).
 */
import {
  type Family,
  formatIpAddress,
  type IpAddress,
  type Ipv4,
  isIpv4,
  isIpv6,
  prefixContainsAddress,
  prefixOf,
} from '../bgp/net/index.js';
import type { HostState } from './host-state.js';
import type { InterfaceIndex } from './kernel/kernel.js';
import type { NodeFacts } from './types.js';

/** `source`: to be named. `note`: why the one that belongs there cannot be. Neither: the kernel chooses right. */
export interface SourceChoice {
  readonly source?: IpAddress;
  readonly note?: string;
}

const KERNEL_CHOOSES_RIGHT: SourceChoice = {};

export class SourceAddresses {
  readonly #node: Pick<NodeFacts, 'nodeAddress' | 'nodeAddress6'>;
  readonly #host: HostState;

  constructor(node: Pick<NodeFacts, 'nodeAddress' | 'nodeAddress6'>, host: HostState) {
    this.#node = node;
    this.#host = host;
  }

  /** For a route of `family` whose packets go to `gateway`, which is on the link of this device. */
  direct(family: Family, gateway: IpAddress, device: InterfaceIndex): SourceChoice {
    const wanted = family === 'ipv4' ? this.#node.nodeAddress : this.#node.nodeAddress6;
    if (wanted === undefined) return KERNEL_CHOOSES_RIGHT;
    if (!this.#canBeSource(wanted)) return withoutSource(wanted);
    const chosen = family === 'ipv4' ? this.#ipv4Choice(gateway, device) : this.#ipv6Choice(device);
    return chosen === wanted ? KERNEL_CHOOSES_RIGHT : { source: wanted };
  }

  /** For a route through the tunnel. `address`: that of the tunnel device, where it has one. */
  tunnel(address: Ipv4 | undefined): SourceChoice {
    const wanted = address ?? this.#node.nodeAddress;
    return this.#canBeSource(wanted) ? { source: wanted } : withoutSource(wanted);
  }

  /** The kernel refuses a route whose source it does not have, or not yet. */
  #canBeSource(address: IpAddress): boolean {
    const { addresses, links } = this.#host;
    return addresses.some(
      (entry) =>
        entry.address === address &&
        entry.tentative === undefined &&
        links.some((link) => link.index === entry.index && link.up),
    );
  }

  /** The first address of the device in whose subnet the gateway is, else the first; secondary ones are not asked. */
  #ipv4Choice(gateway: IpAddress, device: InterfaceIndex): IpAddress | undefined {
    // What the kernel compares an IPv6 gateway with is not defined.
    if (isIpv6(gateway)) return undefined;
    const candidates = this.#host.addresses.filter(
      ({ index, address, secondary, narrow }) =>
        index === device && isIpv4(address) && secondary === undefined && narrow === undefined,
    );
    const beside = candidates.find(({ address, lengthBits }) =>
      prefixContainsAddress(prefixOf(address, lengthBits), gateway),
    );
    return (beside ?? candidates[0])?.address;
  }

  /** The device's only global address; of several, the choice depends on each destination. */
  #ipv6Choice(device: InterfaceIndex): IpAddress | undefined {
    const candidates = this.#host.addresses.filter(
      ({ index, address, narrow }) => index === device && isIpv6(address) && narrow === undefined,
    );
    return candidates.length === 1 ? candidates[0]?.address : undefined;
  }
}

function withoutSource(wanted: IpAddress): SourceChoice {
  return {
    note: `without ${formatIpAddress(wanted)} as the source of this node's own packets, because no device that is up has that address`,
  };
}
