/**
 * Brings AS_PATH and AS4_PATH, AGGREGATOR and AS4_AGGREGATOR of a 2-octet peer back together.
 *
 * Owns: the reconstruction. Must not know: bytes.
 * Source: RFC 6793 section 4.2.3.
 */
import { AS_TRANS } from '../constants.js';
import type { AsPathSegment } from '../message.js';
import { isConfederation } from './as-path.js';
import type { AttributeDraft } from './row.js';

/** Replaces what AS_TRANS hides in `draft.route` by what the AS4 attributes tell. */
export function mergeAs4(draft: AttributeDraft): void {
  const { route, as4Path, as4Aggregator } = draft;
  if (route.aggregator !== undefined && as4Aggregator !== undefined) {
    // A 2-octet speaker has aggregated since: what the AS4 attributes describe is gone.
    if (route.aggregator.asn !== AS_TRANS) return;
    route.aggregator = as4Aggregator;
  }
  if (route.asPath !== undefined && as4Path !== undefined) {
    route.asPath = mergeAs4Path(route.asPath, as4Path);
  }
}

/** `as4Path`, preceded by the ASes that 2-octet speakers have prepended to `asPath` since. */
export function mergeAs4Path(
  asPath: readonly AsPathSegment[],
  as4Path: readonly AsPathSegment[],
): readonly AsPathSegment[] {
  let missing = countAses(asPath) - countAses(as4Path);
  // A path that got shorter was changed by somebody who did not know AS4_PATH: ignore it.
  if (missing < 0) return asPath;
  const merged: AsPathSegment[] = [];
  for (const segment of asPath) {
    // A confederation segment counts nothing and comes along where it leads or follows something prepended.
    if (isConfederation(segment)) {
      merged.push(segment);
      continue;
    }
    if (missing === 0) break;
    const { kind, asns } = segment;
    if (kind === 'set' || asns.length <= missing) {
      merged.push(segment);
      missing -= countAses([segment]);
      continue;
    }
    // The boundary is inside this sequence: what follows it is the start of AS4_PATH's first one.
    return [...merged, ...joinSequences({ kind, asns: asns.slice(0, missing) }, as4Path)];
  }
  return [...merged, ...as4Path];
}

function joinSequences(head: AsPathSegment, rest: readonly AsPathSegment[]): readonly AsPathSegment[] {
  const [first, ...others] = rest;
  if (first?.kind !== 'sequence') return [head, ...rest];
  return [{ kind: 'sequence', asns: [...head.asns, ...first.asns] }, ...others];
}

/** RFC 4271 §9.1.2.2 a: a set counts as one; RFC 5065 §5.3: confederation segments count nothing. */
function countAses(segments: readonly AsPathSegment[]): number {
  let count = 0;
  for (const segment of segments) {
    if (segment.kind === 'sequence') count += segment.asns.length;
    else if (segment.kind === 'set') count += 1;
  }
  return count;
}
