/** The settings file: which one is read, and what its absence means. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadSettings } from '../../../../agent/config/index.js';
import { checkText } from '../../../../agent/resources/index.js';

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'podroute-settings-'));
  file = join(folder, 'agent.yaml');
  writeFileSync(file, 'nodeName: from-file\nrouteMetric: 4096\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('loadSettings', () => {
  test.each<[string, () => { argv: string[]; env: Record<string, string> }]>([
    ['the flag', () => ({ argv: ['--config', file], env: {} })],
    ['the variable', () => ({ argv: [], env: { PODROUTE_CONFIG: file } })],
    [
      'the flag rather than the variable',
      () => ({ argv: [`--config=${file}`], env: { PODROUTE_CONFIG: '/nowhere' } }),
    ],
  ])('reads the file that %s names', async (_name, sources) => {
    const result = await loadSettings({ ...sources(), hostname: 'host' });
    expect(result).toMatchObject({ settings: { nodeName: 'from-file', routeMetric: 4096 } });
  });

  test('a named file that is missing is an error beside the others', async () => {
    const path = join(folder, 'missing.yaml');
    const result = await loadSettings({
      argv: ['--config', path, '--bgp-port', 'x'],
      env: {},
      hostname: 'host',
    });
    expect('errors' in result && checkText(result.errors).split('\n')).toEqual([
      `${path}: --config: the settings file cannot be read (no such file); make it readable`,
      '--bgp-port: "x" is no whole number from 1 to 65535',
    ]);
  });

  test('a folder is no settings file', async () => {
    const result = await loadSettings({ argv: ['--config', folder], env: {}, hostname: 'host' });
    expect('errors' in result && checkText(result.errors)).toContain('cannot be read (EISDIR)');
  });
});
