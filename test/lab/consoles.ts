/** The inside end of the consoles: takes orders and runs them. See console-session.ts. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, write, writeFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { createInterface, type Interface } from 'node:readline';
import { promisify } from 'node:util';
import {
  decodeFrame,
  encodeFrame,
  encodeMark,
  ORDER_CONSOLE,
  type Order,
  type RunOrder,
  type TerminalSize,
} from './console-session.js';

const writeAsync = promisify(write);

/** What a command that does not leave on a hang-up gets before it is killed. */
const GRACE_MS = 1000;

/**
 * Takes orders for as long as the machine runs.
 *
 * @param readyFile made as soon as orders can be taken
 * @returns the exit status
 */
export async function serveConsoles(readyFile: string): Promise<number> {
  const visits = new Map<number, Visit>();
  const path = devicePath(ORDER_CONSOLE);
  // User-Mode Linux does not see what came before a console was open, until more comes.
  const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  rawMode(path);
  const reader = startReader(path);
  writeFileSync(readyFile, '');
  for await (const line of reader.lines) {
    const order: Order = JSON.parse(line);
    const visit = visits.get(order.console);
    switch (order.kind) {
      case 'run':
        visit?.end();
        visits.set(order.console, new Visit(order, visit?.done));
        break;
      case 'end':
        if (visit?.mark === order.mark) visit.end();
        break;
      case 'size':
        if (visit?.mark === order.mark) resize(devicePath(order.console), order);
        break;
      default:
        order satisfies never;
    }
  }
  closeSync(fd);
  return 1; // the console for orders never ends before the machine does
}

/** One command on one console, from its first mark to its last. */
class Visit {
  /** Settles when the console is free again. */
  readonly done: Promise<void>;
  readonly #order: RunOrder;
  readonly #path: string;
  #child: ChildProcess | undefined;
  #ended = false;

  constructor(order: RunOrder, after: Promise<void> = Promise.resolve()) {
    this.#order = order;
    this.#path = devicePath(order.console);
    this.done = after.then(() => this.#run());
  }

  get mark(): string {
    return this.#order.mark;
  }

  /** Hangs up on the command. */
  end(): void {
    this.#ended = true;
    const child = this.#child;
    if (child === undefined) return;
    signalGroup(child, 'SIGHUP');
    setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS).unref();
  }

  async #run(): Promise<void> {
    if (this.#ended) return;
    const { mark, terminal } = this.#order;
    // Open from before the first mark on: what the visitor sends then waits for its reader.
    const fd = openSync(this.#path, constants.O_RDWR | constants.O_NOCTTY);
    try {
      rawMode(this.#path);
      await this.#say(encodeMark(mark));
      const status = await (terminal === undefined
        ? this.#runWithFrames()
        : this.#runOnTerminal(fd, terminal));
      rawMode(this.#path);
      await this.#say(encodeMark(mark, status));
    } finally {
      closeSync(fd);
    }
  }

  /** Gives the command the console as its controlling terminal. */
  async #runOnTerminal(fd: number, { rows, columns }: TerminalSize): Promise<number> {
    const settle = `stty sane rows ${rows} columns ${columns}; exec "$@"`;
    const command = ['setsid', '--ctty', 'sh', '-c', settle, 'sh', ...this.#order.argv];
    return exitOf(this.#spawn(command, [fd, fd, fd], false));
  }

  /** Runs the command with its three streams in frames. */
  async #runWithFrames(): Promise<number> {
    const child = this.#spawn(this.#order.argv, ['pipe', 'pipe', 'pipe'], true);
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null || stderr === null) throw new Error('three pipes were asked for');
    const exit = exitOf(child);
    stdin.on('error', () => {}); // the command does not read its input: its own affair
    const reader = startReader(this.#path);
    reader.lines.on('line', (line) => {
      const frame = decodeFrame(line);
      if (frame?.kind === 'in') {
        const taken = () => void this.#say(encodeFrame({ kind: 'ack' }));
        if (stdin.write(frame.bytes)) taken();
        else stdin.once('drain', taken);
      }
      if (frame?.kind === 'eof') stdin.end();
    });
    const relay = async (kind: 'out' | 'err', stream: AsyncIterable<Buffer>) => {
      for await (const bytes of stream) await this.#say(encodeFrame({ kind, bytes }));
    };
    await Promise.all([relay('out', stdout), relay('err', stderr)]);
    const status = await exit;
    await reader.stop();
    return status;
  }

  #spawn(argv: readonly string[], stdio: ('pipe' | number)[], detached: boolean): ChildProcess {
    const [file = '', ...args] = argv;
    const { cwd, env } = this.#order;
    const child = spawn(file, args, { stdio, cwd, env: { ...process.env, ...env }, detached });
    this.#child = child;
    return child;
  }

  async #say(text: string): Promise<void> {
    const bytes = Buffer.from(text, 'latin1');
    // Opened anew each time: the end of a command that led a session hangs up on everyone who has the console open.
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_NOCTTY);
    try {
      for (let offset = 0; offset < bytes.length; ) {
        offset += (await writeAsync(fd, bytes, offset, bytes.length - offset, null)).bytesWritten;
      }
    } finally {
      closeSync(fd);
    }
  }
}

function devicePath(console: number): string {
  return `/dev/tty${console}`;
}

function rawMode(path: string): void {
  spawnSync('stty', ['-F', path, 'raw', '-echo']);
}

function resize(path: string, { rows, columns }: TerminalSize): void {
  spawnSync('stty', ['-F', path, 'rows', String(rows), 'columns', String(columns)]);
}

/** Reads a console by a process of its own, which can be ended between two bytes; Node's tty streams read ahead. */
function startReader(path: string): { readonly lines: Interface; readonly stop: () => Promise<void> } {
  const child = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  return {
    lines: createInterface({ input: child.stdout }),
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // Not yet a group of its own, or gone this moment.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    child.kill(signal);
  }
}

/** 127: there is no such program, as a shell says it. */
function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(127));
    child.once('close', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : osConstants.signals[signal])),
    );
  });
}
