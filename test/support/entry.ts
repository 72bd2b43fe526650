/** Nodes that enter themselves into one store in memory, in virtual time. */
import { pino } from 'pino';
import type { Alarm } from '../../agent/alarms.js';
import { Alarms } from '../../agent/alarms.js';
import type { StoreHealth } from '../../agent/datastore/index.js';
import { ClusterEntry } from '../../agent/join/index.js';
import {
  checkText,
  type InterfaceAddress,
  type Resources,
  type ResourcesResult,
} from '../../agent/resources/index.js';
import { formatIpAddress, formatPrefix, type Ipv4, parseIpv4 } from '../../bgp/net/index.js';
import { FakeClock } from './fake-clock.js';
import { must } from './machine.js';
import { API_VERSION } from './manifests.js';
import { type MemoryDatastore, MemoryStore } from './memory-datastore.js';

export const BEAT_MS = 10_000;
export const TIMEOUT_MS = 300_000;
/** After a step everything that follows without time passing has followed. */
const BREATHS = 200;

/** One machine with an agent on it. */
export class EnteringNode {
  readonly name: string;
  readonly client: MemoryDatastore;
  readonly entry: ClusterEntry;
  readonly alarms: Alarms;
  readonly states: ResourcesResult[] = [];
  readonly health: StoreHealth[] = [];
  /** Where it is; undefined: it has no address. */
  address: string | undefined;
  /** Nodes that BGP shows to be alive. */
  readonly proven = new Set<string>();

  constructor(
    cluster: EntryCluster,
    name: string,
    address: string,
    instance: string,
    client: MemoryDatastore,
  ) {
    const log = pino({ level: 'silent' });
    this.name = name;
    this.address = address;
    this.client = client;
    this.alarms = new Alarms(cluster.clock, log);
    this.entry = new ClusterEntry({
      datastore: this.client,
      registry: this.client.registry,
      nodeName: name,
      locate: async () => ({ ipv4: this.#detection() }),
      instance,
      beatMs: BEAT_MS,
      nodeTimeoutMs: TIMEOUT_MS,
      clock: cluster.clock,
      random: () => 0.5,
      log,
      alarms: this.alarms,
      isProven: ({ name: other }) => this.proven.has(other),
      onChange: (result) => this.states.push(result),
      onHealth: (health) => this.health.push(health),
    });
  }

  async start(): Promise<this> {
    this.states.push(await this.entry.start());
    return this;
  }

  /** What it goes by. */
  get resources(): Resources {
    const newest = must(this.states.at(-1));
    if ('errors' in newest) throw new Error(checkText(newest.errors));
    return newest.resources;
  }

  /** Its own pod subnets and the nodes, as it goes by them. */
  get blocks(): readonly string[] {
    return this.resources.blocks
      .filter(({ node }) => node === this.name)
      .map(({ cidr }) => formatPrefix(cidr));
  }

  get nodes(): readonly string[] {
    return this.resources.nodes.map(({ name }) => name);
  }

  get alarmTexts(): readonly string[] {
    return this.alarms.list().map(({ text }: Alarm) => text);
  }

  addressOf(name: string): string | undefined {
    const address = this.resources.nodes.find((node) => node.name === name)?.ipv4?.address;
    return address === undefined ? undefined : formatIpAddress(address);
  }

  #detection() {
    if (this.address === undefined) return { problem: 'no address of this node was found' };
    const chosen: InterfaceAddress<Ipv4> = { address: must(parseIpv4(this.address)), lengthBits: 24 };
    return { chosen: { ...chosen, interface: 'eth0', reason: 'first-found' }, alternatives: [] };
  }
}

export class EntryCluster {
  readonly clock = new FakeClock(1_800_000_000_000);
  readonly store = new MemoryStore({ nowMs: () => this.clock.now() });
  readonly #nodes: EnteringNode[] = [];
  #instances = 0;

  /** A machine whose agent is not started yet. */
  node(name: string, address: string, client = this.store.client()): EnteringNode {
    this.#instances += 1;
    const node = new EnteringNode(this, name, address, `run-${this.#instances}`, client);
    this.#nodes.push(node);
    return node;
  }

  /** Writes a resource, as an operator does. */
  async apply(kind: string, name: string, spec: object, metadata: object = {}): Promise<void> {
    const manifest = { apiVersion: API_VERSION, kind, metadata: { name, ...metadata }, spec };
    await this.store.client().commit([{ kind, name, expected: 'any', manifest }]);
    await this.settle();
  }

  async remove(kind: string, name: string): Promise<void> {
    await this.store.client().commit([{ kind, name, expected: 'any', manifest: undefined }]);
    await this.settle();
  }

  /** Lets time pass, beat by beat. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    while (this.clock.now() < end) {
      this.clock.advance(Math.min(BEAT_MS / 2, end - this.clock.now()));
      await this.settle();
    }
  }

  /** All that follows without time passing. */
  async settle(): Promise<void> {
    for (let breath = 0; breath < BREATHS; breath += 1) await Promise.resolve();
  }

  async stop(): Promise<void> {
    for (const { entry } of this.#nodes) await entry.stop();
  }
}
