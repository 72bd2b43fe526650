/** Runs a command, or a shell, on a machine of a lab that was kept. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { ConsoleError, runOnConsole } from './console-client.js';
import { inside, namespaceName } from './namespaces.js';
import { commandFolder, runtimeFolder, stateFolder } from './programs.js';
import { readLab, umlFolder } from './state.js';
import { storeUrl } from './stores.js';
import { loadTopology } from './topology-file.js';

/** Nothing was run: what was asked for does not exist. */
const NOT_RUN = 2;

/** @returns the exit status of the command */
export async function enterMachine(lab: string, words: readonly string[]): Promise<number> {
  const [machine = '', ...command] = words;
  const record = readLab(lab);
  if (record === undefined) return refuse(`no lab ${lab} is running; start one: npm run lab -- --keep`);
  const topology = loadTopology(record.topologyFile);
  const { machines } = topology;
  if (!machines.has(machine))
    return refuse(`no machine ${machine}; there are ${[...machines.keys()].join(', ')}`);
  const argv = inside(namespaceName(lab, machine), command.length > 0 ? command : ['bash', '--norc']);
  const env = {
    PATH: `${commandFolder(lab)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    PODROUTE_LAB_MACHINE: machine,
    PODROUTE_RUN_DIR: runtimeFolder(record.name, machine),
    PODROUTE_STATE_DIR: stateFolder(record.name, machine),
    PODROUTE_DATASTORE: storeUrl(lab, topology, record.nodes?.datastore ?? 'file'),
    PS1: `${machine}# `,
    TERM: process.env['TERM'] ?? 'dumb',
  };
  if (!record.inUml) return runHere(argv, env);
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort());
  try {
    return await runOnConsole(umlFolder(lab), { argv, cwd: '/', env }, controller.signal);
  } catch (error) {
    if (error instanceof ConsoleError) return refuse(error.message);
    throw error;
  }
}

function refuse(reason: string): number {
  process.stderr.write(`lab: ${reason}\n`);
  return NOT_RUN;
}

function runHere(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const [file = '', ...args] = argv;
  // A Ctrl-C is the command's to handle; it has the same terminal.
  process.on('SIGINT', () => {});
  const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
