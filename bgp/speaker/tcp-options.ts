/**
 * TCP options that Node cannot set: the only file of the speaker that leaves JavaScript.
 *
 * Owns: libc's socket(2), bind(2), setsockopt(2) and getsockopt(2) through koffi, loaded at the first use, so that a speaker whose
 * peers ask for none of it runs without; and the words for what the kernel refuses. Must not know: BGP, who the peers are.
 *
 * Source: RFC 2385 (TCP-MD5), RFC 5082 (GTSM), tcp(7), ip(7), ipv6(7), linux/tcp.h, linux/in.h, linux/in6.h.
 */
import { endianness } from 'node:os';
import koffi from 'koffi';
import { type IpAddress, isIpv4, type Prefix, prefixAddress, prefixLength } from '../net/index.js';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const IPPROTO_IP = 0;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MINHOPCOUNT = 73;
const IPPROTO_TCP = 6;
const TCP_MD5SIG = 14;
const TCP_SAVE_SYN = 27;
const TCP_SAVED_SYN = 28;
const TCP_MD5SIG_EXT = 32;
const TCP_MD5SIG_FLAG_PREFIX = 1;

/** struct tcp_md5sig: sockaddr_storage(128) flags(1) prefixlen(1) keylen(2) ifindex(4) key(80). */
const MD5SIG = { bytes: 216, flags: 128, prefixLength: 129, keyLength: 130, key: 136 } as const;
/** TCP_MD5SIG_MAXKEYLEN. */
export const MAX_PASSWORD_BYTES = 80;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;
/** ::ffff:0:0/96, the form in which a dual-stack socket wants IPv4 addresses. */
const IPV4_MAPPED = 0xffff00000000n;
/** An IP header and a TCP header, both with all the options there can be. */
const SYN_BYTES = 256;

const ENOENT = 2;

/** What an errno means here. Source: asm-generic/errno.h. */
const ERRNO: ReadonlyMap<number, readonly [name: string, meaning: string]> = new Map([
  [1, ['EPERM', 'not permitted']],
  [12, ['ENOMEM', 'no room for another key on this socket: raise the sysctl net.core.optmem_max']],
  [13, ['EACCES', 'not permitted']],
  [19, ['ENODEV', 'there is no such device']],
  [22, ['EINVAL', 'the kernel finds it invalid']],
  [24, ['EMFILE', 'this process has too many files open']],
  [92, ['ENOPROTOOPT', 'this kernel is built without it']],
  [97, ['EAFNOSUPPORT', 'this machine has no such address family']],
  [98, ['EADDRINUSE', 'the address is in use']],
  [107, ['ENOTCONN', 'not connected']],
  [99, ['EADDRNOTAVAIL', 'the source address is not on this machine']],
]);

/** The machine refused a socket or an option of one; the message is for people. */
export class TcpOptionError extends Error {
  override readonly name = 'TcpOptionError';
  /** Stable: `TCP_` and the name of the errno, such as `TCP_ENOPROTOOPT`. */
  readonly code: `TCP_${string}`;

  constructor(what: string, errno: number) {
    const [name, meaning] = ERRNO.get(errno) ?? [`E${errno}`, `error ${errno}`];
    super(`${what}: ${meaning} (${name})`);
    this.code = `TCP_${name}`;
  }
}

interface Libc {
  readonly socket: (domain: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Buffer, addressBytes: number) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Buffer, valueBytes: number) => number;
  readonly getsockopt: (fd: number, level: number, name: number, value: Buffer, valueBytes: Buffer) => number;
  readonly close: (fd: number) => number;
}

let loaded: Libc | undefined;

/** libc as this process already has it, glibc or musl. */
function libc(): Libc {
  if (loaded !== undefined) return loaded;
  // The kernel's structures are in host byte order, and this file writes them little-endian.
  if (endianness() !== 'LE') throw new TcpOptionError('TCP options on a big-endian machine', 92);
  const library = koffi.load(null);
  loaded = {
    socket: library.func('int socket(int, int, int)'),
    bind: library.func('int bind(int, const uint8_t *, int)'),
    setsockopt: library.func('int setsockopt(int, int, int, const uint8_t *, int)'),
    getsockopt: library.func('int getsockopt(int, int, int, uint8_t *, uint8_t *)'),
    close: library.func('int close(int)'),
  };
  return loaded;
}

/** The address family of a socket; a dual-stack one is `ipv6`. */
export type SocketFamily = 'ipv4' | 'ipv6';

/**
 * A TCP socket that is not connected yet, non-blocking, bound to `source` where there is one.
 * @param scopeId index of the device for a link-local source, else 0
 * @returns its file descriptor, which is the caller's to close
 * @throws TcpOptionError
 */
export function openSocket(family: SocketFamily, source: IpAddress | undefined, scopeId: number): number {
  const domain = family === 'ipv4' ? AF_INET : AF_INET6;
  const fd = checked(libc().socket(domain, SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC, 0), 'opening a socket');
  if (source === undefined) return fd;
  try {
    const address = socketAddress(family, source, scopeId);
    checked(libc().bind(fd, address, address.length), 'dialling from the source address');
  } catch (error) {
    closeSocket(fd);
    throw error;
  }
  return fd;
}

/** Closes a socket that no `net.Socket` has taken over. */
export function closeSocket(fd: number): void {
  libc().close(fd);
}

/**
 * Sets, replaces or (`undefined`) removes the TCP-MD5 key for what comes from and goes to `peers`. A socket that does
 * not listen needs the host prefix of its peer.
 * @throws TcpOptionError
 */
export function setPassword(
  fd: number,
  family: SocketFamily,
  peers: Prefix,
  password: string | undefined,
): void {
  const key = Buffer.from(password ?? '', 'utf8');
  if (key.length > MAX_PASSWORD_BYTES) throw new TcpOptionError('a password of more than 80 octets', 22);
  const address = prefixAddress(peers);
  const isHost = prefixLength(peers) === (isIpv4(address) ? 32 : 128);
  const value = Buffer.alloc(MD5SIG.bytes);
  socketAddress(family, address, 0).copy(value);
  value.writeUInt8(isHost ? 0 : TCP_MD5SIG_FLAG_PREFIX, MD5SIG.flags);
  value.writeUInt8(isHost ? 0 : prefixLength(peers), MD5SIG.prefixLength);
  value.writeUInt16LE(key.length, MD5SIG.keyLength);
  key.copy(value, MD5SIG.key);
  const name = isHost ? TCP_MD5SIG : TCP_MD5SIG_EXT;
  const result = libc().setsockopt(fd, IPPROTO_TCP, name, value, value.length);
  const errno = result < 0 ? koffi.errno() : 0;
  // No copy of the key stays behind in memory of ours.
  value.fill(0);
  key.fill(0);
  if (errno === 0 || (errno === ENOENT && password === undefined)) return;
  throw new TcpOptionError('setting a TCP-MD5 key', errno);
}

/** The TTL of IPv4 packets and, on an IPv6 socket, the hop limit of IPv6 packets that leave. @throws TcpOptionError */
export function setTtl(fd: number, family: SocketFamily, ttl: number): void {
  setNumber(fd, IPPROTO_IP, IP_TTL, ttl, 'setting the TTL');
  if (family === 'ipv6') setNumber(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl, 'setting the hop limit');
}

/** Packets that arrive with less are dropped by the kernel (RFC 5082 section 3). @throws TcpOptionError */
export function setMinTtl(fd: number, family: SocketFamily, minTtl: number): void {
  setNumber(fd, IPPROTO_IP, IP_MINTTL, minTtl, 'TTL security');
  if (family === 'ipv6') setNumber(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, minTtl, 'TTL security');
}

/** Lets the kernel keep the first packet of each connection that this listener accepts. @throws TcpOptionError */
export function keepSyn(fd: number): void {
  setNumber(fd, IPPROTO_TCP, TCP_SAVE_SYN, 1, 'keeping the first packet of connections');
}

/**
 * The TTL or hop limit that an accepted connection's first packet arrived with.
 * @returns undefined where the listener did not keep it
 * @throws TcpOptionError
 */
export function synTtl(fd: number): number | undefined {
  const packet = Buffer.alloc(SYN_BYTES);
  const length = int32(SYN_BYTES);
  checked(libc().getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, packet, length), 'reading the first packet');
  if (length.readInt32LE() === 0) return undefined;
  // IPv4: time to live at 8; IPv6: hop limit at 7. The version is the upper half of the first octet.
  return packet.readUInt8(0) >> 4 === 4 ? packet.readUInt8(8) : packet.readUInt8(7);
}

function setNumber(fd: number, level: number, name: number, value: number, what: string): void {
  checked(libc().setsockopt(fd, level, name, int32(value), 4), what);
}

/** struct sockaddr_in: family(2) port(2) address(4) zero(8); sockaddr_in6: family(2) port(2) flow(4) address(16) scope(4). */
function socketAddress(family: SocketFamily, address: IpAddress, scopeId: number): Buffer {
  if (family === 'ipv4') {
    const bytes = Buffer.alloc(SOCKADDR_IN_BYTES);
    bytes.writeUInt16LE(AF_INET, 0);
    bytes.writeUInt32BE(Number(address), 4);
    return bytes;
  }
  const bits = isIpv4(address) ? IPV4_MAPPED | BigInt(address) : address;
  const bytes = Buffer.alloc(SOCKADDR_IN6_BYTES);
  bytes.writeUInt16LE(AF_INET6, 0);
  bytes.writeBigUInt64BE(bits >> 64n, 8);
  bytes.writeBigUInt64BE(bits & 0xffffffffffffffffn, 16);
  bytes.writeUInt32LE(scopeId, 24);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function checked(result: number, what: string): number {
  if (result < 0) throw new TcpOptionError(what, koffi.errno());
  return result;
}
