/**
 * What happens to the routes of the nodes, event by event, as `ip monitor` hears it from the kernel: an interruption
 * shorter than the pause between two packets shows here.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { namespaceName } from '../lab/namespaces.js';
import { end } from '../support/netns.js';

/** Our routes and those of BIRD; what the kernel does with its own is not looked at. */
const OF_A_SPEAKER = / proto (179|12)( |$)/;

export class RouteWatch {
  /** `MACHINE: LINE`, one per event. */
  readonly events: string[] = [];
  readonly #children: readonly ChildProcess[];

  constructor(lab: string, machines: readonly string[]) {
    this.#children = machines.map((machine) => {
      const args = ['-N', '-netns', namespaceName(lab, machine), 'monitor', 'route'];
      const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'ignore'] });
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (OF_A_SPEAKER.test(line)) this.events.push(`${machine}: ${line.trim()}`);
      });
      return child;
    });
  }

  /** The routes that were taken away since the event of this index. */
  deleted(since: number): readonly string[] {
    return this.events.slice(since).filter((event) => event.includes(': Deleted '));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => end(child, 'SIGTERM')));
  }
}
