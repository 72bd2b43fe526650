/**
 * A change of the resources as lines for people, and as JSON for scripts.
 *
 * Owns: the words, and how sessions are put together into few lines. Must not know: what the change comes to. Pure.
 */
import type { Conflict, StoredResource } from '../datastore/index.js';
import { differences, fieldText, keyText, normalManifest } from '../manifests/index.js';
import type { SessionEffect, SessionOutcome } from '../membership/index.js';
import type { ChangePlan } from './plan.js';

/** So many names stand in a line; JSON has them all. */
const MOST_NAMES = 8;

const VERBS: Readonly<Record<SessionOutcome, readonly [one: string, several: string]>> = {
  comes: ['comes', 'come'],
  goes: ['goes', 'go'],
  resets: ['is reset', 'are reset'],
  changes: ['goes on', 'go on'],
};

/** One line per resource with its fields below, then the sessions, then what else is to be known. */
export function changeLines({ resources, sessions, notes, changes }: ChangePlan): readonly string[] {
  return [
    ...resources.flatMap((change) => [
      `${change.outcome} ${keyText(change)}`,
      ...change.fields.map((field) => `  ${fieldText(field)}`),
    ]),
    ...sessionLines(sessions),
    ...(changes.length > 0 && sessions.length === 0 && notes.length === 0 ? ['no session is touched'] : []),
    ...notes,
  ];
}

/** What the same happens to for the same reason is one line: peers of one node first, then nodes with equal peers. */
function sessionLines(effects: readonly SessionEffect[]): readonly string[] {
  const byNode = grouped(effects, ({ node, peer, outcome, reasons }) =>
    JSON.stringify([node, peer === undefined, outcome, reasons]),
  );
  const rows = byNode.map((group) => ({ ...group[0], peers: group.map(({ peer }) => peer) }));
  const byPeers = grouped(rows, ({ peers, outcome, reasons }) => JSON.stringify([peers, outcome, reasons]));
  return byPeers.map(([first, ...others]) => {
    const nodes = [first, ...others].map(({ node }) => node);
    return `${names(nodes)}: ${sessionsText(first.peers, first.outcome)}${reasonText(first)}`;
  });
}

function sessionsText(peers: readonly (string | undefined)[], outcome: SessionOutcome): string {
  const known = peers.flatMap((peer) => peer ?? []);
  const [one, several] = VERBS[outcome];
  if (known.length === 0) return `every session ${one}`;
  return known.length === 1 ? `session ${known[0]} ${one}` : `sessions ${names(known)} ${several}`;
}

function reasonText({ reasons }: SessionEffect): string {
  return reasons.length === 0 ? '' : `: ${reasons.join(', ')}`;
}

function names(all: readonly string[]): string {
  const shown = all.slice(0, all.length > MOST_NAMES ? MOST_NAMES - 1 : MOST_NAMES).join(', ');
  const more = all.length > MOST_NAMES ? ` and ${all.length - MOST_NAMES + 1} more` : '';
  return `${shown}${more}`;
}

/** In the order of the first of each group. */
function grouped<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** Nothing is left out of it. */
export function changeJson({ resources, sessions, notes }: ChangePlan, dryRun: boolean): string {
  const value = {
    dryRun,
    resources: resources.map(({ fields, ...change }) => ({
      ...change,
      fields: fields.map(({ path, before, after }) => ({
        path,
        before: before ?? null,
        after: after ?? null,
      })),
    })),
    sessions: sessions.map(({ peer, ...effect }) => ({ ...effect, peer: peer ?? null })),
    notes,
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * `Node/a was changed meanwhile by somebody else: ...`
 * @param before what was read before the change was made up
 */
export function conflictText({ found, ...key }: Conflict, before: readonly StoredResource[]): string {
  const was = before.find(({ kind, name }) => kind === key.kind && name === key.name);
  const text = keyText(key);
  if (found === undefined) return `${text} was removed meanwhile by somebody else`;
  if (was === undefined) return `${text} was created meanwhile by somebody else`;
  const what =
    found.version === was.version
      ? `it is at version ${found.version}, and the manifest was made from another`
      : differences(normalManifest(was.manifest), normalManifest(found.manifest)).map(fieldText).join(', ');
  return `${text} was changed meanwhile by somebody else: ${what}`;
}
