/**
 * Speakers on one memory network and one clock: a whole mesh in virtual time.
 */
import { pino } from 'pino';
import { formatIpAddress, type IpAddress, type Ipv4, type Prefix } from '../../bgp/net/index.js';
import { poolPolicy } from '../../bgp/policy/index.js';
import type { BestPathChange, RoutePolicy } from '../../bgp/rib/index.js';
import { type PeerConfig, Speaker } from '../../bgp/speaker/index.js';
import { address4, address as parsed, prefix } from './addresses.js';
import { FakeClock } from './fake-clock.js';
import { MemoryNetwork } from './memory-transport.js';

export const POOL = prefix('10.244.0.0/16');

export interface MemberOptions {
  /** IPv4: also the BGP identifier. */
  readonly address: string;
  /** Where it is on the network, if not there. */
  readonly at?: string;
  readonly asn?: number;
  readonly blocks?: readonly string[];
  readonly restarted?: boolean;
  readonly policy?: RoutePolicy;
}

/** One line of a member's log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** One speaker of the mesh, and what it told its owner. */
export interface Member {
  readonly address: Ipv4;
  readonly speaker: Speaker;
  readonly changes: BestPathChange[];
  readonly log: LogLine[];
  /** How often it was told that `peers()` shows something else. */
  peersChanged: number;
}

export class MemoryMesh {
  readonly clock = new FakeClock(1_800_000_000_000);
  readonly network = new MemoryNetwork(this.clock);

  /** A started speaker that announces its blocks and has no peers yet. */
  async member(options: MemberOptions): Promise<Member> {
    const address = address4(options.address);
    const blocks = (options.blocks ?? []).map(prefix);
    const changes: BestPathChange[] = [];
    const log: LogLine[] = [];
    const told = { peersChanged: 0 };
    const speaker = new Speaker({
      localAs: options.asn ?? 64512,
      bgpIdentifier: address,
      listen: { port: 179 },
      policy: options.policy ?? meshPolicy(blocks),
      transport: this.network.transportOf(parsed(options.at ?? options.address)),
      clock: this.clock,
      random: () => 0.5,
      log: pino({ level: 'debug' }, { write: (line: string) => log.push(JSON.parse(line) as LogLine) }),
      restarted: options.restarted ?? false,
      onBestPaths: (batch) => changes.push(...batch),
      onPeersChanged: () => {
        told.peersChanged += 1;
      },
    });
    await speaker.start();
    speaker.setLocalRoutes(blocks.map((block) => ({ prefix: block })));
    return Object.assign(told, { address, speaker, changes, log });
  }

  addressOf(text: string): Ipv4 {
    return address4(text);
  }

  /** Makes each a peer of each other, as the mesh does: the higher address dials. */
  connect(...members: readonly Member[]): void {
    for (const member of members) {
      member.speaker.setPeers(
        members.filter((other) => other !== member).map((other) => peerConfig(member, other)),
      );
    }
  }
}

export function meshPolicy(ownBlocks: readonly Prefix[]): RoutePolicy {
  return poolPolicy({ pools: [POOL], exportablePools: [POOL], ownBlocks, advertisements: [] });
}

export function peerConfig(
  member: Member,
  other: { readonly address: IpAddress },
  overrides: Partial<PeerConfig> = {},
): PeerConfig {
  return {
    id: formatIpAddress(other.address),
    address: other.address,
    port: 179,
    asn: 64512,
    localAs: 64512,
    place: 'cluster',
    dial: member.address > other.address ? 'now' : { afterSeconds: 30 },
    holdTimeSeconds: 90,
    connectRetrySeconds: 5,
    restartTimeSeconds: 120,
    families: ['ipv4', 'ipv6'],
    ...overrides,
  };
}
