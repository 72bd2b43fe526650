/**
 * The agent and the routers of others: every daemon that Debian has, through every case.
 *
 * Each daemon is a column with an agent of its own, and the columns run side by side; the tests only wait for their
 * cell. The table is printed at the end. `UPDATE_INTEROP=1` writes it to deploy/INTEROP.md; otherwise the file must
 * agree with what was seen, versions aside.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BirdDaemon } from '../support/daemons/bird.js';
import type { Feature } from '../support/daemons/daemon.js';
import { ExabgpDaemon } from '../support/daemons/exabgp.js';
import { FrrDaemon } from '../support/daemons/frr.js';
import { GobgpDaemon } from '../support/daemons/gobgp.js';
import { OpenbgpdDaemon } from '../support/daemons/openbgpd.js';
import { CASES, type Case } from './matrix-cases.js';
import { Column } from './matrix-column.js';
import { markdownTable } from './matrix-table.js';

const PAGE = new URL('../../deploy/INTEROP.md', import.meta.url).pathname;

const DAEMONS = {
  BIRD: BirdDaemon,
  FRR: FrrDaemon,
  GoBGP: GobgpDaemon,
  OpenBGPD: OpenbgpdDaemon,
  ExaBGP: ExabgpDaemon,
};
const NAMES = Object.keys(DAEMONS) as (keyof typeof DAEMONS)[];

type Outcome =
  | { readonly type: 'passed' }
  | { readonly type: 'lacking'; readonly why: string }
  | { readonly type: 'failed'; readonly error: unknown };

/** One daemon on its way through the cases, one after the other. */
class Run {
  readonly #column: Column;
  readonly #outcomes = new Map<Case, Promise<Outcome>>();
  /** Both ends run. */
  #ready: Promise<void>;

  constructor(name: keyof typeof DAEMONS) {
    this.#column = new Column((namespace, folder) => new DAEMONS[name](namespace, folder));
    this.#ready = this.#column.start();
    let last: Promise<unknown> = Promise.resolve();
    for (const each of CASES) {
      const outcome = last.then(() => this.#try(each));
      this.#outcomes.set(each, outcome);
      last = outcome;
    }
  }

  async outcome(each: Case): Promise<Outcome> {
    const outcome = await this.#outcomes.get(each);
    if (outcome === undefined) throw new Error(`${each.name} was not run`);
    return outcome;
  }

  async version(): Promise<string> {
    return `${this.#column.daemon.name} ${await this.#column.daemon.version()}`;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#outcomes.values());
    await this.#column.remove();
  }

  async #try(each: Case): Promise<Outcome> {
    const lacks: Partial<Record<Feature, string>> = this.#column.daemon.lacks;
    const why = each.needs && lacks[each.needs];
    if (why !== undefined) return { type: 'lacking', why };
    try {
      await this.#ready;
    } catch (error) {
      return { type: 'failed', error };
    }
    try {
      await each.run(this.#column);
      return { type: 'passed' };
    } catch (error) {
      const words = this.#column.lastWords();
      // One fault shall not make the later cases fail; where even that fails, they do, and at once.
      this.#ready = this.#column.startOver();
      this.#ready.catch(() => undefined); // told by the next case, if there is one
      return { type: 'failed', error: new Error(`${String(error)}\n${words}`, { cause: error }) };
    }
  }
}

let runs: ReadonlyMap<string, Run>;

beforeAll(() => {
  runs = new Map(NAMES.map((name) => [name, new Run(name)]));
});

afterAll(async () => {
  await Promise.all([...(runs?.values() ?? [])].map((run) => run.remove()));
});

function runOf(name: string): Run {
  const run = runs.get(name);
  if (run === undefined) throw new Error(`${name} was not started`);
  return run;
}

describe.each(NAMES)('the agent and %s', (name) => {
  test.each(CASES.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
    const outcome = await runOf(name).outcome(each);
    if (outcome.type === 'failed') throw outcome.error;
    // What a daemon lacks is said in the table; every other cell is proven.
    expect(outcome.type).toBe(each.needs !== undefined && outcome.type === 'lacking' ? 'lacking' : 'passed');
  });
});

test('the table of deploy/INTEROP.md is what was seen', async () => {
  const rows = await Promise.all(
    CASES.map(async (each) => ({
      name: each.name,
      cells: await Promise.all(NAMES.map(async (name) => cellOf(await runOf(name).outcome(each)))),
    })),
  );
  const table = markdownTable(['case', ...NAMES], rows);
  const versions = await Promise.all(NAMES.map((name) => runOf(name).version()));
  process.stdout.write(`\n${versions.join(', ')}\n\n${table}\n\n`);
  if (process.env['UPDATE_INTEROP'] === '1') writeFileSync(PAGE, page(versions, table));
  expect(readFileSync(PAGE, 'utf8')).toContain(`\n${table}\n`);
});

function cellOf(outcome: Outcome): string {
  switch (outcome.type) {
    case 'passed':
      return 'yes';
    case 'lacking':
      return `daemon lacks it: ${outcome.why}`;
    case 'failed':
      return 'NO';
    default:
      return outcome satisfies never;
  }
}

function page(versions: readonly string[], table: string): string {
  return `# Interoperability

What was seen with the routers of others, each a real daemon peering with the agent: \`test/interop/matrix.test.ts\`. That test fails where
this table no longer holds; \`UPDATE_INTEROP=1\` makes it write the table anew.

Seen with ${versions.join(', ')}, as packaged by Debian.

${table}

OpenBGPD on Linux announces IPv6 routes with the next hop ::1 on a session that runs over IPv4, which the agent treats as withdrawn (RFC 7606).
Here its loopback device has the router's address instead.
`;
}
