/** The outside end of the consoles of a User-Mode Linux machine: runs a command inside as if it were here. */
import { randomBytes } from 'node:crypto';
import { constants, existsSync, openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { consoleFiles, umlProcesses } from '../support/uml.js';
import {
  decodeFrame,
  encodeFrame,
  INPUT_BYTES,
  INPUT_WINDOW,
  MarkScanner,
  ORDER_CONSOLE,
  type Order,
  READY_FILE,
  type RunOrder,
  VISITOR_CONSOLES,
} from './console-session.js';
import { takeLock } from './state.js';

/** The command could not be run: all consoles are taken, or the machine is gone. */
export class ConsoleError extends Error {
  readonly code = 'NO_CONSOLE';
}

/** What to run inside. */
export type ConsoleCommand = Pick<RunOrder, 'argv' | 'cwd' | 'env'>;

const READY_PATIENCE_MS = 20_000;

/** Between the pieces of a long paste. */
const PASTE_PAUSE_MS = 20;

/** How often a silent machine is looked after: its end does not close the pipes that we hold. */
const LIVENESS_MS = 1000;

/**
 * Runs a command inside the machine of `folder` with this process's streams, and with its terminal when it has one.
 *
 * @returns its exit status
 * @throws ConsoleError
 */
export async function runOnConsole(
  folder: string,
  command: ConsoleCommand,
  signal?: AbortSignal,
): Promise<number> {
  await machineReady(folder);
  const { console, release } = freeConsole(folder);
  const files = consoleFiles(folder, console);
  const toConsole = new Socket({ fd: openPipe(files.input), readable: false, writable: true });
  const fromConsole = new Socket({ fd: openPipe(files.output), readable: true, writable: false });
  const mark = randomBytes(12).toString('hex');
  const orderFile = consoleFiles(folder, ORDER_CONSOLE).input;
  const order = (what: Order) => writeFileSync(orderFile, `${JSON.stringify(what)}\n`);
  const end = () => order({ kind: 'end', console, mark });
  const liveness = setInterval(() => {
    if (umlProcesses(folder).length === 0) fromConsole.destroy(new ConsoleError('the machine has ended'));
  }, LIVENESS_MS);
  signal?.addEventListener('abort', end, { once: true });
  const resize = () => order({ kind: 'size', console, mark, ...terminalSize() });
  const watched = process.stdin.isTTY === true && process.stdout.isTTY === true;
  try {
    order({ kind: 'run', console, mark, ...command, ...(watched && { terminal: terminalSize() }) });
    if (!watched) return await relayFrames(fromConsole, toConsole, mark);
    process.stdout.on('resize', resize);
    return await relayTerminal(fromConsole, toConsole, mark);
  } finally {
    process.stdout.off('resize', resize);
    clearInterval(liveness);
    toConsole.destroy();
    fromConsole.destroy();
    release();
  }
}

function terminalSize(): { readonly rows: number; readonly columns: number } {
  return { rows: process.stdout.rows ?? 24, columns: process.stdout.columns ?? 80 };
}

async function relayTerminal(from: Socket, to: Socket, mark: string): Promise<number> {
  const { stdin, stdout } = process;
  stdin.setRawMode(true);
  // In small pieces: what is pasted must not fill the terminal inside (see INPUT_WINDOW).
  const listen = () => void writePaced(stdin, to);
  try {
    return await readVisit(from, mark, listen, (text) => stdout.write(Buffer.from(text, 'latin1')));
  } finally {
    stdin.setRawMode(false);
    stdin.destroy();
  }
}

async function writePaced(stdin: NodeJS.ReadStream, to: Socket): Promise<void> {
  for await (const piece of piecesOf(stdin)) {
    to.write(piece);
    await sleep(piece.length < INPUT_BYTES ? 0 : PASTE_PAUSE_MS);
  }
}

async function relayFrames(from: Socket, to: Socket, mark: string): Promise<number> {
  const { stdin, stdout, stderr } = process;
  let credit = INPUT_WINDOW;
  let onCredit: (() => void) | undefined;
  const sendInput = async () => {
    for await (const bytes of piecesOf(stdin)) {
      while (credit === 0) await new Promise<void>((resolve) => (onCredit = resolve));
      credit -= 1;
      to.write(encodeFrame({ kind: 'in', bytes }));
    }
    to.write(encodeFrame({ kind: 'eof' }));
  };
  let rest = '';
  try {
    return await readVisit(
      from,
      mark,
      () => void sendInput(),
      (text) => {
        rest += text;
        for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
          const frame = decodeFrame(rest.slice(0, end));
          rest = rest.slice(end + 1);
          if (frame?.kind === 'out') stdout.write(frame.bytes);
          if (frame?.kind === 'err') stderr.write(frame.bytes);
          if (frame?.kind === 'ack') {
            credit += 1;
            onCredit?.();
          }
        }
      },
    );
  } finally {
    stdin.destroy(); // it may never end by itself, and nobody is left to read it
  }
}

/** A stream's bytes in pieces that fit the window; ends with the stream, also when it is cut off from our side. */
async function* piecesOf(stream: NodeJS.ReadStream): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk);
      for (let at = 0; at < bytes.length; at += INPUT_BYTES) yield bytes.subarray(at, at + INPUT_BYTES);
    }
  } catch (error) {
    if (!stream.destroyed) throw error;
  }
}

/**
 * Gives what the command writes to `onText`, one character per byte, until its exit status comes. Nothing may be sent
 * before `onBegin`: nobody would read it.
 */
function readVisit(
  from: Socket,
  mark: string,
  onBegin: () => void,
  onText: (text: string) => void,
): Promise<number> {
  const scanner = new MarkScanner(mark);
  let listening = false;
  return new Promise((resolve, reject) => {
    from.once('error', reject);
    from.on('data', (chunk) => {
      const text = scanner.push(chunk.toString('latin1'));
      if (scanner.begun && !listening) onBegin();
      listening ||= scanner.begun;
      if (text !== '') onText(text);
      if (scanner.status !== undefined) resolve(scanner.status);
    });
  });
}

/** Both directions, though one is used: opening a pipe for one waits for the other side. */
function openPipe(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
}

/** Resolves when orders can be given. */
async function machineReady(folder: string): Promise<void> {
  const deadline = Date.now() + READY_PATIENCE_MS;
  while (!existsSync(join(folder, READY_FILE))) {
    if (umlProcesses(folder).length === 0)
      throw new ConsoleError('the lab is not running any more: start it again');
    if (Date.now() > deadline) throw new ConsoleError('the lab is there, but nobody opens its consoles');
    await sleep(50);
  }
}

/** A console that no living process uses. */
function freeConsole(folder: string): { readonly console: number; readonly release: () => void } {
  if (umlProcesses(folder).length === 0)
    throw new ConsoleError('the lab is not running any more: start it again');
  for (let console = 1; console <= VISITOR_CONSOLES; console += 1) {
    const lock = takeLock(join(folder, `console-${console}.lock`));
    if ('release' in lock) return { console, release: lock.release };
  }
  throw new ConsoleError(`${VISITOR_CONSOLES} commands run in the lab already, and it has no more consoles`);
}
