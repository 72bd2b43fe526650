/**
 * `podroute decode` over memory: every form of input, every form of answer, streams that are slow or end.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode } from '../../../../agent/commands/decode.js';
import { runCommand } from '../../../../api/index.js';
import { frame, hex, toHex, updateFrame } from '../../../support/wire.js';
import { OPEN_VECTORS } from '../../../vectors/wire/open.js';
import { OTHER_VECTORS } from '../../../vectors/wire/other.js';
import { UPDATE_VECTORS } from '../../../vectors/wire/update.js';

const KEEPALIVE = frame(4, '');
/** ORIGIN IGP, AS_PATH 65001 65002, NEXT_HOP 192.0.2.2. */
const SOUND = '40 01 01 00 40 02 0a 02 02 0000fde9 0000fdea 40 03 04 c0000202';
const UPDATE = updateFrame({ attributes: SOUND, nlri: '18 0af401 18 0af402' });
const ROUTE = {
  type: 2,
  announced: ['10.244.1.0/24', '10.244.2.0/24'],
  withdrawn: [],
  origin: 'IGP',
  aspath: [65001, 65002],
  nexthop: '192.0.2.2',
};

interface Run {
  readonly exit: number;
  readonly err: string;
  /** The lines of output, parsed. */
  readonly answers: readonly unknown[];
}

async function* pieces(...input: readonly (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const piece of input) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
}

async function run(
  argv: readonly string[],
  stdin: AsyncIterable<Uint8Array>,
  stdout?: Writable,
): Promise<Run> {
  let out = '';
  let err = '';
  const collect = new Writable({
    write: (chunk, _encoding, done) => {
      out += chunk;
      done();
    },
  });
  const io = { stdout: collect, stderr: { write: (text: string) => (err += text) }, env: {} };
  const streams = () => ({ stdin, stdout: stdout ?? collect });
  const exit = await runCommand(decode, argv, io, { version: '0', streams });
  const lines = out.split('\n');
  // Whatever was printed ends with its line.
  expect(lines.pop()).toBe('');
  return { exit, err, answers: lines.map((line) => JSON.parse(line) as unknown) };
}

async function answers(...input: readonly (string | Uint8Array)[]): Promise<readonly unknown[]> {
  const { exit, answers: all } = await run([], pieces(...input));
  expect(exit).toBe(0);
  return all;
}

function problem(reason: string): unknown {
  return { error: { code: 0, subcode: 0, reason } };
}

describe('lines of hex', () => {
  test('one message a line, in order; empty lines say nothing; the last line needs no end', async () => {
    const input = `${toHex(KEEPALIVE)}\n\n  \r\n${toHex(UPDATE)}\r\n${toHex(KEEPALIVE)}`;
    expect(await answers(input)).toEqual([{ type: 4 }, ROUTE, { type: 4 }]);
  });

  test('blanks, colons, capitals and 0x are free', async () => {
    const spaced = toHex(KEEPALIVE).replace(/(..)/g, '$1 ');
    const colons = toHex(KEEPALIVE)
      .toUpperCase()
      .replace(/(..)(?!$)/g, '$1:');
    expect(await answers(`${spaced}\n${colons}\n0x${toHex(KEEPALIVE)}\n`)).toEqual([
      { type: 4 },
      { type: 4 },
      { type: 4 },
    ]);
  });

  test.each(['zz', 'fff', 'ff:f', '[]', '"msg"', 'null', '\u0000\u0001'])(
    'a line that is neither, %j, is one error, and the next line is read',
    async (line) => {
      const input = `${line}\n${toHex(KEEPALIVE)}\n`;
      expect(await answers(input)).toEqual([problem('neither hex nor a JSON object'), { type: 4 }]);
    },
  );

  test('a line of some megabytes is one error and takes no memory', async () => {
    const part = 'f'.repeat(1 << 20);
    const all = await answers(part, part, part, `\n${toHex(KEEPALIVE)}\n`);
    expect(all).toEqual([problem('a line of more than 1048576 octets'), { type: 4 }]);
  });

  test('a message whose length field lies is refused with 1/2', async () => {
    expect(await answers(`${toHex(KEEPALIVE)}00\n`)).toEqual([
      {
        error: {
          code: 1,
          subcode: 2,
          data: '0013',
          text: 'Message header error: bad message length (length 19)',
          reason: 'length field 19 does not match the message',
        },
      },
    ]);
  });
});

describe('lines of JSON', () => {
  const json = (value: unknown) => `${JSON.stringify(value)}\n`;

  test('as4 tells the size of AS numbers; what is not said is as the options say', async () => {
    const twoOctets = updateFrame({
      attributes: '40 01 01 00 40 02 06 02 02 fde9 fdea 40 03 04 c0000202',
      nlri: '18 0af401 18 0af402',
    });
    const msg = toHex(twoOctets);
    expect(await answers(json({ msg, as4: false }))).toEqual([ROUTE]);
    expect(await answers(json({ msg, as4: true }))).toMatchObject([{ taw: true, announced: [] }]);
    expect((await run(['--as2'], pieces(json({ msg })))).answers).toEqual([ROUTE]);
    expect((await run(['--as2'], pieces(json({ msg: toHex(UPDATE), as4: true })))).answers).toEqual([ROUTE]);
  });

  test('addpath reads past the path identifiers (RFC 7911 §3)', async () => {
    const bytes = updateFrame({
      withdrawn: '00000007 18 0af409',
      attributes: SOUND,
      nlri: '00000001 18 0af401 00000002 18 0af402',
    });
    const route = { ...ROUTE, withdrawn: ['10.244.9.0/24'] };
    expect(await answers(json({ msg: toHex(bytes), addpath: true }))).toEqual([route]);
    expect((await run(['--add-path'], pieces(toHex(bytes)))).answers).toEqual([route]);
  });

  test('ibgp expects LOCAL_PREF and keeps it; extended allows long messages', async () => {
    const internal = updateFrame({ attributes: `${SOUND} 40 05 04 00000064`, nlri: '18 0af401' });
    expect(await answers(json({ msg: toHex(internal), ibgp: true }))).toMatchObject([{ localpref: 100 }]);
    expect(await answers(json({ msg: toHex(UPDATE), ibgp: true }))).toMatchObject([{ taw: true }]);
    const long = frame(2, `0000 0000 ${'18 0af401'.repeat(1100)}`);
    expect(await answers(json({ msg: toHex(long) }))).toMatchObject([{ error: { code: 1, subcode: 2 } }]);
    expect(await answers(json({ msg: toHex(long), extended: true }))).toMatchObject([{ taw: true }]);
  });

  test.each([
    ['{', 'not a JSON object'],
    ['{"msg": "ff"', 'not a JSON object'],
    ['{}', '"msg" must be the message in hex'],
    ['{"msg": 1}', '"msg" must be the message in hex'],
    ['{"msg": "fg"}', 'neither hex nor a JSON object'],
    ['{"msg": "", "as4": 1}', '"as4" must be true or false'],
    ['{"msg": "", "addpath": null}', '"addpath" must be true or false'],
  ])('%s: %s', async (line, reason) => {
    expect(await answers(`${line}\n${json({ msg: toHex(KEEPALIVE) })}`)).toEqual([
      problem(reason),
      { type: 4 },
    ]);
  });

  test('an empty message is refused', async () => {
    expect(await answers(json({ msg: '' }))).toMatchObject([{ error: { code: 1, subcode: 2 } }]);
  });
});

describe('a raw stream', () => {
  const stream = (...parts: readonly Uint8Array[]) => Buffer.concat(parts);

  test('is told by its first octet', async () => {
    expect(await answers(stream(KEEPALIVE, UPDATE, KEEPALIVE))).toEqual([{ type: 4 }, ROUTE, { type: 4 }]);
  });

  test('a refused body leaves the message boundaries as they are', async () => {
    const refused = updateFrame({ nlri: '21 0a00000000' });
    expect(await answers(stream(refused, KEEPALIVE))).toMatchObject([
      { error: { code: 3, subcode: 10 } },
      { type: 4 },
    ]);
  });

  test('after an impossible length, and after octets that are no message, the next marker is the next message', async () => {
    const impossible = KEEPALIVE.slice();
    impossible[17] = 18;
    const input = stream(impossible, hex('00 01 02'), KEEPALIVE, hex('de ad'), UPDATE);
    expect(await answers(input)).toMatchObject([
      { error: { code: 1, subcode: 2, data: '0012' } },
      { type: 4 },
      problem('no marker where a message should begin; looking for the next') as object,
      ROUTE,
    ]);
  });

  test('an end in the middle of a message is one error', async () => {
    expect(await answers(stream(KEEPALIVE, UPDATE.subarray(0, 30)))).toEqual([
      { type: 4 },
      problem('the input ends 30 octets into a message'),
    ]);
  });

  test('--binary: a capture that begins in the middle of a message', async () => {
    const input = stream(UPDATE.subarray(40), KEEPALIVE);
    expect((await run(['--binary'], pieces(input))).answers).toEqual([
      problem('no marker where a message should begin; looking for the next'),
      { type: 4 },
    ]);
  });
});

describe('every message is an answer', () => {
  const TYPE = { OPEN: 1, UPDATE: 2, NOTIFICATION: 3, KEEPALIVE: 4, 'ROUTE-REFRESH': 5 };
  const vectors = [...OPEN_VECTORS, ...UPDATE_VECTORS, ...OTHER_VECTORS];

  test.each(vectors)('$name', async ({ bytes, context, message }) => {
    const flags = {
      as4: context.as4,
      ibgp: context.peerType === 'ibgp',
      extended: context.maxMessageLength > 4096,
    };
    const input = JSON.stringify({ msg: toHex(hex(bytes)), ...flags });
    expect(await answers(input)).toMatchObject([{ type: TYPE[message.type] }]);
  });

  test('all attributes, in words', async () => {
    const attributes = `${SOUND}
      80 04 04 00000007                 # MED 7
      40 06 00                          # ATOMIC_AGGREGATE
      c0 07 08 0000fde9 c0000201        # AGGREGATOR
      c0 08 08 fde90001 ffffff01        # communities
      c0 10 08 0002fde900000001         # extended communities
      c0 20 0c 0000fde9 00000001 00000002
      e0 23 04 0000fde9                 # OTC, partial
      c0 63 02 abcd                     # unknown`;
    expect(await answers(toHex(updateFrame({ attributes, nlri: '18 0af401' })))).toEqual([
      {
        ...ROUTE,
        announced: ['10.244.1.0/24'],
        med: 7,
        atomicaggregate: true,
        aggregator: { asn: 65001, address: '192.0.2.1' },
        communities: ['65001:1', '65535:65281'],
        extcommunities: ['0002fde900000001'],
        largecommunities: ['65001:1:2'],
        otc: 65001,
        partial: [35],
        unknown: [{ code: 99, flags: 0xc0, value: 'abcd' }],
      },
    ]);
  });

  test('two next hops, a link-local one, sets in the path', async () => {
    const attributes = `40 01 01 02 40 02 0c 02 01 0000fde9 01 01 0000fdea 40 03 04 c0000202
      80 0e 2e 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
        40 fd00024400000000`;
    expect(await answers(toHex(updateFrame({ attributes, nlri: '18 0af401' })))).toEqual([
      {
        type: 2,
        announced: ['10.244.1.0/24', 'fd00:244::/64'],
        withdrawn: [],
        origin: 'INCOMPLETE',
        aspath: [65001, 65002],
        segments: [
          { kind: 'sequence', asns: [65001] },
          { kind: 'set', asns: [65002] },
        ],
        nexthop: '192.0.2.2',
        reach: [
          { family: 'ipv4', nexthop: '192.0.2.2', announced: ['10.244.1.0/24'] },
          {
            family: 'ipv6',
            nexthop: '2001:db8::1',
            linklocal: 'fe80::1',
            announced: ['fd00:244::/64'],
          },
        ],
      },
    ]);
  });

  test('treat-as-withdraw, attribute discard, End-of-RIB', async () => {
    const withdraw = updateFrame({ attributes: `${SOUND} c0 08 03 000001`, nlri: '18 0af401' });
    const discard = updateFrame({ attributes: `${SOUND} 40 06 01 00`, nlri: '18 0af401' });
    expect(await answers([withdraw, discard, updateFrame({})].map(toHex).join('\n'))).toMatchObject([
      { type: 2, announced: [], withdrawn: ['10.244.1.0/24'], taw: true, faults: [{ code: 8 }] },
      { type: 2, announced: ['10.244.1.0/24'], faults: [{ code: 6, outcome: 'discard' }] },
      { type: 2, announced: [], withdrawn: [], eor: 'ipv4' },
    ]);
  });
});

describe('streams', () => {
  test('the answers do not depend on the pieces in which the input comes', async () => {
    const lines = Buffer.from(`${toHex(UPDATE)}\nbad\n{"msg":"${toHex(KEEPALIVE)}"}\n${toHex(KEEPALIVE)}`);
    const stream = Buffer.concat([UPDATE, hex('00'), KEEPALIVE, hex(`${'ff'.repeat(16)} 0012 04`), UPDATE]);
    const cuts = fc.array(fc.nat(300), { maxLength: 12 });
    for (const input of [lines, stream]) {
      const whole = await answers(input);
      await fc.assert(
        fc.asyncProperty(cuts, async (at) => {
          const sorted = [0, ...at.map((cut) => cut % input.length).sort((a, b) => a - b), input.length];
          const parts = sorted.slice(1).map((end, index) => input.subarray(sorted[index], end));
          expect(await answers(...parts)).toEqual(whole);
        }),
        { numRuns: 100 },
      );
    }
  });

  test('any octets are answered, never an exception', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (octets, binary) => {
        expect((await run(binary ? ['--binary'] : [], pieces(octets))).exit).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  test('the answer to a line is there before the next line is', async () => {
    const written: string[] = [];
    const stdout = new Writable({
      write: (chunk, _encoding, done) => {
        written.push(String(chunk));
        done();
      },
    });
    async function* input(): AsyncIterable<Uint8Array> {
      yield Buffer.from(`${toHex(KEEPALIVE)}\n`);
      expect(written).toEqual(['{"type":4}\n']);
      yield Buffer.from(`${toHex(KEEPALIVE)}\n`);
    }
    expect((await run([], input(), stdout)).exit).toBe(0);
    expect(written).toHaveLength(2);
  });

  test('an output that is not read stops the reading of the input', async () => {
    let taken = 0;
    async function* endless(): AsyncIterable<Uint8Array> {
      const chunk = Buffer.from(`${toHex(UPDATE)}\n`.repeat(100));
      for (;;) {
        taken += 1;
        yield chunk;
      }
    }
    let stalled: (error: Error) => void = () => {};
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => {
        stalled = done;
      },
    });
    const done = run([], endless(), stdout);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(10);
    // Then its reader goes away, which is no failure.
    stalled(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' }));
    expect((await done).exit).toBe(0);
  });

  test('a file; one that cannot be read is a usage error with its name', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podroute-decode-'));
    const file = join(folder, 'messages');
    writeFileSync(file, UPDATE);
    expect(await run([file], pieces())).toMatchObject({ exit: 0, answers: [ROUTE] });
    const missing = await run([`${file}-not`], pieces());
    expect(missing.exit).toBe(2);
    expect(missing.err).toContain(`cannot read ${file}-not: ENOENT`);
    rmSync(folder, { recursive: true });
  });

  test('60 000 messages take less than three seconds of a processor', async () => {
    const chunk = Buffer.from(`{"msg":"${toHex(UPDATE)}","as4":true,"addpath":false}\n`.repeat(600));
    let characters = 0;
    const stdout = new Writable({
      write: (text: Buffer, _encoding, done) => {
        characters += text.length;
        done();
      },
    });
    const before = process.cpuUsage();
    await run([], pieces(...Array(100).fill(chunk)), stdout);
    expect(characters).toBe(60_000 * (JSON.stringify(ROUTE).length + 1));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(3000);
  });
});

test('--help names every form of input and output', async () => {
  const lines: string[] = [];
  const io = { stdout: { write: (text: string) => lines.push(text) }, stderr: { write: () => {} }, env: {} };
  await runCommand(decode, ['--help'], io, { version: '0', streams: () => process });
  for (const word of [
    '"as4"',
    '"addpath"',
    'raw stream',
    '"taw"',
    '{"error"',
    '--as2',
    '--ibgp',
    '--extended',
  ]) {
    expect(lines.join('')).toContain(word);
  }
});
