/**
 * Listens with tcpdump where it matters (on the router between the subnets, inside each L2 network) and compares what
 * passes with the legs that the paths of the pings say.
 */
import type { ChildProcess } from 'node:child_process';
import { type FollowedFile, followFile } from '../support/follow-file.js';
import { type Echo, PROTOCOL_ICMP, PROTOCOL_IPIP, readEcho, readIpv4 } from './icmp.js';
import { mustRun } from './namespaces.js';
import type { Distance } from './pairs.js';
import type { Leg } from './paths.js';
import { PcapReader } from './pcap.js';
import { macOf, SWITCH_BRIDGE } from './rig.js';
import { startTcpdump, stopTcpdump, type Tap } from './tcpdump.js';
import { machinesOf, mainAddress, membersOf, type Topology } from './topology.js';

/** Headers and the beginning of a ping. */
const SNAP_BYTES = 256;

/** A place to listen at. */
export interface CapturePoint extends Tap {
  /** The legs that pass here. */
  readonly covers: (leg: Leg) => boolean;
  /** How far apart the ends of a ping are whose packets are worth showing. */
  readonly telling: Distance;
  /** A ping that passes here, to know that everything before it has been written down. */
  readonly marker: { readonly from: string; readonly to: string; readonly address: string };
}

/** An echo seen on the wire: plain, or with the outer header `SOURCE>DESTINATION` of an IPIP packet. */
export interface Sighting {
  readonly echo: Echo;
  readonly outer: string | undefined;
  /** Number of the packet in the file, from 0. */
  readonly index: number;
}

/** Every plain router, and every network with two nodes or more. */
export function capturePointsOf(topology: Topology): readonly CapturePoint[] {
  const nodes = membersOf(topology);
  const routers = machinesOf(topology, 'router').flatMap((router): CapturePoint[] => {
    const [wire] = router.interfaces;
    const sender = nodes.find((node) => node.interfaces.some(({ network }) => network === wire?.network));
    if (wire === undefined || sender === undefined) return [];
    return [
      {
        title: `on ${router.name}`,
        namespace: router.name,
        device: wire.device,
        // A bridge that has forgotten an address floods: only what is the router's own counts.
        filter: `(icmp or ip proto 4) and ether host ${macOf(wire)}`,
        covers: ({ network, from, to }) =>
          network === wire.network && (from === router.name || to === router.name),
        telling: 'across',
        marker: { from: sender.name, to: router.name, address: wire.address },
      },
    ];
  });
  const networks = [...topology.networks.values()].flatMap((network): CapturePoint[] => {
    const [first, second] = nodes.filter((node) =>
      node.interfaces.some((wire) => wire.network === network.name),
    );
    if (network.bridge !== undefined || first === undefined || second === undefined) return [];
    return [
      {
        title: `inside ${network.name}`,
        namespace: network.name,
        device: SWITCH_BRIDGE,
        filter: 'icmp or ip proto 4',
        covers: (leg) => leg.network === network.name,
        telling: 'same network',
        marker: { from: first.name, to: second.name, address: mainAddress(second) },
      },
    ];
  });
  return [...routers, ...networks];
}

/** A tcpdump that runs. */
export class Capture {
  readonly point: CapturePoint;
  readonly file: string;
  readonly sightings: Sighting[] = [];
  readonly #child: ChildProcess;
  readonly #reader = new PcapReader();
  readonly #followed: FollowedFile;
  readonly #onOther: (packet: Buffer) => void;
  #packets = 0;
  #onSighting: ((sighting: Sighting) => void) | undefined;

  private constructor(
    point: CapturePoint,
    file: string,
    child: ChildProcess,
    onOther: (packet: Buffer) => void,
  ) {
    this.point = point;
    this.file = file;
    this.#child = child;
    this.#onOther = onOther;
    this.#followed = followFile(file, (chunk) => this.#read(chunk));
  }

  /**
   * Starts listening; resolves once tcpdump hears.
   *
   * @param file made anew
   * @param onOther gets the IPv4 packets that are no pings
   */
  static async start(
    lab: string,
    point: CapturePoint,
    file: string,
    onOther: (packet: Buffer) => void = () => {},
  ): Promise<Capture> {
    // The buffer holds packets of the length that is kept: with the default of 256 KiB each, a burst of ten is too many.
    const child = await startTcpdump(lab, point, file, SNAP_BYTES);
    return new Capture(point, file, child, onOther);
  }

  /** Resolves once a ping with this identifier has been written down; rejects after `timeoutMs`. */
  seen(id: number, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`the capture ${this.point.title} did not see its marker`));
      const timer = setTimeout(late, timeoutMs);
      const check = ({ echo }: Sighting) => {
        if (echo.id !== id) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onSighting = check;
      for (const sighting of this.sightings) check(sighting);
    });
  }

  async stop(): Promise<void> {
    await stopTcpdump(this.#child);
    this.#followed.close();
  }

  /** Every packet as tcpdump prints it, in the order of the file. */
  async lines(): Promise<readonly string[]> {
    return (await mustRun(['tcpdump', '-n', '-t', '-r', this.file])).split('\n');
  }

  #read(chunk: Buffer): void {
    for (const packet of this.#reader.push(chunk)) {
      const seen = packet && readSighting(packet);
      if (seen !== undefined) {
        const sighting = { ...seen, index: this.#packets };
        this.sightings.push(sighting);
        this.#onSighting?.(sighting);
      } else if (packet !== undefined) {
        this.#onOther(packet);
      }
      this.#packets += 1;
    }
  }
}

function readSighting(packet: Buffer): Omit<Sighting, 'index'> | undefined {
  const outer = readIpv4(packet);
  if (outer?.protocol === PROTOCOL_ICMP) {
    const echo = readEcho(outer.payload);
    return echo && { echo, outer: undefined };
  }
  const inner = outer?.protocol === PROTOCOL_IPIP ? readIpv4(outer.payload) : undefined;
  const echo = inner?.protocol === PROTOCOL_ICMP ? readEcho(inner.payload) : undefined;
  return outer && echo && { echo, outer: `${outer.source}>${outer.destination}` };
}
