/**
 * The walk from the first event to the verdict: the order of the steps and nothing else.
 */
import { readFileSync } from 'node:fs';
import { Chance } from '../../fuzz/mutate.js';
import { drawEvent, eventText, mendingEvent, type WalkEvent } from '../../support/walk/events.js';
import { Checks } from '../checks.js';
import { type Output, step } from '../output.js';
import { logFile, prepareFolder } from '../programs.js';
import { buildRig } from '../rig.js';
import { removeLab } from '../run.js';
import { writeLab } from '../state.js';
import type { Topology } from '../topology.js';
import { loadTopology } from '../topology-file.js';
import { pairsWith, verifyAgents, verifyForwarding, verifyPings, verifyRoutes } from '../verify.js';
import { RigWalk } from './rig-walk.js';

export interface WalkOptions {
  readonly lab: string;
  readonly topologyFile: string;
  readonly agentFile: string;
  readonly seed: number;
  readonly events: number;
}

export interface WalkResults {
  readonly seed: number;
  readonly events: number;
  readonly checkpoints: number;
  /** The longest that all nodes took to agree, and all together. */
  readonly slowestSettleSeconds: number;
  readonly settleSeconds: number;
  /** What the events themselves took. */
  readonly eventSeconds: number;
  readonly seconds: number;
  /** Every kind of event that happened, and how often. */
  readonly kinds: Readonly<Record<string, number>>;
  /** Empty: all agreed at every checkpoint. */
  readonly faults: readonly string[];
}

/** Events between two checkpoints: between these, the network is never left alone for long. */
const BURST = { least: 8, most: 30 };
/** Some events of a burst follow at once, others after up to so long. */
const MAX_PAUSE_MS = 400;
/** Hold time, restart time and the longest idle hold, one after the other, on a slow machine. */
const SETTLE_PATIENCE_MS = 90_000;
const LOG_LINES_SHOWN = 40;

/** Walks, and takes the lab away. A fault ends the walk. */
export async function walk(output: Output, options: WalkOptions): Promise<WalkResults> {
  const { lab, seed, topologyFile, agentFile } = options;
  const signal = new AbortController().signal;
  const started = performance.now();
  const topology = loadTopology(topologyFile);
  output.write(`seed ${seed}: repeat with SEED=${seed}\n`);
  await removeLab(lab);
  try {
    writeLab({ name: lab, topologyFile, inUml: false });
    await step(output, signal, 'machines and their wires', () =>
      buildRig(lab, topology, { 'conf/*/rp_filter': 0 }),
    );
    prepareFolder(lab, topology, agentFile);
    const rig = new RigWalk(lab, topology, agentFile);
    try {
      const progress = new Progress(output, rig);
      await rig.start();
      await progress.check('before the first event', true);
      const before = await rig.inventory();
      await wander(progress, options);
      await mend(progress);
      const faults =
        progress.faults.length > 0
          ? progress.faults
          : await step(output, signal, 'every route, session and ping of the lab', () =>
              lastLook(lab, topology, rig, before),
            );
      if (faults.length > 0) printLogs(output, lab, rig);
      return { ...progress.results(seed), faults, seconds: secondsSince(started) };
    } finally {
      await rig.close();
    }
  } finally {
    await step(output, signal, 'everything is taken away', () => removeLab(lab));
  }
}

/** The lab as it was before the walk: as its own checks see it, and by what is left on its nodes. */
async function lastLook(
  lab: string,
  topology: Topology,
  rig: RigWalk,
  before: readonly string[],
): Promise<readonly string[]> {
  const checks = new Checks();
  verifyForwarding(lab, topology, checks);
  const tables = await verifyRoutes(lab, topology, checks);
  await verifyAgents(lab, topology, checks);
  await verifyPings(lab, topology, pairsWith(topology, tables), checks);
  const after = await rig.inventory();
  return [
    ...checks.failed.map(({ name, detail }) => `${name}: ${detail}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `left behind: ${line}`),
    ...before.filter((line) => !after.includes(line)).map((line) => `lost: ${line}`),
  ];
}

/** The last words of every agent: the folder with their logs is about to go. */
function printLogs(output: Output, lab: string, rig: RigWalk): void {
  for (const { name } of rig.world.plans) {
    const lines = readFileSync(logFile(lab, name), 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
    output.write(`The last lines of ${name}:\n${lines.map((line) => `  ${line}\n`).join('')}`);
  }
}

/** The walk itself: bursts of events, and a checkpoint after each. */
async function wander(progress: Progress, { seed, events }: WalkOptions): Promise<void> {
  const chance = new Chance(seed);
  const choose = (below: number) => chance.integer(below);
  while (progress.events < events && progress.faults.length === 0) {
    const size = BURST.least + choose(BURST.most - BURST.least + 1);
    for (let count = 0; count < size && progress.events < events && progress.faults.length === 0; count++) {
      await progress.happen(drawEvent(progress.rig.world, choose));
      const pauseMs = choose(3) > 0 ? 0 : choose(MAX_PAUSE_MS);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await progress.check(`after ${progress.events} events`, true);
  }
}

/** What is broken is mended, all at once, and then nothing at all may be left. */
async function mend(progress: Progress): Promise<void> {
  if (progress.faults.length > 0) return;
  for (
    let event = mendingEvent(progress.rig.world);
    event !== undefined;
    event = mendingEvent(progress.rig.world)
  ) {
    await progress.happen(event);
  }
  await progress.check('when all is mended', false);
}

/** What has happened so far. */
class Progress {
  readonly rig: RigWalk;
  readonly #output: Output;
  readonly #happened: string[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #settleSeconds: number[] = [];
  #eventSeconds = 0;
  faults: readonly string[] = [];

  constructor(output: Output, rig: RigWalk) {
    this.#output = output;
    this.rig = rig;
  }

  get events(): number {
    return this.#happened.length;
  }

  async happen(event: WalkEvent): Promise<void> {
    this.#happened.push(eventText(event));
    this.#kinds.set(event.kind, (this.#kinds.get(event.kind) ?? 0) + 1);
    const started = performance.now();
    try {
      await this.rig.happen(event);
      this.#eventSeconds += secondsSince(started);
    } catch (error) {
      this.#tell();
      this.faults = [error instanceof Error ? error.message : String(error)];
    }
  }

  async check(when: string, mayKeepLeftovers: boolean): Promise<void> {
    if (this.faults.length > 0) return;
    const started = performance.now();
    this.faults = await this.rig.check(SETTLE_PATIENCE_MS, mayKeepLeftovers);
    const seconds = secondsSince(started);
    this.#settleSeconds.push(seconds);
    const verdict = this.faults.length === 0 ? 'all agree' : 'NOT in agreement';
    this.#output.write(`  ${seconds.toFixed(1).padStart(5)} s  ${when}: ${verdict}\n`);
    if (this.faults.length > 0) this.#tell();
  }

  results(seed: number): Omit<WalkResults, 'seconds' | 'faults'> {
    return {
      seed,
      events: this.events,
      checkpoints: this.#settleSeconds.length,
      slowestSettleSeconds: Math.max(...this.#settleSeconds),
      settleSeconds: this.#settleSeconds.reduce((total, seconds) => total + seconds, 0),
      eventSeconds: this.#eventSeconds,
      kinds: Object.fromEntries([...this.#kinds].sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }

  #tell(): void {
    this.#output.write(`The walk so far:\n${this.#happened.map((line) => `  ${line}\n`).join('')}`);
    this.#output.write(`The difference:\n${this.faults.map((line) => `  ${line}\n`).join('')}`);
  }
}

function secondsSince(startedMs: number): number {
  return (performance.now() - startedMs) / 1000;
}
