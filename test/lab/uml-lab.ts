/** The lab inside User-Mode Linux, seen from outside: the same program runs in there and its words come out here. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startUml, stopUml, UmlError } from '../support/uml.js';
import { runOnConsole } from './console-client.js';
import { ORDER_CONSOLE, READY_FILE } from './console-session.js';
import type { Output } from './output.js';
import type { RunOptions } from './results.js';
import { labFolder, readLab, removeFolder, umlFolder, writeLab } from './state.js';
import { firstResources } from './stores.js';
import { copyTopology, topologyCopy } from './topology-copy.js';

const TIMEOUT_MS = 240_000;

/** Where the inside and the outside find the project. */
export interface Outside {
  /** Why the lab cannot run on this kernel. */
  readonly shortfall: string;
  /** The checkout. */
  readonly root: string;
  /** Tells the inside that it is inside. */
  readonly env: Readonly<Record<string, string>>;
}

/** Runs the lab in a machine of its own. @returns the exit status of the lab inside */
export async function runLabInUml(
  output: Output,
  options: RunOptions,
  { shortfall, root, env }: Outside,
  signal: AbortSignal,
): Promise<number> {
  const { lab, keep } = options;
  const folder = umlFolder(lab);
  output.write(`The running kernel will not do (${shortfall}): the whole lab runs inside User-Mode Linux.\n`);
  const bundle = join(root, 'dist/lab.js');
  mkdirSync(folder, { recursive: true });
  firstResources(copyTopology(lab, options.topologyFile), options.datastore);
  const topologyFile = topologyCopy(lab);
  const flags = flagsOf({ ...options, topologyFile }, join(folder, 'results.json'));
  const uml = startUml(
    {
      command: [process.execPath, bundle, 'run', ...flags],
      cwd: root,
      env: { ...env, ...terminalEnvironment(output) },
      folder,
      timeoutMs: TIMEOUT_MS,
      onStdout: (chunk) => process.stdout.write(chunk),
      onStderr: (chunk) => process.stderr.write(chunk),
      ...(keep && {
        consoles: ORDER_CONSOLE,
        thenServe: [process.execPath, bundle, 'serve-consoles', join(folder, READY_FILE)],
      }),
    },
    { outlive: keep },
  );
  signal.addEventListener('abort', () => void stopUml(folder), { once: true });
  let kept = false;
  try {
    const { agentFile, rpFilter, datastore } = options;
    writeLab({ name: lab, topologyFile, inUml: true, nodes: { agentFile, rpFilter, datastore } });
    const { status } = await uml.result;
    collectResults(folder, 'results.json', options.jsonFile);
    // Status 2 and above: the lab itself gave up and took everything away.
    kept = keep && status <= 1;
    return status;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (!(error instanceof UmlError)) throw error;
    process.stderr.write(`lab: ${error.message}\n`);
    return 1;
  } finally {
    if (!kept) await removeUml(lab);
  }
}

/** Runs a command of the lab on a lab that was kept in a machine. @returns the exit status of the one inside */
export async function commandInUml(
  output: Output,
  words: readonly string[],
  options: RunOptions,
  outside: Outside,
  signal: AbortSignal,
): Promise<number> {
  const folder = umlFolder(options.lab);
  const results = 'command.json';
  const flags = flagsOf(options, join(folder, results));
  removeFolder(join(folder, results));
  const status = await runOnConsole(
    folder,
    {
      argv: [process.execPath, join(outside.root, 'dist/lab.js'), ...words, ...flags],
      cwd: outside.root,
      env: { ...outside.env, ...terminalEnvironment(output) },
    },
    signal,
  );
  collectResults(folder, results, options.jsonFile);
  return status;
}

/** Ends the machine of a lab, if there is one, and removes what it left. */
export async function removeUml(lab: string): Promise<void> {
  const folder = umlFolder(lab);
  await stopUml(folder);
  removeFolder(folder);
  if (readLab(lab)?.inUml === true) removeFolder(labFolder(lab));
}

/** The options again, as the inside is to have them. */
function flagsOf(options: RunOptions, resultsFile: string): readonly string[] {
  return [
    ...['--name', options.lab],
    ...['--topology', options.topologyFile],
    ...['--agent', options.agentFile],
    ...['--rp-filter', String(options.rpFilter)],
    ...['--datastore', options.datastore],
    ...(options.keep ? ['--keep'] : []),
    ...(options.pairs ? ['--pairs'] : []),
    ...['--json', resultsFile],
  ];
}

function terminalEnvironment(output: Output): Record<string, string> {
  return { PODROUTE_LAB_TERMINAL: output.terminal ? '1' : '0' };
}

function collectResults(folder: string, name: string, target: string | undefined): void {
  const path = join(folder, name);
  if (target !== undefined && existsSync(path)) copyFileSync(path, target);
}
