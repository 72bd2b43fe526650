/**
 * Every BGP message that passes one machine, as tcpdump hears it: what was really said, and in which order.
 *
 * Owns: cutting the captured TCP streams into messages. Must not know: what a message should say.
 */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Prefix } from '../../bgp/net/index.js';
import {
  type CodecContext,
  decodeMessage,
  endOfRib,
  Framer,
  type Message,
  type OpenMessage,
} from '../../bgp/wire/index.js';
import { readIpv4 } from '../lab/icmp.js';
import { PcapReader } from '../lab/pcap.js';
import { labFolder } from '../lab/state.js';
import { startTcpdump, stopTcpdump } from '../lab/tcpdump.js';
import { type FollowedFile, followFile } from '../support/follow-file.js';

const PROTOCOL_TCP = 6;
const SYN = 0x02;
const MAX_PACKET_BYTES = 65_536;
const MAX_MESSAGE_BYTES = 65_535;

/** A message that was heard; the order of the list is that of the wire. */
export interface Heard {
  /** Addresses. */
  readonly from: string;
  readonly to: string;
  readonly message: Message;
}

export type HeardOpen = Heard & { readonly message: OpenMessage };

/** What an OPEN says of a restart. */
export interface RestartFlags {
  readonly restarting: boolean;
  readonly forwarding: boolean;
}

/** One direction of a connection. */
interface Stream {
  readonly framer: Framer;
  /** The number of the octet that comes next (RFC 9293 section 3.4). */
  next: number;
}

export class WireWatch {
  readonly heard: Heard[] = [];
  /** Addresses of another AS. */
  readonly #externals: readonly string[];
  readonly #child: ChildProcess;
  readonly #followed: FollowedFile;
  readonly #reader = new PcapReader();
  readonly #streams = new Map<string, Stream>();

  private constructor(child: ChildProcess, file: string, externals: readonly string[]) {
    this.#externals = externals;
    this.#child = child;
    this.#followed = followFile(file, (chunk) => {
      for (const packet of this.#reader.push(chunk)) if (packet !== undefined) this.#take(packet);
    });
  }

  static async start(lab: string, machine: string, externals: readonly string[]): Promise<WireWatch> {
    const file = join(labFolder(lab), `bgp-of-${machine}.pcap`);
    const tap = { title: `of BGP on ${machine}`, namespace: machine, device: 'eth0', filter: 'tcp port 179' };
    return new WireWatch(await startTcpdump(lab, tap, file, MAX_PACKET_BYTES), file, externals);
  }

  async stop(): Promise<void> {
    await stopTcpdump(this.#child);
    this.#followed.close();
  }

  /** The OPENs that `from` sent, from the index `since` of the list on. */
  opens(from: string, since = 0): readonly HeardOpen[] {
    return this.heard
      .slice(since)
      .filter((entry): entry is HeardOpen => entry.message.type === 'OPEN')
      .filter((entry) => entry.from === from);
  }

  #take(packet: Buffer): void {
    const ip = readIpv4(packet);
    if (ip?.protocol !== PROTOCOL_TCP) return;
    // Short packets are padded to the least length of an Ethernet frame.
    const segment = ip.payload.subarray(0, packet.readUInt16BE(2) - (packet.length - ip.payload.length));
    const [sourcePort, destinationPort] = [segment.readUInt16BE(0), segment.readUInt16BE(2)];
    const key = `${ip.source}:${sourcePort}>${ip.destination}:${destinationPort}`;
    const sequence = segment.readUInt32BE(4);
    const data = segment.subarray((segment.readUInt8(12) >> 4) * 4);
    if ((segment.readUInt8(13) & SYN) !== 0) {
      this.#streams.set(key, {
        framer: new Framer({ maxMessageLength: MAX_MESSAGE_BYTES }),
        next: (sequence + 1) >>> 0,
      });
      return;
    }
    const stream = this.#streams.get(key);
    if (stream === undefined || data.length === 0) return;
    const isExternal = [ip.source, ip.destination].some((address) => this.#externals.includes(address));
    const context: CodecContext = { ...CONTEXT, peerType: isExternal ? 'ebgp' : 'ibgp' };
    // Sent again, wholly or with more behind it.
    const known = (stream.next - sequence) >>> 0;
    if (known >= data.length && known < 2 ** 31) return;
    if (known >= 2 ** 31) throw new Error(`the capture lost octets of ${key}`);
    stream.next = (sequence + data.length) >>> 0;
    for (const frame of stream.framer.push(Uint8Array.from(data.subarray(known)))) {
      const message = frame instanceof Uint8Array ? decodeMessage(frame, context) : frame;
      if (message.type === 'FAULT') throw new Error(`${key}: ${message.reason}`);
      this.heard.push({ from: ip.source, to: ip.destination, message });
    }
  }
}

/** What all speakers of the lab agree on. */
const CONTEXT = { as4: true, maxMessageLength: MAX_MESSAGE_BYTES } as const;

/** The prefix of IPv4 unicast is announced by this message. */
export function announces({ message }: Heard, prefix: Prefix): boolean {
  return (
    message.type === 'UPDATE' && message.reach.some(({ prefixes }) => prefixes.some((one) => one === prefix))
  );
}

/** RFC 4724 section 2: the end of the table of IPv4 unicast. */
export function endsTable({ message }: Heard): boolean {
  return message.type === 'UPDATE' && endOfRib(message) === 'ipv4';
}

/** RFC 4724 section 3: the R bit, and whether all families have the F bit. */
export function restartFlags({ message }: HeardOpen): RestartFlags | undefined {
  const capability = message.capabilities.find(({ kind }) => kind === 'gracefulRestart');
  if (capability?.kind !== 'gracefulRestart') return undefined;
  const { restarting, families } = capability;
  return { restarting, forwarding: families.length > 0 && families.every((family) => family.forwarding) };
}
