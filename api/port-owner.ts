/**
 * Who holds a port: the process behind "address already in use".
 *
 * Owns: the search through /proc of this network namespace. Must not know: what the port is for. Best effort by nature:
 * the owner may be of another user or PID namespace, or gone by now, and then the answer is "not found".
 * Source: Documentation/networking/proc_net_tcp.rst, proc(5) and proc_pid_fd(5).
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';
import { parseAddress } from './prefix.js';

export interface PortOwner {
  readonly pid: number;
  /** The kernel's name of the process (`comm`), at most 15 characters. */
  readonly name: string;
}

/** TCP_LISTEN of the kernel's tcp_states.h, as /proc/net/tcp prints it. */
const LISTEN = '0A';

/**
 * The process that listens on a TCP port.
 * @param port 1 to 65535
 * @param address the address wanted; absent or a wildcard: any listener of the port is in the way
 * @returns undefined where nobody listens, or the process cannot be seen from here
 */
export async function findPortOwner(port: number, address?: string): Promise<PortOwner | undefined> {
  const wanted = address === undefined ? 0n : (parseAddress(address)?.address ?? 0n);
  const listeners = [...(await readListeners('/proc/net/tcp')), ...(await readListeners('/proc/net/tcp6'))];
  const inTheWay = listeners.filter(
    (listener) =>
      listener.port === port && (wanted === 0n || listener.address === 0n || listener.address === wanted),
  );
  return findSocketHolder(new Set(inTheWay.map((listener) => listener.inode)));
}

/** The process that listens on a unix socket; see `findPortOwner`. */
export async function findUnixSocketOwner(path: string): Promise<PortOwner | undefined> {
  const inodes = (await readLines('/proc/net/unix'))
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.slice(7).join(' ') === path)
    .flatMap((columns) => columns[6] ?? []);
  return findSocketHolder(new Set(inodes));
}

/** `bird (pid 812)`, or what to say where the owner was not found. */
export function describePortOwner(owner: PortOwner | undefined): string {
  return owner ? `${owner.name} (pid ${owner.pid})` : 'another process (only root can see which)';
}

interface Listener {
  readonly address: bigint;
  readonly port: number;
  readonly inode: string;
}

async function readListeners(file: string): Promise<Listener[]> {
  return (await readLines(file)).slice(1).flatMap((line) => {
    // sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [addressHex = '', portHex = ''] = local.split(':');
    if (state !== LISTEN) return [];
    return [{ address: readAddress(addressHex), port: Number.parseInt(portHex, 16), inode }];
  });
}

/** The kernel prints each 32-bit word of the address in the byte order of the machine. */
function readAddress(hex: string): bigint {
  const words = Buffer.from(hex, 'hex');
  return BigInt(`0x${(endianness() === 'LE' ? words.swap32() : words).toString('hex')}`);
}

/** A process of our own rights has readable descriptors; the others are passed over. */
async function findSocketHolder(inodes: ReadonlySet<string>): Promise<PortOwner | undefined> {
  if (inodes.size === 0) return undefined;
  const links = new Set([...inodes].map((inode) => `socket:[${inode}]`));
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number);
  for (const pid of pids.sort((a, b) => a - b)) {
    for (const descriptor of await ifReadable(readdir(`/proc/${pid}/fd`), [])) {
      if (!links.has(await ifReadable(readlink(`/proc/${pid}/fd/${descriptor}`), ''))) continue;
      const name = (await ifReadable(readFile(`/proc/${pid}/comm`, 'utf8'), '?')).trim();
      return { pid, name };
    }
  }
  return undefined;
}

async function readLines(file: string): Promise<string[]> {
  return (await ifReadable(readFile(file, 'utf8'), '')).split('\n').filter((line) => line !== '');
}

/** Processes come and go and belong to others while we look: what cannot be read is not there. */
async function ifReadable<Value>(read: Promise<Value>, otherwise: Value): Promise<Value> {
  return read.catch((error: NodeJS.ErrnoException) => {
    if (['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes(error.code ?? '')) return otherwise;
    throw error;
  });
}
