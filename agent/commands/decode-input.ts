/**
 * The input of `podroute decode`, cut into single messages.
 *
 * Owns: the forms that messages are handed over in (lines of hex, lines of JSON, the raw stream) and what is wrong with
 * a form. Must not know: what a message says, files. Pure, and bounded: a line or a message that is longer than any can
 * be is one problem and is skipped.
 */
import {
  DEFAULT_MAX_MESSAGE_LENGTH,
  type DecodeContext,
  EXTENDED_MAX_MESSAGE_LENGTH,
  HEADER_LENGTH,
} from '../../bgp/wire/index.js';

/** One message with the session it belongs to, or what is wrong with the place where one should be. */
export type InputItem =
  | { readonly frame: Uint8Array; readonly context: DecodeContext }
  | { readonly problem: string };

/** Takes the octets of the input in pieces of any size. */
export interface InputReader {
  push(chunk: Uint8Array): Iterable<InputItem>;
  /** The input is over. */
  end(): Iterable<InputItem>;
}

/** Hex of the longest message with a blank after each octet, several times over. */
const MAX_LINE_OCTETS = 1024 * 1024;
const NEWLINE = 0x0a;
const MARKER = Buffer.alloc(16, 0xff);
const INITIAL_CAPACITY = 4096;
/** What a line of JSON may say beside `msg`. */
const FLAGS = ['as4', 'addpath', 'ibgp', 'extended'] as const;

/** What a session is taken for where nothing else is said: external, 4-octet AS numbers, nothing else negotiated. */
export interface SessionFlags {
  readonly as4?: boolean;
  readonly addpath?: boolean;
  readonly ibgp?: boolean;
  readonly extended?: boolean;
}

/**
 * The reader for an input that begins with `firstOctet`. Every message begins with 0xff and no text does, so the first
 * octet tells; `binary` says it beforehand, for a capture that begins in the middle of a message.
 */
export function readerFor(
  firstOctet: number,
  options: { readonly binary: boolean; readonly session: SessionFlags },
): InputReader {
  return options.binary || firstOctet === MARKER[0]
    ? new StreamReader(contextOf(options.session))
    : new LineReader(options.session);
}

/** One message a line, in hex or in JSON; a line without anything is passed over. */
class LineReader implements InputReader {
  readonly #session: SessionFlags;
  readonly #context: DecodeContext;
  readonly #line = new GrowingBuffer();
  #tooLong = false;

  constructor(session: SessionFlags) {
    this.#session = session;
    this.#context = contextOf(session);
  }

  *push(chunk: Uint8Array): Iterable<InputItem> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#collect(chunk.subarray(start, end));
      yield* this.end();
      start = end + 1;
    }
    this.#collect(chunk.subarray(start));
  }

  *end(): Iterable<InputItem> {
    const text = this.#line.bytes.toString('latin1').trim();
    this.#line.clear();
    if (this.#tooLong) yield { problem: `a line of more than ${MAX_LINE_OCTETS} octets` };
    else if (text.startsWith('{')) yield jsonItem(text, this.#session);
    else if (text !== '') yield hexItem(text, this.#context);
    this.#tooLong = false;
  }

  #collect(part: Uint8Array): void {
    if (this.#tooLong || this.#line.bytes.length + part.length > MAX_LINE_OCTETS) {
      this.#tooLong = true;
      this.#line.clear();
    } else {
      this.#line.append(part);
    }
  }
}

/** The octets of a connection. Where a header cannot be one, the next marker begins the next message. */
class StreamReader implements InputReader {
  readonly #context: DecodeContext;
  readonly #pending = new GrowingBuffer();
  #lost = false;

  constructor(context: DecodeContext) {
    this.#context = context;
  }

  *push(chunk: Uint8Array): Iterable<InputItem> {
    this.#pending.append(chunk);
    const bytes = this.#pending.bytes;
    let position = 0;
    while (bytes.length - position >= HEADER_LENGTH) {
      const marker = bytes.indexOf(MARKER, position);
      if (marker !== position) {
        if (!this.#lost) yield { problem: 'no marker where a message should begin; looking for the next' };
        // The end may be the first octets of a marker.
        this.#lost = marker === -1;
        position = this.#lost ? bytes.length - MARKER.length + 1 : marker;
        continue;
      }
      this.#lost = false;
      const length = bytes.readUInt16BE(position + MARKER.length);
      if (length < HEADER_LENGTH || length > this.#context.maxMessageLength) {
        yield { frame: bytes.subarray(position, position + HEADER_LENGTH), context: this.#context };
        // The boundary is lost, and this was its one error.
        this.#lost = true;
        position += HEADER_LENGTH;
        continue;
      }
      if (bytes.length - position < length) break;
      yield { frame: bytes.subarray(position, position + length), context: this.#context };
      position += length;
    }
    this.#pending.consume(position);
  }

  *end(): Iterable<InputItem> {
    const left = this.#pending.bytes.length;
    if (left > 0 && !this.#lost) yield { problem: `the input ends ${left} octets into a message` };
  }
}

/** Octets that wait for more; each is copied a bounded number of times. */
class GrowingBuffer {
  #buffer = Buffer.alloc(INITIAL_CAPACITY);
  #length = 0;

  /** A view, valid until the next change. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  append(part: Uint8Array): void {
    const length = this.#length + part.length;
    if (length > this.#buffer.length) {
      const grown = Buffer.alloc(Math.max(length, 2 * this.#buffer.length));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(part, this.#length);
    this.#length = length;
  }

  /** Forgets the first `octets`. */
  consume(octets: number): void {
    this.#buffer.copyWithin(0, octets, this.#length);
    this.#length -= octets;
  }

  clear(): void {
    this.#length = 0;
  }
}

function contextOf({
  as4 = true,
  addpath = false,
  ibgp = false,
  extended = false,
}: SessionFlags): DecodeContext {
  return {
    as4,
    addPath: addpath,
    peerType: ibgp ? 'ibgp' : 'ebgp',
    maxMessageLength: extended ? EXTENDED_MAX_MESSAGE_LENGTH : DEFAULT_MAX_MESSAGE_LENGTH,
  };
}

/** Digits in pairs; blanks and colons between them, as tcpdump and Wireshark write them, say nothing. */
function hexItem(text: string, context: DecodeContext): InputItem {
  const digits = text.replace(/^0x|[\s:]+/gi, '');
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) return { problem: 'neither hex nor a JSON object' };
  return { frame: Buffer.from(digits, 'hex'), context };
}

function jsonItem(text: string, session: SessionFlags): InputItem {
  const value = parseObject(text);
  if (value === undefined) return { problem: 'not a JSON object' };
  const msg = value['msg'];
  if (typeof msg !== 'string') return { problem: '"msg" must be the message in hex' };
  const wrong = FLAGS.find((name) => value[name] !== undefined && typeof value[name] !== 'boolean');
  if (wrong !== undefined) return { problem: `"${wrong}" must be true or false` };
  return hexItem(msg, contextOf({ ...session, ...(value as SessionFlags) }));
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    // It begins with a brace, so it is an object if it is JSON at all.
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
