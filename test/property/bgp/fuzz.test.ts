/**
 * A short run of what `npm run fuzz` does for longer, with a seed that stays.
 */
import { describe, expect, test } from 'vitest';
import { codecRound } from '../../fuzz/codec.js';
import { CORPUS_BYTES } from '../../fuzz/corpus.js';
import { Chance, mutate } from '../../fuzz/mutate.js';
import { sessionRound } from '../../fuzz/session.js';

const SEED = 20_260_923;

describe('damage', () => {
  test('the same seed gives the same octets, another seed others', () => {
    const damaged = (seed: number) => {
      const chance = new Chance(seed);
      return CORPUS_BYTES.map((bytes) => Buffer.from(mutate(bytes, chance, CORPUS_BYTES)).toString('hex'));
    };
    expect(damaged(SEED)).toEqual(damaged(SEED));
    expect(damaged(SEED)).not.toEqual(damaged(SEED + 1));
  });

  test('most of it changes the message', () => {
    const chance = new Chance(SEED);
    const changed = CORPUS_BYTES.filter(
      (bytes) => !Buffer.from(mutate(bytes, chance, CORPUS_BYTES)).equals(bytes),
    );
    expect(changed.length).toBeGreaterThan(CORPUS_BYTES.length / 2);
  });
});

test('20 000 damaged messages: a message or a fault, and what is passed on is sound', () => {
  for (let round = 0; round < 20_000; round += 1) codecRound(SEED + round);
});

test('40 hostile peers: the bystander feels nothing, and the peer is welcome again', async () => {
  let passedOn = 0;
  for (let round = 0; round < 40; round += 1) passedOn += await sessionRound(SEED + round);
  // They got as far as the other peers' tables.
  expect(passedOn).toBeGreaterThan(40);
});
