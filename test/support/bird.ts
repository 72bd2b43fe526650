/**
 * A real BIRD 2 as a process in a namespace, asked with birdc.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { end, type Namespace } from './netns.js';
import { until } from './until.js';

export class Bird {
  readonly #namespace: Namespace;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(namespace: Namespace, folder: string, configuration: string) {
    this.#namespace = namespace;
    this.#folder = folder;
    writeFileSync(this.#path('bird.conf'), configuration);
  }

  /** @param flags such as `-R` for a graceful restart */
  async start(...flags: readonly string[]): Promise<void> {
    const files = ['-c', this.#path('bird.conf'), '-s', this.#path('bird.ctl'), '-P', this.#path('bird.pid')];
    this.#child = this.#namespace.spawn('bird', ['-f', ...files, ...flags], this.#path('bird.log'));
    await until('BIRD answers', () => this.ask('show', 'status').includes('up and running'));
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child !== undefined) await end(this.#child, signal);
  }

  /** What birdc prints, its refusals included (`Network not found`). @throws where no BIRD answers */
  ask(...command: readonly string[]): string {
    const asked = spawnSync('birdc', ['-s', this.#path('bird.ctl'), ...command], { encoding: 'utf8' });
    if (asked.stdout === '') throw new Error(`birdc ${command.join(' ')}: ${asked.stderr}`);
    return asked.stdout;
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}
