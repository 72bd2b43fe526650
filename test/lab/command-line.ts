/** Words to deeds: which command was meant, on this kernel or inside User-Mode Linux, and the exit status. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kernelShortfall } from '../../deploy/kernel.mjs';
import { ConsoleError } from './console-client.js';
import { serveConsoles } from './consoles.js';
import { enterMachine } from './enter.js';
import { growLab } from './grow.js';
import { GrowthError } from './growth.js';
import { namespacesOf } from './namespaces.js';
import { type Output, standardOutput, step } from './output.js';
import type { RunOptions } from './results.js';
import { checkLab, removeLab, runLab } from './run.js';
import { shrinkLab } from './shrink.js';
import { LabBusyError, labNames, lockLab, readLab } from './state.js';
import { TopologyError } from './topology-file.js';
import { commandInUml, type Outside, removeUml, runLabInUml } from './uml-lab.js';
import { DEFAULT_LAB } from './views.js';

const DEFAULT_PODS = 2;
const MOST_PODS = 20;

const USAGE = `Usage: npm run lab -- [COMMAND] [OPTIONS]

Commands:
  run                          build the lab, check everything, take it away (the default)
  enter MACHINE [COMMAND ...]  run a command, or a shell, on a machine of a lab that was kept
  check                        every check again, on a lab that was kept
  add NODE                     one more node with its pods, in a lab that was kept, while everything runs on
  remove NODE                  one node less
  down                         take everything away, also what a killed lab left

Options:
  --name NAME       which lab, default ${DEFAULT_LAB}; labs of different names can exist at the same time
  --keep            run: leave the lab running
  --rp-filter N     run: reverse path filter of the nodes, 0 (default), 1 or 2
  --topology FILE   run: default deploy/lab/mesh.yaml
  --datastore KIND  run: file (default), or redis: from an empty Redis on a router of the lab, which nodes join by themselves
  --agent FILE      run: the bundled agent, default dist/podroute.js
  --uml             run: inside User-Mode Linux even where this kernel could do
  --json FILE       run, check, add, remove: write the results there
  --pairs           run, check, add: print one line per ping
  --network NAME    add: where the node is, default the first network with nodes
  --pods N          add: how many pods it has, default ${DEFAULT_PODS}
  --help

Exit status: 0 every check passed, 1 a check failed or the lab could not be built, 2 wrong usage, 130 interrupted;
enter: that of the command.
`;

/** Set inside User-Mode Linux, where there is no second one to fall back on. */
const INSIDE_UML = 'PODROUTE_LAB_INSIDE';

/** The checkout: the folder of package.json, above this file, bundled or not. */
function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** What is missing has been said. */
class MissingPackagesError extends Error {
  readonly code = 'PACKAGES';
}

/** A command line that says nothing sensible. */
class UsageError extends Error {
  readonly code = 'USAGE';
}

const COMMANDS = ['run', 'enter', 'check', 'add', 'remove', 'down', 'serve-consoles'] as const;

interface CommandLine extends RunOptions {
  readonly command: (typeof COMMANDS)[number];
  readonly uml: boolean;
  /** enter: the machine, then the command; add, remove: the node. */
  readonly words: readonly string[];
  readonly network: string | undefined;
  readonly pods: number;
}

/** What the message of explains enough. */
const KNOWN = [LabBusyError, TopologyError, ConsoleError, MissingPackagesError];

/** @returns the exit status */
export async function main(argv: readonly string[]): Promise<number> {
  const output = standardOutput(process.env);
  const controller = new AbortController();
  let loss = '';
  const interrupt = (signal: NodeJS.Signals | 'EPIPE') => {
    if (controller.signal.aborted) return;
    controller.abort(new Error(`interrupted by ${signal}`));
    if (signal !== 'EPIPE') output.write(`\nInterrupted${loss}\n`);
  };
  // Whoever read our output has gone: nobody is left to see the rest.
  process.stdout.on('error', () => interrupt('EPIPE'));
  try {
    const line = readCommandLine(argv);
    if (line === undefined) {
      output.write(USAGE);
      return 0;
    }
    if (line.command === 'run') loss = ': everything is taken away';
    if (line.command === 'add') loss = `: ${line.words.join()} is taken away`;
    if (line.command === 'enter') return await enterMachine(line.lab, line.words);
    if (line.command === 'serve-consoles') return await serveConsoles(line.words[0] ?? '');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => interrupt(signal));
    if (process.getuid?.() !== 0) throw new UsageError('the lab needs root: it makes network namespaces');
    const release = lockLab(line.lab);
    try {
      return await perform(line, output, controller.signal);
    } finally {
      release();
    }
  } catch (error) {
    if (controller.signal.aborted) return 130;
    if (error instanceof UsageError) {
      process.stderr.write(`lab: ${error.message}\n\n${USAGE}`);
      return 2;
    }
    if (error instanceof GrowthError) {
      process.stderr.write(`lab: ${error.message}\n`);
      return 2;
    }
    const known = KNOWN.some((kind) => error instanceof kind);
    process.stderr.write(
      `lab: ${error instanceof Error ? (known ? error.message : error.stack) : String(error)}\n`,
    );
    return 1;
  }
}

async function perform(line: CommandLine, output: Output, signal: AbortSignal): Promise<number> {
  const kept = readLab(line.lab);
  switch (line.command) {
    case 'down':
      if (labNames().includes(line.lab) || namespacesOf(line.lab).length > 0) {
        await step(output, signal, `lab ${line.lab} is taken away`, () => removeAll(line.lab));
      } else {
        output.write(`There is no lab ${line.lab}, and nothing left of one\n`);
      }
      for (const other of labNames().filter((name) => name !== line.lab)) {
        output.write(`There is also a lab ${other}: npm run lab -- down --name ${other}\n`);
      }
      return 0;
    case 'check':
      if (kept === undefined) throw new UsageError(`no lab ${line.lab} is running: npm run lab -- --keep`);
      if (kept.inUml) return commandInUml(output, ['check'], line, outside('the lab is there'), signal);
      return (await checkLab(output, line, signal)) ? 0 : 1;
    case 'add':
    case 'remove': {
      const { command, words, network, pods } = line;
      const [name = ''] = words;
      if (kept?.inUml === true) {
        const where = network === undefined ? [] : ['--network', network];
        const flags = command === 'add' ? [...where, '--pods', String(pods)] : [];
        return commandInUml(output, [command, name, ...flags], line, outside('the lab is there'), signal);
      }
      const passed =
        command === 'add'
          ? await growLab(output, line, { name, network, pods }, signal)
          : await shrinkLab(output, line, name, signal);
      return passed ? 0 : 1;
    }
    case 'run': {
      if (process.env[INSIDE_UML] === '1') return (await runLab(output, line, signal)) ? 0 : 1;
      if (line.datastore === 'redis') installRedis();
      await removeAll(line.lab);
      const shortfall = line.uml ? 'so --uml says' : kernelShortfall();
      if (shortfall === undefined) return (await runLab(output, line, signal)) ? 0 : 1;
      return runLabInUml(output, line, outside(shortfall), signal);
    }
    case 'enter':
    case 'serve-consoles':
      throw new Error(`${line.command} needs no lock`);
    default:
      return line.command satisfies never;
  }
}

/** What `npm run lab` itself does not install, for it is not always needed. */
function installRedis(): void {
  const { status } = spawnSync(process.execPath, [join(projectRoot(), 'deploy/packages.mjs'), 'lab-redis'], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new MissingPackagesError('Redis is not installed');
}

function outside(shortfall: string): Outside {
  return { shortfall, root: projectRoot(), env: { [INSIDE_UML]: '1' } };
}

async function removeAll(lab: string): Promise<void> {
  await removeUml(lab);
  await removeLab(lab);
}

/** @returns undefined when only help is wanted */
function readCommandLine(argv: readonly string[]): CommandLine | undefined {
  const [first = ''] = argv;
  const command = first === '' || first.startsWith('-') ? 'run' : first;
  const rest = first === command ? argv.slice(1) : argv;
  if (!isCommand(command)) throw new UsageError(`there is no command ${command}`);
  // What follows the machine is the command's own business, options included.
  const ownWords = command === 'enter' || command === 'serve-consoles' ? optionWords(rest) : rest.length;
  const { values, positionals } = parseOptions(rest.slice(0, ownWords));
  if (values.help) return undefined;
  const name = values.name ?? DEFAULT_LAB;
  if (!/^[a-z0-9-]{1,20}$/.test(name)) throw new UsageError(`--name ${name}: 1 to 20 of a-z, 0-9 and -`);
  const rpFilter = values['rp-filter'] ?? '0';
  if (!['0', '1', '2'].includes(rpFilter)) throw new UsageError(`--rp-filter ${rpFilter}: 0, 1 or 2`);
  const takesNode = command === 'add' || command === 'remove';
  const words = takesNode ? positionals : rest.slice(ownWords);
  if (command === 'enter' && words.length === 0) throw new UsageError('enter which machine?');
  if (takesNode && words.length !== 1) throw new UsageError(`${command} which node? One name is needed`);
  if (!takesNode && positionals.length > 0) throw new UsageError(`${positionals.join(' ')}: not understood`);
  const pods = Number(values.pods ?? DEFAULT_PODS);
  if (!(Number.isInteger(pods) && pods >= 1 && pods <= MOST_PODS))
    throw new UsageError(`--pods ${values.pods}: 1 to ${MOST_PODS}`);
  const datastore = values.datastore ?? 'file';
  if (datastore !== 'file' && datastore !== 'redis')
    throw new UsageError(`--datastore ${datastore}: file or redis`);
  const root = projectRoot();
  const agentFile = resolve(values.agent ?? join(root, 'dist/podroute.js'));
  if (command === 'run' && !existsSync(agentFile))
    throw new UsageError(`${agentFile} is missing: npm run build`);
  return {
    command,
    words,
    network: values.network,
    pods,
    lab: name,
    uml: values.uml ?? false,
    keep: values.keep ?? false,
    pairs: values.pairs ?? false,
    rpFilter: Number(rpFilter),
    datastore,
    topologyFile: resolve(values.topology ?? join(root, 'deploy/lab/mesh.yaml')),
    agentFile,
    jsonFile: values.json === undefined ? undefined : resolve(values.json),
  };
}

function isCommand(word: string): word is CommandLine['command'] {
  return COMMANDS.some((command) => command === word);
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        keep: { type: 'boolean' },
        'rp-filter': { type: 'string' },
        topology: { type: 'string' },
        datastore: { type: 'string' },
        agent: { type: 'string' },
        uml: { type: 'boolean' },
        json: { type: 'string' },
        pairs: { type: 'boolean' },
        network: { type: 'string' },
        pods: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

/** How many words at the beginning are options of ours. */
function optionWords(words: readonly string[]): number {
  let count = 0;
  while (words[count]?.startsWith('-')) count += words[count] === '--name' ? 2 : 1;
  return count;
}
