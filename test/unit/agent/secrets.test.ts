/** Secrets: read from where the resources say, every problem in words, no value in anything that is printed; and watched. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SecretSource } from '../../../agent/resources/index.js';
import { Secrets, SecretWatch } from '../../../agent/secrets.js';
import { SecretMount } from '../../support/secret-mount.js';

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
  const result = await Secrets.read(sources, { folder, environment: { TOR: SECRET } });
  expect(result.problems).toEqual([]);
  return result.secrets;
}

async function problems(...sources: readonly SecretSource[]): Promise<readonly string[]> {
  return (await Secrets.read(sources, { folder, environment: { TOR: SECRET, EMPTY: '' } })).problems;
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

test('what can be read is given beside the problems of the rest, and goes over what was known', async () => {
  const [good, bad] = [file('good', 'new'), file('bad', 'known')];
  const known = await read(file('good', 'old'), bad);
  writeFileSync(join(folder, 'good'), 'new');
  rmSync(join(folder, 'bad'));
  const result = await Secrets.read([good, bad], { folder, environment: {} });
  expect(result.problems).toHaveLength(1);
  const now = result.secrets.over(known);
  expect([good, bad].map((source) => now.valueOf(source))).toEqual(['new', 'known']);
  expect(now.agreesWith(known, [good, bad])).toBe(false);
  expect(now.agreesWith(known, [bad])).toBe(true);
});

test('a secret that was not asked for is a mistake of the program', async () => {
  const secrets = await read(env('TOR'));
  expect(() => secrets.valueOf(env('OTHER'))).toThrow('was not read');
});

describe('a Secret as Kubernetes mounts it', () => {
  const KEY: SecretSource = { type: 'secret', name: 'bgp', key: 'tor' };
  let mounts: string;
  let secret: SecretMount;

  beforeEach(() => {
    mounts = mkdtempSync(join(folder, 'mounts-'));
    secret = new SecretMount(mounts, 'bgp', 'tor');
  });

  const places = () => ({ folder: mounts, environment: { TOR: SECRET } });

  test('is the file KEY in the folder NAME', async () => {
    secret.rotate(`${SECRET}\n`);
    const { secrets } = await Secrets.read([KEY], places());
    expect(secrets.valueOf(KEY)).toBe(SECRET);
  });

  test('that is not there is one sentence with the path', async () => {
    const { problems: found } = await Secrets.read([KEY], places());
    expect(found).toEqual([
      `the password in ${join(mounts, 'bgp', 'tor')}, key tor of Secret bgp, is not there: create the file`,
    ]);
  });

  describe('and watched', () => {
    let watch: SecretWatch;
    let witness: SecretWatch | undefined;
    let onChange: () => void;
    /** Short waits, and no poll: a change can only be seen by the watch. */
    const options = { settleMs: 10, pollMs: 3_600_000 };

    beforeEach(() => {
      watch = new SecretWatch(places(), () => onChange(), options);
    });
    afterEach(async () => {
      await watch.stop();
      await witness?.stop();
    });

    const changed = () =>
      new Promise<void>((resolve) => {
        onChange = resolve;
      });
    async function value(source: SecretSource = KEY): Promise<string> {
      const result = await watch.read([source]);
      return result.problems[0] ?? result.secrets.valueOf(source);
    }

    test('is told when `..data` turns to another folder', async () => {
      secret.rotate('first');
      expect(await value()).toBe('first');
      const change = changed();
      secret.rotate('second');
      await change;
      expect(await value()).toBe('second');
    });

    test('is told when it comes into being, folder and all', async () => {
      expect(await value()).toContain('is not there');
      const change = changed();
      secret.rotate('first');
      await change;
      expect(await value()).toBe('first');
    });

    test('is told when it goes', async () => {
      secret.rotate('first');
      await value();
      const change = changed();
      secret.remove();
      await change;
      expect(await value()).toContain('is not there');
    });

    test('a file that is renamed over the old one, as editors do it', async () => {
      const path = join(mounts, 'plain');
      const source: SecretSource = { type: 'file', path };
      writeFileSync(path, 'first');
      expect(await value(source)).toBe('first');
      const change = changed();
      writeFileSync(`${path}.new`, 'second');
      renameSync(`${path}.new`, path);
      await change;
      expect(await value(source)).toBe('second');
    });

    test('what changes beside it, or is written again as it was, is no change', async () => {
      secret.rotate('first');
      const beside = join(mounts, 'bgp', 'other');
      writeFileSync(beside, 'x');
      await value();
      let told = 0;
      onChange = () => {
        told += 1;
      };
      const seen = new Promise<void>((resolve) => {
        witness = new SecretWatch(places(), resolve, options);
      });
      await witness?.read([{ type: 'file', path: beside }]);
      secret.rotate('first');
      writeFileSync(beside, 'y');
      // The other watch, of the same folder, has read; ours, which heard of it before, has by the end of this reading.
      await seen;
      await value();
      expect(told).toBe(0);
    });

    test('those of the reading before are watched too: they stay in use where the new ones are refused', async () => {
      secret.rotate('first');
      await value();
      expect(await value({ type: 'env', name: 'NOBODY' })).toContain('is not there');
      const change = changed();
      secret.rotate('second');
      await change;
      expect(await value()).toBe('second');
    });

    test('after the stop nothing is told', async () => {
      secret.rotate('first');
      await value();
      onChange = () => expect.unreachable('told after the stop');
      secret.rotate('second');
      await watch.stop();
    });
  });
});
