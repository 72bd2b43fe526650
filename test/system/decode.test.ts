/**
 * `podroute decode` from outside: the built program, its two streams, and the contract that other programs rely on.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { CORPUS_BYTES } from '../fuzz/corpus.js';
import { Chance, mutate } from '../fuzz/mutate.js';
import { frame, toHex, updateFrame } from '../support/wire.js';

const PROGRAM = new URL('../../dist/podroute.js', import.meta.url).pathname;
const PATH = '40 02 0e 02 03 0000fde9 0000fdea fa56ea01';
const SOUND = `40 01 01 00 ${PATH} 40 03 04 c0000202`;
const PREFIXES = '18 0af401 18 0af402';
const ROUTE = {
  type: 2,
  announced: ['10.244.1.0/24', '10.244.2.0/24'],
  withdrawn: [],
  aspath: [65001, 65002, 4200000001],
  nexthop: '192.0.2.2',
};

function start(...flags: readonly string[]) {
  return spawn(process.execPath, [PROGRAM, 'decode', ...flags], { stdio: 'pipe' });
}

/** Runs it over the whole input. @returns its answers; it must end in order and say nothing beside them */
async function decode(input: string | Uint8Array, ...flags: readonly string[]): Promise<readonly object[]> {
  const child = start(...flags);
  child.stdin.end(input);
  const [out, err, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as object);
}

const json = (message: Uint8Array, flags: object = { as4: true, addpath: false }) =>
  JSON.stringify({ msg: toHex(message), ...flags });

describe('the contract', () => {
  test('one object a message, in order: route, withdrawal, error, treat-as-withdraw, KEEPALIVE', async () => {
    const lines = [
      json(updateFrame({ attributes: SOUND, nlri: PREFIXES })),
      json(updateFrame({ withdrawn: PREFIXES })),
      json(frame(2, '0010 0000')),
      // ORIGIN 7 (RFC 7606 section 7.1), with prefixes in three places.
      json(
        updateFrame({
          withdrawn: '18 0af409',
          attributes: `80 0e 1e 0002 01 10 fd000002000000000000000000000002 00 40 fd00024400000000 40 01 01 07 ${PATH} 40 03 04 c0000202`,
          nlri: PREFIXES,
        }),
      ),
      json(frame(4, '')),
    ];
    expect(await decode(`${lines.join('\n')}\n`)).toMatchObject([
      ROUTE,
      { type: 2, announced: [], withdrawn: ['10.244.1.0/24', '10.244.2.0/24'] },
      { error: { code: 3, subcode: 1 } },
      {
        type: 2,
        taw: true,
        announced: [],
        withdrawn: ['10.244.9.0/24', '10.244.1.0/24', '10.244.2.0/24', 'fd00:244::/64'],
      },
      { type: 4 },
    ]);
  });

  test('sets are in the flat list too; 2-octet numbers and path identifiers where the line says so', async () => {
    const set = `40 01 01 00 40 02 10 02 01 0000fde9 01 02 00000007 00000008 40 03 04 c0000202`;
    const short = '40 01 01 00 40 02 06 02 02 fde9 fdea 40 03 04 c0000202';
    const lines = [
      json(updateFrame({ attributes: set, nlri: PREFIXES })),
      json(updateFrame({ attributes: short, nlri: PREFIXES }), { as4: false }),
      json(updateFrame({ attributes: SOUND, nlri: '00000001 18 0af401 00000002 18 0af402' }), {
        addpath: true,
      }),
    ];
    expect(await decode(lines.join('\n'))).toMatchObject([
      { aspath: [65001, 7, 8] },
      { aspath: [65001, 65002] },
      ROUTE,
    ]);
  });

  test('hex, JSON lines and the raw stream say the same', async () => {
    const hexLines = await decode(CORPUS_BYTES.map((bytes) => `${toHex(bytes)}\n`).join(''));
    const jsonLines = await decode(CORPUS_BYTES.map((bytes) => `${json(bytes, {})}\n`).join(''));
    const stream = await decode(Buffer.concat(CORPUS_BYTES), '--extended');
    expect(hexLines).toHaveLength(CORPUS_BYTES.length);
    expect(jsonLines).toEqual(hexLines);
    expect(stream).toHaveLength(CORPUS_BYTES.length);
  });
});

test('each answer is there before the next message is asked for', async () => {
  const child = start();
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]();
  for (let turn = 0; turn < 20; turn += 1) {
    child.stdin.write(`${toHex(frame(turn % 2 === 0 ? 4 : 9, ''))}\n`);
    const { value } = (await answers.next()) as { value: string };
    expect(JSON.parse(value)).toMatchObject(
      turn % 2 === 0 ? { type: 4 } : { error: { code: 1, subcode: 3 } },
    );
  }
  child.stdin.end();
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('no octets make it die: an answer for each line, whatever it holds', async () => {
  const chance = new Chance(7);
  const lines = Array.from({ length: 5000 }, (_, index) => {
    const bytes = mutate(chance.pick(CORPUS_BYTES), chance, CORPUS_BYTES);
    return index % 2 === 0 ? toHex(bytes) : json(bytes, { as4: chance.once(2), addpath: chance.once(2) });
  });
  const answers = await decode(`${lines.join('\n')}\n`);
  expect(answers).toHaveLength(5000);
  expect(answers.filter((answer) => 'error' in answer).length).toBeGreaterThan(500);
  expect(answers.filter((answer) => 'type' in answer).length).toBeGreaterThan(500);
  // What is no message at all, as a stream and as text.
  for (const flags of [[], ['--binary']]) {
    const noise = Uint8Array.from({ length: 200_000 }, () => chance.integer(256));
    await decode(noise, ...flags);
  }
});

test('20 000 messages a second and more', async () => {
  const messages = 100_000;
  const line = `${json(updateFrame({ attributes: SOUND, nlri: PREFIXES }))}\n`;
  const input = line.repeat(messages);
  const started = performance.now();
  const child = start();
  child.stdin.end(input);
  let lines = 0;
  for await (const chunk of child.stdout) {
    for (const octet of chunk as Uint8Array) if (octet === 0x0a) lines += 1;
  }
  const perSecond = (1000 * messages) / (performance.now() - started);
  process.stdout.write(`podroute decode: ${Math.round(perSecond)} messages a second\n`);
  expect(lines).toBe(messages);
  expect(perSecond).toBeGreaterThan(20_000);
});
