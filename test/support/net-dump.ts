/**
 * Everything of a machine's network that a program could have changed, as text: devices, addresses, routes and rules of both
 * families, nftables, and every setting below net/.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { until } from './until.js';

const IP_QUESTIONS = [
  ['-d', 'link'],
  ['-d', 'address'],
  ...['-4', '-6'].flatMap((family) => [
    [family, '-N', 'route', 'show', 'table', 'all'],
    [family, 'rule'],
  ]),
];

/** What moves by itself: remaining lifetimes, and the number of connections just now. */
const MOVING = /( expires \d+sec| (valid|preferred)_lft \d+sec|net\.netfilter\.nf_conntrack_count = \d+)/g;

/**
 * One entry per question; where two differ, `toEqual` shows the lines.
 * @param namespace as `ip netns` knows it
 */
export function netDump(namespace: string): Readonly<Record<string, readonly string[]>> {
  const questions = [
    ...IP_QUESTIONS.map((words) => ['ip', ...words]),
    ['nft', 'list', 'ruleset'],
    ['sysctl', '-a', '--pattern', '^net[.]'],
  ];
  return Object.fromEntries(questions.map((argv) => [argv.join(' '), linesOf(namespace, argv)]));
}

/** Resolves when no address is on trial any more: duplicate address detection ends by itself, a second after it began. */
export async function netAtRest(namespace: string): Promise<void> {
  const onTrial = ['-n', namespace, '-6', 'address', 'show', 'tentative'];
  await until(`${namespace} is at rest`, () => execFileSync('ip', onTrial, { encoding: 'utf8' }) === '');
}

function linesOf(namespace: string, argv: readonly string[]): readonly string[] {
  // Some settings are for writing alone, and a kernel may have no nf_tables: what cannot be read is the same before and after.
  const { stdout, error } = spawnSync('ip', ['netns', 'exec', namespace, ...argv], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return stdout.replace(MOVING, '').trimEnd().split('\n');
}
