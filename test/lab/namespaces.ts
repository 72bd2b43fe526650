/**
 * Network namespaces as iproute2 keeps them: a name is a file under /run/netns.
 *
 * Owns: what the lab's namespaces are called, who lives in them, commands inside. Source: ip-netns(8).
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { processIds } from '../support/process-identity.js';

const FOLDER = '/run/netns';
const UNSEEN: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EACCES']);

/** The name of a machine's or a network's namespace in the lab called `lab`. */
export function namespaceName(lab: string, machine: string): string {
  return `${prefix(lab)}${machine}`;
}

export function namespacePath(name: string): string {
  return join(FOLDER, name);
}

/** The namespaces of the lab called `lab` that exist now. */
export function namespacesOf(lab: string): readonly string[] {
  if (!existsSync(FOLDER)) return [];
  return readdirSync(FOLDER).filter((name) => name.startsWith(prefix(lab)));
}

/** A name cannot be the beginning of another's: the dot ends it, and lab names have none. */
function prefix(lab: string): string {
  return `podroute-${lab}.`;
}

/** The processes that live in any of these namespaces (`ip netns pids`, for many at once). */
export function processesIn(names: readonly string[]): readonly number[] {
  const inodes = new Set(
    names.filter((name) => existsSync(namespacePath(name))).map((name) => statSync(namespacePath(name)).ino),
  );
  return processIds().filter((pid) => {
    const inode = namespaceInode(pid);
    return inode !== undefined && inodes.has(inode);
  });
}

function namespaceInode(pid: number): number | undefined {
  try {
    return Number(/^net:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1]);
  } catch (error) {
    // It ended meanwhile or is a zombie; or we may not look at it, so it is not ours.
    if (error instanceof Error && 'code' in error && UNSEEN.has(String(error.code))) return undefined;
    throw error;
  }
}

/** A command failed; the message holds what it wrote. */
export class CommandError extends Error {
  readonly code = 'COMMAND_FAILED';
}

/** The end of a command. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program and waits for its end; its status is the caller's to judge. */
export function runCommand(argv: readonly string[], input = ''): Promise<CommandResult> {
  const [file = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => {}); // it ended without reading: its status tells
    child.stdin.end(input);
    child.once('error', reject);
    child.once('close', (status) => {
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
      resolve({ status: status ?? 255, stdout: text(stdout), stderr: text(stderr) });
    });
  });
}

/**
 * Runs a program that must succeed.
 *
 * @returns what it wrote to its standard output
 * @throws CommandError
 */
export async function mustRun(argv: readonly string[], input = ''): Promise<string> {
  const { status, stdout, stderr } = await runCommand(argv, input);
  if (status !== 0) throw new CommandError(`${argv.join(' ')}: exit status ${status}\n${stderr.trimEnd()}`);
  return stdout;
}

/** The command line that runs `argv` inside a namespace. */
export function inside(name: string, argv: readonly string[]): readonly string[] {
  return ['ip', 'netns', 'exec', name, ...argv];
}
