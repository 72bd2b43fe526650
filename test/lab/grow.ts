/** One more node in a lab that runs: its machines, its entry in the cluster, its agent, and the pings to and from it. */
import { Checks } from './checks.js';
import { freePodSubnet, type NodeWish, type Place, placeFor } from './growth.js';
import { startAndJoin } from './joining.js';
import { type Output, step } from './output.js';
import { startAgent } from './programs.js';
import { printKinds, printPairs } from './report.js';
import { conclude, counted, printLogs, type Run, type RunOptions } from './results.js';
import { growRig, shrinkRig } from './rig.js';
import { takeOut } from './shrink.js';
import { standingLab } from './standing.js';
import { storeOf } from './stores.js';
import { machinesOf, mainAddress, type NodeMachine, type Topology, withoutPods } from './topology.js';
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
  const store = storeOf(lab, before, setup.datastore);
  const place = placeFor(before, wish);
  const names = [place.name, ...place.podNames];
  // What an adding that was killed has left is in nobody's way then.
  await shrinkRig(lab, before, names);
  const subnet = freePodSubnet(before, store.resources());
  const topology = addMachine(record.topologyFile, place.name, entryOf(place, subnet));
  const node = nodeIn(topology, place.name);
  const run: Run = { output, options: { ...options, ...setup }, topology, checks: new Checks(), signal };
  output.write(`${node.name} on ${place.network}: ${addressOf(place)}\n`);
  try {
    const claimants = store.isJoined ? [node.name] : [];
    const bare = withoutPods(topology, claimants);
    await step(output, signal, `${bare.machines.size - before.machines.size} machines and their wires`, () =>
      growRig(lab, before, bare, { 'conf/*/rp_filter': setup.rpFilter }),
    );
    const joined = await startAndJoin(run, {
      title: `the agent of ${node.name} joins the others`,
      programs: () => {
        store.enter({ name: node.name, address: addressOf(place), podSubnet: subnet });
        return [startAgent(lab, node, setup.agentFile, store.url)];
      },
      claimants,
      whenEntered: async () => {},
      isUnderWay: true,
    });
    const pings = await inspectNode({ ...run, topology: joined.topology }, names);
    if (run.checks.failed.length > 0) printLogs(output, joined.programs);
    for (const program of joined.programs) program.release();
    const { convergenceSeconds } = joined;
    const words = convergenceSeconds?.toFixed(2);
    return conclude(run, pings, convergenceSeconds, (performance.now() - started) / 1000, [
      podsText(joined.topology, node.name),
      words === undefined
        ? `${node.name}: some routes never came`
        : `${node.name} joined: ${words} s from the start of its agent to the last route`,
    ]);
  } catch (error) {
    await takeOut(lab, store, record.topologyFile, topology, node);
    throw error;
  }
}

function nodeIn(topology: Topology, name: string): NodeMachine {
  const node = machinesOf(topology, 'node').find((each) => each.name === name);
  if (node === undefined) throw new Error(`${name} was entered as a node`);
  return node;
}

function podsText(topology: Topology, name: string): string {
  const pods = machinesOf(topology, 'pod').filter(({ node }) => node === name);
  const words = pods.map((pod) => `${pod.name} ${mainAddress(pod)}`).join(', ');
  return `Pods of ${name} in ${nodeIn(topology, name).podSubnet}: ${words}`;
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
