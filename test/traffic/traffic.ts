/** The traffic generator as a process, and one measurement with it: traffic flows, something is done, all is counted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { namespaceName, namespacePath } from '../lab/namespaces.js';
import { longestLoss } from './account.js';
import type { GeneratorAnswer, GeneratorOrder } from './generator.js';

const PROGRAM = new URL('../../dist/traffic.js', import.meta.url).pathname;
const PACKETS_PER_SECOND = 1000;
/** A packet that has not arrived so long after the last one was sent is lost. */
const DRAIN_MS = 2000;

/** One direction: the names of two machines, and the address of the second. */
export interface Direction {
  readonly from: string;
  readonly to: string;
  readonly address: string;
  /** Other machines that have the address too. */
  readonly alsoTo?: readonly string[];
}

export type Measurement = Extract<GeneratorAnswer, { answer: 'report' }>;

export class Traffic {
  readonly #lab: string;
  readonly #child: ChildProcess;
  readonly #answers: GeneratorAnswer[] = [];
  #ended: string | undefined;
  #wake: () => void = () => {};

  private constructor(lab: string) {
    this.#lab = lab;
    this.#child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error('a pipe was asked for');
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#answers.push(JSON.parse(line));
      this.#wake();
    });
    this.#child.once('exit', (status) => {
      this.#ended = `the traffic generator ended with status ${status}`;
      this.#wake();
    });
  }

  static async start(lab: string): Promise<Traffic> {
    const traffic = new Traffic(lab);
    await traffic.#next('ready');
    return traffic;
  }

  /** Starts the flows, waits until all of them arrive, does `during`, stops, and counts after a drain. */
  async measure(
    flows: readonly Direction[],
    during: () => Promise<void>,
    packetsPerSecond = PACKETS_PER_SECOND,
  ): Promise<Measurement> {
    const path = (machine: string) => namespacePath(namespaceName(this.#lab, machine));
    this.#order({
      order: 'start',
      packetsPerSecond,
      flows: flows.map(({ from, to, address, alsoTo = [] }) => ({
        name: `${from} to ${alsoTo.length > 0 ? address : to}`,
        from: path(from),
        to: path(to),
        address,
        alsoTo: alsoTo.map(path),
      })),
    });
    await this.#next('flowing');
    try {
      await during();
    } finally {
      this.#order({ order: 'stop', drainMs: DRAIN_MS });
    }
    return await this.#next('report');
  }

  stop(): void {
    this.#child.stdin?.end();
  }

  #order(order: GeneratorOrder): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  async #next<Kind extends GeneratorAnswer['answer']>(
    kind: Kind,
  ): Promise<Extract<GeneratorAnswer, { answer: Kind }>> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer?.answer === kind) return answer as Extract<GeneratorAnswer, { answer: Kind }>;
      if (answer?.answer === 'blocked') {
        throw new Error(`no packet comes through: ${answer.flows.join(', ')}`);
      }
      if (answer !== undefined) continue;
      if (this.#ended !== undefined) throw new Error(this.#ended);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** One line per flow, for people. */
export function figuresOf({ flows, instrument }: Measurement): readonly string[] {
  return flows.map((flow) => {
    const { name, sent, lost, longestSilenceMs } = flow;
    const silence = `longest gap ${longestSilenceMs.toFixed(0)} ms`;
    const pause = `(the generator's own ${instrument.longestPauseMs.toFixed(0)} ms)`;
    return `${name} sent ${sent}, lost ${lost}, ${longestLoss(flow)} of them in a row, ${silence} ${pause}`;
  });
}
