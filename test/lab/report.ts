/** The lab's findings as text for people. Owns: the layout. Must not know: how anything was found. */
import type { TransferFinding } from './bulk.js';
import type { Check } from './checks.js';
import { heading, type Output, styled, table } from './output.js';
import { type Distance, PAIR_KINDS } from './pairs.js';
import type { Path } from './paths.js';
import type { CaptureFinding, PingFinding } from './verify.js';

const DISTANCES: readonly Distance[] = ['same node', 'same network', 'across'];

/** At most so many failures are named in full; a broken lab fails hundreds of checks for one reason. */
const FAILURES_SHOWN = 40;

/** Rows are senders, columns targets; each cell the TTLs of request and reply at their ends. */
export function printMatrix(output: Output, pings: readonly PingFinding[]): void {
  heading(output, `Ping matrix: ${pings.length} pings, TTL of the request / of the reply where they arrived`);
  const names = [...new Set(pings.flatMap(({ pair }) => [pair.from, pair.to]))].sort(byPlace);
  const cells = new Map(pings.map((ping) => [`${ping.pair.from} ${ping.pair.to}`, cell(output, ping)]));
  const rows = names.map((from) => [from, ...names.map((to) => cells.get(`${from} ${to}`) ?? '·')]);
  table(output, [['from \\ to', ...names.map((name) => name.replace('pod-', ''))], ...rows]);
}

/** Pods first, then nodes, then the rest. */
function byPlace(a: string, b: string): number {
  const rank = (name: string) => (name.startsWith('pod') ? 0 : name.startsWith('node') ? 1 : 2);
  return rank(a) - rank(b) || a.localeCompare(b);
}

function cell(output: Output, { observation, fault }: PingFinding): string {
  const ttl = (seen: { readonly ttl: number } | undefined) => seen?.ttl ?? '--';
  const text = `${ttl(observation.request)}/${ttl(observation.reply)}`;
  return fault === undefined ? text : styled(output, 'red', `${text}!`);
}

/** One row per kind of pair and distance: what is expected of it, and how many did so. */
export function printKinds(output: Output, pings: readonly PingFinding[]): void {
  heading(output, 'Expected and seen, by kind of pair (no NAT: the source arrives as it was sent)');
  const places = PAIR_KINDS.flatMap((kind) => DISTANCES.map((distance) => ({ kind, distance })));
  const rows = places.flatMap(({ kind, distance }) => {
    const here = pings.filter(({ pair }) => pair.kind === kind && pair.distance === distance);
    return [...new Set(here.map(wayOf))].flatMap((way) => {
      const group = here.filter((ping) => wayOf(ping) === way);
      const [first] = group;
      if (first === undefined) return [];
      const { request, reply } = first.pair;
      const sender = kind.split('-')[0] ?? '';
      const good = group.filter(({ fault }) => fault === undefined).length;
      const all = good === group.length;
      const verdict = styled(output, all ? 'green' : 'red', all ? 'ok' : 'FAILED');
      const source = `${sourceName(first, sender)}, e.g. ${request.source}`;
      return [
        [
          kind,
          distance,
          way,
          source,
          `${ttlText(request)}/${ttlText(reply)}`,
          `${good}/${group.length}`,
          verdict,
        ],
      ];
    });
  });
  table(output, [['pair', 'distance', 'there / back', 'source seen', 'TTL', 'pings', ''], ...rows]);
}

function ttlText({ ttl, lostAt }: Path): string {
  return lostAt === undefined ? String(ttl) : '--';
}

/** A node has several addresses: which one its kernel chose is the point. */
function sourceName({ pair }: Pick<PingFinding, 'pair'>, sender: string): string {
  if (sender !== 'node') return `${sender} address`;
  if (pair.distance === 'same node') return 'bridge address';
  return wayOf({ pair }).startsWith('IPIP') ? 'tunnel address' : 'node address';
}

function wayOf({ pair }: Pick<PingFinding, 'pair'>): string {
  return [pair.request, pair.reply]
    .map(({ legs, lostAt }) => {
      if (lostAt !== undefined) return 'no way';
      return legs.some((leg) => leg.outer !== undefined) ? 'IPIP' : 'plain';
    })
    .join(' / ');
}

/** Every ping on a line of its own. */
export function printPairs(output: Output, pings: readonly PingFinding[]): void {
  heading(output, 'Every ping');
  const rows = pings.map(({ pair, observation, fault }) => [
    pair.from,
    pair.to,
    observation.request?.source ?? '-',
    `${observation.request?.ttl ?? '--'}/${observation.reply?.ttl ?? '--'}`,
    `${pair.request.source} ${pair.request.ttl}/${pair.reply.ttl}`,
    fault === undefined ? styled(output, 'green', 'ok') : styled(output, 'red', `FAILED: ${fault}`),
  ]);
  table(output, [['from', 'to', 'source seen', 'TTL', 'expected', ''], ...rows]);
}

/** How long the transfers took. */
export function printTransfers(output: Output, transfers: readonly TransferFinding[]): void {
  heading(output, '10 MB by TCP, DF set in every packet');
  const rows = transfers.map(({ pair, seconds, faults }) => [
    pair.from,
    pair.to,
    wayOf({ pair }),
    `${seconds.toFixed(2)} s`,
    faults.length === 0
      ? styled(output, 'green', 'ok')
      : styled(output, 'red', `FAILED: ${faults.join('; ')}`),
  ]);
  table(output, [['from', 'to', 'there / back', 'time', ''], ...rows]);
}

/** What tcpdump saw at each point, counted by kind, with some of its own lines. */
export function printCaptures(output: Output, captures: readonly CaptureFinding[]): void {
  for (const { title, wires, samples } of captures) {
    heading(output, `Captured ${title}`);
    const rows = PAIR_KINDS.flatMap((kind) =>
      DISTANCES.flatMap((distance) => {
        const group = wires.filter(({ pair }) => pair.kind === kind && pair.distance === distance);
        if (group.length === 0 || distance === 'same node') return [];
        const good = group.filter(({ ok }) => ok).length;
        const all = good === group.length;
        return [
          [
            kind,
            distance,
            passing(group.filter(({ direction }) => direction === 'request')),
            passing(group.filter(({ direction }) => direction === 'reply')),
            `${good}/${group.length}`,
            styled(output, all ? 'green' : 'red', all ? 'ok' : 'FAILED'),
          ],
        ];
      }),
    );
    table(output, [['pair', 'distance', 'requests seen', 'replies seen', 'as expected', ''], ...rows]);
    for (const { title: ping, lines } of samples) {
      if (lines.length > 0) output.write(`    ${styled(output, 'dim', ping)}\n`);
      for (const line of lines) output.write(`      ${line}\n`);
    }
  }
}

/** How often packets passed, and in which dress: `8 IPIP`, `4 plain, 4 IPIP`, `none`. */
function passing(group: readonly { readonly seen: readonly string[] }[]): string {
  const seen = group.flatMap((wire) => wire.seen);
  const tunnelled = seen.filter((passage) => passage.startsWith('ipip')).length;
  const plain = seen.length - tunnelled;
  const parts = [plain > 0 ? `${plain} plain` : '', tunnelled > 0 ? `${tunnelled} IPIP` : ''].filter(Boolean);
  return parts.length === 0 ? 'none' : parts.join(', ');
}

/** The last word: passed, or every failed check by name. */
export function printVerdict(output: Output, checks: readonly Check[], facts: readonly string[]): void {
  const failed = checks.filter(({ ok }) => !ok);
  output.write('\n');
  for (const fact of facts) output.write(`${fact}\n`);
  if (failed.length === 0) {
    output.write(`${styled(output, 'green', 'PASSED')}: all ${checks.length} checks\n`);
    return;
  }
  output.write(`${styled(output, 'red', 'FAILED')}: ${failed.length} of ${checks.length} checks\n`);
  for (const { name, detail } of failed.slice(0, FAILURES_SHOWN)) output.write(`  ${name}: ${detail}\n`);
  const more = failed.length - FAILURES_SHOWN;
  if (more > 0) output.write(`  ... and ${more} more (all of them with --json FILE)\n`);
}
