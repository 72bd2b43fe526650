/**
 * The built agent as a process in a namespace, asked over its unix socket.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TSchema } from 'typebox';
import {
  fetchJson,
  PeerActionAnswer,
  PeerList,
  type PeerRow,
  RoutePage,
  type RouteRow,
  Status,
  type StatusRow,
} from '../../api/index.js';
import { end, type Namespace } from './netns.js';
import { until } from './until.js';

const PROGRAM = new URL('../../dist/podroute.js', import.meta.url).pathname;

export class AgentProcess {
  readonly folder: string;
  readonly #namespace: Namespace;
  readonly #node: string;
  readonly #flags: readonly string[];
  readonly #datastore: string;
  #child: ChildProcess | undefined;

  /**
   * @param folder a private one, for the resources, the socket and the log
   * @param datastore default: the file that `configure` writes
   */
  constructor(
    namespace: Namespace,
    folder: string,
    node: string,
    flags: readonly string[] = [],
    datastore = `file:${join(folder, 'cluster.yaml')}`,
  ) {
    this.#datastore = datastore;
    this.#namespace = namespace;
    this.folder = folder;
    this.#node = node;
    this.#flags = flags;
  }

  /** The resources that the agent reads, live. */
  configure(resources: string): void {
    writeFileSync(this.#path('cluster.yaml'), resources);
  }

  async start(): Promise<void> {
    const args = ['agent', '--node-name', this.#node, '--datastore', this.#datastore];
    const folders = ['--run-dir', this.runDir, '--state-dir', this.#path('state')];
    this.#child = this.#namespace.spawn(
      process.execPath,
      [PROGRAM, ...args, '--api', `unix:${this.#path('api.sock')}`, ...folders, ...this.#flags],
      this.#path('agent.log'),
    );
    const child = this.#child;
    const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
    await until('the agent answers', async () => hasEnded() || (await this.status()).node === this.#node);
    if (hasEnded()) throw new Error(`the agent ended with status ${child.exitCode}: ${this.log()}`);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    await end(child, signal);
    return child.exitCode;
  }

  /** Of this agent alone: others may run on this machine, each in its namespace. */
  get runDir(): string {
    return this.#path('run');
  }

  log(): string {
    return readFileSync(this.#path('agent.log'), 'utf8');
  }

  status(): Promise<StatusRow> {
    return this.#get('/status', Status) as Promise<StatusRow>;
  }

  async peers(): Promise<readonly PeerRow[]> {
    return ((await this.#get('/peers', PeerList)) as { peers: readonly PeerRow[] }).peers;
  }

  async peer(name: string): Promise<PeerRow> {
    const row = (await this.peers()).find((peer) => peer.name === name);
    if (row === undefined) throw new Error(`the agent has no peer ${name}`);
    return row;
  }

  async routes(): Promise<readonly RouteRow[]> {
    return ((await this.#get('/routes', RoutePage)) as { routes: readonly RouteRow[] }).routes;
  }

  /** What an administrator does to a peer, with a text for its operator. */
  async administer(action: 'shutdown' | 'reset' | 'enable', name: string, text: string): Promise<void> {
    const path = `/peers/${encodeURIComponent(name)}/${action}`;
    await fetchJson({ type: 'unix', path: this.#path('api.sock') }, path, PeerActionAnswer, { text });
  }

  /** The prefix is known, and by this next hop. */
  async hasRoute(prefix: string, nextHop: string): Promise<boolean> {
    return (await this.routes()).some(
      (route) => route.prefix === prefix && route.nextHops.some(({ address }) => address === nextHop),
    );
  }

  #get(path: string, schema: TSchema): Promise<unknown> {
    return fetchJson({ type: 'unix', path: this.#path('api.sock') }, path, schema);
  }

  #path(name: string): string {
    return join(this.folder, name);
  }
}
