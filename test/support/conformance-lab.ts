/**
 * One agent on one wire with hundreds of addresses, each of which may be a peer of it.
 *
 * Owns: the namespaces, the agent, and which address a test may use: each one once, so that no test feels what another
 * did to its peer (idle hold, routes, counters).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentProcess } from './agent-process.js';
import { enterNamespace } from './enter-namespace.js';
import { Namespace } from './netns.js';
import { type OpenFields, quad, RawPeer, usualCapabilities } from './raw-peer.js';

export const AGENT = {
  host: '172.31.0.1',
  host6: 'fd00:31::1',
  asn: 64512,
  block: '10.244.0.0/24',
  /** What a `wide` peer sees instead of `asn`. */
  wideAsn: 4_200_000_000,
} as const;
/** The key of every `keyed` peer (RFC 2385). */
export const KEY = 'open-sesame';
/** A node of the cluster; the test plays it. Its address is the higher one, so it is the one that dials. */
export const NODE_B = { address: '172.31.3.9', asn: 64512 } as const;

/** Everything in and everything out, so that what one peer says is seen at another. */
const TRANSIT = ', filters: [everything]';

/**
 * Who the peers are: where their addresses and their prefixes begin, how many there are, and what the BGPPeer says of them
 * beside address and AS.
 */
const KINDS = {
  /** Routers outside. */
  ebgp: { addresses: '172.31.1.', prefixes: '10.244.', first: 1, asn: 65001, count: 220, spec: '' },
  /** Routers of our own AS, which are no nodes. */
  ibgp: { addresses: '172.31.2.', prefixes: '10.245.', first: 1, asn: 64512, count: 60, spec: '' },
  /** Routers outside that are told everything, and whose routes are told to the like. */
  transit: { addresses: '172.31.2.', prefixes: '10.245.', first: 100, asn: 65001, count: 30, spec: TRANSIT },
  /** The same, to whom the agent is in an AS that needs four octets. */
  wide: {
    addresses: '172.31.2.',
    prefixes: '10.245.',
    first: 130,
    asn: 65001,
    count: 10,
    spec: `${TRANSIT}, localASNumber: ${AGENT.wideAsn}`,
  },
  limited: {
    addresses: '172.31.2.',
    prefixes: '10.245.',
    first: 140,
    asn: 65001,
    count: 10,
    spec: ', maxPrefixes: {limit: 2}',
  },
  /** RFC 9234: named after what the peer is. */
  customer: {
    addresses: '172.31.2.',
    prefixes: '10.245.',
    first: 150,
    asn: 65001,
    count: 25,
    spec: `${TRANSIT}, role: Provider`,
  },
  provider: {
    addresses: '172.31.2.',
    prefixes: '10.245.',
    first: 175,
    asn: 65001,
    count: 10,
    spec: `${TRANSIT}, role: Customer`,
  },
  lateral: {
    addresses: '172.31.2.',
    prefixes: '10.245.',
    first: 185,
    asn: 65001,
    count: 10,
    spec: `${TRANSIT}, role: Peer`,
  },
  /** RFC 2385. */
  keyed: {
    addresses: '172.31.3.',
    prefixes: '10.245.2',
    first: 10,
    asn: 65001,
    count: 10,
    spec: ', password: {file: KEY_FILE}',
  },
  /** RFC 5082: one hop away at most. */
  near: {
    addresses: '172.31.3.',
    prefixes: '10.245.2',
    first: 20,
    asn: 65001,
    count: 5,
    spec: ', ttlSecurity: 1',
  },
  /** Over IPv6. */
  ipv6: { addresses: 'fd00:31::', prefixes: '10.245.2', first: 30, asn: 65001, count: 5, spec: TRANSIT },
} as const;

export type PeerKind = keyof typeof KINDS;
const PEER_KINDS = Object.keys(KINDS) as PeerKind[];

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
  readonly #taken = new Map<PeerKind, number>();
  readonly #opened = new Set<RawPeer>();

  private constructor(folder: string, namespaces: readonly [Namespace, Namespace]) {
    this.#folder = folder;
    this.#namespaces = namespaces;
    this.agent = new AgentProcess(namespaces[0], folder, 'node-a', ['--dataplane', 'off']);
    writeFileSync(this.#keyFile, `${KEY}\n`, { mode: 0o600 });
    this.#leave = enterNamespace(namespaces[1]);
  }

  static async start(): Promise<ConformanceLab> {
    const folder = mkdtempSync(join(tmpdir(), 'podroute-conformance-'));
    const places6 = Array.from({ length: KINDS.ipv6.count }, (_, index) => placeOf('ipv6', index + 1));
    const namespaces = Namespace.linked(
      'conform',
      [`${AGENT.host}/22`, `${AGENT.host6}/64`],
      ['172.31.0.2/22', ...places6.map(({ address }) => `${address}/64`)],
    );
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
    const number = (this.#taken.get(kind) ?? 0) + 1;
    this.#taken.set(kind, number);
    return placeOf(kind, number);
  }

  /** Connects as the peer at `place`; `closeAll` ends it. */
  async connect(place: Pick<Place, 'address'>): Promise<RawPeer> {
    const host = place.address.includes(':') ? AGENT.host6 : AGENT.host;
    return this.keep(await RawPeer.connect(place.address, { host }));
  }

  /** A peer that was made otherwise; `closeAll` ends it too. */
  keep(peer: RawPeer): RawPeer {
    this.#opened.add(peer);
    return peer;
  }

  /** Sets something of the kernel on the peers' machine, such as `net.ipv4.ip_default_ttl=255`. */
  setOnPeers(setting: string): void {
    this.#namespaces[1]?.run('sysctl', '-q', '-w', setting);
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

  get #keyFile(): string {
    return join(this.#folder, 'key');
  }

  /** The cluster, with every place as a peer, except those in `without`; `asns` gives some another AS number. */
  resources(without: readonly Place[] = [], asns: ReadonlyMap<string, number> = new Map()): string {
    const left = new Set(without.map(({ name }) => name));
    const places = PEER_KINDS.flatMap((kind) =>
      Array.from({ length: KINDS[kind].count }, (_, index) => placeOf(kind, index + 1)),
    );
    const peers = places
      .filter(({ name }) => !left.has(name))
      .map(
        ({ name, kind, address, asn }) =>
          `kind: BGPPeer\nmetadata: {name: ${name}}\nspec: {node: node-a, peerIP: '${address}', asNumber: ${asns.get(name) ?? asn}${KINDS[kind].spec.replace('KEY_FILE', this.#keyFile)}}\n`,
      );
    const all = '[{action: Accept}]';
    return [
      'kind: IPPool\nmetadata: {name: pods}\nspec: {cidr: 10.244.0.0/15, blockSize: 24}\n',
      "kind: IPPool\nmetadata: {name: pods6}\nspec: {cidr: 'fd00:244::/64', blockSize: 122}\n",
      `kind: Node\nmetadata: {name: node-a}\nspec:\n  bgp: {ipv4Address: ${AGENT.host}/22, ipv6Address: '${AGENT.host6}/64', asNumber: ${AGENT.asn}}\n  podCIDRs: [${AGENT.block}]\n`,
      `kind: Node\nmetadata: {name: node-b}\nspec:\n  bgp: {ipv4Address: ${NODE_B.address}/22, asNumber: ${NODE_B.asn}}\n  podCIDRs: [10.245.200.0/24]\n`,
      `kind: BGPFilter\nmetadata: {name: everything}\nspec: {importV4: ${all}, exportV4: ${all}, importV6: ${all}, exportV6: ${all}}\n`,
      ...peers,
    ]
      .map((text) => `apiVersion: projectcalico.org/v3\n${text}`)
      .join('---\n');
  }
}

function placeOf(kind: PeerKind, number: number): Place {
  const { addresses, prefixes, first, asn, count } = KINDS[kind];
  if (number > count) throw new Error(`the lab has ${count} ${kind} peers only`);
  const host = first + number - 1;
  return {
    name: `${kind}-${number}`,
    kind,
    address: `${addresses}${host}`,
    asn,
    prefix: `${prefixes}${host}`,
  };
}

/** NEXT_HOP with this address, as hex. */
export function nextHop(address: string): string {
  return `40 03 04 ${quad(address)}`;
}
