/** The lab on this kernel, from empty namespaces to the verdict: the order of the steps and nothing else. */
import { verifyTransfers } from './bulk.js';
import { Checks } from './checks.js';
import { type Joined, startAndJoin } from './joining.js';
import { type Output, step } from './output.js';
import { prepareFolder, setUpBirdNode, startAgent, startBird } from './programs.js';
import { printCaptures, printKinds, printMatrix, printPairs, printTransfers } from './report.js';
import { conclude, counted, printLogs, type Run, type RunOptions } from './results.js';
import { buildRig, removeRig } from './rig.js';
import { labFolder, readLab, removeFolder, writeLab } from './state.js';
import { firstResources, type LabStore, storeOf } from './stores.js';
import { machinesOf, withoutPods } from './topology.js';
import { copyTopology, topologyCopy } from './topology-copy.js';
import { loadTopology } from './topology-file.js';
import {
  type PingFinding,
  pairsWith,
  verifyAgents,
  verifyForwarding,
  verifyPings,
  verifyRoutes,
} from './verify.js';
import { collectViews, printSuggestions, printViews } from './views.js';

/**
 * Builds the lab, checks it, and takes it away unless it is to be kept; also when it fails or is aborted half-way.
 *
 * @returns whether every check passed
 */
export async function runLab(output: Output, options: RunOptions, signal: AbortSignal): Promise<boolean> {
  const topology = loadTopology(options.topologyFile);
  firstResources(topology, options.datastore);
  const run = { output, options, topology, checks: new Checks(), signal };
  try {
    return await runSteps(run);
  } catch (error) {
    await removeLab(options.lab);
    throw error;
  }
}

/** Judges a lab that was kept. @returns whether every check passed */
export async function checkLab(output: Output, options: RunOptions, signal: AbortSignal): Promise<boolean> {
  const started = performance.now();
  const topology = loadTopology(readLab(options.lab)?.topologyFile ?? options.topologyFile);
  const run = { output, options, topology, checks: new Checks(), signal };
  const pings = await inspect(run);
  const seconds = (performance.now() - started) / 1000;
  return conclude(run, pings, undefined, seconds, [`The check took ${seconds.toFixed(1)} s`]);
}

/** Takes a lab of this kernel away, whole or in pieces. */
export async function removeLab(lab: string): Promise<void> {
  await removeRig(lab);
  removeFolder(labFolder(lab));
}

async function runSteps(run: Run): Promise<boolean> {
  const { output, options, topology, signal } = run;
  const { lab } = options;
  const started = performance.now();
  output.write(`${topology.description}; rp_filter ${options.rpFilter} on the nodes\n`);
  await step(output, signal, 'what an earlier lab may have left is cleared', () => removeLab(lab));
  copyTopology(lab, options.topologyFile);
  const { agentFile, rpFilter, datastore } = options;
  const nodes = { agentFile, rpFilter, datastore };
  writeLab({ name: lab, topologyFile: topologyCopy(lab), inUml: false, nodes });
  const store = storeOf(lab, topology, datastore);
  const claimants = store.isJoined ? machinesOf(topology, 'node').map(({ name }) => name) : [];
  const bare = withoutPods(topology, claimants);
  const machines = `${bare.machines.size} machines and their wires`;
  await step(output, signal, machines, () => buildRig(lab, bare, { 'conf/*/rp_filter': rpFilter }));
  const joined = await startPrograms(run, store, claimants);
  const { convergenceSeconds, programs } = joined;
  const pings = await inspect({ ...run, topology: joined.topology });
  if (run.checks.failed.length > 0) printLogs(output, programs);
  for (const program of programs) program.release();
  if (!options.keep) {
    output.write('\n');
    await step(output, signal, 'everything is taken away', () => removeLab(lab));
  }
  const seconds = (performance.now() - started) / 1000;
  const passed = conclude(run, pings, convergenceSeconds, seconds, [
    convergenceSeconds === undefined
      ? 'Convergence: some routes never came'
      : `Convergence: ${convergenceSeconds.toFixed(2)} s from the start of the last agent to the last route`,
    `The lab took ${seconds.toFixed(1)} s`,
  ]);
  if (options.keep) printSuggestions(output, lab, joined.topology, store.url);
  return passed;
}

/** Opens the store, starts BIRD and the agents, and waits for the routes. */
async function startPrograms(run: Run, store: LabStore, claimants: readonly string[]): Promise<Joined> {
  const { output, topology, signal } = run;
  const { lab, agentFile, datastore } = run.options;
  prepareFolder(lab, { clusterFile: firstResources(topology, datastore) }, agentFile);
  await Promise.all(machinesOf(topology, 'bird-node').map((node) => setUpBirdNode(lab, node)));
  const opened = store.isJoined ? await step(output, signal, `the store ${store.url}`, store.open) : [];
  const routers = [...machinesOf(topology, 'bird'), ...machinesOf(topology, 'bird-node')];
  const nodes = machinesOf(topology, 'node');
  const joined = await startAndJoin(run, {
    title: `${nodes.length} agents and ${routers.length} BIRD exchange routes`,
    programs: () => [
      ...routers.map((router) => startBird(lab, router)),
      ...nodes.map((node) => startAgent(lab, node, agentFile, store.url)),
    ],
    claimants,
    whenEntered: store.complete,
    isUnderWay: false,
  });
  return { ...joined, programs: [...opened, ...joined.programs] };
}

/** Every check of a running lab, and its findings printed. */
async function inspect(run: Run): Promise<readonly PingFinding[]> {
  const { output, options, topology, checks, signal } = run;
  const { lab } = options;
  const tables = await counted(run, 'routes in every kernel', () => {
    verifyForwarding(lab, topology, checks);
    return verifyRoutes(lab, topology, checks);
  });
  await counted(run, 'sessions and routes as the agents tell them', () =>
    verifyAgents(lab, topology, checks),
  );
  const pairs = pairsWith(topology, tables);
  const title = 'pings between all, while tcpdump listens';
  const { pings, captures } = await counted(run, title, () => verifyPings(lab, topology, pairs, checks));
  const transfers = await counted(run, '10 MB by TCP over every kind of way', () =>
    verifyTransfers(lab, topology, pings, checks),
  );
  const views = await step(output, signal, 'what node and router say themselves', () =>
    collectViews(lab, topology),
  );
  printViews(output, views);
  printMatrix(output, pings);
  printKinds(output, pings);
  printTransfers(output, transfers);
  if (options.pairs) printPairs(output, pings);
  printCaptures(output, captures);
  return pings;
}
