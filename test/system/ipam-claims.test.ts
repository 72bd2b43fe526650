/**
 * Five hundred nodes that join at one time: one real Redis, a real client for each, and no block is given twice.
 */
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatastore, type Datastore } from '../../agent/datastore/index.js';
import type { ClaimStore } from '../../agent/ipam/index.js';
import { claiming, join, takenIn, writes } from '../support/ipam.js';
import { node, pool } from '../support/manifests.js';
import { RedisServer } from '../support/redis-server.js';

const NODES = 500;
/** Of processor time, which other programs of this machine do not make longer; all agents together, as one process. */
const BOUND_MS = 20_000;
/** All agents share one processor here: none of them is late by the store's fault. */
const PATIENCE_MS = 60_000;

describe(`${NODES} nodes claim at one time`, () => {
  let server: RedisServer;
  const clients: Datastore[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await server.end();
  });

  function connect(): Datastore {
    const created = createDatastore(`${server.url}?prefix=claims`, {
      commandTimeoutMs: PATIENCE_MS,
      connectTimeoutMs: PATIENCE_MS,
    });
    if ('problem' in created) throw new Error(created.problem);
    clients.push(created.datastore);
    return created.datastore;
  }

  /** A store that counts how often it is read. */
  function counting(datastore: Datastore): { readonly store: ClaimStore; readonly reads: () => number } {
    const store = claiming(datastore);
    let reads = 0;
    const list = () => {
      reads += 1;
      return datastore.list();
    };
    return { store: { ...store, datastore: { name: datastore.name, list } }, reads: () => reads };
  }

  test('each gets one block, two get the same never, and who comes to a full pool is told', async () => {
    const names = Array.from({ length: NODES }, (_, index) => `node-${index}`);
    const room = NODES - 8;
    // Two pools: 256 blocks, and 236 in what is left of the other.
    const operator = connect();
    const nodes = names.map((_, index) =>
      node(String(index), `192.168.${1 + Math.floor(index / 200)}.${1 + (index % 200)}/16`),
    );
    const last = node('last', '192.168.9.1/16', ['10.9.236.0/22', '10.9.240.0/20']);
    const written = await operator.commit(
      writes(pool('a', '10.8.0.0/16'), pool('b', '10.9.0.0/16'), ...nodes, last),
    );
    expect(written).toEqual({ outcome: 'done' });

    const agents = names.map((name) => ({ name, ...counting(connect()) }));
    const [startMs, startCpu] = [performance.now(), process.cpuUsage()];
    const outcomes = await Promise.all(agents.map(({ name, store }) => join(store, name)));
    const [tookMs, { user, system }] = [performance.now() - startMs, process.cpuUsage(startCpu)];
    const cpuMs = (user + system) / 1000;

    const claimed = outcomes.flatMap((outcome) => ('cidr' in outcome ? [outcome.cidr] : []));
    expect(claimed.length).toBe(room);
    expect(new Set(claimed).size).toBe(room);
    const problems = outcomes.flatMap((outcome) => ('problem' in outcome ? [outcome.problem] : []));
    expect(problems.length).toBe(NODES - room);
    for (const problem of problems) expect(problem).toContain('IPPool/b (10.9.0.0/16) has no free block');
    // What the store has is what the nodes were told, and the taken subnets stand beside it.
    const owners = names.flatMap((name, index) => {
      const outcome = outcomes[index];
      return outcome !== undefined && 'cidr' in outcome ? [`${outcome.cidr} ${name}`] : [];
    });
    const expected = [...owners, '10.9.236.0/22 node-last', '10.9.240.0/20 node-last'];
    expect([...(await takenIn(operator))].sort()).toEqual(expected.sort());
    const reads = agents.map((agent) => agent.reads());
    const total = reads.reduce((sum, count) => sum + count, 0);
    process.stdout.write(
      `${NODES} nodes claimed ${room} blocks with ${total} reads in ${(tookMs / 1000).toFixed(1)} s, ${(cpuMs / 1000).toFixed(1)} s of them computing\n`,
    );
    // Nobody reads again and again: once, and once more where both pools were taken from under it.
    expect(Math.max(...reads)).toBeLessThanOrEqual(2);
    expect(cpuMs).toBeLessThan(BOUND_MS);
  }, 120_000);
});
