/**
 * Why the agent cannot start (or cannot take over a change): one clear sentence with the remedy.
 *
 * Owns: the sentences for what the machine refuses. Must not know: who asked.
 */
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { describePortOwner, EXIT, type ExitStatus, findPortOwner } from '../api/index.js';
import { formatIpAddress, type IpAddress, isIpv4 } from '../bgp/net/index.js';
import type { ListenOptions } from '../bgp/speaker/index.js';

/** The message is for the operator, as it is. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code = 'START_REFUSED';
  readonly exitStatus: ExitStatus;

  constructor(message: string, options: { readonly exitStatus?: ExitStatus; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitStatus = options.exitStatus ?? EXIT.attention;
  }
}

/** The system's error of a refused `listen`, in words; anything else is returned as it is. */
export async function bgpListenError(error: unknown, listen: ListenOptions): Promise<unknown> {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const address = listen.address === undefined ? undefined : formatIpAddress(listen.address);
  const where = address === undefined ? `port ${listen.port}` : `${address} port ${listen.port}`;
  switch (error.code) {
    case 'EADDRINUSE': {
      const owner = await findPortOwner(listen.port, address ?? '::');
      const who = owner === undefined ? 'another program' : describePortOwner(owner);
      return new StartError(
        `BGP cannot listen on ${where}: ${who} has it; stop that program, or choose another port in BGPConfiguration spec.listenPort`,
        { cause: error },
      );
    }
    case 'EACCES':
      return new StartError(
        `BGP cannot listen on ${where}: ports below 1024 need CAP_NET_BIND_SERVICE; run as root, or with AmbientCapabilities=CAP_NET_BIND_SERVICE`,
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
      return new StartError(
        `BGP cannot listen on ${where}: no interface of this machine has that address; correct it, or add it to an interface`,
        { cause: error },
      );
    default:
      return error;
  }
}

/**
 * Whether this machine has the address is asked by binding to it, because an interface without a carrier is up and has
 * its addresses, but `networkInterfaces` leaves it out.
 * @returns a sentence where this machine does not have the node's address; undefined where all is well
 */
export async function missingAddress(nodeName: string, address: IpAddress): Promise<string | undefined> {
  if (await hasAddress(address)) return undefined;
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const have = own
    .filter((entry) => !entry.internal && entry.family === 'IPv4')
    .map((entry) => entry.address);
  return `no interface of this machine has ${formatIpAddress(address)}, the address of Node/${nodeName} (it has ${
    have.join(', ') || 'none'
  }); correct the Node, start with the right --node-name, or add the address to an interface`;
}

/** Whether an interface of this machine has the address, with a carrier or without. */
export function hasAddress(address: IpAddress): Promise<boolean> {
  const socket = createSocket(isIpv4(address) ? 'udp4' : 'udp6');
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      if ('code' in error && error.code === 'EADDRNOTAVAIL') resolve(false);
      else reject(error);
    });
    socket.bind({ address: formatIpAddress(address), port: 0 }, () => socket.close(() => resolve(true)));
  });
}
