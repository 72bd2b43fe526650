/**
 * The traffic: numbered UDP packets between machines of a lab, sent by the wall clock and counted where they arrive.
 *
 * One process looks out of all namespaces. A packet is due at its time; a generator that was held up sends all that is
 * due, so that its own want of a processor is no loss. Orders and answers are lines of JSON on the standard streams.
 */
import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as pass } from 'node:timers/promises';
import { inNamespace, SystemCallError } from '../lab/libc.js';
import { FlowAccount, type FlowReport } from './account.js';
import { UdpReceiver, UdpSender } from './udp.js';

/** One direction between two machines. */
export interface Flow {
  readonly name: string;
  /** Paths of network namespaces. */
  readonly from: string;
  readonly to: string;
  /** The receiver's address. */
  readonly address: string;
  /** Others that have the address too: a packet counts wherever it arrives. */
  readonly alsoTo?: readonly string[];
}

/** What the generator is told. */
export type GeneratorOrder =
  | { readonly order: 'start'; readonly flows: readonly Flow[]; readonly packetsPerSecond: number }
  | { readonly order: 'stop'; readonly drainMs: number };

/** What can spoil the measurement: none of it is the network's doing. */
export interface InstrumentReport {
  /** Packets that arrived and found no room at their socket, of all flows. */
  readonly socketDrops: number;
  /** Packets that the kernel dropped on the way because its queues to itself were full. */
  readonly backlogDrops: number;
  /** Packets that the sender's own machine had no way for. */
  readonly refused: number;
  /** The longest time that the generator did not run while packets were due, in milliseconds. */
  readonly longestPauseMs: number;
}

/**
 * What the generator answers: `flowing` once every flow has come through and the count begins, `blocked` where some never
 * did, `report` after the drain.
 */
export type GeneratorAnswer =
  | { readonly answer: 'ready' | 'flowing' }
  | { readonly answer: 'blocked'; readonly flows: readonly string[] }
  | {
      readonly answer: 'report';
      readonly flows: readonly FlowReport[];
      readonly instrument: InstrumentReport;
    };

const PORT = 7179;
/** Ten minutes' worth at 1000/s. */
const CAPACITY = 600_000;
/** A turn costs a dozen system calls, so a few packets go together. */
const TICK_MS = 4;
/** The most of one flow in one turn, so that catching up does not fill the kernel's queues. */
const BURST = 64;
/** Before the count begins, every flow must have come through once: its neighbours are asked for their addresses. */
const WARM_UP = 0xffff_ffff;
const WARM_UP_INTERVAL_MS = 200;
const WARM_UP_PATIENCE_MS = 10_000;

interface RunningFlow {
  readonly name: string;
  readonly account: FlowAccount;
  readonly sender: UdpSender;
  isWarm: boolean;
  sent: number;
}

/** Serves orders until the standard input ends. */
export async function runGenerator(): Promise<void> {
  // A measuring instrument goes first.
  setPriority(-20);
  let run: Run | undefined;
  say({ answer: 'ready' });
  for await (const line of createInterface({ input: process.stdin })) {
    const order: GeneratorOrder = JSON.parse(line);
    if (order.order === 'start') {
      // One that nobody stopped, because its test ran out of time.
      await run?.stop(0);
      run = new Run(order.flows, order.packetsPerSecond);
      const blocked = await run.warmUp();
      if (blocked.length === 0) {
        run.begin();
        say({ answer: 'flowing' });
      } else {
        run.close();
        run = undefined;
        say({ answer: 'blocked', flows: blocked });
      }
    } else if (run !== undefined) {
      say(await run.stop(order.drainMs));
      run = undefined;
    }
  }
}

function say(answer: GeneratorAnswer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

class Run {
  readonly #flows: readonly RunningFlow[];
  readonly #receivers: readonly UdpReceiver[];
  readonly #namespaces: ReadonlySet<string>;
  readonly #packetsPerSecond: number;
  #dropsBefore: Drops = { socket: 0, backlog: 0 };
  #startedMs = 0;
  #lastTickMs = 0;
  #refused = 0;
  #longestPauseMs = 0;
  /** Set once no more packets come to be due. */
  #end: { readonly atMs: number; readonly drainedByMs: number; readonly onDrained: () => void } | undefined;

  constructor(flows: readonly Flow[], packetsPerSecond: number) {
    this.#packetsPerSecond = packetsPerSecond;
    const ends = flows.flatMap(({ to, alsoTo = [], address }) =>
      [to, ...alsoTo].map((path) => ({ path, local: { address, port: PORT } })),
    );
    this.#namespaces = new Set(ends.map(({ path }) => path));
    const receivers = new Map(ends.map((end) => [`${end.path} ${end.local.address}`, end]));
    this.#receivers = [...receivers.values()].map(({ path, local }) => new UdpReceiver(path, local));
    this.#flows = flows.map(({ name, from, address }) => ({
      name,
      account: new FlowAccount(name, CAPACITY),
      sender: new UdpSender(from, { address, port: PORT }),
      isWarm: false,
      sent: 0,
    }));
  }

  /** Ends the sending, and resolves when all have arrived or `drainMs` are over. */
  async stop(drainMs: number): Promise<GeneratorAnswer> {
    const atMs = performance.now();
    await new Promise<void>((onDrained) => {
      this.#end = { atMs, drainedByMs: atMs + drainMs, onDrained };
    });
    this.close();
    const drops = readDrops(this.#namespaces);
    return {
      answer: 'report',
      flows: this.#flows.map(({ account, sent }) => account.report(sent)),
      instrument: {
        socketDrops: drops.socket - this.#dropsBefore.socket,
        backlogDrops: drops.backlog - this.#dropsBefore.backlog,
        refused: this.#refused,
        longestPauseMs: this.#longestPauseMs,
      },
    };
  }

  /** Sends one packet of each flow until it has come through. @returns the names of the flows that never did */
  async warmUp(): Promise<readonly string[]> {
    const deadline = performance.now() + WARM_UP_PATIENCE_MS;
    let nextMs = 0;
    while (this.#flows.some(({ isWarm }) => !isWarm) && performance.now() < deadline) {
      if (performance.now() >= nextMs) {
        this.#flows.forEach(({ isWarm, sender }, index) => {
          if (!isWarm) this.#attempt(sender, index, WARM_UP, 1);
        });
        nextMs = performance.now() + WARM_UP_INTERVAL_MS;
      }
      await pass(TICK_MS);
      this.#receive();
    }
    return this.#flows.filter(({ isWarm }) => !isWarm).map(({ name }) => name);
  }

  /** Starts the clock by which packets are due. */
  begin(): void {
    this.#dropsBefore = readDrops(this.#namespaces);
    this.#refused = 0;
    this.#startedMs = performance.now();
    this.#lastTickMs = this.#startedMs;
    this.#tick();
  }

  close(): void {
    for (const receiver of this.#receivers) receiver.close();
    for (const { sender } of this.#flows) sender.close();
  }

  #tick(): void {
    const now = performance.now();
    if (this.#end === undefined) {
      this.#longestPauseMs = Math.max(this.#longestPauseMs, now - this.#lastTickMs);
    }
    this.#lastTickMs = now;
    const due = Math.floor((((this.#end?.atMs ?? now) - this.#startedMs) * this.#packetsPerSecond) / 1000);
    this.#flows.forEach((flow, index) => {
      this.#send(flow, index, Math.min(due - flow.sent, BURST));
    });
    this.#receive();
    const isComplete = this.#flows.every(({ account, sent }) => sent >= due && account.received === sent);
    if (this.#end !== undefined && (isComplete || now >= this.#end.drainedByMs)) this.#end.onDrained();
    else setTimeout(() => this.#tick(), TICK_MS);
  }

  #receive(): void {
    for (const receiver of this.#receivers) {
      receiver.receive((index, sequence, atMs) => {
        const flow = this.#flows[index];
        if (flow === undefined) throw new Error(`a packet of flow ${index}, which nobody sends`);
        if (sequence === WARM_UP) flow.isWarm = true;
        else flow.account.arrived(sequence, atMs);
      });
    }
  }

  #send(flow: RunningFlow, index: number, count: number): void {
    if (count > 0) flow.sent += this.#attempt(flow.sender, index, flow.sent, count);
  }

  /** @returns how many are gone: those that the kernel took, or one that it refused; the next one is another attempt */
  #attempt(sender: UdpSender, flow: number, first: number, count: number): number {
    try {
      return sender.send(flow, first, count);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      this.#refused += 1;
      return 1;
    }
  }
}

interface Drops {
  readonly socket: number;
  readonly backlog: number;
}

/** Counters of the kernel, of the receivers' namespaces and of its queues to itself. */
function readDrops(namespaces: ReadonlySet<string>): Drops {
  const socket = [...namespaces].map((path) =>
    inNamespace(path, () => udpCounter(readFileSync('/proc/thread-self/net/snmp', 'utf8'), 'RcvbufErrors')),
  );
  const backlog = readFileSync('/proc/net/softnet_stat', 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => Number.parseInt(line.split(/\s+/)[1] ?? '', 16));
  return { socket: sum(socket), backlog: sum(backlog) };
}

/** Two lines of /proc/net/snmp, names and values. */
function udpCounter(text: string, name: string): number {
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf(name)]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
