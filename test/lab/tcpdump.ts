/** tcpdump in a machine's namespace, writing what it hears to a file that can be followed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { inside, namespaceName } from './namespaces.js';

/** What to listen to. */
export interface Tap {
  /** For people: "on the router". */
  readonly title: string;
  readonly namespace: string;
  readonly device: string;
  /** In tcpdump's language. */
  readonly filter: string;
}

/**
 * Starts listening; resolves once tcpdump hears.
 *
 * @param snapBytes how much of each packet is kept
 */
export async function startTcpdump(
  lab: string,
  tap: Tap,
  file: string,
  snapBytes: number,
): Promise<ChildProcess> {
  const options = [
    '-i',
    tap.device,
    '-s',
    String(snapBytes),
    '-U',
    '--immediate-mode',
    '-Z',
    'root',
    '-w',
    file,
  ];
  const [program = '', ...args] = inside(namespaceName(lab, tap.namespace), [
    'tcpdump',
    ...options,
    tap.filter,
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('listening on')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`tcpdump ${tap.title} ended: ${said.trim()}`)));
  });
  return child;
}

/** Ends it; what it heard is in the file. */
export async function stopTcpdump(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit');
}
