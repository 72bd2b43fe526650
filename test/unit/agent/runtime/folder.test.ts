/** The runtime folder: its files, its lock, and whose settings are kept in it. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  folderHolder,
  ownFiles,
  RuntimeFolder,
  readOnlyStore,
  settingStore,
} from '../../../../agent/runtime/index.js';
import { holdLock, type LockHolder } from '../../../support/lock-holder.js';

let root: string;
let path: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'podroute-runtime-'));
  path = join(root, 'run');
});
afterEach(() => rmSync(root, { recursive: true }));

/** A process of its own that holds the lock of `path`. */
function holder(): Promise<LockHolder> {
  mkdirSync(path, { recursive: true });
  return holdLock(join(path, 'lock'), root);
}

describe('the lock', () => {
  test('another process that holds it is named; killed, it holds nothing', async () => {
    const other = await holder();
    expect(folderHolder(path)).toBe(other.pid);
    expect(() => RuntimeFolder.open(path)).toThrow(
      `podroute (pid ${other.pid}) is at work with the runtime folder ${path}; stop it, or name another folder with --run-dir`,
    );
    await other.kill();
    expect(folderHolder(path)).toBeUndefined();
    RuntimeFolder.open(path).close();
  });

  test('looking for a holder makes nothing', () => {
    expect(folderHolder(path)).toBeUndefined();
    expect(existsSync(path)).toBe(false);
  });
});

describe('the files', () => {
  test('a folder that cannot be made is one sentence with the remedy', () => {
    writeFileSync(path, '');
    expect(() => RuntimeFolder.open(join(path, 'below'))).toThrow(
      /the runtime folder .* cannot be used .*ENOTDIR.*--run-dir/,
    );
  });

  test('are written whole, and read back', () => {
    const folder = RuntimeFolder.open(path);
    expect(folder.read('subnetEnv')).toBeUndefined();
    folder.write('subnetEnv', 'A=1\n');
    folder.write('subnetEnv', 'A=2\n');
    expect(readFileSync(join(path, 'subnet.env'), 'utf8')).toBe('A=2\n');
    expect(readdirSync(path).sort()).toEqual(['lock', 'subnet.env']);
    folder.remove('subnetEnv');
    expect(folder.read('subnetEnv')).toBeUndefined();
    folder.close();
  });

  test('are told from those of others, the drafts of a killed agent included', () => {
    const folder = RuntimeFolder.open(path);
    folder.write('settings', '{}');
    writeFileSync(join(path, 'subnet.env.draft'), 'FLAN');
    writeFileSync(join(path, 'notes'), '');
    expect([...ownFiles(path)].sort()).toEqual(
      ['lock', 'settings.json', 'subnet.env.draft'].map((name) => join(path, name)),
    );
    expect(folder.dissolve()).toBe(false);
    expect(readdirSync(path)).toEqual(['notes']);
    rmSync(join(path, 'notes'));
    expect(folder.dissolve()).toBe(true);
    expect(existsSync(path)).toBe(false);
    folder.close();
  });

  test('a link in the place of the folder goes with it', () => {
    mkdirSync(join(root, 'private'));
    symlinkSync('private', path);
    const folder = RuntimeFolder.open(path);
    expect(folder.dissolve()).toBe(true);
    expect(readdirSync(root)).toEqual([]);
    folder.close();
  });
});

describe('the settings', () => {
  const CHANGES = { changes: [{ name: 'net/ipv4/ip_forward', original: '0', ours: '1', along: {} }] };

  test('of this boot and this network namespace hold; of another they do not', () => {
    const folder = RuntimeFolder.open(path);
    const store = settingStore(folder);
    store.save(CHANGES);
    expect(settingStore(folder).load()).toMatchObject(CHANGES);
    const kept = JSON.parse(folder.read('settings') ?? '');
    for (const field of ['boot', 'namespace']) {
      folder.write('settings', JSON.stringify({ ...kept, [field]: 'another' }));
      expect(settingStore(folder).load()).toBeUndefined();
    }
    store.save(undefined);
    expect(folder.read('settings')).toBeUndefined();
    folder.close();
  });

  test.each(['{"changes": [', 'null', '[]'])('what is damaged is handed on as it is: %s', (text) => {
    const folder = RuntimeFolder.open(path);
    folder.write('settings', text);
    expect(readOnlyStore(path).load()).toBeDefined();
    folder.close();
  });
});
