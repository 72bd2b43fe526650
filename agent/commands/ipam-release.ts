/**
 * `podroute ipam release`: gives up a claimed pod subnet, or all of a node.
 *
 * Owns: the command, and when it refuses. Must not know: stores. What is released is written over exactly what was read,
 * so that a claim that changes meanwhile is a conflict.
 */
import {
  type CliIo,
  type Command,
  EXIT,
  type ExitStatus,
  formatDuration,
  UsageError,
} from '../../api/index.js';
import {
  formatPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
} from '../../bgp/net/index.js';
import type { StoredResource } from '../datastore/index.js';
import { claimOf, defaultIpamLimits, nodeStanding, type TakenBlock, takenBlocks } from '../ipam/index.js';
import { didYouMean, quote } from '../schema/index.js';
import { type ClaimingStore, withClaims } from './ipam-facts.js';
import { FORMS, OUTPUT_OPTION } from './ipam-show.js';
import { answerText } from './ipam-text.js';
import { readForm, STORE_EXITS, STORE_OPTIONS, type StoreHooks } from './store.js';

const BY_HAND = 'take it out of podCIDRs of its Node by "podroute apply"';

/** A claim that is to go. */
interface Doomed extends TakenBlock {
  readonly resource: StoredResource;
}

export const ipamRelease: Command<StoreHooks> = {
  name: 'ipam release',
  summary: 'Release a claimed pod subnet, or all of a node that is gone, for others to claim.',
  argument: 'CIDR',
  details: ['It refuses while the agent of the node lives: its pods would lose their addresses.'],
  options: {
    node: { value: 'NAME', help: 'all claims of this node, instead of one subnet' },
    force: { help: 'even while the node lives; its agent then claims another one' },
    output: OUTPUT_OPTION,
    ...STORE_OPTIONS,
  },
  exits: [
    [EXIT.ok, 'released'],
    [
      EXIT.attention,
      'the node lives, a claim was changed meanwhile, or the store takes no writes; nothing is released',
    ],
    [EXIT.usage, 'the command line is wrong, or there is no such claim'],
    ...STORE_EXITS,
  ],
  run: async (values, argument, io) => {
    const form = readForm(values, FORMS);
    const node = typeof values['node'] === 'string' ? values['node'] : undefined;
    if ((argument === undefined) === (node === undefined)) {
      throw new UsageError('say what to release: either CIDR or --node NAME');
    }
    const cidr = argument === undefined ? undefined : readBlock(argument);
    return await withClaims(values, io, BY_HAND, async (store) => {
      const doomed = cidr === undefined ? claimsOfNode(store, node ?? '') : [claimAt(store, cidr)];
      const lives = values['force'] === true ? undefined : livingOwner(store, doomed);
      if (lives !== undefined) return refuse(io, lives);
      const result = await store.datastore.commit(
        doomed.map(({ resource: { kind, name, version } }) => ({
          kind,
          name,
          expected: { version },
          manifest: undefined,
        })),
      );
      if (result.outcome === 'conflict') {
        const names = result.conflicts.map(({ kind, name }) => `${kind}/${name}`).join(', ');
        return refuse(
          io,
          `${names} was changed meanwhile by somebody else; nothing is released, look and try again`,
        );
      }
      const released = doomed.map(({ cidr: block, node: owner }) => ({
        cidr: formatPrefix(block),
        node: owner,
      }));
      if (form === 'json') io.stdout.write(answerText({ released }));
      else for (const line of released) io.stdout.write(`released ${line.cidr} of ${line.node}\n`);
      return EXIT.ok;
    });
  },
};

/** @throws UsageError */
export function readBlock(text: string): Prefix {
  const cidr = parsePrefix(text);
  if (cidr === undefined)
    throw new UsageError(`${quote(text)} is no pod subnet; write it like 10.244.1.0/24`);
  return cidr;
}

function allClaims({ stored }: ClaimingStore): readonly Doomed[] {
  return stored.flatMap((resource) => {
    const claim = claimOf(resource);
    return claim === undefined ? [] : [{ ...claim, resource }];
  });
}

/** @throws UsageError where there is none */
function claimsOfNode(store: ClaimingStore, node: string): readonly Doomed[] {
  const all = allClaims(store);
  const own = all.filter((claim) => claim.node === node);
  if (own.length > 0) return own;
  const guess = didYouMean(node, new Set(all.map((claim) => claim.node)));
  throw new UsageError(`${node} has no claimed pod subnet${guess}`);
}

/** @throws UsageError where there is none, with what there is instead */
function claimAt(store: ClaimingStore, cidr: Prefix): Doomed {
  const all = allClaims(store);
  const claim = all.find((candidate) => candidate.cidr === cidr);
  if (claim !== undefined) return claim;
  const text = formatPrefix(cidr);
  const written = takenBlocks(store.facts.resources).find(
    (block) => block.source === 'podCIDRs' && prefixesOverlap(block.cidr, cidr),
  );
  if (written !== undefined) {
    throw new UsageError(`${text} is written with Node/${written.node}, and not claimed; ${BY_HAND}`);
  }
  const around = all.find((candidate) => prefixContains(candidate.cidr, cidr));
  const within = all.find((candidate) => prefixContains(cidr, candidate.cidr));
  const near = around ?? within;
  const hint =
    near === undefined
      ? 'see "podroute ipam show --blocks"'
      : `${formatPrefix(near.cidr)} of ${near.node} is`;
  throw new UsageError(`${text} is not claimed; ${hint}`);
}

/** Why nothing is taken from who has it. */
function livingOwner({ facts }: ClaimingStore, doomed: readonly Doomed[]): string | undefined {
  for (const owner of new Set(doomed.map(({ node }) => node))) {
    const { silentForMs } = nodeStanding(facts, defaultIpamLimits, owner);
    if (silentForMs === undefined || silentForMs >= defaultIpamLimits.silentAfterMs) continue;
    const age = formatDuration(silentForMs / 1000);
    return `${owner} lives (its last sign is ${age} old), and its pods would lose their addresses; stop its agent first, or give --force`;
  }
  return undefined;
}

function refuse(io: CliIo, sentence: string): ExitStatus {
  io.stderr.write(`${sentence}\n`);
  return EXIT.attention;
}
