/**
 * What this machine says of its interfaces and of its way to an address.
 *
 * Owns: the questions to Node. Must not know: methods, choices.
 */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import {
  addressFamily,
  type Family,
  formatIpAddress,
  type IpAddress,
  parseCidr,
  parseIpAddress,
} from '../../bgp/net/index.js';
import type { InterfaceFacts } from './choose.js';

/** The socket is connected and never written to, so any port but 0 will do: this one is `discard`. */
const DISCARD_PORT = 9;

type Answer = { readonly address: IpAddress } | { readonly problem: string };

/** Interfaces that are up and have a carrier, in the order in which the machine has them; Node names no others. */
export function readInterfaces(): readonly InterfaceFacts[] {
  return Object.entries(networkInterfaces()).map(([name, entries = []]) => ({
    name,
    isUp: true,
    mac: entries[0]?.mac ?? '',
    addresses: entries.flatMap(({ cidr }) => (cidr === null ? [] : (parseCidr(cidr) ?? []))),
  }));
}

/** The address of a name in one family. */
export async function resolveHost(host: string, family: Family): Promise<Answer> {
  try {
    const found = await lookup(host, { family: family === 'ipv4' ? 4 : 6 });
    const address = parseIpAddress(found.address);
    if (address !== undefined) return { address };
    return {
      problem: `the name ${host} means ${found.address}, which is no address; write can-reach=ADDRESS`,
    };
  } catch (error) {
    const code = codeOf(error);
    return {
      problem: `the name ${host} cannot be resolved (${code}); write can-reach=ADDRESS, or mend the DNS`,
    };
  }
}

/** The address from which the kernel would send to `target`: a connected datagram socket has it, and sends nothing. */
export async function routeSource(target: IpAddress): Promise<Answer> {
  const text = formatIpAddress(target);
  const socket = createSocket(addressFamily(target) === 'ipv4' ? 'udp4' : 'udp6');
  try {
    socket.connect(DISCARD_PORT, text);
    // Rejects where it fails: a callback of connect would be given the error, and no event come.
    await once(socket, 'connect');
    const own = socket.address().address;
    const address = parseIpAddress(own.split('%', 1)[0] ?? own);
    if (address !== undefined) return { address };
    return { problem: `the kernel would send to ${text} from ${own}, which is no address` };
  } catch (error) {
    return {
      problem: `the kernel has no way to ${text} (${codeOf(error)}); add the route, or choose another method`,
    };
  } finally {
    socket.close();
  }
}

/** Of an error of the system; anything else is a fault of ours. */
function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}
