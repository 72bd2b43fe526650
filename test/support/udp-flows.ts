/**
 * Flows of numbered UDP packets from one network namespace to a service that several namespaces offer (anycast), and
 * what became of each packet: which namespace got it, or none.
 *
 * Owns: sockets, numbers, the balance. A flow is a port of the sender, so that a kernel that hashes ports keeps each on
 * one way. A process that was held up sends less, and no burst: what its own sockets had no room for is no loss of the
 * way, and an error of the test.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { inNamespace } from '../lab/libc.js';

const SERVICE_PORT = 7179;
/** After so long without an arrival, what is missing is lost. */
const SILENCE_MS = 400;

/** A network namespace that has the service's address. */
export interface Sink {
  readonly name: string;
  /** Of the namespace. */
  readonly path: string;
}

export interface FlowOptions {
  /** The sender's namespace. */
  readonly path: string;
  readonly service: string;
  readonly sinks: readonly Sink[];
  readonly flows: number;
  /** The pause between two packets of one flow. */
  readonly intervalMs: number;
}

/** One packet of one flow. */
interface Packet {
  readonly sentAtMs: number;
  /** The sink that got it; undefined: it was lost, or is under way. */
  sink?: string;
}

/** What became of the packets of one flow that were sent in a span of time. */
export interface FlowBalance {
  readonly flow: number;
  readonly sent: number;
  readonly lost: number;
  /** When the first and the last lost one were sent. */
  readonly firstLostAtMs: number | undefined;
  readonly lastLostAtMs: number | undefined;
  /** The sinks that got some, in the order in which they came in. */
  readonly sinks: readonly string[];
}

export class UdpFlows {
  readonly #options: FlowOptions;
  readonly #senders: readonly Socket[];
  readonly #receivers: readonly Socket[];
  readonly #packets: readonly Packet[][];
  #lastArrivalMs = 0;
  #received = 0;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #onArrival: (() => void) | undefined;

  private constructor(options: FlowOptions) {
    this.#options = options;
    this.#packets = Array.from({ length: options.flows }, () => []);
    this.#receivers = options.sinks.map((sink) => this.#receiver(sink));
    this.#senders = this.#packets.map(() => inNamespace(options.path, () => bound(options.service, 0)));
    for (const sender of this.#senders) sender.on('error', (error) => this.#fail(error));
    this.#tick();
  }

  /** Resolves once a packet of every flow has arrived: addresses are resolved, the ways are open. */
  static async start(options: FlowOptions): Promise<UdpFlows> {
    const flows = new UdpFlows(options);
    await flows.arrived(() =>
      flows.#packets.every((packets) => packets.some(({ sink }) => sink !== undefined)),
    );
    return flows;
  }

  /** Resolves as soon as the question is answered by true; asked after every arrival. */
  async arrived(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#onArrival = resolve;
      });
    }
  }

  /** Resolves when packets of every flow have arrived that were sent after this call. @returns when it was called */
  async another(perFlow = 3): Promise<number> {
    const now = performance.now();
    const before = this.#packets.map((packets) => packets.length);
    await this.arrived(() =>
      this.#packets.every((packets, flow) => {
        const later = packets.slice(before[flow]);
        return later.filter(({ sink }) => sink !== undefined).length >= perFlow;
      }),
    );
    return now;
  }

  /** The sinks that have got the newest arrival of each flow. */
  ways(): readonly (string | undefined)[] {
    return this.#packets.map((packets) => packets.findLast(({ sink }) => sink !== undefined)?.sink);
  }

  /** Ends the sending, waits for what is under way, and closes the sockets. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    const sent = this.#packets.reduce((sum, packets) => sum + packets.length, 0);
    this.#lastArrivalMs = performance.now();
    while (this.#received < sent && performance.now() - this.#lastArrivalMs < SILENCE_MS) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const sockets = [...this.#senders, ...this.#receivers];
    const closed = sockets.map((socket) => once(socket, 'close'));
    for (const socket of sockets) socket.close();
    await Promise.all(closed);
    for (const { name, path } of this.#options.sinks) {
      const overflowed = inNamespace(path, overflows);
      if (overflowed !== 0) this.#fail(new Error(`${name} had no room for ${overflowed} packets`));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** After `stop`: the balance of what was sent between two times. */
  balance(fromMs = 0, toMs = Number.POSITIVE_INFINITY): readonly FlowBalance[] {
    return this.#packets.map((packets, flow) => {
      const span = packets.filter(({ sentAtMs }) => sentAtMs >= fromMs && sentAtMs < toMs);
      const lost = span.filter(({ sink }) => sink === undefined);
      return {
        flow,
        sent: span.length,
        lost: lost.length,
        firstLostAtMs: lost[0]?.sentAtMs,
        lastLostAtMs: lost.at(-1)?.sentAtMs,
        sinks: [...new Set(span.flatMap(({ sink }) => sink ?? []))],
      };
    });
  }

  #receiver({ name, path }: Sink): Socket {
    const socket = inNamespace(path, () => bound(this.#options.service, SERVICE_PORT));
    socket.on('error', (error) => this.#fail(error));
    socket.on('message', (message) => {
      const packet = this.#packets[message.readUInt32BE(0)]?.[message.readUInt32BE(4)];
      if (packet === undefined || packet.sink !== undefined) {
        this.#fail(new Error(`${name} got a packet that was not sent, or one a second time`));
        return;
      }
      packet.sink = name;
      this.#received += 1;
      this.#lastArrivalMs = performance.now();
      this.#onArrival?.();
    });
    return socket;
  }

  #tick(): void {
    this.#packets.forEach((packets, flow) => {
      const message = Buffer.alloc(64);
      message.writeUInt32BE(flow, 0);
      message.writeUInt32BE(packets.length, 4);
      packets.push({ sentAtMs: performance.now() });
      this.#senders[flow]?.send(message, SERVICE_PORT, this.#options.service);
    });
    this.#timer = setTimeout(() => this.#tick(), this.#options.intervalMs);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#onArrival?.();
  }
}

/** Packets that found their socket full, in the namespace that the thread is in. */
function overflows(): number {
  // A line of names and a line of values; IPv6 has a line for each.
  const [names = [], values = []] = readFileSync('/proc/thread-self/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(' '));
  const snmp6 = readFileSync('/proc/thread-self/net/snmp6', 'utf8');
  return (
    Number(values[names.indexOf('RcvbufErrors')]) + Number(/^Udp6RcvbufErrors\s+(\d+)/m.exec(snmp6)?.[1])
  );
}

/** A socket made and bound before this returns, so in the namespace that the thread is in. */
function bound(like: string, port: number): Socket {
  const family = isIP(like) === 6 ? 6 : 4;
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    // Node's own lookup answers later, outside the namespace.
    lookup: (address, _options, answer) => answer(null, address, family),
  });
  socket.bind(port, family === 6 ? '::' : '0.0.0.0');
  return socket;
}
