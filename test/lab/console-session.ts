/**
 * What the two ends of a console say to each other: a lab inside User-Mode Linux is entered over the machine's consoles.
 *
 * One console is for orders, one line of JSON each; the others carry a command's bytes. A command that has a person's
 * terminal gets the console itself; otherwise both sides send frames, one per line, so that the three streams stay apart
 * and survive any byte. In both cases a mark begins and ends what belongs to the command: a console may still hold what
 * the last visitor did not read.
 */

/** Consoles for commands, 1 to 4: so many people can be inside at once. */
export const VISITOR_CONSOLES = 4;
/** The console for orders. */
export const ORDER_CONSOLE = VISITOR_CONSOLES + 1;

/** Beside the consoles' pipes; there as soon as orders can be taken. */
export const READY_FILE = 'consoles-ready';

/** Names one command on one console. */
interface Visit {
  readonly console: number;
  /** Random: no output holds it by chance. */
  readonly mark: string;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Run this, in place of whatever still runs on that console. */
export interface RunOrder extends Visit {
  readonly kind: 'run';
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The person's terminal; undefined: nobody watches, use frames. */
  readonly terminal?: TerminalSize;
}

export type Order =
  | RunOrder
  | (Visit & { readonly kind: 'end' })
  | (Visit & TerminalSize & { readonly kind: 'size' });

/** `in`, `out` and `err` carry bytes, `eof` ends the input, `ack` says that one `in` has been taken. */
export type Frame =
  | { readonly kind: 'in' | 'out' | 'err'; readonly bytes: Buffer }
  | { readonly kind: 'eof' | 'ack' };

/**
 * How much input may be on its way, in frames, and how long each may be. Together less than the 4096 bytes that a
 * terminal holds: when one is full, User-Mode Linux stops listening to it and never starts again.
 */
export const INPUT_WINDOW = 2;
export const INPUT_BYTES = 1024;

export function encodeFrame(frame: Frame): string {
  return 'bytes' in frame ? `${frame.kind} ${frame.bytes.toString('base64')}\n` : `${frame.kind}\n`;
}

/** Reads a frame; undefined for a line that is none, such as the rest of an earlier visit. */
export function decodeFrame(line: string): Frame | undefined {
  const [kind, text = ''] = line.trim().split(' ');
  if (kind === 'in' || kind === 'out' || kind === 'err') return { kind, bytes: Buffer.from(text, 'base64') };
  return kind === 'eof' || kind === 'ack' ? { kind } : undefined;
}

/** The mark before the first byte of a command (no status) or after the last: a sequence that terminals ignore. */
export function encodeMark(mark: string, status?: number): string {
  return `\x1b]${mark};${status ?? 'begin'}\x07`;
}

/** Takes the bytes of a console and gives those between the marks, also when a mark comes in pieces. */
export class MarkScanner {
  readonly #prefix: string;
  #held = '';
  /** Whether the first mark has come. */
  begun = false;
  /** The exit status; undefined until the second mark has come. */
  status: number | undefined;

  constructor(mark: string) {
    this.#prefix = `\x1b]${mark};`;
  }

  /** @returns the part that is the command's for certain, one character per byte */
  push(bytes: string): string {
    let text = this.#held + bytes;
    let given = '';
    while (this.status === undefined) {
      const at = text.indexOf(this.#prefix);
      const end = at < 0 ? -1 : text.indexOf('\x07', at);
      const sure = at < 0 ? text.length - suffixThatBegins(text, this.#prefix) : at;
      if (this.begun) given += text.slice(0, sure);
      text = text.slice(sure);
      if (end < 0) break;
      const word = text.slice(this.#prefix.length, end - sure);
      if (word === 'begin') this.begun = true;
      else this.status = Number(word);
      text = text.slice(end - sure + 1);
    }
    this.#held = text;
    return given;
  }
}

/** The length of the longest end of `text` that is a beginning of `wanted`. */
function suffixThatBegins(text: string, wanted: string): number {
  for (let length = Math.min(text.length, wanted.length - 1); length > 0; length -= 1) {
    if (text.endsWith(wanted.slice(0, length))) return length;
  }
  return 0;
}
