/**
 * The few calls of the C library that Node has no door to: entering a network namespace, raw ICMP sockets, poll.
 *
 * Owns: the native signatures. One process looks out of many namespaces: a socket belongs to the namespace it was
 * opened in for ever, so a moment inside is enough. Source: setns(2), raw(7), icmp(7), poll(2).
 */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';

const CLONE_NEWNET = 0x40000000;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_ICMP = 1;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const POLLIN = 1;
const { EAGAIN, EINTR } = constants.errno;

const libc = koffi.load('libc.so.6');
const setns = libc.func('int setns(int fd, int type)');
const socket = libc.func('int socket(int family, int type, int protocol)');
const setsockopt = libc.func(
  'int setsockopt(int fd, int level, int option, const int *value, uint32_t length)',
);
const sendto = libc.func(
  'long sendto(int fd, const uint8_t *data, size_t length, int flags, const uint8_t *address, uint32_t addressLength)',
);
const recv = libc.func('long recv(int fd, _Out_ uint8_t *data, size_t length, int flags)');
const close = libc.func('int close(int fd)');
const poll = libc.func('int poll(_Inout_ uint8_t *fds, ulong count, int timeoutMs)');

/** A call failed; `code` is the errno's name. */
export class SystemCallError extends Error {
  readonly code: string;
  constructor(call: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/**
 * Runs `body` with this thread inside the network namespace mounted at `path`, and comes back. Only what happens before
 * `body` returns is inside: no promises.
 */
export function inNamespace<Result>(path: string, body: () => Result): Result {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const there = openSync(path, 'r');
    try {
      check('setns', setns(there, CLONE_NEWNET));
    } finally {
      closeSync(there);
    }
    try {
      return body();
    } finally {
      check('setns', setns(home, CLONE_NEWNET));
    }
  } finally {
    closeSync(home);
  }
}

/** A non-blocking TCP socket, not connected. */
export function tcpSocket(): number {
  return check('socket', socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/** A non-blocking raw socket that gets a copy of every ICMP packet delivered to its namespace, IP header included. */
export function rawIcmpSocket(): number {
  const fd = check('socket', socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP));
  check('setsockopt', setsockopt(fd, SOL_SOCKET, SO_RCVBUF, [1 << 20], 4));
  return fd;
}

export function closeSocket(fd: number): void {
  check('close', close(fd));
}

/**
 * Sends an ICMP packet; the kernel puts the IP header in front and chooses the source address by its route.
 *
 * @throws SystemCallError ENETUNREACH, EPERM ...
 */
export function sendIcmp(fd: number, packet: Buffer, address: string): void {
  const sockaddr = Buffer.alloc(16);
  sockaddr.writeUInt16LE(AF_INET, 0);
  for (const [index, byte] of address.split('.').entries()) sockaddr.writeUInt8(Number(byte), 4 + index);
  check('sendto', sendto(fd, packet, packet.length, 0, sockaddr, sockaddr.length));
}

/** The next packet waiting at a socket; undefined when there is none. */
export function receive(fd: number, buffer: Buffer): Buffer | undefined {
  const length: number = recv(fd, buffer, buffer.length, 0);
  if (length < 0 && koffi.errno() === EAGAIN) return undefined;
  check('recv', length);
  return Buffer.from(buffer.subarray(0, length));
}

/** Waits, off the main thread, until one of the sockets can be read; returns those that can, none after the timeout. */
export function waitReadable(fds: readonly number[], timeoutMs: number): Promise<readonly number[]> {
  const entries = Buffer.alloc(fds.length * 8); // struct pollfd: int fd, short events, short revents
  fds.forEach((fd, index) => {
    entries.writeInt32LE(fd, index * 8);
    entries.writeInt16LE(POLLIN, index * 8 + 4);
  });
  return new Promise((resolve, reject) => {
    poll.async(
      entries,
      fds.length,
      Math.max(0, Math.ceil(timeoutMs)),
      (error: Error | null, count: number) => {
        if (error !== null) reject(error);
        else if (count < 0 && koffi.errno() !== EINTR) reject(new SystemCallError('poll', koffi.errno()));
        else resolve(fds.filter((_fd, index) => entries.readInt16LE(index * 8 + 6) !== 0));
      },
    );
  });
}

function check(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, koffi.errno());
  return result;
}
