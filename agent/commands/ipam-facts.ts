/**
 * What the ipam commands know of a store: its resources, and who of the nodes lives.
 *
 * Owns: that a store in which nodes enter themselves is read otherwise than one that is written by hand.
 * Must not know: which command asks.
 */
import { type CliIo, EXIT, type ExitStatus, type OptionValues } from '../../api/index.js';
import type { Datastore, Registry, StoredResource } from '../datastore/index.js';
import { type IpamFacts, parseStored } from '../ipam/index.js';
import { checkText } from '../resources/index.js';
import { withStore } from './store.js';

/** The store of a command, read. */
export interface IpamStore {
  readonly datastore: Datastore;
  readonly stored: readonly StoredResource[];
  readonly facts: IpamFacts;
}

/** A store in which nodes claim. */
export interface ClaimingStore extends IpamStore {
  readonly registry: Registry;
}

/** Opens the store and reads resources and signs; says what is wrong with them where they cannot be used. */
export function withIpam(
  values: OptionValues,
  io: CliIo,
  work: (store: IpamStore) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  return withStore(values, io, async ({ datastore, stored }) => {
    const { registry } = datastore;
    const read =
      registry === undefined
        ? await datastore.start({ resourcesChanged: () => {}, healthChanged: () => {} })
        : parseStored(datastore.name, stored);
    if ('errors' in read) {
      io.stderr.write(`${checkText(read.errors)}\n`);
      return EXIT.usage;
    }
    const { resources, leftOut } = read;
    // Without signs there is nothing that a time could be compared with.
    const life = (await registry?.signs()) ?? { nowMs: 0 };
    return await work({ datastore, stored, facts: { resources, leftOut, ...life } });
  });
}

/** As {@link withIpam}, for what needs claims; `byHand` says how the same is done in a store that has none. */
export function withClaims(
  values: OptionValues,
  io: CliIo,
  byHand: string,
  work: (store: ClaimingStore) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  return withIpam(values, io, async (store) => {
    const { registry, name } = store.datastore;
    if (registry !== undefined) return await work({ ...store, registry });
    io.stderr.write(`${name} has no claims: its pod subnets are written by hand; ${byHand}\n`);
    return EXIT.usage;
  });
}
