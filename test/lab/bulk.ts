/**
 * Ten megabytes by TCP over every kind of way between pods: they must arrive whole, at speed, in packets that nobody may
 * cut to pieces, in IPIP where the path says so; and where a network on the way carries less than the nodes' own, the
 * tunnel must have learned it.
 *
 * Owns: which transfers there are and what is checked of each.
 */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Capture, type CapturePoint, capturePointsOf } from './captures.js';
import type { Checks } from './checks.js';
import { inNamespace } from './libc.js';
import { mustRun, namespaceName, namespacePath } from './namespaces.js';
import type { Pair } from './pairs.js';
import { sendProbes } from './prober.js';
import { labFolder } from './state.js';
import { dressesOf, StreamBook } from './streams.js';
import { isMember, type Machine, mainAddress, membersOf, type Topology } from './topology.js';
import { transfer } from './transfer.js';
import type { PingFinding } from './verify.js';

const BYTES = 10_000_000;
/** A tunnel that loses every packet that is too large needs minutes for it, one that works a second. */
const PATIENCE_MS = 20_000;
const MARKER_PATIENCE_MS = 5000;

/** One transfer and how it went. */
export interface TransferFinding {
  readonly pair: Pair;
  readonly seconds: number;
  readonly faults: readonly string[];
}

interface Outcome {
  readonly pair: Pair;
  readonly seconds: number;
  readonly fault: string | undefined;
  readonly mtuFault: string | undefined;
}

/** The first pair of pods for each combination of sender, receiver and way, as far as a way exists. */
export function transfersOf(topology: Topology, pairs: readonly Pair[]): readonly Pair[] {
  const chosen = new Map<string, Pair>();
  for (const pair of pairs) {
    const { kind, distance, request, reply } = pair;
    if (kind !== 'pod-pod' || distance === 'same node') continue;
    if (request.lostAt !== undefined || reply.lostAt !== undefined) continue;
    const ends = [pair.from, pair.to].map((pod) => describeEnd(topology, pod));
    const key = [...ends, ...[request, reply].map(({ legs }) => dressesOf(legs).length > 1)].join();
    if (!chosen.has(key)) chosen.set(key, pair);
  }
  return [...chosen.values()];
}

/** By what the ends of two transfers differ: who forwards for the pod, and what its own device carries. */
function describeEnd(topology: Topology, name: string): string {
  const pod = topology.machines.get(name);
  const mtu = topology.networks.get(pod?.interfaces[0]?.network ?? '')?.mtuBytes ?? 'usual';
  return `${hostOf(topology, name)?.kind} ${mtu}`;
}

function hostOf(topology: Topology, name: string): Machine | undefined {
  const pod = topology.machines.get(name);
  return pod?.kind === 'pod' ? topology.machines.get(pod.node) : undefined;
}

/**
 * Does every transfer while tcpdump listens on the nodes' networks, and judges it. Where the ping between two pods
 * failed there is nothing to wait for.
 */
export async function verifyTransfers(
  lab: string,
  topology: Topology,
  pings: readonly PingFinding[],
  checks: Checks,
): Promise<readonly TransferFinding[]> {
  const points = capturePointsOf(topology).filter(({ namespace }) => topology.networks.has(namespace));
  const listeners: Listener[] = [];
  try {
    listeners.push(...(await Promise.all(points.map((point) => Listener.start(lab, point)))));
    const results: Outcome[] = [];
    const pairs = pings.map(({ pair }) => pair);
    const unreached = new Set(pings.filter(({ fault }) => fault !== undefined).map(({ pair }) => pair));
    for (const pair of transfersOf(topology, pairs)) {
      if (unreached.has(pair)) {
        results.push({ pair, seconds: 0, fault: 'not tried: the ping failed', mtuFault: undefined });
        continue;
      }
      forgetPathMtus(lab, topology, pair);
      const order = { from: pair.from, to: pair.to, address: pair.request.destination, bytes: BYTES };
      const { seconds, fault } = await transfer(lab, order, PATIENCE_MS);
      results.push({ pair, seconds, fault, mtuFault: await pathMtuFault(lab, topology, pair) });
    }
    const markerId = randomInt(1, 0xffff);
    const markers = points.map(({ marker }) => marker);
    await sendProbes(lab, markers, markerId, MARKER_PATIENCE_MS);
    await Promise.all(listeners.map(({ capture }) => capture.seen(markerId, MARKER_PATIENCE_MS)));
    return results.map(({ pair, seconds, fault, mtuFault }) => {
      const list: [string, string | undefined][] = [
        ['arrives', fault],
        ...listeners.map((each): [string, string | undefined] => [each.title, each.faultOf(pair)]),
        ['path MTU', mtuFault],
      ];
      const name = `10 MB by TCP from ${pair.from} to ${pair.to}`;
      for (const [what, detail] of list) checks.add(`${name}, ${what}`, detail);
      return { pair, seconds, faults: list.flatMap(([, detail]) => detail ?? []) };
    });
  } finally {
    await Promise.all(listeners.map(({ capture }) => capture.stop()));
  }
}

/** Lets both pods and their nodes find out for themselves what earlier transfers had found out. */
function forgetPathMtus(lab: string, topology: Topology, { from, to }: Pair): void {
  const hosts = [from, to].flatMap((pod) => hostOf(topology, pod)?.name ?? []);
  for (const machine of [from, to, ...hosts]) {
    inNamespace(namespacePath(namespaceName(lab, machine)), () =>
      writeFileSync('/proc/sys/net/ipv4/route/flush', '1'),
    );
  }
}

/** What the sender's node must have learned of the way to the far end of its tunnel, and has not. */
async function pathMtuFault(
  lab: string,
  topology: Topology,
  { from, request }: Pair,
): Promise<string | undefined> {
  const outer = request.legs.find((leg) => leg.outer !== undefined)?.outer;
  const host = hostOf(topology, from);
  const carried = request.legs.flatMap(({ network }) => topology.networks.get(network)?.mtuBytes ?? []);
  if (outer === undefined || host === undefined || !isMember(host) || carried.length === 0) return undefined;
  const narrowest = Math.min(...carried);
  // The last machine on the way may have sent it on through the tunnel of another.
  const sender = membersOf(topology).find((member) => mainAddress(member) === outer.source) ?? host;
  const command = ['ip', '-netns', namespaceName(lab, sender.name), 'route', 'get', outer.destination];
  const learned = Number(/\bmtu (\d+)/.exec(await mustRun(command))?.[1] ?? Number.POSITIVE_INFINITY);
  return learned <= narrowest ? undefined : `${sender.name} has not learned the MTU ${narrowest} on the way`;
}

/** Hears the TCP of pods at one point. */
class Listener {
  readonly capture: Capture;
  readonly #streams: StreamBook;

  private constructor(capture: Capture, streams: StreamBook) {
    this.capture = capture;
    this.#streams = streams;
  }

  static async start(lab: string, point: CapturePoint): Promise<Listener> {
    const streams = new StreamBook();
    const tap = { ...point, filter: `${point.filter} or (tcp and not port 179)` };
    const file = join(labFolder(lab), `${point.namespace}-bulk.pcap`);
    const capture = await Capture.start(lab, tap, file, (packet) => streams.note(packet));
    return new Listener(capture, streams);
  }

  get title(): string {
    return this.capture.point.title;
  }

  faultOf(pair: Pair): string | undefined {
    return this.#streams.faultOf(pair, this.capture.point.covers);
  }
}
