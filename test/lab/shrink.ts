/** One node less in a lab that runs: its agent, its entry in the cluster, its machines, and every trace on the others. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, type ApiPeer, askApi, getPeers, getRoutes } from './api.js';
import { Checks } from './checks.js';
import { expectedTables } from './convergence.js';
import { leaverOf } from './growth.js';
import { inside, mustRun, namespaceName, namespacesOf, runCommand } from './namespaces.js';
import { type Output, step } from './output.js';
import { folderFlags, podrouteCommand, runtimeFolder, stateFolder } from './programs.js';
import { conclude, counted, type Run, type RunOptions } from './results.js';
import { endProcesses, shrinkRig } from './rig.js';
import { readRoutes } from './routes.js';
import { standingLab } from './standing.js';
import { labFolder, removeFolder } from './state.js';
import { type LabStore, storeOf } from './stores.js';
import { machinesOf, mainAddress, type NodeMachine, type Topology } from './topology.js';
import { dropMachine } from './topology-copy.js';
import { verifyAgents, verifyRoutes } from './verify.js';

/** BIRD keeps the routes of an agent that was killed for its restart time of two minutes; they go at once otherwise. */
const GONE_PATIENCE_MS = 150_000;
const POLL_MS = 200;
const FAREWELL = 'leaves the lab';

/**
 * Removes a node with its pods while everything runs on, and checks that nothing of it is left on the others.
 *
 * @returns whether every check passed
 * @throws GrowthError
 */
export async function shrinkLab(
  output: Output,
  options: RunOptions,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  const started = performance.now();
  const { lab } = options;
  const { record, setup, topology: before } = standingLab(options);
  const store = storeOf(lab, before, setup.datastore);
  const node = leaverOf(before, name);
  const checks = new Checks();
  await step(
    output,
    signal,
    `the agent of ${name} takes leave and ends`,
    () => endAgent(lab, node),
    (said) => (said ? '' : 'it did not run'),
  );
  await step(output, signal, `podroute cleanup on ${name}`, () => cleanNode(lab, node, checks));
  const topology = await step(output, signal, 'its Node and its machines go', () =>
    takeOut(lab, store, record.topologyFile, before, node),
  );
  const goneAt = performance.now();
  const run: Run = { output, options: { ...options, ...setup }, topology, checks, signal };
  await counted(run, 'nothing of it on the others', () => verifyGone(run, node));
  const goneSeconds = (performance.now() - goneAt) / 1000;
  await counted(run, 'routes in every kernel', () => verifyRoutes(lab, topology, checks));
  await counted(run, 'sessions and routes as the agents tell them', () =>
    verifyAgents(lab, topology, checks),
  );
  const seconds = (performance.now() - started) / 1000;
  return conclude(run, [], undefined, seconds, [
    `${name} left: ${goneSeconds.toFixed(2)} s from the end of its machine to the last trace`,
  ]);
}

/**
 * Takes a node away, whatever of it is there: the Node, its machines, its files, last of all its entry in the topology,
 * so that what was interrupted can be done again.
 *
 * @returns the topology without it
 */
export async function takeOut(
  lab: string,
  store: LabStore,
  topologyFile: string,
  topology: Topology,
  node: NodeMachine,
): Promise<Topology> {
  // First its agent: one that lives enters itself again.
  await endProcesses([namespaceName(lab, node.name)]);
  await store.leave(node.name);
  const pods = machinesOf(topology, 'pod').filter((pod) => pod.node === node.name);
  await shrinkRig(
    lab,
    topology,
    [node, ...pods].map(({ name }) => name),
  );
  // Its log and its folders; no name of a machine has a dot.
  const files = readdirSync(labFolder(lab)).filter((entry) => entry.startsWith(`${node.name}.`));
  for (const file of files) removeFolder(join(labFolder(lab), file));
  return dropMachine(topologyFile, node.name);
}

/** @returns whether it ran */
async function endAgent(lab: string, { name }: NodeMachine): Promise<boolean> {
  const namespace = namespaceName(lab, name);
  if (!namespacesOf(lab).includes(namespace)) return false;
  let peers: readonly ApiPeer[] | undefined;
  try {
    peers = await getPeers(lab, name);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
  // An agent that ends without a word is expected back: its peers would keep its routes for it.
  const order = ({ address }: ApiPeer) =>
    askApi(lab, name, `/peers/${encodeURIComponent(address)}/shutdown`, { text: FAREWELL });
  await Promise.all((peers ?? []).map(order));
  await endProcesses([namespace]);
  return peers !== undefined;
}

/** Leaves nothing of the agent, which is looked for in the kernel and on disk. */
async function cleanNode(lab: string, { name }: NodeMachine, checks: Checks): Promise<void> {
  const namespace = namespaceName(lab, name);
  if (!namespacesOf(lab).includes(namespace)) return;
  const argv = [podrouteCommand(lab), 'cleanup', ...folderFlags(lab, name)];
  const { status, stderr } = await runCommand(inside(namespace, argv));
  const fault = status === 0 ? undefined : `exit status ${status}: ${stderr.trim()}`;
  checks.add(`podroute cleanup on ${name}`, fault);
  const show = (...words: readonly string[]) => mustRun(['ip', '-o', '-netns', namespace, ...words]);
  const left = `${await show('route', 'show', 'table', 'all', 'proto', '179')}${await show('link', 'show', 'type', 'ipip')}`;
  const ours = left.split('\n').filter((line) => line !== '' && !line.includes('tunl0@'));
  checks.add(`nothing of podroute in the kernel of ${name}`, ours.length === 0 ? undefined : ours.join('; '));
  const files = [runtimeFolder(lab, name), stateFolder(lab, name)].filter((folder) => existsSync(folder));
  checks.add(
    `no files of the agent of ${name}`,
    files.length === 0 ? undefined : `${files.join(', ')} is there`,
  );
}

/** Waits until no machine has a route or a session of a node that has gone. */
async function verifyGone(
  { options: { lab }, topology, checks, signal }: Run,
  gone: NodeMachine,
): Promise<void> {
  const deadline = performance.now() + GONE_PATIENCE_MS;
  await Promise.all(
    [...expectedTables(topology).keys()].map(async (machine) => {
      const isAgent = topology.machines.get(machine)?.kind === 'node';
      for (;;) {
        signal.throwIfAborted();
        const left = [
          ...(await kernelTraces(lab, machine, gone)),
          ...(isAgent ? await agentTraces(lab, machine, gone) : []),
        ];
        if (left.length === 0 || performance.now() > deadline) {
          checks.add(
            `nothing of ${gone.name} on ${machine}`,
            left.length === 0 ? undefined : left.join(', '),
          );
          return;
        }
        await sleep(POLL_MS);
      }
    }),
  );
}

async function kernelTraces(lab: string, machine: string, gone: NodeMachine): Promise<readonly string[]> {
  const prefixes = gone.podSubnets.map(({ prefix }) => prefix);
  const routes = await readRoutes(lab, machine);
  return routes
    .filter(({ dst, gateway }) => prefixes.includes(dst) || gateway === mainAddress(gone))
    .map(({ dst }) => `a route to ${dst}`);
}

async function agentTraces(lab: string, machine: string, gone: NodeMachine): Promise<readonly string[]> {
  const prefixes = gone.podSubnets.map(({ prefix }) => prefix);
  try {
    const [routes, peers] = await Promise.all([getRoutes(lab, machine), getPeers(lab, machine)]);
    return [
      ...routes
        .filter(({ prefix }) => prefixes.includes(prefix))
        .map(({ prefix }) => `GET /routes: ${prefix}`),
      ...peers
        .filter(({ address }) => address === mainAddress(gone))
        .map(({ name }) => `GET /peers: ${name}`),
    ];
  } catch (error) {
    if (error instanceof ApiError) return [error.message];
    throw error;
  }
}
