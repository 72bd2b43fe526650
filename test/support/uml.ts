/**
 * Runs a command inside User-Mode Linux: a kernel that is a process, with the modules (ipip among them) that the
 * running kernel may lack. The machine's files are its root, read-only; /run is its own.
 *
 * Output comes back through files that the UML kernel writes as its serial lines and that are followed here, so a
 * run survives the end of the one who started it. Nothing of the machine is changed outside `folder`.
 *
 * Source: Documentation/virt/uml/user_mode_linux_howto_v2.rst; Debian packages user-mode-linux and kmod.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FollowedFile, followFile } from './follow-file.js';
import { commandLine, processIds } from './process-identity.js';
import { umlKernel } from './uml-kernel.js';

/** What to run, and with what machine around it. */
export interface UmlOptions {
  readonly command: readonly string[];
  /** Working directory inside, default this process's own. */
  readonly cwd?: string;
  /** Added to a minimal environment: PATH, HOME, TMPDIR, LANG=C.UTF-8, TERM=dumb. */
  readonly env?: Readonly<Record<string, string>>;
  /** Kernel modules loaded before the command, default {@link DEFAULT_MODULES}. */
  readonly modules?: readonly string[];
  /** Memory of the machine in MiB, default 1024. */
  readonly memoryMib?: number;
  /**
   * The machine's own folder, made here, visible and writable inside at the same path. Default: a private one under
   * /run, removed at the end of the run.
   */
  readonly folder?: string;
  /** Run after the command has ended, with its status already handed back; the machine stays up meanwhile. */
  readonly thenServe?: readonly string[];
  /**
   * How many consoles inside (/dev/tty1 ...) are joined to the outside, default none: what is written to
   * {@link consoleFiles}.input arrives there, what is written there comes out of output. Both are named pipes.
   */
  readonly consoles?: number;
  readonly onStdout?: (chunk: Buffer) => void;
  readonly onStderr?: (chunk: Buffer) => void;
  /** Default 120 000. */
  readonly timeoutMs?: number;
}

/** How a command inside ended. */
export interface UmlResult {
  /** Exit status of the command; 128 + signal where a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A machine that was started. */
export interface Uml {
  /** Settles when the command has ended; rejects with {@link UmlError} when the machine ended first. */
  readonly result: Promise<UmlResult>;
}

/** The machine itself failed: it did not boot, panicked, was killed or ran out of time. */
export class UmlError extends Error {
  readonly code = 'UML_FAILED';
}

/** Virtual links, bridges and the IPIP tunnel. */
export const DEFAULT_MODULES: readonly string[] = ['ipip', 'veth', 'bridge'];

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MEMORY_MIB = 1024;

/** Runs one command to its end, and the machine with it. */
export async function runInUml(options: UmlOptions): Promise<UmlResult> {
  const folder = options.folder ?? `/run/podroute-uml-${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    return await startUml({ ...options, folder }, { outlive: false }).result;
  } finally {
    await stopUml(folder);
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Starts a machine. With `outlive` it stays when this process ends (however it ends); without, the kernel kills it
 * with us, `kill -9` included.
 */
export function startUml(options: UmlOptions & { readonly folder: string }, how: { outlive: boolean }): Uml {
  const { folder } = options;
  mkdirSync(join(folder, 'uml'), { recursive: true });
  const script = join(folder, 'init.sh');
  writeFileSync(script, initScript(options), { mode: 0o755 });
  const kernel = umlKernel(folder);
  const logs = ['kernel.log', 'stdout', 'stderr'].map((name) => openSync(join(folder, name), 'a'));
  const pipes = openConsoles(folder, options.consoles ?? 0);
  const argv = [
    // A PID namespace whose init is the UML kernel: killing that one process leaves none of its helpers behind.
    ...['unshare', '--pid', '--fork', '--kill-child', '--'],
    ...[kernel, `mem=${options.memoryMib ?? DEFAULT_MEMORY_MIB}M`, 'umid=machine', umlDirectory(folder)],
    ...['rootfstype=hostfs', 'rootflags=/', 'ro', `init=${script}`, 'quiet'],
    ...['con=null', 'con0=null,fd:1', 'ssl=null', 'ssl0=null,fd:3', 'ssl1=null,fd:4'],
    // Descriptors 5 and 6 for the first console, 7 and 8 for the second ...
    ...Array.from({ length: options.consoles ?? 0 }, (_, index) => {
      return `con${index + 1}=fd:${5 + 2 * index},fd:${6 + 2 * index}`;
    }),
  ];
  const [file, ...args] = how.outlive ? argv : ['setpriv', '--pdeathsig', 'KILL', ...argv];
  const child = spawn(file ?? 'unshare', args, {
    stdio: ['ignore', logs[0], logs[0], logs[1], logs[2], ...pipes],
    // Its own session: a Ctrl-C on our terminal is ours to handle, not the kernel's.
    detached: true,
  });
  for (const fd of [...logs, ...pipes]) closeSync(fd);
  // Its files tell us what happens; a machine that is to outlive us must not keep us waiting.
  if (how.outlive) child.unref();
  return { result: watchRun(options, child) };
}

/** The two pipes of a console, counted from 1. */
export function consoleFiles(
  folder: string,
  console: number,
): { readonly input: string; readonly output: string } {
  return { input: join(folder, `console-${console}.in`), output: join(folder, `console-${console}.out`) };
}

/** Makes the pipes; opened for both directions, so that neither side ever sees an end: people come and go. */
function openConsoles(folder: string, count: number): readonly number[] {
  const files = Array.from({ length: count }, (_, index) => consoleFiles(folder, index + 1));
  const paths = files.flatMap(({ input, output }) => [input, output]);
  if (count > 0) execFileSync('mkfifo', ['--mode=600', ...paths]);
  return paths.map((path) => openSync(path, 'r+'));
}

/** Ends the machine of a folder, whoever started it, and waits until none of its processes is left. */
export async function stopUml(folder: string): Promise<void> {
  const deadline = Date.now() + 5000;
  for (let pids = umlProcesses(folder); pids.length > 0; pids = umlProcesses(folder)) {
    if (Date.now() > deadline) throw new UmlError(`processes ${pids.join(', ')} do not end`);
    for (const pid of pids) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The processes of the machine of a folder: no others name its private uml_dir in their command line. */
export function umlProcesses(folder: string): readonly number[] {
  const argument = umlDirectory(folder);
  return processIds().filter((pid) => commandLine(pid).includes(argument));
}

function umlDirectory(folder: string): string {
  return `uml_dir=${folder}/uml`;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Follows the machine's files until the status of the command is there. */
async function watchRun(
  options: UmlOptions & { readonly folder: string },
  child: ChildProcess,
): Promise<UmlResult> {
  const { folder } = options;
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const followed: FollowedFile[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
      const failed = (what: string) => reject(new UmlError(`User-Mode Linux ${what}:\n${kernelLog(folder)}`));
      timer = setTimeout(() => failed(`was stopped after ${timeoutMs / 1000} s`), timeoutMs);
      const follow = (name: string, onChunk: (chunk: Buffer) => void) =>
        followed.push(followFile(join(folder, name), onChunk));
      follow('stdout', (chunk) => {
        stdout.push(chunk);
        options.onStdout?.(chunk);
      });
      follow('stderr', (chunk) => {
        stderr.push(chunk);
        options.onStderr?.(chunk);
      });
      // A panicked UML kernel spins for ever; it says so first.
      follow('kernel.log', (chunk) => {
        if (chunk.includes('Kernel panic')) failed('panicked');
      });
      follow('status', () => resolve());
      child.once('error', (error) => reject(new UmlError('User-Mode Linux did not start', { cause: error })));
      child.once('exit', () => {
        if (existsSync(join(folder, 'status'))) resolve();
        else failed('ended before the command did');
      });
    });
  } catch (error) {
    await stopUml(folder);
    throw error;
  } finally {
    clearTimeout(timer);
    for (const file of followed) file.close();
  }
  return {
    status: Number(readFileSync(join(folder, 'status'), 'utf8')),
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}

/** The first program of the machine: mounts, modules, the command, its status, and the end. */
function initScript(options: UmlOptions & { readonly folder: string }): string {
  const { folder, thenServe } = options;
  // The serial line is a terminal, but nobody sits there.
  const environment = { HOME: '/run/tmp', TMPDIR: '/run/tmp', LANG: 'C.UTF-8', TERM: 'dumb', ...options.env };
  return `#!/bin/sh
# Written for one run; see test/support/uml.ts.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${quote(nodeFolder())}
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /dev/pts /dev/shm /run/tmp ${quote(folder)}
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t hostfs -o ${quote(folder)} folder ${quote(folder)}
mkdir -p /run/modules/lib/modules
ln -s /usr/lib/uml/modules/$(uname -r) /run/modules/lib/modules/
modprobe -d /run/modules -a ${(options.modules ?? DEFAULT_MODULES).map(quote).join(' ')}
ip link set lo up
hostname podroute-lab
stty -F /dev/ttyS0 raw -echo
stty -F /dev/ttyS1 raw -echo
cd ${quote(options.cwd ?? process.cwd())}
env ${Object.entries(environment)
    .map(([name, value]) => quote(`${name}=${value}`))
    .join(' ')} ${options.command.map(quote).join(' ')} </dev/null >/dev/ttyS0 2>/dev/ttyS1
echo $? >${quote(`${folder}/status.draft`)}
mv ${quote(`${folder}/status.draft`)} ${quote(`${folder}/status`)}
${thenServe === undefined ? '' : `${thenServe.map(quote).join(' ')} </dev/null >/dev/ttyS0 2>/dev/ttyS1`}
echo o >/proc/sysrq-trigger
exec sleep 60
`;
}

function nodeFolder(): string {
  return join(process.execPath, '..');
}

/** One word of a POSIX shell command line. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The kernel's last words, for an error text. */
function kernelLog(folder: string): string {
  const path = join(folder, 'kernel.log');
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-25).join('\n') : '';
}
