/**
 * The words by which people name a kind on a command line.
 *
 * Owns: the words. Must not know: what a kind is.
 */
import { didYouMean } from '../schema/index.js';

/** Beside the kind itself and its plural: the short words of calicoctl and kubectl. */
const SHORT: ReadonlyMap<string, readonly string[]> = new Map([
  ['Node', ['no']],
  ['IPPool', ['ipp']],
  ['BGPConfiguration', ['bgpconfig', 'bgpconfigs', 'bgpc']],
  ['BGPPeer', ['bgpp']],
  ['BGPFilter', ['bgpf']],
  ['BlockAffinity', ['blockaffinities', 'ba']],
]);

const KIND_OF: ReadonlyMap<string, string> = new Map(
  [...SHORT].flatMap(([kind, words]) =>
    [kind.toLowerCase(), `${kind.toLowerCase()}s`, ...words].map((word) => [word, kind] as const),
  ),
);

/** The kinds in the order in which they are listed. */
export const KIND_NAMES: readonly string[] = [...SHORT.keys()];

/** `ippools`, `IPPool` and `ipp` are IPPool; upper and lower case count as equal. */
export function readKind(word: string): { readonly kind: string } | { readonly problem: string } {
  const kind = KIND_OF.get(word.toLowerCase());
  if (kind !== undefined) return { kind };
  const guess = didYouMean(word.toLowerCase(), KIND_OF.keys());
  return {
    problem: `"${word}" is no kind of resource${guess || `; there are ${[...KIND_NAMES].join(', ')}`}`,
  };
}
