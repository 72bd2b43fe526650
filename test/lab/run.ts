/** The lab on this kernel, from empty namespaces to the verdict: the order of the steps and nothing else. */
import { writeFileSync } from 'node:fs';
import { verifyTransfers } from './bulk.js';
import { Checks } from './checks.js';
import { ConvergenceWatch } from './convergence.js';
import { type Output, step, styled } from './output.js';
import { lastLines, type Program, prepareFolder, setUpBirdNode, startAgent, startBird } from './programs.js';
import {
  printCaptures,
  printKinds,
  printMatrix,
  printPairs,
  printTransfers,
  printVerdict,
} from './report.js';
import { buildRig, removeRig } from './rig.js';
import { labFolder, readLab, removeFolder, writeLab } from './state.js';
import { machinesOf, type Topology } from './topology.js';
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

/** What can be chosen about a run. */
export interface RunOptions {
  readonly lab: string;
  readonly topologyFile: string;
  /** The bundled agent. */
  readonly agentFile: string;
  /** The strictness of the reverse path filter on the nodes: 0 off, 1 strict, 2 loose. */
  readonly rpFilter: number;
  readonly keep: boolean;
  /** Print one line per ping. */
  readonly pairs: boolean;
  /** Where the results go as JSON; undefined: nowhere. */
  readonly jsonFile: string | undefined;
}

/** A run in progress: what every step needs. */
interface Run {
  readonly output: Output;
  readonly options: RunOptions;
  readonly topology: Topology;
  readonly checks: Checks;
  /** Aborted when the run is to end early. */
  readonly signal: AbortSignal;
}

/** The results as `--json` writes them. */
export interface LabResults {
  readonly passed: boolean;
  readonly rpFilter: number;
  /** From the start of the last agent to the last route; null: never, or not measured by a mere check. */
  readonly convergenceSeconds: number | null;
  readonly seconds: number;
  readonly checks: Checks['all'];
  readonly pings: readonly PingResult[];
}

interface PingResult {
  readonly kind: string;
  readonly distance: string;
  readonly from: string;
  readonly to: string;
  readonly expected: { readonly source: string; readonly requestTtl: number; readonly replyTtl: number };
  readonly seen: {
    readonly source: string | null;
    readonly requestTtl: number | null;
    readonly replyTtl: number | null;
  };
  readonly ok: boolean;
}

/** Ample for programs that need a second or two, one processor or not. */
const CONVERGENCE_PATIENCE_MS = 60_000;
const LOG_LINES_SHOWN = 8;

/**
 * Builds the lab, checks it, and takes it away unless it is to be kept; also when it fails or is aborted half-way.
 *
 * @returns whether every check passed
 */
export async function runLab(output: Output, options: RunOptions, signal: AbortSignal): Promise<boolean> {
  const topology = loadTopology(options.topologyFile);
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
  writeLab({ name: lab, topologyFile: options.topologyFile, inUml: false });
  const machines = `${topology.machines.size} machines and their wires`;
  await step(output, signal, machines, () =>
    buildRig(lab, topology, { 'conf/*/rp_filter': options.rpFilter }),
  );
  const { convergenceSeconds, programs } = await converge(run);
  const pings = await inspect(run);
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
  if (options.keep) printSuggestions(output, lab, topology);
  return passed;
}

/** Starts BIRD and the agents, and waits for the routes. */
async function converge(run: Run): Promise<{
  readonly convergenceSeconds: number | undefined;
  readonly programs: readonly Program[];
}> {
  const { output, topology, checks, signal } = run;
  const { lab, agentFile } = run.options;
  prepareFolder(lab, topology, agentFile);
  await Promise.all(machinesOf(topology, 'bird-node').map((node) => setUpBirdNode(lab, node)));
  const watch = new ConvergenceWatch(lab, topology);
  try {
    const routers = [...machinesOf(topology, 'bird'), ...machinesOf(topology, 'bird-node')];
    const nodes = machinesOf(topology, 'node');
    const programs = [
      ...routers.map((router) => startBird(lab, router)),
      ...nodes.map((node) => startAgent(lab, node, agentFile)),
    ];
    const lastStart = Math.max(...programs.map(({ startedAtMs }) => startedAtMs));
    const isPointless = () => programs.some((program) => program.ended() !== undefined);
    const title = `${nodes.length} agents and ${routers.length} BIRD exchange routes`;
    const { lastRouteAtMs } = await step(
      output,
      signal,
      title,
      () => watch.wait(CONVERGENCE_PATIENCE_MS, isPointless, signal),
      ({ lastRouteAtMs: last }) => (last === undefined ? styled(output, 'red', 'incomplete') : ''),
    );
    for (const program of programs) {
      const end = program.ended();
      checks.add(
        `${program.title} of ${program.machine} runs`,
        end === undefined ? undefined : `ended: ${end}`,
      );
    }
    const convergenceSeconds = lastRouteAtMs === undefined ? undefined : (lastRouteAtMs - lastStart) / 1000;
    checks.add('all routes in the kernels', lastRouteAtMs === undefined ? 'some never came' : undefined);
    return { convergenceSeconds, programs };
  } finally {
    watch.close();
  }
}

/** Every check of a running lab, and its findings printed. */
async function inspect(run: Run): Promise<readonly PingFinding[]> {
  const { output, options, topology, checks, signal } = run;
  const { lab } = options;
  const counted = <Result>(title: string, work: () => Promise<Result>): Promise<Result> => {
    const before = checks.all.length;
    return step(output, signal, title, work, () => {
      const fresh = checks.all.slice(before);
      const failed = fresh.filter(({ ok }) => !ok).length;
      const text = failed === 0 ? `${fresh.length} checks` : `${failed} of ${fresh.length} checks failed`;
      return failed === 0 ? text : styled(output, 'red', text);
    });
  };
  const tables = await counted('routes in every kernel', () => {
    verifyForwarding(lab, topology, checks);
    return verifyRoutes(lab, topology, checks);
  });
  await counted('sessions and routes as the agents tell them', () => verifyAgents(lab, topology, checks));
  const pairs = pairsWith(topology, tables);
  const title = 'pings between all, while tcpdump listens';
  const { pings, captures } = await counted(title, () => verifyPings(lab, topology, pairs, checks));
  const transfers = await counted('10 MB by TCP over every kind of way', () =>
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

/** Writes the results and says the last word. */
function conclude(
  { output, options, checks }: Run,
  pings: readonly PingFinding[],
  convergenceSeconds: number | undefined,
  seconds: number,
  facts: readonly string[],
): boolean {
  const passed = checks.failed.length === 0;
  if (options.jsonFile !== undefined) {
    const results: LabResults = {
      passed,
      rpFilter: options.rpFilter,
      convergenceSeconds: convergenceSeconds ?? null,
      seconds,
      checks: checks.all,
      pings: pings.map(pingResult),
    };
    writeFileSync(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`);
  }
  printVerdict(output, checks.all, facts);
  return passed;
}

function pingResult({ pair, observation, fault }: PingFinding): PingResult {
  const { request, reply } = observation;
  return {
    kind: pair.kind,
    distance: pair.distance,
    from: pair.from,
    to: pair.to,
    expected: { source: pair.request.source, requestTtl: pair.request.ttl, replyTtl: pair.reply.ttl },
    seen: {
      source: request?.source ?? null,
      requestTtl: request?.ttl ?? null,
      replyTtl: reply?.ttl ?? null,
    },
    ok: fault === undefined,
  };
}

/** The programs' last words: the lab's folder, and their logs with it, may be about to go. */
function printLogs(output: Output, programs: readonly Program[]): void {
  for (const program of programs) {
    output.write(`\n${styled(output, 'bold', `The last lines of ${program.title} on ${program.machine}`)}\n`);
    for (const line of lastLines(program, LOG_LINES_SHOWN)) output.write(`  ${line}\n`);
  }
}
