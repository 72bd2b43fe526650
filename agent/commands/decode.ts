/**
 * `podroute decode [FILE]`: captured BGP messages in, one JSON object a line out.
 *
 * Owns: the command and its streams. Must not know: the forms of the input (decode-input.ts), the form of the output
 * (views/message.ts), bytes of messages (bgp/wire).
 */
import { createReadStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, EXIT, type OptionValues, UsageError } from '../../api/index.js';
import { decodeMessage } from '../../bgp/wire/index.js';
import { faultJson, messageJson, problemJson } from '../views/message.js';
import { type InputItem, type InputReader, readerFor, type SessionFlags } from './decode-input.js';

/** Where it reads and writes; `process` fits. */
export interface DecodeStreams {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Writable;
}

/** What the command needs beside its arguments. */
export interface DecodeHooks {
  readonly version: string;
  streams(): DecodeStreams;
}

/** So much text leaves in one write, at most about; the answers to one piece of input leave at once in any case. */
const WRITE_CHARACTERS = 64 * 1024;

export const decode: Command<DecodeHooks> = {
  name: 'decode',
  summary: 'Decode captured BGP messages, as hex, JSON lines or a raw stream, to JSON.',
  argument: 'FILE',
  details: [
    'Reads the file, or standard input, and prints one JSON object a line, in order and without delay.',
    '',
    'Input, told apart by its first octet:',
    '  lines of hex        one whole message a line; blanks and colons between the octets are free',
    '  lines of JSON       {"msg": HEX, "as4": BOOL, "addpath": BOOL}; also "ibgp" and "extended"; all but msg may be',
    '                      left out and then are as the options say',
    '  a raw stream        the octets of one direction of a connection, for example of a capture:',
    '                      tshark -r FILE -Y "bgp && ip.src==ADDRESS" -T fields -e tcp.payload | xxd -r -p',
    '',
    'Output: "type" is the number in the header (1 OPEN, 2 UPDATE, 3 NOTIFICATION, 4 KEEPALIVE, 5 ROUTE-REFRESH).',
    '  UPDATE              "announced", "withdrawn", "aspath", "nexthop", "origin" and every other attribute; "taw": true:',
    '                      prefixes are withdrawn because of an error (RFC 7606); "faults" says what is wrong',
    '  refused             {"error": {"code", "subcode", "data", "text", "reason"}}, the NOTIFICATION a speaker sends;',
    '                      code 0: the input is no encoded message',
    '',
    'Path identifiers (RFC 7911) are read and not shown.',
  ],
  options: {
    as2: { help: 'AS numbers of 2 octets: the session did not negotiate 4-octet ones' },
    'add-path': { help: 'prefixes have path identifiers: the session negotiated ADD-PATH' },
    ibgp: {
      help: 'from an internal peer: LOCAL_PREF is expected, and what only internal peers send is kept',
    },
    extended: { help: 'messages of more than 4096 octets are allowed: the session negotiated them' },
    binary: { help: 'the input is a raw stream, even where it begins in the middle of a message' },
  },
  exits: [
    [EXIT.ok, 'all input was read; a refused message is an answer, not a failure'],
    [EXIT.usage, 'the file cannot be read'],
  ],
  run: async (values, file, _io, { streams }) => {
    const { stdin, stdout } = streams();
    const input = file === undefined ? stdin : createReadStream(file);
    try {
      await pipeline(input, (chunks: AsyncIterable<Uint8Array>) => answers(chunks, values), stdout, {
        end: false,
      });
    } catch (error) {
      const code = systemErrorCode(error);
      // Whoever read our output wants no more of it, as `head` does.
      if (code === 'EPIPE') return EXIT.ok;
      if (code === undefined) throw error;
      throw new UsageError(`cannot read ${file ?? 'standard input'}: ${(error as Error).message}`);
    }
    return EXIT.ok;
  },
};

/** The lines of output for each piece of input, before the next piece is read. */
async function* answers(chunks: AsyncIterable<Uint8Array>, values: OptionValues): AsyncIterable<string> {
  let reader: InputReader | undefined;
  for await (const chunk of chunks) {
    const [first] = chunk;
    if (first === undefined) continue;
    reader ??= readerFor(first, { binary: values['binary'] === true, session: sessionOf(values) });
    yield* lines(reader.push(chunk));
  }
  if (reader !== undefined) yield* lines(reader.end());
}

function* lines(items: Iterable<InputItem>): Iterable<string> {
  let text = '';
  for (const item of items) {
    text += `${JSON.stringify(answer(item))}\n`;
    if (text.length < WRITE_CHARACTERS) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

function answer(item: InputItem) {
  if ('problem' in item) return problemJson(item.problem);
  const result = decodeMessage(item.frame, item.context);
  return result.type === 'FAULT' ? faultJson(result) : messageJson(result);
}

function sessionOf(values: OptionValues): SessionFlags {
  return {
    as4: values['as2'] !== true,
    addpath: values['add-path'] === true,
    ibgp: values['ibgp'] === true,
    extended: values['extended'] === true,
  };
}

/** `ENOENT` and the like; undefined for what is no error of the operating system. */
function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'syscall' in error && 'code' in error ? String(error.code) : undefined;
}
