/**
 * One column of the matrix: a daemon, an agent of its own, and a witness, on one wire.
 *
 * Owns: the three machines, the agent's resources, and the questions that the cases ask. Must not know: the cases.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerRow } from '../../api/index.js';
import { AgentProcess } from '../support/agent-process.js';
import {
  AGENT,
  asNumbers,
  type Daemon,
  OTHER_CLIENT,
  ROUTER,
  type SeenRoute,
  type StartOptions,
  UNKNOWN_ATTRIBUTE,
} from '../support/daemons/daemon.js';
import { Exabgp } from '../support/daemons/exabgp.js';
import { Namespace } from '../support/netns.js';
import { until } from '../support/until.js';

/** The blocks of the agent's own node. */
export const BLOCK = '10.244.1.0/24';
export const BLOCK6 = 'fd00:244::1:0/122';
export const OTHER_BLOCK = '10.244.7.0/24';

/** Another node of the cluster, over iBGP, played by the witness, with its block and the attributes of its route. */
export const NODE = {
  address: '192.0.2.3',
  block: '10.244.3.0/24',
  community: '64512:3',
  largeCommunity: '64512:3:3',
} as const;
/** A router outside, over eBGP, played by the witness too. */
const OBSERVER = { address: '192.0.2.4', asn: 65_003 } as const;

/**
 * What the daemon is to the agent: a router outside the cluster, the same with an AS number of two octets, a node of it that
 * peers with all others, a node for whom the agent reflects, the reflector of the agent, or nothing.
 */
export type Place = 'outside' | 'short' | 'node' | 'client' | 'reflector' | 'stranger';

/** The cluster of the agent where it reflects (RFC 4456 section 7). */
export const CLUSTER_ID = '244.0.0.1';

function resources(place: Place, blocks: readonly string[], more: string): string {
  const reflects = place === 'client';
  const documents = [
    resource('IPPool', 'pods', '{cidr: 10.244.0.0/16, ipipMode: CrossSubnet, blockSize: 24}'),
    resource('IPPool', 'pods6', "{cidr: 'fd00:244::/64', blockSize: 122}"),
    node('node-a', AGENT.address, AGENT.asn, {
      address6: AGENT.address6,
      blocks,
      ...(reflects && { clusterId: CLUSTER_ID }),
    }),
    node('node-b', NODE.address, AGENT.asn),
    bgpPeer('observer', OBSERVER.address, OBSERVER.asn),
    ...daemonResources(place, more),
  ];
  return documents.join('---\n');
}

function daemonResources(place: Place, more: string): readonly string[] {
  switch (place) {
    case 'outside':
      return [bgpPeer('daemon', ROUTER.address, ROUTER.asn, more)];
    case 'short':
      return [bgpPeer('daemon', ROUTER.address, ROUTER.shortAsn, more)];
    case 'reflector':
      return [bgpPeer('daemon', ROUTER.address, AGENT.asn, more)];
    case 'node':
      return [node('daemon', ROUTER.address, ROUTER.asn)];
    case 'client':
      return [
        node('daemon', ROUTER.address, AGENT.asn),
        resource('BGPPeer', 'rr', "{nodeSelector: '!has(reflector)', peerSelector: has(reflector)}"),
      ];
    case 'stranger':
      return [];
    default:
      return place satisfies never;
  }
}

interface NodeOptions {
  readonly address6?: string;
  readonly blocks?: readonly string[];
  readonly clusterId?: string;
}

function node(
  name: string,
  address: string,
  asn: number,
  { address6, blocks = [], clusterId }: NodeOptions = {},
): string {
  const ipv6 = address6 === undefined ? '' : `, ipv6Address: '${address6}/64'`;
  const reflector = clusterId === undefined ? '' : `, routeReflectorClusterID: ${clusterId}`;
  const labels = clusterId === undefined ? '' : ", labels: {reflector: 'yes'}";
  const podCidrs = blocks.map((block) => `'${block}'`).join(', ');
  const bgp = `{ipv4Address: ${address}/24, asNumber: ${asn}${ipv6}${reflector}}`;
  return resource('Node', name, `{bgp: ${bgp}, podCIDRs: [${podCidrs}]}`, labels);
}

function bgpPeer(name: string, address: string, asn: number, more = ''): string {
  return resource('BGPPeer', name, `{peerIP: ${address}, asNumber: ${asn}${more}}`);
}

function resource(kind: string, name: string, spec: string, labels = ''): string {
  return `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: {name: ${name}${labels}}\nspec: ${spec}\n`;
}

export class Column {
  readonly daemon: Daemon;
  readonly agent: AgentProcess;
  readonly #witness: Exabgp;
  readonly #otherClient: Exabgp;
  readonly #machines: readonly Namespace[];
  readonly #folder: string;

  constructor(make: (namespace: Namespace, folder: string) => Daemon) {
    this.#folder = mkdtempSync(join(tmpdir(), 'podroute-matrix-'));
    chmodSync(this.#folder, 0o755);
    const folder = (name: string) => {
      const path = join(this.#folder, name);
      mkdirSync(path);
      return path;
    };
    const [agent, daemon, witness] = Namespace.bridged('matrix', [
      [`${AGENT.address}/24`, `${AGENT.address6}/64`],
      [`${ROUTER.address}/24`, `${ROUTER.address6}/64`],
      [`${NODE.address}/24`, `${OBSERVER.address}/24`, `${OTHER_CLIENT.address}/24`],
    ]) as [Namespace, Namespace, Namespace];
    this.#machines = [agent, daemon, witness];
    this.agent = new AgentProcess(agent, folder('agent'), 'node-a', ['--dataplane', 'off']);
    this.daemon = make(daemon, folder('daemon'));
    this.#witness = new Exabgp(witness, folder('witness'));
    this.#otherClient = new Exabgp(witness, folder('other-client'));
  }

  async start(): Promise<void> {
    this.configure('outside');
    await Promise.all([this.agent.start(), this.daemon.start({ passive: true }), this.#startWitness()]);
  }

  /** Whatever state the two are in. */
  async startOver(): Promise<void> {
    await Promise.all([this.agent.stop('SIGKILL'), this.daemon.kill()]);
    this.configure('outside');
    await Promise.all([this.agent.start(), this.daemon.start({ passive: true })]);
    await this.allIsWell();
  }

  async #startWitness(): Promise<void> {
    const common = { passive: false, holdTimeSeconds: 90 };
    await this.#witness.start([
      { address: NODE.address, asn: AGENT.asn, ...common },
      { address: OBSERVER.address, asn: OBSERVER.asn, ...common },
    ]);
    const { code, hex } = UNKNOWN_ATTRIBUTE;
    await this.#witness.command(
      `neighbor ${AGENT.address} local-ip ${NODE.address} announce route ${NODE.block} next-hop ${NODE.address} med 30 ` +
        `community [${NODE.community}] large-community [${NODE.largeCommunity}] ` +
        `attribute [0x${code.toString(16)} 0xc0 0x${hex}]`,
    );
  }

  async remove(): Promise<void> {
    await Promise.all(this.#machines.map((machine) => machine.remove()));
    rmSync(this.#folder, { recursive: true });
  }

  /** What the file says from now on. `more`: fields of the daemon's BGPPeer, such as `, passive: true`. */
  configure(place: Place, blocks: readonly string[] = [BLOCK, BLOCK6], more = ''): void {
    this.agent.configure(resources(place, blocks, more));
  }

  /** A file of the agent's that holds a secret. */
  secretFile(secret: string): string {
    const path = join(this.agent.folder, 'password');
    writeFileSync(path, `${secret}\n`, { mode: 0o600 });
    return path;
  }

  /** The agent's view of the daemon. */
  async peer(): Promise<PeerRow> {
    const row = (await this.agent.peers()).find(({ address }) => address === ROUTER.address);
    if (row === undefined) throw new Error('the agent does not know the daemon');
    return row;
  }

  /** What an administrator of the agent does to the daemon. */
  async administer(action: 'shutdown' | 'reset' | 'enable', text = ''): Promise<void> {
    await this.agent.administer(action, ROUTER.address, text);
  }

  /** Starts the daemon anew with these options, and the agent knows it as `place`. */
  async restart(options: Partial<StartOptions>, place: Place = 'outside', more = ''): Promise<void> {
    await this.daemon.stop();
    this.configure(place, undefined, more);
    const { own } = asNumbers({ passive: true, ...options });
    await until('the agent knows its AS', async () => (await this.peer()).asn === own);
    await this.daemon.start({ passive: true, ...options });
  }

  /** Whatever the daemon does after the end of a session, it is to be up again now. */
  async comesBack(): Promise<void> {
    await this.daemon.retry?.();
    await this.allIsWell();
  }

  /** While `act` runs, there is another client of the daemon, with its block. */
  async withOtherClient(act: () => Promise<void>): Promise<void> {
    const peer = { address: ROUTER.address, asn: AGENT.asn };
    const { address, block } = OTHER_CLIENT;
    await this.#otherClient.start([{ address, asn: AGENT.asn, passive: false, holdTimeSeconds: 90, peer }]);
    await this.#otherClient.command(`neighbor ${ROUTER.address} announce route ${block} next-hop ${address}`);
    try {
      await act();
    } finally {
      await this.#otherClient.end('SIGTERM');
    }
  }

  /** Both ends say so. */
  async isUp(): Promise<PeerRow> {
    return until('the session is up at both ends', async () => {
      const peer = await this.peer();
      return peer.state === 'Established' && (await this.daemon.isEstablished()) && peer;
    });
  }

  agentHas(prefix: string, nextHop: string): Promise<true> {
    return until(`the agent has ${prefix} via ${nextHop}`, () => this.agent.hasRoute(prefix, nextHop));
  }

  agentLacks(prefix: string): Promise<true> {
    return until(`the agent has no ${prefix}`, async () =>
      (await this.agent.routes()).every((route) => route.prefix !== prefix),
    );
  }

  agentShows(prefix: string, state: string): Promise<true> {
    return until(`the agent's route ${prefix} is ${state}`, async () =>
      (await this.agent.routes()).some((route) => route.prefix === prefix && route.state === state),
    );
  }

  daemonHas(prefix: string): Promise<SeenRoute> {
    return until(`${this.daemon.name} has ${prefix}`, () => this.daemon.route(prefix));
  }

  daemonLacks(prefix: string): Promise<true> {
    return until(
      `${this.daemon.name} has no ${prefix}`,
      async () => (await this.daemon.route(prefix)) === undefined,
    );
  }

  daemonIsDown(): Promise<true> {
    return until(
      `${this.daemon.name} sees the session down`,
      async () => !(await this.daemon.isEstablished()),
    );
  }

  /** What the router outside has been told. */
  observerHas(prefix: string): Promise<SeenRoute> {
    return until(`the router outside has ${prefix}`, () => this.#witness.route(OBSERVER.address, prefix));
  }

  /** What the other node of the cluster has been told. */
  nodeHas(prefix: string): Promise<SeenRoute> {
    return until(`the node has ${prefix}`, () => this.#witness.route(NODE.address, prefix));
  }

  /** Both ends have everything that they should. */
  async allIsWell(): Promise<void> {
    await this.isUp();
    await this.agentShows(ROUTER.prefix, 'ok');
    await this.daemonHas(BLOCK);
  }

  /** The end of both logs, for the reader of a failure. */
  lastWords(): string {
    const tail = (log: string) => log.trimEnd().split('\n').slice(-15).join('\n');
    return `the agent's log:\n${tail(this.agent.log())}\n${this.daemon.name}'s log:\n${tail(this.daemon.log())}`;
  }
}
