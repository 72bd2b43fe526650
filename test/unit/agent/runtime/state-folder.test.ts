/** The state folder: what is ours in it, and its end. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dissolveStateFolder, ownStateFiles, snapshotPlace } from '../../../../agent/runtime/index.js';

let root: string;
let path: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'podroute-state-'));
  path = join(root, 'state');
});
afterEach(() => rmSync(root, { recursive: true }));

function write(...names: readonly string[]): void {
  mkdirSync(path, { recursive: true });
  for (const name of names) writeFileSync(join(path, name), '');
}

test('a folder that is not there is none of ours', () => {
  expect(ownStateFiles(path)).toEqual([]);
  dissolveStateFolder(path);
  expect(existsSync(path)).toBe(false);
});

test('our files go, drafts of a killed agent too, and the folder with them', () => {
  write('datastore.json', 'datastore.json.draft');
  expect([...ownStateFiles(path)].sort()).toEqual([snapshotPlace(path), `${snapshotPlace(path)}.draft`]);
  dissolveStateFolder(path);
  expect(existsSync(path)).toBe(false);
});

test('what is not ours stays, and the folder', () => {
  write('datastore.json', 'notes.txt');
  dissolveStateFolder(path);
  expect(readdirSync(path)).toEqual(['notes.txt']);
});

test('a link of a service manager goes with the folder', () => {
  write('datastore.json');
  const link = join(root, 'link');
  symlinkSync(path, link);
  dissolveStateFolder(link);
  expect(readdirSync(root)).toEqual([]);
});
