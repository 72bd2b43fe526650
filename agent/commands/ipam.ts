/**
 * `podroute ipam show|check|release|claim`: the pod subnets of the cluster.
 *
 * Owns: which of them there are. Must not know: what they do.
 */
import { type CliIo, EXIT, type ExitStatus, runCommand } from '../../api/index.js';
import { ipamClaim } from './ipam-claim.js';
import { ipamRelease } from './ipam-release.js';
import { ipamCheck, ipamShow } from './ipam-show.js';
import type { StoreHooks } from './store.js';

export const IPAM_SUMMARY = 'Show, check, release and claim the pod subnets of the cluster.';

const COMMANDS = new Map(
  [ipamShow, ipamCheck, ipamRelease, ipamClaim].map((command) => [command.name, command]),
);

export function ipamHelp(): string {
  const width = Math.max(...[...COMMANDS.keys()].map((name) => name.length));
  return [
    'Usage: podroute ipam show | check | release | claim  [OPTIONS]',
    '',
    IPAM_SUMMARY,
    '',
    ...[...COMMANDS.values()].map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Each explains itself with --help.',
    '',
  ].join('\n');
}

export async function runIpam(argv: readonly string[], io: CliIo, hooks: StoreHooks): Promise<ExitStatus> {
  const [word, ...rest] = argv;
  const command = COMMANDS.get(`ipam ${word}`);
  if (command !== undefined) return await runCommand(command, rest, io, hooks);
  if (word === '--help' || word === '-h') {
    io.stdout.write(ipamHelp());
    return EXIT.ok;
  }
  const asked = word === undefined ? '' : `; it was "${word}"`;
  io.stderr.write(
    `podroute ipam: say what to do: show, check, release or claim${asked}\nTry: podroute ipam --help\n`,
  );
  return EXIT.usage;
}
