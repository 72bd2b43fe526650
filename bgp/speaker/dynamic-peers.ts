/**
 * Dynamic neighbours: whoever connects from a range of addresses becomes a peer, within bounds.
 *
 * Owns: the ranges, the names of such peers, how many there may be, and when one is forgotten. Must not know: the FSM, tables, how a
 * peer is made.
 */
import type { Logger } from 'pino';
import {
  formatIpAddress,
  type IpAddress,
  type Prefix,
  prefixContainsAddress,
  prefixLength,
} from '../net/index.js';
import type { CancelTimer, Clock } from './clock.js';
import { peekOpen } from './peek.js';
import type { ByteStream } from './transport.js';
import type { PeerConfig, PeerStatus } from './types.js';

/** Addresses that may become peers, and as what. */
export interface DynamicPeerRange {
  /** Part of the peers' ids: `dynamic/NAME/ADDRESS`. */
  readonly name: string;
  readonly prefix: Prefix;
  /** The AS that a peer must say, or any but our own (`external`). */
  readonly asn: number | 'external';
  /** Peers of this range at one time. */
  readonly limit: number;
  /** Everything else. Such a peer is never dialled. */
  readonly template: Omit<PeerConfig, 'id' | 'address' | 'zone' | 'asn' | 'dial'>;
}

/** What a range needs of the speaker. */
export interface DynamicPeersHost {
  /** A connection of somebody who becomes a peer by it. The stream must be attached to before this returns. */
  onNewPeer(config: PeerConfig, stream: ByteStream): void;
  /** It said no OPEN, our own AS where that is not wanted, or there are too many: not taken. */
  onRefused(stream: ByteStream): void;
}

/** How long somebody in an `external` range may take to say which AS it is. */
const OPEN_WAIT_MS = 5_000;
/** Connections that are waited for at one time. */
const MAX_WAITING = 64;
/** A dynamic peer without a session is forgotten after this time. */
export const DYNAMIC_PEER_IDLE_MS = 60_000;
/** The line that a range is full comes once in this time. */
const LOG_INTERVAL_MS = 60_000;

/** A dynamic peer and the range it is of. */
interface Member {
  readonly range: string;
  readonly address: IpAddress;
  readonly zone: string | undefined;
  readonly asn: number;
}

export class DynamicPeers {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #host: DynamicPeersHost;
  readonly #members = new Map<string, Member>();
  readonly #waiting = new Set<CancelTimer>();
  readonly #fullLoggedAtMs = new Map<string, number>();
  #ranges: readonly DynamicPeerRange[] = [];

  constructor(clock: Clock, log: Logger, host: DynamicPeersHost) {
    this.#clock = clock;
    this.#log = log;
    this.#host = host;
  }

  get ranges(): readonly DynamicPeerRange[] {
    return this.#ranges;
  }

  /** Of this id. */
  has(id: string): boolean {
    return this.#members.has(id);
  }

  get size(): number {
    return this.#members.size;
  }

  /**
   * Makes these the ranges. The longest prefix decides whose an address is.
   * @returns for each dynamic peer its settings now, by id; undefined where it is in no range any more
   */
  setRanges(ranges: readonly DynamicPeerRange[]): ReadonlyMap<string, PeerConfig | undefined> {
    this.#ranges = [...ranges].sort((a, b) => prefixLength(b.prefix) - prefixLength(a.prefix));
    const now = new Map<string, PeerConfig | undefined>();
    for (const [id, { address, zone, asn }] of this.#members) {
      const range = this.rangeOf(address);
      const config = range && peerOf(range, address, zone, asn);
      const fits =
        range !== undefined &&
        (range.asn === 'external' ? asn !== range.template.localAs : range.asn === asn);
      now.set(id, fits && config?.id === id ? config : undefined);
    }
    return now;
  }

  rangeOf(address: IpAddress): DynamicPeerRange | undefined {
    return this.#ranges.find(({ prefix }) => prefixContainsAddress(prefix, address));
  }

  /** A connection of somebody who is no peer yet, from an address of the range. */
  meet(range: DynamicPeerRange, stream: ByteStream): void {
    if (this.#isFull(range)) {
      this.#reportFull(range, stream.remote);
      this.#host.onRefused(stream);
      return;
    }
    if (range.asn !== 'external') {
      this.#adopt(range, stream, range.asn);
      return;
    }
    if (this.#waiting.size >= MAX_WAITING) {
      this.#host.onRefused(stream);
      return;
    }
    const abandon = peekOpen(stream, this.#clock, OPEN_WAIT_MS, {
      onNothing: () => this.#waiting.delete(abandon),
      onFirstMessage: (open, replay) => {
        this.#waiting.delete(abandon);
        // Others of the range may have come meanwhile, and so may this one, on another connection.
        const isTaken = this.#members.has(idOf(range, stream.remote, stream.zone));
        if (open === undefined || open.asn === range.template.localAs || isTaken || this.#isFull(range)) {
          this.#host.onRefused(replay);
        } else {
          this.#adopt(range, replay, open.asn);
        }
      },
    });
    this.#waiting.add(abandon);
  }

  /** The peer is no more. */
  forget(id: string): void {
    this.#members.delete(id);
  }

  /** Those of our peers that have had no session for so long that they are forgotten. */
  idle(statuses: readonly PeerStatus[]): readonly string[] {
    const nowMs = this.#clock.now();
    return statuses
      .filter(
        ({ config, state, sinceMs, staleUntilMs }) =>
          this.#members.has(config.id) &&
          state !== 'Established' &&
          staleUntilMs === undefined &&
          nowMs - sinceMs >= DYNAMIC_PEER_IDLE_MS,
      )
      .map(({ config }) => config.id);
  }

  /** Closes what is waited for. */
  close(): void {
    for (const abandon of this.#waiting) abandon();
    this.#waiting.clear();
    this.#members.clear();
  }

  #adopt(range: DynamicPeerRange, stream: ByteStream, asn: number): void {
    const config = peerOf(range, stream.remote, stream.zone, asn);
    this.#members.set(config.id, { range: range.name, address: stream.remote, zone: stream.zone, asn });
    this.#host.onNewPeer(config, stream);
  }

  #isFull(range: DynamicPeerRange): boolean {
    let count = 0;
    for (const member of this.#members.values()) if (member.range === range.name) count += 1;
    return count >= range.limit;
  }

  #reportFull({ name, limit }: DynamicPeerRange, address: IpAddress): void {
    const nowMs = this.#clock.now();
    if (nowMs - (this.#fullLoggedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < LOG_INTERVAL_MS) return;
    this.#fullLoggedAtMs.set(name, nowMs);
    const fields = { range: name, limit, address: formatIpAddress(address), fault: 'remote' };
    this.#log.warn(fields, 'the range of dynamic peers is full; refused');
  }
}

function peerOf(
  range: DynamicPeerRange,
  address: IpAddress,
  zone: string | undefined,
  asn: number,
): PeerConfig {
  const id = idOf(range, address, zone);
  return { ...range.template, id, address, asn, dial: 'never', ...(zone === undefined ? {} : { zone }) };
}

function idOf({ name }: DynamicPeerRange, address: IpAddress, zone: string | undefined): string {
  return `dynamic/${name}/${formatIpAddress(address)}${zone === undefined ? '' : `%${zone}`}`;
}
