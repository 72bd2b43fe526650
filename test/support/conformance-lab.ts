/**
 * One agent on one wire with hundreds of addresses, each of which may be a peer of it.
 *
 * Owns: the namespaces, the agent, and which address a test may use: each one once, so that no test feels what another
 * did to its peer (idle hold, routes, counters).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentProcess } from './agent-process.js';
import { enterNamespace } from './enter-namespace.js';
import { Namespace } from './netns.js';
import { type OpenFields, quad, RawPeer, usualCapabilities } from './raw-peer.js';

export const AGENT = { host: '172.31.0.1', asn: 64512, block: '10.244.0.0/24' } as const;
/** A node of the cluster; the test plays it. Its address is the higher one, so it is the one that dials. */
export const NODE_B = { address: '172.31.3.9', asn: 64512 } as const;

/** The third octet of the peers' addresses, and how many there are. */
const KINDS = {
  /** Routers outside, AS 65001. */
  ebgp: { octet: 1, asn: 65001, count: 220 },
  /** Routers of our own AS, which are no nodes. */
  ibgp: { octet: 2, asn: 64512, count: 60 },
} as const;

export type PeerKind = keyof typeof KINDS;

/** One address of the lab, as a peer that the agent knows. */
export interface Place {
  readonly name: string;
  readonly kind: PeerKind;
  readonly address: string;
  readonly asn: number;
  /** A /24 that nobody else announces, without its last octet and length: `10.244.7`. */
  readonly prefix: string;
}

export class ConformanceLab {
  readonly agent: AgentProcess;
  readonly #folder: string;
  readonly #namespaces: readonly Namespace[];
  readonly #leave: () => void;
  readonly #taken = { ebgp: 0, ibgp: 0 };
  readonly #opened = new Set<RawPeer>();

  private constructor(folder: string, namespaces: readonly [Namespace, Namespace]) {
    this.#folder = folder;
    this.#namespaces = namespaces;
    this.agent = new AgentProcess(namespaces[0], folder, 'node-a', ['--dataplane', 'off']);
    this.#leave = enterNamespace(namespaces[1]);
  }

  static async start(): Promise<ConformanceLab> {
    const folder = mkdtempSync(join(tmpdir(), 'podroute-conformance-'));
    const namespaces = Namespace.linked('conform', [`${AGENT.host}/22`], ['172.31.0.2/22']);
    // Every address of these subnets is the test's, without being assigned one by one.
    for (const octet of [1, 2, 3])
      namespaces[1].ip('route', 'add', 'local', `172.31.${octet}.0/24`, 'dev', 'lo');
    const lab = new ConformanceLab(folder, namespaces);
    lab.agent.configure(lab.resources());
    await lab.agent.start();
    return lab;
  }

  async stop(): Promise<void> {
    this.#leave();
    for (const namespace of this.#namespaces) await namespace.remove();
    rmSync(this.#folder, { recursive: true });
  }

  /** An address that no test has used yet. */
  place(kind: PeerKind = 'ebgp'): Place {
    this.#taken[kind] += 1;
    return placeOf(kind, this.#taken[kind]);
  }

  /** Connects as the peer at `place`; `closeAll` ends it. */
  async connect(place: Pick<Place, 'address'>): Promise<RawPeer> {
    const peer = await RawPeer.connect(place.address, AGENT);
    this.#opened.add(peer);
    return peer;
  }

  /** Connects as the peer at `place` and goes to Established. */
  async session(place: Place, fields: OpenFields = {}): Promise<RawPeer> {
    const opening = { asn: place.asn, capabilities: usualCapabilities(place.asn), ...fields };
    return (await this.connect(place)).establish(opening);
  }

  /** Ends every connection that was made. */
  closeAll(): void {
    for (const peer of this.#opened) peer.end();
    this.#opened.clear();
  }

  /** True while the agent uses this prefix through this peer. */
  async uses(prefix: string, { address }: Pick<Place, 'address'>): Promise<boolean> {
    return await this.agent.hasRoute(prefix, address);
  }

  /** The cluster, with every place as a peer, except those in `without`; `asns` gives some another AS number. */
  resources(without: readonly Place[] = [], asns: ReadonlyMap<string, number> = new Map()): string {
    const left = new Set(without.map(({ name }) => name));
    const places = (Object.keys(KINDS) as PeerKind[]).flatMap((kind) =>
      Array.from({ length: KINDS[kind].count }, (_, index) => placeOf(kind, index + 1)),
    );
    const peers = places
      .filter(({ name }) => !left.has(name))
      .map(
        ({ name, address, asn }) =>
          `kind: BGPPeer\nmetadata: {name: ${name}}\nspec: {peerIP: ${address}, asNumber: ${asns.get(name) ?? asn}}\n`,
      );
    return [
      'kind: IPPool\nmetadata: {name: pods}\nspec: {cidr: 10.244.0.0/15, blockSize: 24}\n',
      "kind: IPPool\nmetadata: {name: pods6}\nspec: {cidr: 'fd00:244::/64', blockSize: 122}\n",
      `kind: Node\nmetadata: {name: node-a}\nspec:\n  bgp: {ipv4Address: ${AGENT.host}/22, asNumber: ${AGENT.asn}}\n  podCIDRs: [${AGENT.block}]\n`,
      `kind: Node\nmetadata: {name: node-b}\nspec:\n  bgp: {ipv4Address: ${NODE_B.address}/22, asNumber: ${NODE_B.asn}}\n  podCIDRs: [10.245.200.0/24]\n`,
      ...peers,
    ]
      .map((text) => `apiVersion: projectcalico.org/v3\n${text}`)
      .join('---\n');
  }
}

function placeOf(kind: PeerKind, number: number): Place {
  const { octet, asn, count } = KINDS[kind];
  if (number > count) throw new Error(`the lab has ${count} ${kind} peers only`);
  return {
    name: `${kind}-${number}`,
    kind,
    address: `172.31.${octet}.${number}`,
    asn,
    prefix: `10.${243 + octet}.${number}`,
  };
}

/** NEXT_HOP with this address, as hex. */
export function nextHop(address: string): string {
  return `40 03 04 ${quad(address)}`;
}
