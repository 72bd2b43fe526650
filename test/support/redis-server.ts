/**
 * Redis servers as processes, each on a free port of the loopback address, with a folder of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './until.js';

const READY = /Ready to accept connections|Sentinel ID is/;

/** A port that nobody has. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

export class RedisServer {
  readonly port: number;
  readonly folder: string;
  readonly #arguments: readonly string[];
  #child: ChildProcess | undefined;
  #log = '';

  /** @param flags as on the command line of redis-server; the first may be a file of its configuration */
  static async start(flags: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), flags);
    await server.run();
    return server;
  }

  constructor(port: number, flags: readonly string[]) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), 'podroute-redis-'));
    const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''];
    const [first] = flags;
    const hasFile = first !== undefined && !first.startsWith('--');
    this.#arguments = hasFile ? [first, ...own, ...flags.slice(1)] : [...own, ...flags];
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, and waits until it answers. */
  async run(): Promise<void> {
    this.#log = '';
    const child = spawn('redis-server', this.#arguments, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const ready = new Promise<void>((resolve, reject) => {
      const hear = (chunk: Buffer) => {
        this.#log += chunk.toString();
        if (READY.test(this.#log)) resolve();
      };
      child.stdout?.on('data', hear);
      child.stderr?.on('data', hear);
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`redis-server ended: ${this.#log}`)));
    });
    await ready;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Kills it, and waits until it is gone; it can be run again. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Kills it for good. */
  async end(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** One command of an administrator. */
  async ask(command: string, ...args: readonly string[]): Promise<unknown> {
    const client = new Redis({
      port: this.port,
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: () => null,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.call(command, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** Until INFO has this line. */
  async hasInfo(line: string): Promise<void> {
    await until(`the Redis at ${this.port} says ${line}`, async () =>
      String(await this.ask('INFO'))
        .split('\r\n')
        .includes(line),
    );
  }
}
