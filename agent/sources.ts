/**
 * What the agent is configured from: the cluster's resources and the secrets that they name, both watched.
 *
 * Owns: reading the two, and that nothing is lost that changes before anybody follows. Must not know: what they mean,
 * what a change sets in motion.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { EXIT } from '../api/index.js';
import { systemClock } from '../bgp/speaker/index.js';
import { AddressWatch } from './address-watch.js';
import type { Alarms } from './alarms.js';
import type { AgentSettings } from './config/index.js';
import { createDatastore, type Datastore, type StoreHealth } from './datastore/index.js';
import { ClusterEntry, type EntryStatus } from './join/index.js';
import { Locator } from './locator.js';
import type { NodeResource, ResourcesResult, SecretSource } from './resources/index.js';
import { snapshotPlace } from './runtime/index.js';
import { type SecretsResult, SecretWatch } from './secrets.js';
import { StartError } from './start-error.js';

/** Whom changes concern. */
export interface SourcesFollower {
  /** A state of the resources that differs from the one before, be it right or wrong. */
  readonly resourcesChanged: (result: ResourcesResult) => void;
  /** Secrets have changed where they are kept. */
  readonly secretsChanged: () => void;
  /** Whether BGP shows that a node lives. */
  readonly isProven: (node: NodeResource) => boolean;
}

/** A node gives a sign so often, or five times within the time after which it would be missed. */
const BEAT_MS = 10_000;
const BEATS_PER_TIMEOUT = 5;

export class Sources {
  readonly #log: Logger;
  readonly #datastore: Datastore;
  readonly #secretWatch: SecretWatch;
  /** Where nodes enter themselves. */
  readonly #entry: ClusterEntry | undefined;
  readonly #addressWatch: AddressWatch | undefined;
  #follower: SourcesFollower | undefined;
  /** What no follower has been told yet. */
  #newest: ResourcesResult | undefined;
  #haveSecretsChanged = false;

  /** @throws StartError where the setting names no datastore */
  constructor(settings: AgentSettings, log: Logger, alarms: Pick<Alarms, 'set'>) {
    const onWatchFailure = (folder: string, error: Error) =>
      log.warn({ folder, reason: error.message }, 'changes in the folder are only seen by a slow poll');
    const created = createDatastore(settings.datastore, {
      onWatchFailure,
      snapshotFile: snapshotPlace(settings.stateDir),
    });
    if ('problem' in created) throw new StartError(created.problem, { exitStatus: EXIT.usage });
    this.#log = log;
    this.#datastore = created.datastore;
    this.#secretWatch = new SecretWatch(
      { folder: settings.secrets, environment: process.env },
      () => {
        if (this.#follower === undefined) this.#haveSecretsChanged = true;
        else this.#follower.secretsChanged();
      },
      { onWatchFailure },
    );
    const { registry } = this.#datastore;
    if (registry === undefined) return;
    const locator = new Locator(settings);
    const nodeTimeoutMs = settings.nodeTimeout * 1000;
    const entry = new ClusterEntry({
      datastore: this.#datastore,
      registry,
      nodeName: settings.nodeName,
      locate: (resources, entered) => locator.locate(resources, entered),
      instance: randomUUID(),
      beatMs: Math.min(BEAT_MS, nodeTimeoutMs / BEATS_PER_TIMEOUT),
      nodeTimeoutMs,
      clock: systemClock,
      random: Math.random,
      log: log.child({ part: 'cluster' }),
      alarms,
      isProven: (node) => this.#follower?.isProven(node) ?? false,
      onChange: (result) => this.#changed(result),
      onHealth: (health) => this.#healthChanged(health),
    });
    this.#entry = entry;
    this.#addressWatch = new AddressWatch(systemClock, () => entry.addressesChanged());
  }

  /** The first state of the resources; they are watched from then on. Called once. @throws StartError */
  async readResources(): Promise<ResourcesResult> {
    if (this.#entry === undefined) {
      return await this.#datastore.start({
        resourcesChanged: (result) => this.#changed(result),
        healthChanged: (health) => this.#healthChanged(health),
      });
    }
    const deafness = await this.#addressWatch?.start();
    if (deafness !== undefined) {
      this.#log.warn(
        { reason: deafness },
        'a change of the address of this node is only seen by a slow poll',
      );
    }
    return await this.#entry.start();
  }

  /** What these secrets are now; they are watched from then on. */
  readSecrets(sources: readonly SecretSource[]): Promise<SecretsResult> {
    return this.#secretWatch.read(sources);
  }

  /** Tells what has changed since the first reading, and whatever changes from now on. */
  follow(follower: SourcesFollower): void {
    this.#follower = follower;
    if (this.#newest !== undefined) follower.resourcesChanged(this.#newest);
    if (this.#haveSecretsChanged) follower.secretsChanged();
  }

  /** What people call the store; without secrets. */
  get storeName(): string {
    return this.#datastore.name;
  }

  /** How the store stands. */
  health(): StoreHealth {
    return this.#datastore.health();
  }

  /** How this node and the others stand in it; undefined: nodes are written by hand. */
  entryStatus(): EntryStatus | undefined {
    return this.#entry?.status();
  }

  /** Ends all watches; the follower is told nothing any more. */
  async stop(): Promise<void> {
    await this.#addressWatch?.stop();
    await (this.#entry ?? this.#datastore).stop();
    await this.#secretWatch.stop();
  }

  #changed(result: ResourcesResult): void {
    if (this.#follower === undefined) this.#newest = result;
    else this.#follower.resourcesChanged(result);
  }

  #healthChanged({ state, reason, notes }: StoreHealth): void {
    const facts = { state, ...(reason === '' ? {} : { reason }), ...(notes.length === 0 ? {} : { notes }) };
    if (state === 'ok') this.#log.info(facts, 'the datastore answers');
    else this.#log.warn(facts, 'the datastore is in trouble: everything goes on with what was read last');
  }
}
