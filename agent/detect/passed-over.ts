/**
 * Which interfaces and addresses are no node's: those of containers, tunnels and programs.
 *
 * Owns: the table, and the reason of each row. Must not know: methods.
 * Source: the interfaces that Calico's first-found leaves out, and those of other programs that make networks.
 */
import {
  formatPrefix,
  type IpAddress,
  ipv4,
  isHostAddress,
  isIpv4,
  isLinkLocal,
  isLoopbackIpv4,
  prefix4,
  prefixContainsAddress,
} from '../../bgp/net/index.js';
import type { IpPool } from '../resources/index.js';

/** By the name of the interface; `what` completes "is ...". */
const INTERFACES: readonly (readonly [name: RegExp, what: string])[] = [
  [/^lo$/, 'the loopback'],
  [/^docker/, 'a bridge of Docker'],
  [/^br-/, 'a bridge of a container network'],
  [/^podman/, 'a bridge of Podman'],
  [/^(cbr|cni)/, 'a bridge of a CNI plugin'],
  [/^(lxcbr|lxdbr|virbr)/, 'a bridge of virtual machines or containers'],
  [/^kube-(ipvs|bridge)/, 'a device of kube-proxy or kube-router'],
  [/^nodelocaldns/, 'a device of a DNS cache'],
  [/^dummy/, 'a dummy'],
  [/^(veth|cali|lxc)/, 'an end of a container'],
  [/^(weave|flannel|cilium|antrea)/, 'a device of another pod network'],
  [/^(vxlan|tunl|tun|tap|wireguard\.cali|wg-v6\.cali)/, 'a tunnel'],
  [/^podroute/, 'a device of podroute'],
];

const IPV4_LINK_LOCAL = prefix4(ipv4(0xa9fe_0000), 16);

/** Why an interface of this name is passed over by the methods that take whatever there is; undefined: it is not. */
export function whyNotInterface(name: string): string | undefined {
  return INTERFACES.find(([pattern]) => pattern.test(name))?.[1];
}

/** Why nobody's node address is this one, whatever the method; undefined: it may be. */
export function whyNotAddress(
  address: IpAddress,
  pools: readonly Pick<IpPool, 'name' | 'cidr'>[],
): string | undefined {
  if (isIpv4(address) ? isLoopbackIpv4(address) : address === 1n) return 'a loopback address';
  if (isLinkLocal(address) || prefixContainsAddress(IPV4_LINK_LOCAL, address)) return 'a link-local address';
  if (!isHostAddress(address)) return 'no address of a host';
  const pool = pools.find(({ cidr }) => prefixContainsAddress(cidr, address));
  return pool && `an address of IPPool/${pool.name} (${formatPrefix(pool.cidr)}), and so of pods`;
}
