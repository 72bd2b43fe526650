/**
 * Looks at a lab that runs and judges it: routes in the kernels, what the agents say, every ping, every wire.
 *
 * Owns: which checks there are. Changes nothing in the lab, so it can be run again at any time.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type ApiPeer, type ApiRoute, getPeers, getRoutes } from './api.js';
import { Capture, type CapturePoint, capturePointsOf } from './captures.js';
import type { Checks } from './checks.js';
import { expectedTables } from './convergence.js';
import { judgeWires, pingFault, type WireFinding } from './judge.js';
import { inNamespace } from './libc.js';
import { namespaceName, namespacePath } from './namespaces.js';
import { PAIR_KINDS, type Pair, pairsOf } from './pairs.js';
import { type Observation, sendProbes } from './prober.js';
import { type ExpectedRoute, type KernelRoute, missing, readRoutes } from './routes.js';
import { labFolder } from './state.js';
import { machinesOf, mainAddress, membersOf, type Topology } from './topology.js';

/** A ping with its fate. */
export interface PingFinding {
  readonly pair: Pair;
  readonly observation: Observation;
  /** Undefined: as expected. */
  readonly fault: string | undefined;
}

/** What a capture showed of the pings. */
export interface CaptureFinding {
  readonly title: string;
  readonly wires: readonly WireFinding[];
  /** Lines of tcpdump with the packets of one ping of each interesting kind. */
  readonly samples: readonly CaptureSample[];
}

export interface CaptureSample {
  readonly title: string;
  readonly lines: readonly string[];
}

const API_PATIENCE_MS = 15_000;
const PING_PATIENCE_MS = 3000;
const CAPTURE_PATIENCE_MS = 5000;

/** Reads every table that the agents or BIRD fill, and checks it. */
export async function verifyRoutes(
  lab: string,
  topology: Topology,
  checks: Checks,
): Promise<ReadonlyMap<string, readonly KernelRoute[]>> {
  const tables = [...expectedTables(topology)];
  const read = await Promise.all(
    tables.map(async ([machine]) => [machine, await readRoutes(lab, machine)] as const),
  );
  const found = new Map(read);
  for (const [machine, expected] of tables) {
    for (const route of expected) {
      const fault = missing(found.get(machine) ?? [], route);
      checks.add(`kernel route of ${machine} to ${route.prefix}`, fault);
    }
  }
  return found;
}

/** The agent turned forwarding on: the lab had turned it off. */
export function verifyForwarding(lab: string, topology: Topology, checks: Checks): void {
  for (const { name } of machinesOf(topology, 'node')) {
    const value = inNamespace(namespacePath(namespaceName(lab, name)), () =>
      readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(),
    );
    checks.add(`ip_forward of ${name}`, value === '1' ? undefined : `is ${value}, the agent should set 1`);
  }
}

/** Asks every agent for its routes and peers until the answers are right; they follow the kernel by a moment. */
export async function verifyAgents(lab: string, topology: Topology, checks: Checks): Promise<void> {
  const expected = expectedTables(topology);
  await Promise.all(
    machinesOf(topology, 'node').map(async (node) => {
      const addresses = peersOf(topology, node.name);
      const deadline = performance.now() + API_PATIENCE_MS;
      for (;;) {
        const faults = await agentFaults(lab, node.name, expected.get(node.name) ?? [], addresses);
        const done = faults.every(([, fault]) => fault === undefined);
        if (done || performance.now() > deadline) {
          for (const [name, fault] of faults) checks.add(name, fault);
          return;
        }
        await sleep(200);
      }
    }),
  );
}

/** The other members, and the routers that name this node as a neighbour. */
function peersOf(topology: Topology, node: string): readonly string[] {
  const others = membersOf(topology).filter(({ name }) => name !== node);
  const routers = machinesOf(topology, 'bird').filter(({ neighbors }) => neighbors.includes(node));
  return [...others, ...routers].map(mainAddress);
}

type Fault = readonly [name: string, fault: string | undefined];

async function agentFaults(
  lab: string,
  node: string,
  expected: readonly ExpectedRoute[],
  peerAddresses: readonly string[],
): Promise<readonly Fault[]> {
  let routes: readonly ApiRoute[];
  let peers: readonly ApiPeer[];
  try {
    [routes, peers] = await Promise.all([getRoutes(lab, node), getPeers(lab, node)]);
  } catch (error) {
    if (error instanceof ApiError) return [[`API of ${node}`, error.message]];
    throw error;
  }
  return [
    [`API of ${node}`, undefined],
    ...expected.map(({ prefix, mode }): Fault => {
      const row = routes.find((route) => route.prefix === prefix);
      // The node's own subnet is `local` to people; the kernel has it as a blackhole.
      const wanted = mode === 'blackhole' ? ['local', 'blackhole'] : [mode];
      // Where there is no way by the pool's own word, that is told as a route that cannot be installed.
      const state = mode === 'none' ? 'failed' : 'ok';
      const ok = row !== undefined && wanted.includes(row.mode) && row.state === state;
      const said = row === undefined ? 'absent' : `${row.mode}, ${row.state}`;
      const fault = ok ? undefined : `is ${said}; expected ${wanted.join(' or ')}, ${state}`;
      return [`GET /routes of ${node}: ${prefix}`, fault];
    }),
    ...peerAddresses.map((address): Fault => {
      const state = peers.find((peer) => peer.address === address)?.state;
      const fault = state === 'Established' ? undefined : `is ${state ?? 'absent'}`;
      return [`BGP session of ${node} with ${address}`, fault];
    }),
  ];
}

/** Every pair of the topology, with the next hops that the routers' kernels chose. */
export function pairsWith(
  topology: Topology,
  tables: ReadonlyMap<string, readonly KernelRoute[]>,
): readonly Pair[] {
  return pairsOf(topology, (router, prefix) => learnedNextHop(topology, tables, router, prefix));
}

/** Sends every ping while tcpdump listens, and judges both. */
export async function verifyPings(
  lab: string,
  topology: Topology,
  pairs: readonly Pair[],
  checks: Checks,
): Promise<{ readonly pings: readonly PingFinding[]; readonly captures: readonly CaptureFinding[] }> {
  const captures: Capture[] = [];
  try {
    const points = capturePointsOf(topology);
    const file = ({ namespace }: CapturePoint) => join(labFolder(lab), `${namespace}.pcap`);
    captures.push(...(await Promise.all(points.map((point) => Capture.start(lab, point, file(point))))));
    const id = randomInt(1, 0xfffe);
    const markerId = id + 1;
    const probes = pairs.map(({ from, to, request }) => ({ from, to, address: request.destination }));
    const { observations } = await sendProbes(lab, probes, id, PING_PATIENCE_MS);
    await sendProbes(
      lab,
      points.map(({ marker }) => marker),
      markerId,
      PING_PATIENCE_MS,
    );
    await Promise.all(captures.map((capture) => capture.seen(markerId, CAPTURE_PATIENCE_MS)));
    const pings = pairs.map((pair, index) => judgePing(pair, observations[index]));
    for (const { pair, fault } of pings) checks.add(`ping ${pair.from} to ${pair.to}`, fault);
    return {
      pings,
      captures: await Promise.all(captures.map((each) => judgeCapture(each, pairs, id, checks))),
    };
  } finally {
    await Promise.all(captures.map((capture) => capture.stop()));
  }
}

/** What a router's kernel uses; where it has nothing (already a failed check), what it should. */
function learnedNextHop(
  topology: Topology,
  tables: ReadonlyMap<string, readonly KernelRoute[]>,
  router: string,
  prefix: string,
): string | undefined {
  const allowed = expectedTables(topology)
    .get(router)
    ?.find((route) => route.prefix === prefix)?.allowedGateways;
  const used = tables.get(router)?.find(({ dst }) => dst === prefix)?.gateway;
  return used !== undefined && allowed?.includes(used) ? used : allowed?.[0];
}

function judgePing(pair: Pair, observation: Observation | undefined): PingFinding {
  const seen = observation ?? { request: undefined, reply: undefined, failure: 'not sent' };
  return { pair, observation: seen, fault: pingFault(pair, seen) };
}

async function judgeCapture(
  capture: Capture,
  pairs: readonly Pair[],
  id: number,
  checks: Checks,
): Promise<CaptureFinding> {
  const { title } = capture.point;
  const wires = judgeWires(capture.point.covers, capture.sightings, pairs, id);
  for (const { pair, direction, expected, seen, ok } of wires) {
    const words = (passages: readonly string[]) => (passages.length === 0 ? 'nothing' : passages.join(', '));
    const fault = ok ? undefined : `saw ${words(seen)}; expected ${words(expected)}`;
    checks.add(`capture ${title}, ${direction} of ${pair.from} to ${pair.to}`, fault);
  }
  return { title, wires, samples: await samplesOf(capture, pairs, id) };
}

/** The packets of the first telling pair of each kind, as tcpdump prints them. */
async function samplesOf(
  capture: Capture,
  pairs: readonly Pair[],
  id: number,
): Promise<readonly CaptureSample[]> {
  const lines = await capture.lines();
  const telling = pairs.map(({ distance }) => distance === capture.point.telling);
  return PAIR_KINDS.filter((kind) => !kind.includes('client')).map((kind): CaptureSample => {
    const sequence = pairs.findIndex((pair, index) => pair.kind === kind && telling[index]);
    const pair = pairs[sequence];
    const packets = capture.sightings.filter(({ echo }) => echo.id === id && echo.sequence === sequence);
    return {
      title: pair === undefined ? kind : `${pair.from} to ${pair.to}`,
      lines: packets.flatMap(({ index }) => lines[index] ?? []),
    };
  });
}
