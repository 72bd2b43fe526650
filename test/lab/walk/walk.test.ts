/**
 * The random walk on real agents, a real BIRD and the kernel's own ipip: on this kernel, or inside User-Mode Linux where
 * this one has none. SEED=n repeats a walk, EVENTS=n makes it longer or shorter.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kernelShortfall } from '../../../deploy/kernel.mjs';
import { buildBundles, tracesOf } from '../../support/lab-command.js';
import { runInUml } from '../../support/uml.js';
import type { WalkResults } from './walk.js';

const ROOT = new URL('../../..', import.meta.url).pathname;
const SEED = Number(process.env['SEED'] ?? 20_260_611);
const EVENTS = Number(process.env['EVENTS'] ?? 300);
const NAME = `walk-${process.pid}`;
const TIMEOUT_MS = 480_000;

test(
  `seed ${SEED}: after ${EVENTS} events kernel, RIB and API agree on every node`,
  async () => {
    await buildBundles();
    const folder = `/run/podroute-walk-${process.pid}`;
    const json = join(folder, 'results.json');
    mkdirSync(folder, { recursive: true });
    try {
      const words = [
        join(ROOT, 'dist/walk.js'),
        '--name',
        NAME,
        '--seed',
        `${SEED}`,
        '--events',
        `${EVENTS}`,
      ];
      const files = [
        '--agent',
        join(ROOT, 'dist/podroute.js'),
        '--topology',
        join(ROOT, 'deploy/lab/mesh.yaml'),
      ];
      const command = [process.execPath, ...words, ...files, '--json', json];
      const said = await (kernelShortfall() === undefined ? here(command) : inUml(command, folder));
      expect(said.status, said.text).toBe(0);
      const results: WalkResults = JSON.parse(readFileSync(json, 'utf8'));
      expect(results.faults).toEqual([]);
      // What was broken is mended at the end, by as many events as that takes.
      expect(results.events).toBeGreaterThanOrEqual(EVENTS);
      expect(Object.keys(results.kinds).length).toBeGreaterThan(EVENTS >= 300 ? 25 : 5);
      process.stdout.write(`walk: ${JSON.stringify({ ...results, kinds: undefined, faults: undefined })}\n`);
      expect(tracesOf(NAME)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  TIMEOUT_MS,
);

interface Said {
  readonly status: number | null;
  readonly text: string;
}

async function inUml(command: readonly string[], folder: string): Promise<Said> {
  const { status, stdout, stderr } = await runInUml({ command, cwd: ROOT, folder, timeoutMs: TIMEOUT_MS });
  return { status, text: `${stdout}\n${stderr}` };
}

async function here([file = '', ...args]: readonly string[]): Promise<Said> {
  const child = spawn(file, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk));
  const [status] = await once(child, 'close');
  return { status, text };
}
