/**
 * `npm run scale`: what clusters of different sizes cost, as a full mesh and with two route reflectors.
 *
 *   npm run scale [-- NODES...]        default: 50 100 200 300
 *
 * All agents run in this process, in virtual time, one after the other: the time on the wall is the work of all of them
 * on one processor. 300 nodes in a full mesh are 44 850 sessions and take about 3 GiB.
 */
import { parseArgs } from 'node:util';
import { REFLECTORS, type Shape } from './cluster.js';
import { measure } from './measure.js';
import { HEADER, rowsOf } from './table.js';

const DEFAULT_SIZES = ['50', '100', '200', '300'];
const SHAPES: readonly Shape[] = ['mesh', 'reflectors'];
const MIN_NODES = REFLECTORS + 1;
const MAX_NODES = 1000;

const { positionals } = parseArgs({ allowPositionals: true });
const sizes = (positionals.length > 0 ? positionals : DEFAULT_SIZES).map(Number);
if (!sizes.every((size) => Number.isInteger(size) && size >= MIN_NODES && size <= MAX_NODES)) {
  process.stderr.write(
    `scale: give numbers of nodes from ${MIN_NODES} to ${MAX_NODES}, like: npm run scale -- 50 100\n`,
  );
  process.exit(2);
}

process.stdout.write(`${HEADER}\n`);
for (const size of sizes) {
  for (const shape of SHAPES) {
    for (const row of rowsOf(await measure(size, shape))) process.stdout.write(`${row}\n`);
  }
}
