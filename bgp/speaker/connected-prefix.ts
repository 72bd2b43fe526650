/**
 * Which connected prefix of this machine both ends of a session are on (RFC 4271 section 5.1.3).
 *
 * Owns: asking the system. Must not know: sockets, sessions.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import {
  type IpAddress,
  type Ipv4,
  ipv4,
  isIpv4,
  type Prefix,
  parseCidr,
  prefix4,
  prefixContainsAddress,
  prefixLength,
  prefixOf,
} from '../net/index.js';

/** A prefix that is connected by a device. */
export interface ConnectedLink {
  /** Such as `eth0`. */
  readonly device: string;
  readonly prefix: Prefix;
}

/** @returns undefined where the two are not on one connected prefix. */
export function connectedLink(local: IpAddress, remote: IpAddress): ConnectedLink | undefined {
  const own = Object.entries(networkInterfaces())
    .flatMap(([device, entries = []]) => entries.map(({ cidr }) => ({ device, cidr: parseCidr(cidr ?? '') })))
    .filter(({ cidr }) => cidr?.address === local);
  if (own.length === 0 && isIpv4(local) && isIpv4(remote)) {
    return connectedRoute(readFileSync('/proc/net/route', 'utf8'), local, remote);
  }
  return own
    .flatMap(({ device, cidr }) =>
      cidr === undefined ? [] : { device, prefix: prefixOf(cidr.address, cidr.lengthBits) },
    )
    .find(({ prefix }) => prefixContainsAddress(prefix, remote));
}

/**
 * The longest route without a gateway that holds both addresses.
 *
 * Node shows only interfaces that are RUNNING, which one is up to a second after its carrier came: the session of a
 * machine that boots may be quicker. Its connected route is there at once.
 *
 * @param table the text of /proc/net/route: a title line, then `Iface Destination Gateway Flags RefCnt Use Metric Mask ...`
 * with addresses as hexadecimal numbers in the machine's own byte order
 */
export function connectedRoute(table: string, local: Ipv4, remote: Ipv4): ConnectedLink | undefined {
  let longest: ConnectedLink | undefined;
  for (const line of table.split('\n').slice(1)) {
    const [device, destination, gateway, , , , , mask] = line.split('\t');
    if (device === undefined || destination === undefined || mask === undefined || gateway !== '00000000')
      continue;
    const lengthBits = bitsOf(parseHexAddress(mask));
    const prefix = prefix4(parseHexAddress(destination), lengthBits);
    if (lengthBits === 0 || !prefixContainsAddress(prefix, local) || !prefixContainsAddress(prefix, remote)) {
      continue;
    }
    if (longest === undefined || lengthBits > prefixLength(longest.prefix)) longest = { device, prefix };
  }
  return longest;
}

/** `0001A8C0` is 192.168.1.0 on a little-endian machine, which all that koffi's structures here serve are. */
function parseHexAddress(text: string): Ipv4 {
  return ipv4(Buffer.from(text.trim(), 'hex').readUInt32LE());
}

function bitsOf(mask: Ipv4): number {
  return mask.toString(2).replaceAll('0', '').length;
}
