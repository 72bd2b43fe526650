/**
 * Enters this machine into the store: its Node, and the pod subnets that it is to have.
 *
 * Owns: one attempt, against whatever others write meanwhile. Must not know: when to try, what becomes of a refusal.
 */
import { comparePrefixes, formatIpAddress, isIpv4, type Prefix, prefixAddress } from '../../bgp/net/index.js';
import { type Datastore, type Registry, type StoredResource, StoreError } from '../datastore/index.js';
import type { Candidate, Detection } from '../detect/index.js';
import { claimBlock, claimsWanted, heldBlocks, parseStored } from '../ipam/index.js';
import { checkText, type InterfaceAddress, type NodeResource, type Resources } from '../resources/index.js';
import { ownManifest } from './own-node.js';

/** A store that nodes enter themselves into. */
export interface EntryStore {
  readonly datastore: Pick<Datastore, 'name' | 'list' | 'commit'>;
  readonly registry: Pick<Registry, 'claim'>;
}

/** The addresses of this machine, of both families; `ipv6` is absent where none is asked for. */
export interface Place {
  readonly ipv4: Detection;
  readonly ipv6?: Detection;
}

export interface EntryOrder {
  readonly nodeName: string;
  /** Where this machine is, given what the cluster has and where the node was before. */
  readonly locate: (resources: Resources, entered: NodeResource | undefined) => Promise<Place>;
  /** What the node had before, asked for first. */
  readonly former: readonly Prefix[];
}

export type Entry =
  | {
      readonly outcome: 'entered';
      readonly address: Candidate;
      readonly alternatives: readonly Candidate[];
      /** In prefix order. */
      readonly blocks: readonly Prefix[];
      /** Why it has fewer pod subnets than it should, a sentence each. */
      readonly problems: readonly string[];
      /** Something of it was written now. */
      readonly isNew: boolean;
    }
  /** One sentence, or a line for each error of the resources. */
  | { readonly outcome: 'refused'; readonly problem: string };

/** Rounds that are lost to others before something must be wrong with the store. */
const MAX_ROUNDS = 100;

/** @throws StoreError */
export async function enter(store: EntryStore, order: EntryOrder): Promise<Entry> {
  const { datastore } = store;
  const { nodeName } = order;
  let isNew = false;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const stored = await datastore.list();
    const read = parseStored(datastore.name, stored);
    if ('errors' in read) return refused(`the cluster resources are wrong:\n${checkText(read.errors)}`);
    const { resources } = read;
    const entered = resources.nodes.find(({ name }) => name === nodeName);
    const place = await order.locate(resources, entered);
    if ('problem' in place.ipv4) return refused(place.ipv4.problem);
    if (place.ipv6 !== undefined && 'problem' in place.ipv6) return refused(place.ipv6.problem);
    const { chosen, alternatives } = place.ipv4;
    const others = resources.nodes.filter(({ name }) => name !== nodeName);
    const rival = others.find(({ ipv4 }) => ipv4?.address === chosen.address);
    if (rival !== undefined) return refused(sameAddress(nodeName, chosen, rival));

    const blocks = [...heldBlocks(resources, nodeName)].sort(comparePrefixes);
    const tunnel = blocks.map(prefixAddress).find(isIpv4);
    const own = stored.find(({ kind, name }) => kind === 'Node' && name === nodeName);
    const manifest = ownManifest(own?.manifest, {
      name: nodeName,
      ipv4Address: interfaceText(chosen),
      ...(place.ipv6 === undefined ? {} : { ipv6Address: interfaceText(place.ipv6.chosen) }),
      ...(tunnel === undefined ? {} : { tunnelAddress: formatIpAddress(tunnel) }),
    });
    if (manifest !== undefined) {
      await datastore.commit([{ kind: 'Node', name: nodeName, expected: expectedOf(own), manifest }]);
      // Done or not: what is there now decides.
      isNew = true;
      continue;
    }
    const claimed = await claimMissing(store, order, resources);
    if (claimed.isNew) {
      isNew = true;
      continue;
    }
    return { outcome: 'entered', address: chosen, alternatives, blocks, problems: claimed.problems, isNew };
  }
  throw new StoreError(
    `Node/${nodeName} was changed by others ${MAX_ROUNDS} times while this node was entered`,
  );
}

function refused(problem: string): Entry {
  return { outcome: 'refused', problem };
}

function sameAddress(nodeName: string, { address }: InterfaceAddress, rival: NodeResource): string {
  const text = formatIpAddress(address);
  return `${text} is the address of Node/${rival.name} already, so that Node/${nodeName} cannot be entered with it; give this machine another address, choose another one with --ip, or, where ${rival.name} is gone for good, remove it: podroute delete node ${rival.name}`;
}

function expectedOf(own: StoredResource | undefined): 'absent' | { readonly version: string } {
  return own === undefined ? 'absent' : { version: own.version };
}

/** A block of each family that the node lacks. @throws StoreError */
async function claimMissing(
  { datastore, registry }: EntryStore,
  { nodeName, former }: EntryOrder,
  resources: Resources,
): Promise<{ readonly isNew: boolean; readonly problems: readonly string[] }> {
  const plan = claimsWanted(resources, nodeName);
  if ('problem' in plan) return { isNew: false, problems: [plan.problem] };
  const problems: string[] = [];
  let isNew = false;
  for (const { pools } of plan.wanted) {
    const names = new Set(pools.map(({ name }) => name));
    const outcome = await claimBlock(
      { datastore, registry },
      {
        node: nodeName,
        pools: (now) => ({ pools: now.pools.filter(({ name }) => names.has(name)) }),
        previous: former,
      },
    );
    if ('cidr' in outcome) isNew = true;
    else problems.push('problem' in outcome ? outcome.problem : checkText(outcome.errors));
  }
  return { isNew, problems };
}

export function interfaceText({ address, lengthBits }: InterfaceAddress): string {
  return `${formatIpAddress(address)}/${lengthBits}`;
}
