/** The command line of `podroute cleanup`; what it does to a machine is in test/system/cleanup.test.ts. */
import { describe, expect, test } from 'vitest';
import { cleanupHelp, runCleanup } from '../../../../agent/commands/cleanup.js';
import { SETTINGS } from '../../../../agent/config/index.js';

async function run(...argv: readonly string[]) {
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const io = { stdout: output('stdout'), stderr: output('stderr'), env: {} };
  return { status: await runCleanup(argv, io), ...written };
}

describe('a wrong command line ends with status 2 before anything is looked at', () => {
  test.each([
    [['-o', 'xml'], 'podroute cleanup: --output must be table or json; it was "xml"\n'],
    [['-oxml'], 'podroute cleanup: --output must be table or json; it was "xml"\n'],
    [['--output'], 'podroute cleanup: --output must be table or json; it was ""\n'],
    [
      ['--dry-run', '--tunel-device', 'x'],
      '--tunel-device: is an unknown flag; did you mean "tunnel-device"?',
    ],
    [['-o', 'json', '--run-dir', 'run'], '--run-dir: "run" is no absolute path; write it like /run/podroute'],
    [['--dry-run', 'everything'], 'everything: is an unexpected argument; settings are flags'],
  ])('%j', async (argv, sentence) => {
    const { status, stdout, stderr } = await run(...argv);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(sentence);
  });
});

test('the help names its own options and the settings of the agent', () => {
  const help = cleanupHelp();
  for (const { flag } of SETTINGS) expect(help).toContain(`--${flag} `);
  expect(help).toContain('--dry-run');
  expect(help).toContain('--output FORMAT');
});
