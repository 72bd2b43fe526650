/** Starts programs of a lab and waits until every machine has every route. */
import { ConvergenceWatch } from './convergence.js';
import { step, styled } from './output.js';
import type { Program } from './programs.js';
import type { Run } from './results.js';
import { growRig } from './rig.js';
import { readLab } from './state.js';
import { claimedSubnets } from './stores.js';
import { machinesOf, type Topology, withoutPods } from './topology.js';
import { enterPodSubnets } from './topology-copy.js';

/** Ample for programs that need a second or two, one processor or not. */
const PATIENCE_MS = 60_000;

/** What is started. */
export interface Start {
  readonly title: string;
  readonly programs: () => readonly Program[];
  /** Nodes that claim their pod subnets, and have no pods until then. */
  readonly claimants: readonly string[];
  /** Done when those have entered themselves. */
  readonly whenEntered: () => Promise<void>;
  /** Whether some of the routes are there already. */
  readonly isUnderWay: boolean;
}

/** How it went. */
export interface Joined {
  readonly programs: readonly Program[];
  /** With the pod subnets that were claimed. */
  readonly topology: Topology;
  /** From the start of the last program to the last route; undefined: some never came. */
  readonly convergenceSeconds: number | undefined;
}

/** Starts what is to be started, and enters into the checks whether it runs and whether all routes came. */
export async function startAndJoin(run: Run, start: Start): Promise<Joined> {
  const { output, options, checks, signal } = run;
  const { title, claimants } = start;
  const claims = claimants.length > 0;
  // Before the programs, where it is known what is to come: no route is missed then.
  let watch = claims ? undefined : new ConvergenceWatch(options.lab, run.topology);
  try {
    if (start.isUnderWay) await watch?.readBack();
    const started = start.programs();
    const isPointless = () => started.some((program) => program.ended() !== undefined);
    const topology = claims ? await dressNodes(run, start, started) : run.topology;
    if (watch === undefined) {
      watch = new ConvergenceWatch(options.lab, topology);
      await watch.readBack();
    }
    const watched = watch;
    const { lastRouteAtMs } = await step(
      output,
      signal,
      title,
      () => watched.wait(PATIENCE_MS, isPointless, signal),
      ({ lastRouteAtMs: last }) => (last === undefined ? styled(output, 'red', 'incomplete') : ''),
    );
    for (const program of started) {
      const end = program.ended();
      const name = `${program.title} of ${program.machine} runs`;
      checks.add(name, end === undefined ? undefined : `ended: ${end}`);
    }
    checks.add('all routes in the kernels', lastRouteAtMs === undefined ? 'some never came' : undefined);
    const lastStart = Math.max(...started.map(({ startedAtMs }) => startedAtMs));
    const convergenceSeconds = lastRouteAtMs === undefined ? undefined : (lastRouteAtMs - lastStart) / 1000;
    return { programs: started, topology, convergenceSeconds };
  } finally {
    watch?.close();
  }
}

/** Waits for the claims of nodes, and gives the nodes their bridges and pods. */
async function dressNodes(
  { output, options: { lab, rpFilter }, topology, signal }: Run,
  { claimants, whenEntered }: Start,
  programs: readonly Program[],
): Promise<Topology> {
  const nodes = machinesOf(topology, 'node').filter(({ name }) => claimants.includes(name));
  const claims = await step(
    output,
    signal,
    `${claimants.join(', ')} claim pod subnets`,
    () => claimedSubnets(lab, nodes, programs, signal),
    (found) => [...found.values()].join(', '),
  );
  await whenEntered();
  const file = readLab(lab)?.topologyFile;
  if (file === undefined) throw new Error(`lab ${lab} has a record from its beginning on`);
  const claimed = enterPodSubnets(file, claims);
  await step(output, signal, 'their bridges and pods', () =>
    growRig(lab, withoutPods(topology, claimants), claimed, { 'conf/*/rp_filter': rpFilter }),
  );
  return claimed;
}
