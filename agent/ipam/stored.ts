/**
 * What a store in which nodes claim holds, for who claims and who releases.
 *
 * Owns: how a claim is recognised among manifests. Must not know: any store. What readers leave out counts here: the
 * name of a claim is taken, be the claim right or not.
 */
import { comparePrefixes, type Prefix, parsePrefix } from '../../bgp/net/index.js';
import type { StoredResource } from '../datastore/index.js';
import { parseDocuments, type ResourcesResult } from '../resources/index.js';
import type { TakenBlock } from './types.js';

/** All resources; errors name the store. */
export function parseStored(storeName: string, stored: readonly StoredResource[]): ResourcesResult {
  return parseDocuments(
    stored.map(({ manifest }) => ({ file: storeName, value: manifest, lineOf: () => 0 })),
  );
}

/** The pools, and of the nodes and claims those of `node`: a claim of one among hundreds need not read all of them. */
export function parseForNode(
  storeName: string,
  stored: readonly StoredResource[],
  node: string,
): ResourcesResult {
  const concerned = stored.filter(
    ({ kind, name, manifest }) =>
      kind === 'IPPool' ||
      (kind === 'Node' && name === node) ||
      (kind === 'BlockAffinity' && specOf(manifest)['node'] === node),
  );
  return parseStored(storeName, concerned);
}

/** @returns undefined where it is no BlockAffinity, or none that says what it is of */
export function claimOf({ kind, manifest }: StoredResource): TakenBlock | undefined {
  if (kind !== 'BlockAffinity') return undefined;
  const { cidr: text, node, state } = specOf(manifest);
  const cidr = prefixFrom(text);
  if (cidr === undefined || typeof node !== 'string') return undefined;
  const isReserved = state === 'pending' || state === 'pendingDeletion';
  return { cidr, node, source: 'claim', state: isReserved ? state : 'confirmed' };
}

/** Everything that is taken, in prefix order, what is left out included. */
export function takenInStore(stored: readonly StoredResource[]): readonly TakenBlock[] {
  return stored
    .flatMap((resource): readonly TakenBlock[] => {
      const claim = claimOf(resource);
      if (claim !== undefined) return [claim];
      const { podCIDRs } = specOf(resource.manifest);
      if (resource.kind !== 'Node' || !Array.isArray(podCIDRs)) return [];
      return podCIDRs.flatMap((text: unknown) => {
        const cidr = prefixFrom(text);
        return cidr === undefined
          ? []
          : [{ cidr, node: resource.name, source: 'podCIDRs', state: 'confirmed' } as const];
      });
    })
    .sort((a, b) => comparePrefixes(a.cidr, b.cidr));
}

function specOf({ spec }: StoredResource['manifest']): Readonly<Record<string, unknown>> {
  return typeof spec === 'object' && spec !== null ? (spec as Readonly<Record<string, unknown>>) : {};
}

function prefixFrom(text: unknown): Prefix | undefined {
  return typeof text === 'string' ? parsePrefix(text) : undefined;
}
