/**
 * Machines on one wire whose agents share a store on a machine of its own, each in a namespace.
 *
 * Owns: the machines, and whether all agents and kernels agree. Must not know: what is done to them.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentProcess } from './agent-process.js';
import { must } from './machine.js';
import { Namespace } from './netns.js';
import { RedisMachine } from './redis-machine.js';
import { until } from './until.js';

const PROGRAM = new URL('../../dist/podroute.js', import.meta.url).pathname;
const STORE_HOST = 100;
const PATIENCE_MS = 60_000;

/** One machine with an agent; it is 192.0.2.HOST. */
export interface StoreNode {
  readonly name: string;
  readonly host: number;
  readonly machine: Namespace;
  readonly agent: AgentProcess;
}

export class StoreMesh {
  readonly folder = mkdtempSync(join(tmpdir(), 'podroute-store-'));
  readonly #store: Namespace;
  readonly redis: RedisMachine;
  readonly nodes: ReadonlyMap<string, StoreNode>;
  readonly #running = new Set<string>();

  /**
   * @param names the first one is 192.0.2.1
   * @param own what single agents have beside the flags of all
   */
  constructor(
    names: readonly string[],
    flags: readonly string[],
    own: Readonly<Record<string, readonly string[]>> = {},
  ) {
    const addresses = [STORE_HOST, ...names.map((_name, index) => index + 1)];
    const [store, ...machines] = Namespace.bridged(
      'store',
      addresses.map((host) => [`192.0.2.${host}/24`]),
    );
    this.#store = must(store);
    this.redis = new RedisMachine(this.#store, `192.0.2.${STORE_HOST}`, this.folder);
    this.nodes = new Map(
      names.map((name, index) => {
        const machine = must(machines[index]);
        const folder = join(this.folder, name);
        mkdirSync(folder);
        const agent = new AgentProcess(
          machine,
          folder,
          name,
          [...flags, ...(own[name] ?? [])],
          this.redis.url,
        );
        return [name, { name, host: index + 1, machine, agent }];
      }),
    );
  }

  node(name: string): StoreNode {
    return must(this.nodes.get(name));
  }

  get running(): readonly StoreNode[] {
    return [...this.#running].map((name) => this.node(name));
  }

  async start(...names: readonly string[]): Promise<void> {
    for (const name of names) this.#running.add(name);
    await Promise.all(names.map((name) => this.node(name).agent.start()));
  }

  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#running.delete(name);
    await this.node(name).agent.stop(signal);
  }

  // --- What people do ---

  /** Runs `podroute` on a machine; the store is that of the mesh. */
  podroute(node: string, args: readonly string[], input?: string) {
    const command = ['netns', 'exec', this.node(node).machine.name, process.execPath, PROGRAM, ...args];
    return spawnSync('ip', command, {
      encoding: 'utf8',
      input,
      timeout: PATIENCE_MS,
      env: {
        ...process.env,
        PODROUTE_DATASTORE: this.redis.url,
        PODROUTE_RUN_DIR: join(this.folder, 'run'),
        PODROUTE_STATE_DIR: join(this.folder, 'state'),
      },
    });
  }

  apply(...manifests: readonly string[]): void {
    const [name] = this.nodes.keys();
    const { status, stdout, stderr } = this.podroute(
      must(name),
      ['apply', '-f', '-'],
      manifests.join('\n---\n'),
    );
    if (status !== 0) throw new Error(`apply ended with ${status}: ${stdout}${stderr}`);
  }

  /** Cuts a machine off from the store alone, or puts an end to that. */
  setPartitioned(name: string, isCut: boolean): void {
    this.node(name).machine.ip('route', isCut ? 'add' : 'delete', 'blackhole', `192.0.2.${STORE_HOST}`);
  }

  // --- What must be so ---

  /** The pod subnets that an agent says are its own. */
  async subnetsOf(name: string): Promise<readonly string[]> {
    return (await this.node(name).agent.status()).pods.subnets;
  }

  /** Every running agent and its kernel have the subnets of all running ones, by the owner's address, and no others. */
  async agreed(what: string, gone: readonly string[] = []): Promise<void> {
    let last = '';
    const isSo = async () => {
      last = await this.#disagreement(gone);
      return last === '';
    };
    try {
      await until(`all agree ${what}`, isSo, PATIENCE_MS, 200);
    } catch (error) {
      throw new Error(`${String(error)}: ${last}`);
    }
  }

  async #disagreement(gone: readonly string[]): Promise<string> {
    const owners = new Map<string, string>();
    for (const { name, host } of this.running) {
      const subnets = await this.subnetsOf(name);
      if (subnets.length === 0) return `${name} has no subnet`;
      for (const subnet of subnets) {
        if (owners.has(subnet)) return `two have ${subnet}`;
        owners.set(subnet, `192.0.2.${host}`);
      }
    }
    for (const { name, host, machine, agent } of this.running) {
      const own = `192.0.2.${host}`;
      const wanted = [...owners]
        .filter(([, owner]) => owner !== own)
        .map(([subnet, owner]) => `${subnet} via ${owner}`);
      const rows = (await agent.routes()).filter(({ mode }) => mode === 'direct' || mode === 'ipip');
      const table = rows.map(
        ({ prefix, nextHops }) => `${prefix} via ${nextHops.map(({ address }) => address).join()}`,
      );
      const kernel = machine
        .ip('route', 'show', 'proto', '179', 'type', 'unicast')
        .split('\n')
        .flatMap((line) => /^\S+ via \S+/.exec(line)?.[0] ?? []);
      for (const [what, have] of [
        ['the table', table],
        ['the kernel', kernel],
      ] as const) {
        if ([...have].sort().join() !== [...wanted].sort().join())
          return `${what} of ${name} has ${have.join(', ')}, not ${wanted.join(', ')}`;
      }
      const nodes = (await agent.peers())
        .map((peer) => peer.name)
        .filter((peer) => gone.includes(peer.slice('mesh/'.length)));
      if (nodes.length > 0) return `${name} still has ${nodes.join(', ')}`;
    }
    return '';
  }

  async remove(): Promise<void> {
    await Promise.all([...this.nodes.values()].map(({ machine }) => machine.remove()));
    await this.#store.remove();
    rmSync(this.folder, { recursive: true });
  }
}
