/**
 * What the agent is configured from: the cluster's resources and the secrets that they name, both watched.
 *
 * Owns: reading the two, and that nothing is lost that changes before anybody follows. Must not know: what they mean,
 * what a change sets in motion.
 */
import type { Logger } from 'pino';
import { EXIT } from '../api/index.js';
import type { AgentSettings } from './config/index.js';
import { createDatastore, type Datastore } from './datastore/index.js';
import type { ResourcesResult, SecretSource } from './resources/index.js';
import { snapshotPlace } from './runtime/index.js';
import { type SecretsResult, SecretWatch } from './secrets.js';
import { StartError } from './start-error.js';

/** Whom changes concern. */
export interface SourcesFollower {
  /** A state of the resources that differs from the one before, be it right or wrong. */
  readonly resourcesChanged: (result: ResourcesResult) => void;
  /** Secrets have changed where they are kept. */
  readonly secretsChanged: () => void;
}

export class Sources {
  readonly #datastore: Datastore;
  readonly #secretWatch: SecretWatch;
  #follower: SourcesFollower | undefined;
  /** What no follower has been told yet. */
  #newest: ResourcesResult | undefined;
  #haveSecretsChanged = false;

  /** @throws StartError where the setting names no datastore */
  constructor(
    { datastore, secrets, stateDir }: Pick<AgentSettings, 'datastore' | 'secrets' | 'stateDir'>,
    log: Logger,
  ) {
    const onWatchFailure = (folder: string, error: Error) =>
      log.warn({ folder, reason: error.message }, 'changes in the folder are only seen by a slow poll');
    const created = createDatastore(datastore, { onWatchFailure, snapshotFile: snapshotPlace(stateDir) });
    if ('problem' in created) throw new StartError(created.problem, { exitStatus: EXIT.usage });
    this.#datastore = created.datastore;
    this.#secretWatch = new SecretWatch(
      { folder: secrets, environment: process.env },
      () => {
        if (this.#follower === undefined) this.#haveSecretsChanged = true;
        else this.#follower.secretsChanged();
      },
      { onWatchFailure },
    );
  }

  /** The first state of the resources; they are watched from then on. Called once. */
  readResources(): Promise<ResourcesResult> {
    return this.#datastore.start({
      resourcesChanged: (result) => {
        if (this.#follower === undefined) this.#newest = result;
        else this.#follower.resourcesChanged(result);
      },
      healthChanged: () => {},
    });
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

  /** Ends both watches; the follower is told nothing any more. */
  async stop(): Promise<void> {
    await this.#datastore.stop();
    await this.#secretWatch.stop();
  }
}
