/**
 * `npm run fuzz`: damaged messages and hostile sessions until the time is over or something breaks.
 *
 *   npm run fuzz -- [--seconds 60] [--seed N] [--rounds N]
 *
 * Round N of seed S is round 0 of seed S + N, so a finding is repeated with `--seed` as printed and `--rounds 1`. Keep what
 * it finds as a vector: test/vectors/findings.ts.
 */
import { parseArgs } from 'node:util';
import { codecRound } from './codec.js';
import { sessionRound } from './session.js';

/** So many codec rounds for one session. */
const CODEC_ROUNDS_PER_SESSION = 200;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    rounds: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const rounds = Number(values.rounds ?? Number.POSITIVE_INFINITY);
if (![seconds, seed].every(Number.isInteger) || Number.isNaN(rounds)) {
  process.stderr.write('fuzz: --seconds, --seed and --rounds take whole numbers\n');
  process.exit(2);
}

process.stdout.write(`fuzz: seed ${seed}, ${seconds} s at most\n`);
const until = performance.now() + seconds * 1000;
let round = 0;
let passedOn = 0;
try {
  for (; round < rounds && performance.now() < until; round += 1) {
    for (let part = 0; part < CODEC_ROUNDS_PER_SESSION; part += 1) {
      codecRound((seed + round) * CODEC_ROUNDS_PER_SESSION + part);
    }
    passedOn += await sessionRound(seed + round);
  }
} catch (error) {
  process.stdout.write(`fuzz: broken; again with: npm run fuzz -- --seed ${seed + round} --rounds 1\n`);
  throw error;
}
process.stdout.write(
  `fuzz: ${round * CODEC_ROUNDS_PER_SESSION} messages, ${round} hostile peers that caused ${passedOn} UPDATEs to others; nothing found\n`,
);
