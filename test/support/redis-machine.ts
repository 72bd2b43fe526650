/**
 * A machine of the tests that carries the store: two Redis servers, of which one follows the other, and a Sentinel.
 *
 * Owns: the processes, and what can befall them. Must not know: who uses the store.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { end, type Namespace } from './netns.js';
import { until } from './until.js';

const PORTS = [6379, 6380] as const;
const SENTINEL_PORT = 26_379;
const MASTER = 'mesh';
/** Longer than a server takes to start anew, so that a restart is none of Sentinel's business. */
const DOWN_AFTER_MS = 3000;

type Port = (typeof PORTS)[number];

export class RedisMachine {
  readonly #machine: Namespace;
  readonly #address: string;
  readonly #folder: string;
  readonly #servers = new Map<Port, ChildProcess>();
  #sentinel: ChildProcess | undefined;

  constructor(machine: Namespace, address: string, folder: string) {
    this.#machine = machine;
    this.#address = address;
    this.#folder = folder;
  }

  get url(): string {
    return `redis+sentinel://${this.#address}:${SENTINEL_PORT}/${MASTER}`;
  }

  async start(): Promise<void> {
    const [first, second] = PORTS;
    await this.#run(first);
    await this.#run(second, ['--replicaof', this.#address, String(first)]);
    await until('the second server follows the first', () =>
      this.ask(second, 'INFO').includes('master_link_status:up'),
    );
    const file = join(this.#folder, 'sentinel.conf');
    writeFileSync(
      file,
      [
        `port ${SENTINEL_PORT}`,
        `bind ${this.#address}`,
        'protected-mode no',
        `dir ${this.#folder}`,
        `sentinel monitor ${MASTER} ${this.#address} ${first} 1`,
        `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${MASTER} 3000`,
        '',
      ].join('\n'),
    );
    this.#sentinel = this.#machine.spawn(
      'redis-server',
      [file, '--sentinel'],
      join(this.#folder, 'sentinel.log'),
    );
    await until(
      'the Sentinel knows both',
      () =>
        this.ask(SENTINEL_PORT, 'INFO').includes('status=ok') &&
        this.ask(SENTINEL_PORT, 'INFO').includes('slaves=1'),
    );
  }

  /** What an administrator asks one of the servers. */
  ask(port: number, ...command: readonly string[]): string {
    const args = [
      'netns',
      'exec',
      this.#machine.name,
      'redis-cli',
      '-h',
      this.#address,
      '-p',
      String(port),
      ...command,
    ];
    return spawnSync('ip', args, { encoding: 'utf8', timeout: 5000 }).stdout.trim();
  }

  /** The one that takes writes, as the Sentinel has it. */
  get master(): Port {
    const [, port] = this.ask(SENTINEL_PORT, 'SENTINEL', 'get-master-addr-by-name', MASTER).split('\n');
    return Number(port) as Port;
  }

  /** Everything is there, and answers nobody. */
  pause(): void {
    for (const process of this.#all()) process.kill('SIGSTOP');
  }

  resume(): void {
    for (const process of this.#all()) process.kill('SIGCONT');
  }

  /** The master dies for good; the other one takes its place, and what takes that one's place is empty. */
  async failOver(): Promise<void> {
    const dead = this.master;
    await this.#kill(dead);
    await until('the other server is the master', () => this.master !== dead, 60_000);
    const { master } = this;
    await until('it takes writes', () => this.ask(master, 'ROLE').startsWith('master'));
    await this.#run(dead, ['--replicaof', this.#address, String(master)]);
  }

  /** The master loses all that it had, as one without a disk does. */
  async restartEmpty(): Promise<void> {
    const { master } = this;
    await this.#kill(master);
    await this.#run(master);
  }

  /** Reads are answered, writes are not. */
  setFull(isFull: boolean): void {
    this.ask(this.master, 'CONFIG', 'SET', 'maxmemory', isFull ? '1' : '0');
  }

  flush(): void {
    this.ask(this.master, 'FLUSHALL');
  }

  async #run(port: Port, flags: readonly string[] = []): Promise<void> {
    const place = ['--port', String(port), '--bind', this.#address, '--protected-mode', 'no'];
    const storage = [
      '--dir',
      this.#folder,
      '--dbfilename',
      `${port}.rdb`,
      '--save',
      '',
      '--appendonly',
      'no',
    ];
    // A master that comes back empty must not wait before its replicas ask.
    const server = this.#machine.spawn(
      'redis-server',
      [...place, ...storage, '--repl-diskless-sync-delay', '0', ...flags],
      join(this.#folder, `redis-${port}.log`),
    );
    this.#servers.set(port, server);
    await until('Redis answers', () => this.ask(port, 'PING') === 'PONG');
  }

  async #kill(port: Port): Promise<void> {
    const server = this.#servers.get(port);
    if (server !== undefined) await end(server, 'SIGKILL');
  }

  #all(): readonly ChildProcess[] {
    return [...this.#servers.values(), ...(this.#sentinel === undefined ? [] : [this.#sentinel])];
  }
}
