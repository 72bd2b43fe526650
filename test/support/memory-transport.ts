/**
 * The transport port over memory: machines by address on one network that a test can cut.
 *
 * Delivery takes one millisecond of the test's clock, so a whole mesh runs in virtual time. Nothing is lost or
 * reordered on an open stream, as with TCP.
 */
import { type IpAddress, type Prefix, prefixOf } from '../../bgp/net/index.js';
import type {
  ByteStream,
  Clock,
  DialHandlers,
  DialOptions,
  KernelDrops,
  StreamHandlers,
  Transport,
} from '../../bgp/speaker/index.js';

const HOP_MS = 1;
const EPHEMERAL_PORT = 49152;
/** What a stream takes before `write` says that it is full, as a socket of Node does. */
const HIGH_WATER_BYTES = 65_536;

export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #listeners = new Map<string, (stream: ByteStream) => void>();
  readonly #streams = new Set<MemoryStream>();
  readonly #cut = new Set<string>();
  /** Told of all that a machine writes. */
  onWrite: (bytes: Uint8Array) => void = () => {};
  /** What the kernels of all machines say that they dropped; a test sets it. */
  drops: KernelDrops | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The network as the machine with this address sees it; `subnetBits` is what all machines share. */
  transportOf(address: IpAddress, subnetBits = 24): Transport {
    return {
      listen: async ({ port }, onStream) => {
        const key = `${address}:${port}`;
        this.#listeners.set(key, onStream);
        return {
          port,
          setPassword: () => {},
          requireHops: () => {},
          close: async () => {
            this.#listeners.delete(key);
          },
        };
      },
      drops: () => this.drops,
      dial: (options, handlers) => this.#dial(address, prefixOf(address, subnetBits), options, handlers),
    };
  }

  /** Resets every stream between two machines and refuses new ones until `heal`. */
  cut(a: IpAddress, b: IpAddress): void {
    this.#cut.add(pairKey(a, b));
    this.reset(a, b);
  }

  /** From now on nothing arrives between two machines, and nobody is told: a cable that was pulled. */
  silence(a: IpAddress, b: IpAddress): void {
    this.#cut.add(pairKey(a, b));
    for (const stream of this.#between(a, b)) stream.silent = true;
  }

  /** From now on `reader` takes nothing of what `writer` sends, until `resume`. */
  stall(writer: IpAddress, reader: IpAddress): void {
    for (const stream of this.#between(writer, reader)) if (stream.local === writer) stream.stall();
  }

  resume(writer: IpAddress, reader: IpAddress): void {
    for (const stream of this.#between(writer, reader)) if (stream.local === writer) stream.resume();
  }

  /** Bytes that wait in `writer` for `reader`. */
  pendingBytes(writer: IpAddress, reader: IpAddress): number {
    return this.#between(writer, reader)
      .filter((stream) => stream.local === writer)
      .reduce((total, stream) => total + stream.pendingBytes, 0);
  }

  heal(a: IpAddress, b: IpAddress): void {
    this.#cut.delete(pairKey(a, b));
  }

  /** Resets every stream between two machines; they may dial again at once. */
  reset(a: IpAddress, b: IpAddress): void {
    for (const stream of this.#between(a, b)) stream.closed('connection reset by the peer');
  }

  /** Connections between two machines. */
  connectionsBetween(a: IpAddress, b: IpAddress): number {
    return this.#between(a, b).length / 2;
  }

  #between(a: IpAddress, b: IpAddress): readonly MemoryStream[] {
    return [...this.#streams].filter((stream) => pairKey(stream.local, stream.remote) === pairKey(a, b));
  }

  #dial(source: IpAddress, subnet: Prefix, options: DialOptions, handlers: DialHandlers): () => void {
    return this.#clock.setTimer(HOP_MS, () => {
      const accept = this.#listeners.get(`${options.remote}:${options.port}`);
      if (accept === undefined || this.#cut.has(pairKey(source, options.remote))) {
        handlers.onFailed('connection refused: nothing listens there');
        return;
      }
      const near = new MemoryStream(this.#clock, source, options.remote, options.port, subnet);
      const far = new MemoryStream(this.#clock, options.remote, source, EPHEMERAL_PORT, subnet);
      near.joinTo(far);
      for (const stream of [near, far]) {
        this.#streams.add(stream);
        stream.onWrite = (bytes) => this.onWrite(bytes);
        stream.onEnd = () => this.#streams.delete(stream);
      }
      accept(far);
      handlers.onConnected(near);
    });
  }
}

class MemoryStream implements ByteStream {
  readonly local: IpAddress;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly sharedSubnet: Prefix;
  readonly #clock: Clock;
  #handlers: StreamHandlers | undefined;
  #other: MemoryStream | undefined;
  #open = true;
  silent = false;
  #stalled = false;
  /** Written while the other end does not read. */
  #held: Uint8Array[] = [];
  onEnd: () => void = () => {};
  onWrite: (bytes: Uint8Array) => void = () => {};

  constructor(clock: Clock, local: IpAddress, remote: IpAddress, remotePort: number, sharedSubnet: Prefix) {
    this.#clock = clock;
    this.local = local;
    this.remote = remote;
    this.remotePort = remotePort;
    this.sharedSubnet = sharedSubnet;
  }

  joinTo(other: MemoryStream): void {
    this.#other = other;
    other.#other = this;
  }

  attach(handlers: StreamHandlers): void {
    this.#handlers = handlers;
  }

  /** Every machine of this network is on one wire. */
  limitHops(): undefined {}

  /** Nothing is signed here. */
  changePassword(): void {}

  get pendingBytes(): number {
    return this.#held.reduce((total, { length }) => total + length, 0);
  }

  write(bytes: Uint8Array): boolean {
    const copy = Uint8Array.from(bytes);
    this.onWrite(copy);
    if (this.#stalled) {
      this.#held.push(copy);
      return this.pendingBytes < HIGH_WATER_BYTES;
    }
    this.#clock.setTimer(HOP_MS, () => this.#other?.receive(copy));
    return true;
  }

  /** The other end reads no more: what is written stays here. */
  stall(): void {
    this.#stalled = true;
  }

  /** The other end reads again. */
  resume(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) this.write(bytes);
    this.#handlers?.onDrain();
  }

  end(): void {
    if (!this.silent)
      this.#clock.setTimer(HOP_MS, () => this.#other?.closed('connection closed by the peer'));
    this.closed('closed by us');
  }

  destroy(): void {
    this.end();
  }

  receive(bytes: Uint8Array): void {
    if (this.#open && !this.silent) this.#handlers?.onData(bytes);
  }

  closed(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.onEnd();
    this.#handlers?.onClose(reason);
  }
}

function pairKey(a: IpAddress, b: IpAddress): string {
  return [String(a), String(b)].sort().join('-');
}
