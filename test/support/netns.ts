/**
 * A network namespace of the test's own, with processes in it that end with it.
 *
 * Everything that a test asks a process is asked over files and unix sockets, which namespaces share, so the test
 * itself stays outside.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';

export class Namespace {
  readonly name: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(name: string) {
    this.name = name;
  }

  /** A new namespace with nothing in it but its loopback device. */
  static create(purpose: string): Namespace {
    const namespace = new Namespace(`${purpose}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`);
    execFileSync('ip', ['netns', 'add', namespace.name]);
    namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  /** Two machines on one wire, each with its addresses, such as `192.0.2.1/24`. */
  static linked(
    purpose: string,
    left: readonly string[],
    right: readonly string[],
  ): readonly [Namespace, Namespace] {
    const pair = [Namespace.create(purpose), Namespace.create(purpose)] as const;
    pair[0].ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pair[1].name);
    pair[0].#bringUp(left);
    pair[1].#bringUp(right);
    return pair;
  }

  /** Several machines on one wire, each with its addresses. The first one carries the switch: its `eth0` is a bridge. */
  static bridged(purpose: string, addresses: readonly (readonly string[])[]): readonly Namespace[] {
    const [first, ...others] = addresses.map(() => Namespace.create(purpose));
    if (first === undefined) return [];
    first.ip('link', 'add', 'eth0', 'type', 'bridge');
    for (const [index, other] of others.entries()) {
      const port = `port${index}`;
      first.ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', other.name);
      first.ip('link', 'set', port, 'master', 'eth0', 'up');
    }
    const machines = [first, ...others];
    for (const [index, machine] of machines.entries()) machine.#bringUp(addresses[index] ?? []);
    return machines;
  }

  #bringUp(addresses: readonly string[]): void {
    // Duplicate address detection would hold IPv6 addresses back for a second.
    for (const address of addresses) {
      this.ip('address', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []));
    }
    this.ip('link', 'set', 'eth0', 'up');
  }

  /** Runs `ip` in the namespace and returns what it prints. */
  ip(...args: readonly string[]): string {
    return execFileSync('ip', ['-n', this.name, ...args], { encoding: 'utf8' });
  }

  /** Runs many commands of `ip` in one process. */
  ipBatch(commands: readonly string[]): void {
    execFileSync('ip', ['-n', this.name, '-batch', '-'], { input: `${commands.join('\n')}\n` });
  }

  /** Runs a command in the namespace to its end and returns what it prints. */
  run(command: string, ...args: readonly string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name, command, ...args], { encoding: 'utf8' });
  }

  /** Starts a process in the namespace; its output goes to the file. */
  spawn(command: string, args: readonly string[], output: string): ChildProcess {
    const file = openSync(output, 'a');
    // `ip netns exec` becomes the command, so the child's id is the command's.
    const child = spawn('ip', ['netns', 'exec', this.name, command, ...args], {
      stdio: ['ignore', file, file],
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Ends its processes and removes it. */
  async remove(): Promise<void> {
    await Promise.all([...this.#children].map((child) => end(child, 'SIGKILL')));
    execFileSync('ip', ['netns', 'delete', this.name]);
  }
}

/** Sends the signal and waits for the end of the process. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
