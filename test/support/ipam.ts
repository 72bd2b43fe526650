/** Stores with Nodes and pools for claims, and agents that claim in them. */
import type { Change, Datastore, Manifest } from '../../agent/datastore/index.js';
import {
  type ClaimOutcome,
  type ClaimStore,
  claimBlock,
  claimsWanted,
  parseStored,
  takenBlocks,
} from '../../agent/ipam/index.js';
import { formatPrefix } from '../../bgp/net/index.js';

/** Manifests as text, as the changes that write them. */
export function writes(...documents: readonly string[]): readonly Change[] {
  return documents.map((text) => {
    const manifest = JSON.parse(text) as Manifest & {
      readonly kind: string;
      readonly metadata: { readonly name: string };
    };
    return { kind: manifest.kind, name: manifest.metadata.name, expected: 'any', manifest };
  });
}

/** What an agent does that joins: the block that it lacks, from the pools that are for it. */
export function join(store: ClaimStore, node: string): Promise<ClaimOutcome> {
  return claimBlock(store, {
    node,
    pools: (resources) => {
      const plan = claimsWanted(resources, node);
      if ('problem' in plan) return plan;
      const [first] = plan.wanted;
      return first ?? { problem: `${node} has what it wants` };
    },
  });
}

/** The store for claims. @throws where nodes do not enter themselves into it */
export function claiming(datastore: Datastore): ClaimStore {
  const { registry } = datastore;
  if (registry === undefined) throw new Error(`${datastore.name} has no registry`);
  return { datastore, registry };
}

/** Everything that is taken, as `CIDR NODE`, in prefix order. */
export async function takenIn(datastore: Datastore): Promise<readonly string[]> {
  const read = parseStored(datastore.name, await datastore.list());
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  return takenBlocks(read.resources).map(({ cidr, node }) => `${formatPrefix(cidr)} ${node}`);
}
