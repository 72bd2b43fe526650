/** Secrets: read from where the resources say, every problem in words, and no value in anything that is printed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SecretSource } from '../../../agent/resources/index.js';
import { Secrets } from '../../../agent/secrets.js';

const SECRET = 'hunter2-hunter2';
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-secrets-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const env = (name: string): SecretSource => ({ type: 'env', name });

function file(name: string, content: string): SecretSource {
  writeFileSync(join(folder, name), content);
  return { type: 'file', path: join(folder, name) };
}

async function read(...sources: readonly SecretSource[]): Promise<Secrets> {
  const result = await Secrets.read(sources, { TOR: SECRET });
  if ('problems' in result) throw new Error(result.problems.join('\n'));
  return result.secrets;
}

async function problems(...sources: readonly SecretSource[]): Promise<readonly string[]> {
  const result = await Secrets.read(sources, { TOR: SECRET, EMPTY: '' });
  return 'problems' in result ? result.problems : [];
}

test('from a variable, and from a file without the end of its line', async () => {
  const sources = [
    env('TOR'),
    file('unix', `${SECRET}\n`),
    file('dos', `${SECRET}\r\n`),
    file('bare', SECRET),
  ];
  const secrets = await read(...sources);
  expect(sources.map((source) => secrets.valueOf(source))).toEqual([SECRET, SECRET, SECRET, SECRET]);
});

test('blanks are part of a password', async () => {
  const source = file('blanks', ' a b \n');
  expect((await read(source)).valueOf(source)).toBe(' a b ');
});

test('every problem at once, by its place', async () => {
  const missing: SecretSource = { type: 'file', path: join(folder, 'missing') };
  expect(await problems(env('NOBODY'), missing, { type: 'file', path: folder }, env('EMPTY'))).toEqual([
    'the password in the variable NOBODY is not there: set the variable for the agent',
    `the password in ${join(folder, 'missing')} is not there: create the file`,
    `the password in ${folder} is a folder: name a file in it`,
    'the password in the variable EMPTY is empty',
  ]);
});

test('the limit of TCP MD5 is 80 octets, not letters', async () => {
  expect(await problems(file('80', 'x'.repeat(80)), file('40', 'é'.repeat(40)))).toEqual([]);
  expect(await problems(file('81', 'é'.repeat(41)))).toEqual([
    `the password in ${join(folder, '81')} has 82 octets; TCP MD5 takes 80 at most`,
  ]);
});

test('several lines are a mistake, and the sentence does not show them', async () => {
  const [problem] = await problems(file('lines', `${SECRET}\n${SECRET}\n`));
  expect(problem).toMatch(/has more than one line$/);
  expect(problem).not.toContain(SECRET);
});

test('nothing that prints the object prints a value', async () => {
  const secrets = await read(env('TOR'));
  expect(inspect(secrets, { depth: 9, showHidden: true })).not.toContain(SECRET);
  expect(JSON.stringify({ secrets })).not.toContain(SECRET);
  expect(String(secrets)).not.toContain(SECRET);
});

test('a secret that was not asked for is a mistake of the program', async () => {
  const secrets = await read(env('TOR'));
  expect(() => secrets.valueOf(env('OTHER'))).toThrow('was not read');
});
