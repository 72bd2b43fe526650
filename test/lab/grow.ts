/** One more node in a lab that runs: its machines, its entry in the cluster, its agent, and the pings to and from it. */
import { Checks } from './checks.js';
import { addNode, readCluster } from './cluster-nodes.js';
import { ConvergenceWatch } from './convergence.js';
import { freePodSubnet, type NodeWish, type Place, placeFor } from './growth.js';
import { type Output, step, styled } from './output.js';
import { clusterFile, type Program, startAgent } from './programs.js';
import { printKinds, printPairs } from './report.js';
import { conclude, counted, printLogs, type Run, type RunOptions } from './results.js';
import { growRig } from './rig.js';
import { takeOut } from './shrink.js';
import { standingLab } from './standing.js';
import { type Machine, machinesOf, type NodeMachine } from './topology.js';
import { addMachine } from './topology-copy.js';
import type { MachineFile } from './topology-file.js';
import {
  type PingFinding,
  pairsWith,
  verifyAgents,
  verifyForwarding,
  verifyPings,
  verifyRoutes,
} from './verify.js';

/** Ample for one agent that joins others. */
const JOIN_PATIENCE_MS = 60_000;

/**
 * Adds a node with its pods while everything runs on, and checks it. Half-way and failed or aborted: it goes again.
 *
 * @returns whether every check passed
 * @throws GrowthError
 */
export async function growLab(
  output: Output,
  options: RunOptions,
  wish: NodeWish,
  signal: AbortSignal,
): Promise<boolean> {
  const started = performance.now();
  const { lab } = options;
  const { record, setup, topology: before } = standingLab(options);
  const place = placeFor(before, wish);
  const podSubnet = freePodSubnet(before, readCluster(clusterFile(lab)));
  const topology = addMachine(record.topologyFile, place.name, entryOf(place, podSubnet));
  const run: Run = { output, options, topology, checks: new Checks(), signal };
  const isNew = ({ name }: Machine) => !before.machines.has(name);
  const machines = [...topology.machines.values()].filter(isNew);
  const [node] = machinesOf(topology, 'node').filter(isNew);
  if (node === undefined) throw new Error(`${place.name} was entered as a node`);
  const pods = machinesOf(topology, 'pod').filter(isNew);
  const podWords = pods.map(({ name, interfaces }) => `${name} ${interfaces[0]?.address}`).join(', ');
  output.write(`${node.name} on ${place.network}: ${addressOf(place)}; pods ${podSubnet}: ${podWords}\n`);
  try {
    await step(output, signal, `${machines.length} machines and their wires`, () =>
      growRig(lab, before, topology, { 'conf/*/rp_filter': setup.rpFilter }),
    );
    const { program, convergenceSeconds } = await join(run, node, setup.agentFile, () =>
      addNode(clusterFile(lab), { name: node.name, address: addressOf(place), podSubnet }),
    );
    const pings = await inspectNode(
      run,
      machines.map(({ name }) => name),
    );
    if (run.checks.failed.length > 0) printLogs(output, [program]);
    program.release();
    const words = convergenceSeconds?.toFixed(2);
    return conclude(run, pings, convergenceSeconds, (performance.now() - started) / 1000, [
      words === undefined
        ? `${node.name}: some routes never came`
        : `${node.name} joined: ${words} s from the start of its agent to the last route`,
    ]);
  } catch (error) {
    await takeOut(lab, record.topologyFile, topology, node);
    throw error;
  }
}

function addressOf({ address, lengthBits }: Place): string {
  return `${address}/${lengthBits}`;
}

function entryOf({ network, address, gateway, podNames }: Place, subnet: string): MachineFile {
  return {
    kind: 'node',
    interfaces: { [network]: address },
    ...(gateway !== undefined && { gateway }),
    pods: { subnet, names: [...podNames] },
  };
}

/** Starts the agent and waits until every machine has every route. */
async function join(
  { output, options: { lab }, topology, checks, signal }: Run,
  node: NodeMachine,
  agentFile: string,
  enterCluster: () => void,
): Promise<{ readonly program: Program; readonly convergenceSeconds: number | undefined }> {
  const watch = new ConvergenceWatch(lab, topology);
  try {
    await watch.readBack();
    enterCluster();
    const program = startAgent(lab, node, agentFile);
    const { lastRouteAtMs } = await step(
      output,
      signal,
      `the agent of ${node.name} joins the others`,
      () => watch.wait(JOIN_PATIENCE_MS, () => program.ended() !== undefined, signal),
      ({ lastRouteAtMs: last }) => (last === undefined ? styled(output, 'red', 'incomplete') : ''),
    );
    const end = program.ended();
    checks.add(`agent of ${node.name} runs`, end === undefined ? undefined : `ended: ${end}`);
    checks.add('all routes in the kernels', lastRouteAtMs === undefined ? 'some never came' : undefined);
    const convergenceSeconds =
      lastRouteAtMs === undefined ? undefined : (lastRouteAtMs - program.startedAtMs) / 1000;
    return { program, convergenceSeconds };
  } finally {
    watch.close();
  }
}

/** All tables and sessions, and the pings to and from some machines. */
async function inspectNode(run: Run, names: readonly string[]): Promise<readonly PingFinding[]> {
  const { output, options, topology, checks } = run;
  const { lab } = options;
  const tables = await counted(run, 'routes in every kernel', () => {
    verifyForwarding(lab, topology, checks);
    return verifyRoutes(lab, topology, checks);
  });
  await counted(run, 'sessions and routes as the agents tell them', () =>
    verifyAgents(lab, topology, checks),
  );
  const pairs = pairsWith(topology, tables).filter(
    ({ from, to }) => names.includes(from) || names.includes(to),
  );
  const { pings } = await counted(run, 'pings to and from it, while tcpdump listens', () =>
    verifyPings(lab, topology, pairs, checks),
  );
  printKinds(output, pings);
  if (options.pairs) printPairs(output, pings);
  return pings;
}
