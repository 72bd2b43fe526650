/** The lab as its users run it: a process with arguments, output and an exit status; and a look at what it leaves. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { commandLine, processIds } from './process-identity.js';

const ROOT = new URL('../..', import.meta.url).pathname;

/** How a command of the lab ended. */
export interface LabOutcome {
  /** The exit status; the signal's name where one ended it. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command of the lab that runs. */
export interface LabProcess {
  readonly child: ChildProcess;
  readonly outcome: Promise<LabOutcome>;
  /** Resolves when the output contains `text`; rejects when the process ends without it. */
  readonly said: (text: string) => Promise<void>;
}

/** Bundles the lab and the agent, as `npm run lab` and `npm test` do first. */
export async function buildBundles(): Promise<void> {
  const { status, stderr } = await run(process.execPath, ['deploy/build.mjs', '--quiet'], '').outcome;
  if (status !== 0) throw new Error(`the build failed:\n${stderr}`);
}

/** Starts `lab ARGS`, with `input` on its standard input. */
export function startLab(args: readonly string[], input = ''): LabProcess {
  return run(process.execPath, ['dist/lab.js', ...args], input);
}

/** Runs `lab ARGS` to its end. */
export function lab(args: readonly string[], input = ''): Promise<LabOutcome> {
  return startLab(args, input).outcome;
}

/** What of a lab can be found on this machine: folders, namespaces, processes. Empty when it left nothing. */
export function tracesOf(name: string): readonly string[] {
  const entries = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);
  const ownFolder = new RegExp(`^${name}(\\.|$)`);
  const inCommandLine = new RegExp(`/run/podroute-lab/${name}(\\.uml)?(/|$)`);
  return [
    ...entries('/run/podroute-lab').filter((entry) => ownFolder.test(entry)),
    ...entries('/run/netns').filter((entry) => entry.startsWith(`podroute-${name}.`)),
    ...processIds()
      .map((pid) => commandLine(pid).join(' '))
      .filter((line) => inCommandLine.test(line)),
  ];
}

function run(file: string, args: readonly string[], input: string): LabProcess {
  const child = spawn(file, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    for (const look of waiting) look();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => {}); // it ended without reading
  child.stdin.end(input);
  const outcome = new Promise<LabOutcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ status: code ?? signal ?? 'unknown', stdout, stderr }));
  });
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (stdout.includes(text)) resolve();
      };
      waiting.add(look);
      look();
      void outcome.then(() => reject(new Error(`the lab never said "${text}":\n${stdout}${stderr}`)));
    });
  return { child, outcome, said };
}
