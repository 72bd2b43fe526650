/**
 * A speaker over real TCP in a namespace, asked over its unix socket; see `speaker-program.ts`.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { build } from 'esbuild';
import { end, type Namespace } from './netns.js';
import type {
  PeerReport,
  PeerText,
  RangeText,
  SpeakerRequest,
  SpeakerSettings,
  StatusReport,
} from './speaker-program.js';
import { until } from './until.js';

const ROOT = new URL('../..', import.meta.url).pathname;

/** Makes the program, once for all speakers of a test file. @returns its path in `folder` */
export async function buildSpeakerProgram(folder: string): Promise<string> {
  const program = join(folder, 'speaker-program.mjs');
  // The native package stays outside and is found from where the program lies.
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await build({
    entryPoints: [join(ROOT, 'test/support/speaker-program.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['koffi', 'pino'],
    logLevel: 'error',
  });
  return program;
}

export class SpeakerProcess {
  readonly #namespace: Namespace;
  readonly #folder: string;
  readonly #name: string;
  readonly #settings: SpeakerSettings;
  #child: ChildProcess | undefined;

  /** `folder`: holds the program, the socket and the log. */
  constructor(namespace: Namespace, folder: string, name: string, settings: SpeakerSettings) {
    this.#namespace = namespace;
    this.#folder = folder;
    this.#name = name;
    this.#settings = settings;
  }

  async start(): Promise<void> {
    const args = [join(this.#folder, 'speaker-program.mjs'), this.#socket, JSON.stringify(this.#settings)];
    this.#child = this.#namespace.spawn(process.execPath, args, this.#logFile);
    await until(`the speaker ${this.#name} answers`, () => this.status());
  }

  async stop(): Promise<void> {
    if (this.#child !== undefined) await end(this.#child, 'SIGTERM');
  }

  async setPeers(...peers: readonly PeerText[]): Promise<void> {
    await this.#ask({ type: 'peers', peers });
  }

  async setRanges(...ranges: readonly RangeText[]): Promise<void> {
    await this.#ask({ type: 'ranges', ranges });
  }

  async announce(block: string): Promise<void> {
    await this.#ask({ type: 'announce', block });
  }

  /** Waits until it has a route to the prefix. */
  async route(prefix: string): Promise<void> {
    await until(`${this.#name} has a route to ${prefix}`, async () =>
      (await this.status()).routes.includes(prefix),
    );
  }

  status(): Promise<StatusReport> {
    return this.#ask({ type: 'status' }) as Promise<StatusReport>;
  }

  /** @throws where it has no such peer */
  async peer(id: string): Promise<PeerReport> {
    const report = (await this.status()).peers.find((peer) => peer.id === id);
    if (report === undefined) throw new Error(`the speaker ${this.#name} has no peer ${id}`);
    return report;
  }

  async established(id: string, timeoutMs?: number): Promise<PeerReport> {
    return until(
      `${this.#name} has a session with ${id}`,
      async () => {
        const peer = await this.peer(id);
        return peer.state === 'Established' && peer;
      },
      timeoutMs,
    );
  }

  /** Waits for an error of the peer that reads so. */
  async error(id: string, pattern: RegExp): Promise<PeerReport> {
    return until(`${this.#name} says ${pattern} of ${id}`, async () => {
      const peer = await this.peer(id);
      if (!pattern.test(peer.lastError ?? '')) throw new Error(`it says: ${peer.lastError}`);
      return peer;
    });
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  get #socket(): string {
    return join(this.#folder, `${this.#name}.sock`);
  }

  get #logFile(): string {
    return join(this.#folder, `${this.#name}.log`);
  }

  async #ask(request: SpeakerRequest): Promise<unknown> {
    const client = connect(this.#socket);
    client.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await text(client));
  }
}
