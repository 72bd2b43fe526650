/**
 * A store that is paused, cut off, failed over, flushed and lost, in a random order, while nodes join, leave and restart.
 * Meanwhile no session and no route of anybody else moves; afterwards every agent has the same view, and the kernels
 * agree. Real agents, real Redis servers with a Sentinel, the kernels' own routes.
 *
 * The order is drawn from a seed, which is printed: SEED=n plays it again.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pool } from '../../support/manifests.js';
import { StoreMesh } from '../../support/store-mesh.js';
import { until } from '../../support/until.js';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** They stay: what befalls the store and the others must not touch what is between them. */
const STEADY = ['a', 'b'];
const PATIENCE_MS = 60_000;

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe(`a store in trouble, seed ${SEED}`, { timeout: 300_000 }, () => {
  let mesh: StoreMesh;
  const random = randomOf(SEED);

  const isSeen = (state: string, ...names: readonly string[]) =>
    until(
      `${names.join()} say that the store is ${state}`,
      async () => {
        const states = await Promise.all(
          names.map(async (name) => (await mesh.node(name).agent.status()).datastore.state),
        );
        return states.every((each) => each === state);
      },
      PATIENCE_MS,
    );

  /** What befalls the store, what somebody does meanwhile, and the end of it. */
  const TROUBLES: Readonly<Record<string, () => Promise<void>>> = {
    'paused, while a node restarts from what it knows': async () => {
      mesh.redis.pause();
      await isSeen('unreachable', ...STEADY);
      await mesh.stop('c', 'SIGKILL');
      await mesh.start('c');
      await mesh.agreed('without the store');
      expect((await mesh.node('c').agent.status()).datastore.state).toBe('unreachable');
      mesh.redis.resume();
      await isSeen('ok', ...STEADY, 'c');
    },
    'full, while a node restarts': async () => {
      mesh.redis.setFull(true);
      await isSeen('refusing', ...STEADY);
      const { readiness } = await mesh.node('a').agent.status();
      expect(readiness.details.join()).toContain('the datastore is refusing');
      // Whether traffic may rely on the node is another question.
      expect(readiness.reasons.join()).not.toContain('datastore');
      await mesh.stop('c');
      await mesh.start('c');
      await mesh.agreed('although nobody can write');
      mesh.redis.setFull(false);
      await isSeen('ok', ...STEADY, 'c');
    },
    'cut off from one node, while another leaves and comes back': async () => {
      mesh.setPartitioned('b', true);
      await isSeen('unreachable', 'b');
      await mesh.stop('d');
      await mesh.start('d');
      await mesh.agreed('although one cannot see the store');
      mesh.setPartitioned('b', false);
      await isSeen('ok', 'b');
    },
    'failed over, while a node restarts': async () => {
      const [, restarted] = await Promise.all([
        mesh.redis.failOver(),
        mesh.stop('c').then(() => mesh.start('c')),
      ]);
      void restarted;
      await isSeen('ok', ...STEADY, 'c');
    },
    'flushed, while a node joins for the first time': async () => {
      mesh.redis.flush();
      await until(
        'somebody has filled it again',
        () => mesh.podroute('a', ['get', 'ippool', 'pods']).status === 0,
        PATIENCE_MS,
      );
      await mesh.start('e');
    },
    'restarted empty, while a node is away': async () => {
      await mesh.stop('d');
      await mesh.redis.restartEmpty();
      await until(
        'somebody has filled it again',
        () => mesh.podroute('a', ['get', 'ippool', 'pods']).status === 0,
        PATIENCE_MS,
      );
      await mesh.start('d');
    },
  };

  beforeAll(async () => {
    mesh = new StoreMesh(['a', 'b', 'c', 'd', 'e'], ['--node-timeout', '30']);
    await mesh.redis.start();
    await mesh.start('a');
    mesh.apply(pool());
    await mesh.start('b', 'c', 'd');
    await mesh.agreed('at first');
  });
  afterAll(() => mesh?.remove());

  test('everybody agrees after each trouble, and what is steady has not moved', async () => {
    const subnets = await Promise.all(STEADY.map((name) => mesh.subnetsOf(name)));
    const order = Object.entries(TROUBLES)
      .map((trouble) => ({ trouble, rank: random() }))
      .sort((a, b) => a.rank - b.rank);
    for (const {
      trouble: [what, happen],
    } of order) {
      const began = performance.now();
      await happen();
      await mesh.agreed(`after the store was ${what}`);
      expect(await Promise.all(STEADY.map((name) => mesh.subnetsOf(name))), what).toEqual(subnets);
      for (const [one = '', other = ''] of [STEADY, [...STEADY].reverse()]) {
        expect((await mesh.node(one).agent.peer(`mesh/${other}`)).counters.flaps, what).toBe(0);
      }
      process.stdout.write(`store ${what}: ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
    }
    // Every view is the same one.
    const views = mesh.running.map(({ name }) => mesh.podroute(name, ['get', 'all', '-o', 'yaml']).stdout);
    expect(new Set(views).size).toBe(1);
    expect(mesh.podroute('a', ['ipam', 'check']).status).toBe(0);
  });
});
