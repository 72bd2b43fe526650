/**
 * The commands of the program, as one table.
 *
 * Owns: which commands there are and the overview of them. Must not know: what they do.
 */
import {
  type CliIo,
  commands as clientCommands,
  EXIT,
  type ExitStatus,
  runCommand,
} from '../../api/index.js';
import { VERSION } from '../version.js';
import { AGENT_SUMMARY, agentHelp, runAgent } from './agent.js';
import { apply, remove } from './change.js';
import { check } from './check.js';
import { CLEANUP_SUMMARY, cleanupHelp, runCleanup } from './cleanup.js';
import { decode } from './decode.js';
import { get } from './get.js';
import { IPAM_SUMMARY, runIpam } from './ipam.js';
import { kernelRoutes } from './kernel-routes.js';

interface Entry {
  readonly summary: string;
  run(argv: readonly string[], io: CliIo): Promise<ExitStatus>;
}

const hooks = { version: VERSION, kernelRoutes, streams: () => process };

const agent = entryOf(AGENT_SUMMARY, agentHelp, runAgent);
const cleanup = entryOf(CLEANUP_SUMMARY, cleanupHelp, runCleanup);

/** A command whose flags are the settings of the agent. */
function entryOf(summary: string, help: () => string, runIt: Entry['run']): Entry {
  return {
    summary,
    run: async (argv, io) => {
      if (argv.includes('--help') || argv.includes('-h')) io.stdout.write(help());
      else if (argv.includes('--version')) io.stdout.write(`podroute ${VERSION}\n`);
      else return await runIt(argv, io);
      return EXIT.ok;
    },
  };
}

const ENTRIES: ReadonlyMap<string, Entry> = new Map([
  ['agent', agent],
  ...[
    clientCommands.status,
    clientCommands.peers,
    clientCommands.peer,
    clientCommands.routes,
    get,
    apply,
    remove,
    check,
    decode,
  ].map((command): [string, Entry] => [
    command.name,
    { summary: command.summary, run: (argv, io) => runCommand(command, argv, io, hooks) },
  ]),
  ['ipam', { summary: IPAM_SUMMARY, run: (argv, io) => runIpam(argv, io, hooks) }],
  ['cleanup', cleanup],
]);

/** Runs the command that the arguments name. */
export async function run(argv: readonly string[], io: CliIo): Promise<ExitStatus> {
  const [name, ...rest] = argv;
  const entry = ENTRIES.get(name ?? '');
  if (entry !== undefined) return await entry.run(rest, io);
  if (name === '--version') {
    io.stdout.write(`podroute ${VERSION}\n`);
    return EXIT.ok;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    io.stdout.write(overview());
    return EXIT.ok;
  }
  io.stderr.write(
    name === undefined ? overview() : `podroute: there is no command "${name}"\nTry: podroute --help\n`,
  );
  return EXIT.usage;
}

function overview(): string {
  const width = Math.max(...[...ENTRIES.keys()].map((name) => name.length));
  return [
    'Usage: podroute COMMAND [OPTIONS]',
    '',
    'A routing agent: BGP between nodes, next-hop routes inside a subnet, IPIP routes between subnets.',
    '',
    'Commands:',
    ...[...ENTRIES].map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Exit status: 0 all right, 1 something needs attention, 2 wrong usage or configuration, 3 no agent or store answers.',
    'Each command explains itself with --help; --version prints the version.',
    '',
  ].join('\n');
}
