/**
 * A BGP peer made of bytes: it sends what a test writes, well-formed or not, and shows what comes back.
 *
 * Owns: one TCP connection and cutting what arrives into messages, by the length field alone and without the codec that
 * is under test.
 */
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import { hostPrefix } from '../../bgp/net/index.js';
import { openSocket, setPassword } from '../../bgp/speaker/tcp-options.js';
import { inNamespace, tcpSocket } from '../lab/libc.js';
import { address4 } from './addresses.js';
import { frame, hex, toHex } from './wire.js';

/** One message as it arrived. */
export interface RawMessage {
  readonly type: number;
  /** What follows the header. */
  readonly body: Uint8Array;
}

export interface OpenFields {
  readonly version?: number;
  /** The 2-octet field; capability 65 says the same unless `capabilities` does otherwise. */
  readonly asn?: number;
  readonly holdTime?: number;
  /** Dotted quad. */
  readonly id?: string;
  /** Hex; in one parameter. */
  readonly capabilities?: string;
  /** Hex: everything after the identifier, the length octet included; instead of `capabilities`. */
  readonly rest?: string;
}

export const TYPE = { OPEN: 1, UPDATE: 2, NOTIFICATION: 3, KEEPALIVE: 4, ROUTE_REFRESH: 5 } as const;
export const KEEPALIVE = frame(TYPE.KEEPALIVE, '');
export const REFRESH_IPV4 = frame(TYPE.ROUTE_REFRESH, '0001 00 01');
export const IPV4_UNICAST = '0104 0001 0001';
export const IPV6_UNICAST = '0104 0002 0001';
export const ROUTE_REFRESH = '0200';

const HEADER_OCTETS = 19;
const END_OF_RIB_IPV4 = '00000000';
const END_OF_RIB_IPV6 = '00000006800f03000201';
/** The kernel sends a SYN that is not answered again after one second, so this is two of them. */
const SYN_PATIENCE_MS = 1500;
/** Far longer than any answer takes, except where a timer is waited for. */
const PATIENCE_MS = 10_000;

export function asn4(asn: number): string {
  return `4104 ${asn.toString(16).padStart(8, '0')}`;
}

export function quad(address: string): string {
  return address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('');
}

/** What a plain router announces. */
export function usualCapabilities(asn: number): string {
  return `${IPV4_UNICAST} ${IPV6_UNICAST} ${ROUTE_REFRESH} ${asn4(asn)}`;
}

export function open(fields: OpenFields): Uint8Array {
  const { version = 4, asn = 65001, holdTime = 90, id = '192.0.2.2' } = fields;
  const capabilities = hex(fields.capabilities ?? usualCapabilities(asn));
  const n = capabilities.length;
  const rest = fields.rest ?? (n === 0 ? '00' : toHex(Uint8Array.of(n + 2, 2, n, ...capabilities)));
  const fixed = toHex(Uint8Array.of(version, asn >> 8, asn & 0xff, holdTime >> 8, holdTime & 0xff));
  return frame(TYPE.OPEN, `${fixed} ${quad(id)} ${rest}`);
}

/** `code/subcode`, then the data in hex where there is any. */
export function notificationOf({ body }: RawMessage): string {
  const [code, subcode] = body;
  return [`${code}/${subcode}`, toHex(body.subarray(2))].filter((part) => part !== '').join(' ');
}

export class RawPeer {
  readonly address: string;
  readonly #socket: Socket;
  readonly #arrived: RawMessage[] = [];
  #pending = Buffer.alloc(0);
  #closed = false;
  #wake: () => void = () => {};

  constructor(address: string, socket: Socket) {
    this.address = address;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    // A reset is an end like any other; what was received before it still counts.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** Connects from `address`. */
  static async connect(
    address: string,
    agent: { readonly host: string; readonly port?: number },
  ): Promise<RawPeer> {
    const socket = connect({ host: agent.host, port: agent.port ?? 179, localAddress: address });
    await connected(socket);
    return new RawPeer(address, socket);
  }

  /** Connects from `address` and signs every segment (RFC 2385). */
  static async connectSigned(
    address: string,
    agent: { readonly host: string },
    password: string,
  ): Promise<RawPeer> {
    const fd = openSocket('ipv4', address4(address), 0);
    setPassword(fd, 'ipv4', hostPrefix(address4(agent.host)), password);
    // `manualStart` is an option of the stream that @types/node does not have here: nothing is read before it is connected.
    const options = { fd, readable: true, writable: true, manualStart: true };
    const socket = new Socket(options).connect({ host: agent.host, port: 179 });
    await connected(socket);
    return new RawPeer(address, socket);
  }

  /** Connects from `address`, which belongs to a machine whose network namespace is mounted at `path`. */
  static async connectInside(
    path: string,
    address: string,
    agent: { readonly host: string },
  ): Promise<RawPeer> {
    const socket = new Socket({ fd: inNamespace(path, tcpSocket), readable: true, writable: true });
    socket.connect({ host: agent.host, port: 179, localAddress: address });
    await once(socket, 'connect');
    return new RawPeer(address, socket);
  }

  /** Waits at `address` for the agent to dial, once. */
  static async dialled(address: string, port = 179): Promise<RawPeer> {
    const server = createServer({ noDelay: true });
    server.listen({ host: address, port });
    const [socket] = (await once(server, 'connection')) as [Socket];
    server.close();
    return new RawPeer(address, socket);
  }

  send(...messages: readonly Uint8Array[]): void {
    this.#socket.write(Buffer.concat(messages));
  }

  /** Sends one octet at a time, each in a segment of its own. */
  async sendSlowly(bytes: Uint8Array): Promise<void> {
    for (const octet of bytes) {
      await new Promise((resolve) => this.#socket.write(Uint8Array.of(octet), resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The next message; undefined once the connection is closed. */
  async next(patienceMs = PATIENCE_MS): Promise<RawMessage | undefined> {
    const deadline = Date.now() + patienceMs;
    while (this.#arrived.length === 0 && !this.#closed) {
      let timer: NodeJS.Timeout | undefined;
      const woken = await new Promise<boolean>((resolve) => {
        this.#wake = () => resolve(true);
        timer = setTimeout(() => resolve(false), deadline - Date.now());
      });
      clearTimeout(timer);
      if (!woken) throw new Error(`${this.address}: nothing came within ${patienceMs} ms`);
    }
    return this.#arrived.shift();
  }

  /** The next message, which must be of this type; KEEPALIVEs before it are passed over. */
  async expect(type: number): Promise<RawMessage> {
    for (;;) {
      const message = await this.next();
      if (message?.type === type) return message;
      if (message?.type === TYPE.KEEPALIVE) continue;
      throw new Error(`${this.address}: expected a message of type ${type}, got ${describe(message)}`);
    }
  }

  /**
   * Reads to the end of the connection, which must come within `patienceMs`.
   * @returns the NOTIFICATION that was its last message, `closed` where there was none.
   */
  async ending(patienceMs = PATIENCE_MS): Promise<string> {
    const deadline = Date.now() + patienceMs;
    const next = () => this.next(Math.max(0, deadline - Date.now()));
    let last = 'closed';
    for (let message = await next(); message !== undefined; message = await next()) {
      if (last !== 'closed') throw new Error(`${this.address}: ${describe(message)} after a NOTIFICATION`);
      if (message.type === TYPE.NOTIFICATION) last = notificationOf(message);
    }
    return last;
  }

  /** Up to Established and the End-of-RIB of every family; the OPEN is as `fields` say. */
  async establish(fields: OpenFields = {}): Promise<this> {
    await this.expect(TYPE.OPEN);
    const opening = { id: this.address, ...fields };
    this.send(open(opening), KEEPALIVE);
    await this.expect(TYPE.KEEPALIVE);
    const bothFamilies = (opening.capabilities ?? '01040002 0001')
      .replace(/\s/g, '')
      .includes('010400020001');
    const awaited = new Set(bothFamilies ? [END_OF_RIB_IPV4, END_OF_RIB_IPV6] : [END_OF_RIB_IPV4]);
    while (awaited.size > 0) awaited.delete(toHex((await this.expect(TYPE.UPDATE)).body));
    return this;
  }

  /**
   * Waits until everything sent so far was handled, by asking for the table once more.
   * @returns `up`, or the NOTIFICATION with which the agent ended the session.
   */
  async settled(): Promise<string> {
    this.send(REFRESH_IPV4);
    for (;;) {
      const message = await this.next();
      if (message === undefined) return 'closed';
      if (message.type === TYPE.UPDATE) return 'up';
      if (message.type !== TYPE.NOTIFICATION) continue;
      const rest = await this.ending();
      return rest === 'closed' ? notificationOf(message) : `${notificationOf(message)}, then ${rest}`;
    }
  }

  /** Takes nothing more out of its buffer, so that the agent's fills. */
  stopReading(): void {
    this.#socket.pause();
  }

  readAgain(): void {
    this.#socket.resume();
  }

  /** Closes in order. */
  end(): void {
    this.#socket.end();
  }

  /** Ends without a word: a reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #take(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= HEADER_OCTETS) {
      const length = this.#pending.readUInt16BE(16);
      if (this.#pending.length < length) break;
      const type = this.#pending.readUInt8(18);
      this.#arrived.push({ type, body: Uint8Array.from(this.#pending.subarray(HEADER_OCTETS, length)) });
      this.#pending = this.#pending.subarray(length);
    }
    this.#wake();
  }
}

/** @throws where nobody answers within `SYN_PATIENCE_MS`: the other side's kernel drops what we send. */
async function connected(socket: Socket): Promise<void> {
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(SYN_PATIENCE_MS) });
  } catch (error) {
    socket.destroy();
    throw error instanceof Error && error.name === 'AbortError' ? new Error('no answer to the SYN') : error;
  }
}

function describe(message: RawMessage | undefined): string {
  if (message === undefined) return 'the end of the connection';
  if (message.type === TYPE.NOTIFICATION) return `NOTIFICATION ${notificationOf(message)}`;
  return `a message of type ${message.type}`;
}
