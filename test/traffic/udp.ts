/**
 * UDP packets by the batch, numbered, with the kernel's own arrival times: what Node's dgram cannot give.
 *
 * Owns: the sockets and the layout of the packets. Must not know: rates, balances. Packet: flow(4) sequence(4), the rest
 * zero, big-endian. Sockets are not connected, so that an ICMP error on the way is no error of a later send.
 * Source: sendmmsg(2), recvmmsg(2), cmsg(3), socket(7) for SO_RCVBUFFORCE and SO_TIMESTAMPNS.
 */
import { constants } from 'node:os';
import koffi from 'koffi';
import { closeSocket, inNamespace, SystemCallError } from '../lab/libc.js';

const AF_INET = 2;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPNS = 35;
const BUFFER_BYTES = 16 << 20;
const { EAGAIN, EINTR } = constants.errno;

const BATCH = 64;
const PACKET_BYTES = 64;
const SOCKADDR_BYTES = 16;
/** struct mmsghdr: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48, len 56. */
const HEADER_BYTES = 64;
const IOVEC_BYTES = 16;
/** struct cmsghdr: len 0, level 8, type 12; then struct timespec. */
const CONTROL_BYTES = 32;

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int family, int type, int protocol)');
const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)');
const setsockopt = libc.func(
  'int setsockopt(int fd, int level, int option, const int *value, uint32_t length)',
);
const sendmmsg = libc.func('int sendmmsg(int fd, uint8_t *messages, uint32_t count, int flags)');
const recvmmsg = libc.func(
  'int recvmmsg(int fd, uint8_t *messages, uint32_t count, int flags, const uint8_t *timeout)',
);

/** The buffers of one batch, with their addresses in each other. */
class Batch {
  readonly headers = Buffer.alloc(BATCH * HEADER_BYTES);
  readonly packets = Buffer.alloc(BATCH * PACKET_BYTES);
  readonly control = Buffer.alloc(BATCH * CONTROL_BYTES);
  // Held so that it is not collected: the headers know it by address only.
  readonly #vectors = Buffer.alloc(BATCH * IOVEC_BYTES);

  constructor() {
    const [vectors, packets] = [koffi.address(this.#vectors), koffi.address(this.packets)];
    for (let index = 0; index < BATCH; index += 1) {
      this.#vectors.writeBigUInt64LE(packets + BigInt(index * PACKET_BYTES), index * IOVEC_BYTES);
      this.#vectors.writeBigUInt64LE(BigInt(PACKET_BYTES), index * IOVEC_BYTES + 8);
      this.headers.writeBigUInt64LE(vectors + BigInt(index * IOVEC_BYTES), index * HEADER_BYTES + 16);
      this.headers.writeBigUInt64LE(1n, index * HEADER_BYTES + 24);
    }
  }
}

/** Sends one flow. */
export class UdpSender {
  readonly #fd: number;
  readonly #batch = new Batch();
  readonly #remote: Buffer;

  constructor(namespacePath: string, remote: { readonly address: string; readonly port: number }) {
    this.#fd = inNamespace(namespacePath, udpSocket);
    setOption(this.#fd, SO_SNDBUFFORCE, BUFFER_BYTES);
    this.#remote = sockaddr(remote.address, remote.port);
    const { headers } = this.#batch;
    for (let index = 0; index < BATCH; index += 1) {
      headers.writeBigUInt64LE(koffi.address(this.#remote), index * HEADER_BYTES);
      headers.writeUInt32LE(SOCKADDR_BYTES, index * HEADER_BYTES + 8);
    }
  }

  /**
   * Sends `count` packets numbered from `first`, a batch at most.
   *
   * @returns how many the kernel took; fewer where its buffers are full
   * @throws SystemCallError where the sender itself has no way, such as ENETUNREACH
   */
  send(flow: number, first: number, count: number): number {
    const { headers, packets } = this.#batch;
    const size = Math.min(count, BATCH);
    for (let index = 0; index < size; index += 1) {
      packets.writeUInt32BE(flow, index * PACKET_BYTES);
      packets.writeUInt32BE(first + index, index * PACKET_BYTES + 4);
    }
    const taken: number = sendmmsg(this.#fd, headers, size, 0);
    if (taken < 0 && (koffi.errno() === EAGAIN || koffi.errno() === EINTR)) return 0;
    return check('sendmmsg', taken);
  }

  close(): void {
    closeSocket(this.#fd);
  }
}

/** Takes what arrives at one address and port, of whichever flows. */
export class UdpReceiver {
  readonly #fd: number;
  readonly #batch = new Batch();

  constructor(namespacePath: string, local: { readonly address: string; readonly port: number }) {
    this.#fd = inNamespace(namespacePath, udpSocket);
    setOption(this.#fd, SO_RCVBUFFORCE, BUFFER_BYTES);
    setOption(this.#fd, SO_TIMESTAMPNS, 1);
    check('bind', bind(this.#fd, sockaddr(local.address, local.port), SOCKADDR_BYTES));
    const { headers, control } = this.#batch;
    for (let index = 0; index < BATCH; index += 1) {
      const address = koffi.address(control) + BigInt(index * CONTROL_BYTES);
      headers.writeBigUInt64LE(address, index * HEADER_BYTES + 32);
    }
  }

  /** Hands over everything that waits; the time is the kernel's, in milliseconds since the epoch. */
  receive(onPacket: (flow: number, sequence: number, atMs: number) => void): void {
    const { headers, packets, control } = this.#batch;
    for (;;) {
      for (let index = 0; index < BATCH; index += 1) {
        headers.writeBigUInt64LE(BigInt(CONTROL_BYTES), index * HEADER_BYTES + 40);
      }
      const count: number = recvmmsg(this.#fd, headers, BATCH, 0, null);
      if (count < 0 && (koffi.errno() === EAGAIN || koffi.errno() === EINTR)) return;
      check('recvmmsg', count);
      for (let index = 0; index < count; index += 1) {
        const seconds = Number(control.readBigInt64LE(index * CONTROL_BYTES + 16));
        const nanoseconds = Number(control.readBigInt64LE(index * CONTROL_BYTES + 24));
        onPacket(
          packets.readUInt32BE(index * PACKET_BYTES),
          packets.readUInt32BE(index * PACKET_BYTES + 4),
          seconds * 1000 + nanoseconds / 1e6,
        );
      }
      if (count < BATCH) return;
    }
  }

  close(): void {
    closeSocket(this.#fd);
  }
}

function udpSocket(): number {
  return check('socket', socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0));
}

function setOption(fd: number, option: number, value: number): void {
  check('setsockopt', setsockopt(fd, SOL_SOCKET, option, [value], 4));
}

function sockaddr(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_BYTES);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  for (const [index, byte] of address.split('.').entries()) bytes.writeUInt8(Number(byte), 4 + index);
  return bytes;
}

function check(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, koffi.errno());
  return result;
}
