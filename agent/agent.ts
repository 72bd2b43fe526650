/**
 * The agent of one node: datastore, speaker, data plane and API, wired together.
 *
 * Owns: the order of start and stop, and what a change of the configuration sets in motion. Must not know: how any of
 * the parts works.
 */
import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createApi, EXIT, listen } from '../api/index.js';
import type { BestPathChange, RoutePolicy } from '../bgp/rib/index.js';
import { type ListenOptions, Speaker, systemClock, tcpTransport } from '../bgp/speaker/index.js';
import { CEASE, NOTIFICATION, notification } from '../bgp/wire/index.js';
import { Dataplane, type NextHopFacts, procSysctl, rtnetlinkKernel } from '../ipip/index.js';
import { type CheckedPlan, checkedPlan, passwordsOf } from './checked-plan.js';
import type { AgentSettings } from './config/index.js';
import { createDatastore, type Datastore } from './datastore/index.js';
import { NodeHost } from './host.js';
import { Interfaces } from './interfaces.js';
import { logDataplaneEvent } from './log.js';
import { type Membership, planLocalChanges, planPeerChanges } from './membership/index.js';
import { noticesOf } from './notices.js';
import {
  dynamicPeerRanges,
  listenOptionsOf,
  localRoutesOf,
  nextHopFacts,
  nodeFactsOf,
  peerConfigs,
  policyOf,
  progressOf,
  routeChangeOf,
} from './plan.js';
import { checkText, formatConfigError, type ResourcesResult } from './resources/index.js';
import { RuntimeFolder, settingStore } from './runtime/index.js';
import { type Secrets, SecretWatch } from './secrets.js';
import { bgpListenError, StartError } from './start-error.js';
import { AgentView } from './views/agent-view.js';

/** What an earlier run left goes away after this time, where its peer has not said more by then. */
const SWEEP_AFTER_MS = 60_000;

export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly log: Logger;
  readonly version: string;
}

/** What was there before the agent's own parts. */
interface Ground {
  readonly datastore: Datastore;
  readonly secretWatch: SecretWatch;
  /** Absent: the data plane is off, and nothing of this machine is changed. */
  readonly runtime: RuntimeFolder | undefined;
}

export class Agent {
  readonly #settings: AgentSettings;
  readonly #log: Logger;
  readonly #datastore: Datastore;
  readonly #secretWatch: SecretWatch;
  readonly #interfaces: Interfaces;
  readonly #host: NodeHost | undefined;
  readonly #dataplane: Dataplane | undefined;
  readonly #view: AgentView;
  readonly #api: FastifyInstance;
  #membership: Membership;
  #secrets: Secrets;
  #speaker: Speaker;
  #leftoverRoutes = 0;
  /** What the end of our own sessions makes of the tables is not for the kernel: a stopped agent leaves its routes. */
  #isStopping = false;
  /** What the data plane has this node say of itself. */
  #facts: NextHopFacts | undefined;
  #factsOf: ReturnType<typeof nextHopFacts>;
  /** The newest configuration, where it is right by itself and this machine or a password stands in its way. */
  #refused: ResourcesResult | undefined;
  #notices: ReadonlySet<string> = new Set();
  /** Changes are carried out one after the other. */
  #work: Promise<void> = Promise.resolve();

  /**
   * Starts everything, or nothing.
   * @throws StartError, or the error of a part, each with a sentence for the operator
   */
  static async start(options: AgentOptions): Promise<Agent> {
    const onWatchFailure = (folder: string, error: Error) =>
      options.log.warn(
        { folder, reason: error.message },
        'changes in the folder are only seen by a slow poll',
      );
    const created = createDatastore(options.settings.datastore, { onWatchFailure });
    if ('problem' in created) throw new StartError(created.problem, { exitStatus: EXIT.usage });
    const { datastore } = created;
    let agent: Agent | undefined;
    let runtime: RuntimeFolder | undefined;
    let changedMeanwhile: ResourcesResult | undefined;
    let secretsChangedMeanwhile = false;
    const secretWatch = new SecretWatch(
      { folder: options.settings.secrets, environment: process.env },
      () => {
        if (agent === undefined) secretsChangedMeanwhile = true;
        else agent.#secretsChanged();
      },
      { onWatchFailure },
    );
    const first = await datastore.start((result) => {
      if (agent === undefined) changedMeanwhile = result;
      else agent.change(result);
    });
    try {
      if ('errors' in first) {
        const problem = `the cluster resources are wrong:\n${checkText(first.errors)}`;
        throw new StartError(problem, { exitStatus: EXIT.usage });
      }
      for (const warning of first.warnings) options.log.warn(formatConfigError(warning));
      const plan = await checkedPlan(first.resources, options.settings.nodeName, (sources) =>
        secretWatch.read(sources),
      );
      if (options.settings.dataplane) runtime = RuntimeFolder.open(options.settings.runDir);
      const starting = new Agent(options, { datastore, secretWatch, runtime }, plan);
      await starting.#begin();
      agent = starting;
      if (changedMeanwhile !== undefined) agent.change(changedMeanwhile);
      if (secretsChangedMeanwhile) agent.#secretsChanged();
      return agent;
    } catch (error) {
      await datastore.stop();
      await secretWatch.stop();
      runtime?.close();
      throw error;
    }
  }

  private constructor(
    { settings, log, version }: AgentOptions,
    { datastore, secretWatch, runtime }: Ground,
    { membership, secrets }: CheckedPlan,
  ) {
    this.#settings = settings;
    this.#log = log;
    this.#datastore = datastore;
    this.#secretWatch = secretWatch;
    this.#interfaces = new Interfaces({
      settings,
      clock: systemClock,
      log,
      onChange: () => this.#tellPolicy(),
    });
    this.#host = runtime && new NodeHost(runtime, log.child({ part: 'host' }));
    this.#membership = membership;
    this.#secrets = secrets;
    this.#factsOf = nextHopFacts(membership);
    this.#dataplane = runtime === undefined ? undefined : this.#createDataplane(runtime);
    this.#speaker = this.#createSpeaker(false);
    this.#view = new AgentView({
      settings,
      version,
      clock: systemClock,
      speaker: () => this.#speaker,
      dataplane: this.#dataplane,
      nat: this.#host?.nat,
      membership: () => this.#membership,
    });
    this.#api = createApi({
      source: this.#view,
      actions: {
        shutdown: (name, text) => this.#speaker.shutdownPeer(name, text),
        reset: (name, text) => this.#speaker.resetPeer(name, text),
        enable: (name) => this.#speaker.enablePeer(name),
      },
      logger: log.child({ part: 'api' }),
    });
  }

  /** Takes over a newly read configuration, or says why the one in force stays. */
  change(result: ResourcesResult): void {
    this.#work = this.#work.then(() => this.#take(result));
  }

  /** Passwords have changed where they are kept. */
  #secretsChanged(): void {
    this.#work = this.#work.then(() => this.#takeSecrets());
  }

  /**
   * Ends the agent and leaves the network as it is: routes and tunnel stay, and peers that speak graceful restart keep
   * forwarding to this node until it is back.
   */
  async stop(): Promise<void> {
    await this.#datastore.stop();
    await this.#secretWatch.stop();
    await this.#work;
    await this.#interfaces.stop();
    this.#isStopping = true;
    await this.#speaker.stop();
    await this.#dataplane?.stop();
    await this.#api.close();
    await this.#host?.stop();
  }

  async #begin(): Promise<void> {
    await listen(this.#api, this.#settings.api);
    try {
      await this.#interfaces.follow(this.#membership);
      await this.#dataplane?.start();
      this.#tellNode();
      // What the first UPDATE says of this node is then what it goes on saying.
      await this.#dataplane?.settled();
      this.#speaker = this.#createSpeaker(this.#leftoverRoutes > 0);
      await this.#startSpeaker();
    } catch (error) {
      await this.#interfaces.stop();
      await this.#speaker.stop();
      await this.#dataplane?.stop();
      await this.#api.close();
      await this.#host?.nat.stop();
      throw error;
    }
    this.#logNotices();
    this.#log.info({ peers: this.#membership.peers.length }, 'agent started');
  }

  async #take(result: ResourcesResult): Promise<void> {
    const problem = await this.#tryToTake(result);
    this.#view.configurationRead(problem);
    if (problem === undefined) return;
    this.#log.error({ errors: problem }, 'the new configuration is wrong: the old one stays in force');
  }

  /** @returns what is wrong with it, a line each; undefined where it is in force now. */
  async #tryToTake(result: ResourcesResult): Promise<readonly string[] | undefined> {
    this.#refused = undefined;
    if ('errors' in result) return result.errors.map(formatConfigError);
    for (const warning of result.warnings) this.#log.warn(formatConfigError(warning));
    const before = { membership: this.#membership, secrets: this.#secrets };
    try {
      const plan = await checkedPlan(
        result.resources,
        this.#settings.nodeName,
        (sources) => this.#secretWatch.read(sources),
        this.#membership.nodeAddress,
      );
      await this.#interfaces.follow(plan.membership);
      this.#putInForce(plan);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      this.#refused = result;
      return error.message.split('\n');
    }
    this.#view.secretsRead([]);
    this.#logNotices();
    const { needsReset, reasons } = planLocalChanges(before.membership, this.#membership);
    if (reasons.length > 0)
      this.#log.info({ changed: reasons, resetsSessions: needsReset }, 'this node changed');
    this.#tellNode();
    if (needsReset) return await this.#replaceSpeaker(before);
    this.#logPeerChanges(before.membership);
    this.#tellSpeaker();
    return undefined;
  }

  /** New keys go to the sessions that have them, which stay up; a key that cannot be read any more stays in force. */
  async #takeSecrets(): Promise<void> {
    // What was refused may have been so for a password.
    if (this.#refused !== undefined) await this.#take(this.#refused);
    const sources = passwordsOf(this.#membership);
    const { secrets, problems } = await this.#secretWatch.read(sources);
    this.#view.secretsRead(problems);
    if (problems.length > 0) {
      this.#log.error({ errors: problems }, 'a password in use cannot be read any more: it stays in force');
    }
    const now = secrets.over(this.#secrets);
    if (now.agreesWith(this.#secrets, sources)) return;
    this.#log.info('a password was changed where it is kept: its peers take it over');
    this.#secrets = now;
    this.#tellPeers();
  }

  /** Those that were not true before. */
  #logNotices(): void {
    const notices = noticesOf(this.#membership, this.#settings);
    for (const notice of notices) if (!this.#notices.has(notice)) this.#log.warn(notice);
    this.#notices = notices;
  }

  #logPeerChanges(before: Membership): void {
    const { added, removed, changed } = planPeerChanges(before.peers, this.#membership.peers);
    for (const { id } of added) this.#log.info({ peer: id }, 'peer added');
    for (const { id } of removed) this.#log.info({ peer: id }, 'peer removed: its session ends');
    for (const { after, reasons, needsReset } of changed) {
      this.#log.info({ peer: after.id, changed: reasons, resetsSession: needsReset }, 'peer changed');
    }
  }

  /** Our OPEN or our listener has changed: every session ends and begins anew. */
  async #replaceSpeaker(before: CheckedPlan): Promise<readonly string[] | undefined> {
    const old = this.#speaker;
    await old.stop(notification(NOTIFICATION.CEASE, CEASE.CONFIGURATION_CHANGE));
    this.#dataplane?.applyChanges([...old.rib.bestRoutes()].map(({ prefix }) => ({ prefix })));
    this.#speaker = this.#createSpeaker(false);
    try {
      await this.#startSpeaker();
      return undefined;
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      await this.#interfaces.follow(before.membership);
      this.#putInForce(before);
      this.#tellNode();
      this.#speaker = this.#createSpeaker(false);
      await this.#startSpeaker();
      return [error.message];
    }
  }

  async #startSpeaker(): Promise<void> {
    try {
      await this.#speaker.start();
    } catch (error) {
      throw await bgpListenError(error, this.#listenOptions());
    }
    this.#tellSpeaker();
  }

  #putInForce({ membership, secrets }: CheckedPlan): void {
    const isSameCluster = isDeepStrictEqual(membership.nodes, this.#membership.nodes);
    this.#membership = membership;
    this.#secrets = secrets;
    if (isSameCluster) return;
    // Who is a node decides whose word counts.
    this.#factsOf = nextHopFacts(membership);
    this.#tellDataplane(
      Array.from(this.#speaker.rib.bestRoutes(), ({ path, ...route }) => ({ ...route, best: path })),
    );
  }

  #tellDataplane(changes: readonly Pick<BestPathChange, 'prefix' | 'best' | 'multipath'>[]): void {
    if (this.#isStopping) return;
    this.#dataplane?.applyChanges(changes.map((change) => routeChangeOf(change, this.#factsOf)));
  }

  #tellNode(): void {
    this.#dataplane?.setNode(nodeFactsOf(this.#membership));
    this.#host?.setMembership(this.#membership);
  }

  #tellSpeaker(): void {
    this.#tellPolicy();
    this.#speaker.setLocalRoutes(localRoutesOf(this.#membership, this.#facts));
    this.#tellPeers();
  }

  #tellPolicy(): void {
    this.#speaker.setPolicy(this.#policy());
  }

  #policy(): RoutePolicy {
    return policyOf(this.#membership, this.#interfaces.tableFor(this.#membership));
  }

  #tellPeers(): void {
    this.#speaker.setPeers(peerConfigs(this.#membership, this.#secrets));
    this.#speaker.setDynamicPeers(dynamicPeerRanges(this.#membership, this.#secrets));
  }

  #createSpeaker(restarted: boolean): Speaker {
    const { localAs, bgpIdentifier, clusterId } = this.#membership;
    return new Speaker({
      localAs,
      bgpIdentifier,
      ...(clusterId === undefined ? {} : { clusterId }),
      listen: this.#listenOptions(),
      policy: this.#policy(),
      maxPaths: this.#settings.maxPaths,
      transport: tcpTransport,
      clock: systemClock,
      random: Math.random,
      log: this.#log.child({ part: 'bgp' }),
      restarted,
      onBestPaths: (changes) => this.#tellDataplane(changes),
      onPeersChanged: () => {
        if (!this.#isStopping) this.#dataplane?.setPeers(progressOf(this.#speaker.peers()));
      },
    });
  }

  #listenOptions(): ListenOptions {
    return listenOptionsOf(this.#membership, this.#settings);
  }

  #createDataplane(runtime: RuntimeFolder): Dataplane {
    const { tunnelDevice, routeProtocol, routeMetric } = this.#settings;
    const log = this.#log.child({ part: 'dataplane' });
    return new Dataplane({
      kernel: rtnetlinkKernel(),
      sysctl: procSysctl,
      clock: systemClock,
      settings: { tunnelDevice, routeProtocol, metric: routeMetric, sweepAfterMs: SWEEP_AFTER_MS },
      settingStore: settingStore(runtime),
      report: (event) => {
        if (event.kind === 'started') this.#leftoverRoutes = event.leftoverRoutes;
        if (event.kind === 'podMtuChanged') this.#host?.setPodMtu(event.mtuBytes);
        logDataplaneEvent(log, event);
      },
      onFactsChanged: (facts) => {
        this.#facts = facts;
        this.#speaker.setLocalRoutes(localRoutesOf(this.#membership, facts));
      },
    });
  }
}
