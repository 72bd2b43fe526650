/** What a run of the lab is, and its results: counted on the way, printed and written down at the end. */
import { writeFileSync } from 'node:fs';
import type { Checks } from './checks.js';
import { type Output, step, styled } from './output.js';
import { lastLines, type Program } from './programs.js';
import { printVerdict } from './report.js';
import type { NodeSetup } from './state.js';
import type { Topology } from './topology.js';
import type { PingFinding } from './verify.js';

const LOG_LINES_SHOWN = 8;

/** What can be chosen about a run. */
export interface RunOptions extends NodeSetup {
  readonly lab: string;
  readonly topologyFile: string;
  readonly keep: boolean;
  /** Print one line per ping. */
  readonly pairs: boolean;
  /** Where the results go as JSON; undefined: nowhere. */
  readonly jsonFile: string | undefined;
}

/** A run in progress: what every step of it needs. */
export interface Run {
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

/** Runs a step that checks, and tells how many of its checks failed. */
export function counted<Result>(
  { output, checks, signal }: Run,
  title: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const before = checks.all.length;
  return step(output, signal, title, work, () => {
    const fresh = checks.all.slice(before);
    const failed = fresh.filter(({ ok }) => !ok).length;
    const text = failed === 0 ? `${fresh.length} checks` : `${failed} of ${fresh.length} checks failed`;
    return failed === 0 ? text : styled(output, 'red', text);
  });
}

/** Writes the results and says the last word. */
export function conclude(
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
export function printLogs(output: Output, programs: readonly Program[]): void {
  for (const program of programs) {
    output.write(`\n${styled(output, 'bold', `The last lines of ${program.title} on ${program.machine}`)}\n`);
    for (const line of lastLines(program, LOG_LINES_SHOWN)) output.write(`  ${line}\n`);
  }
}
