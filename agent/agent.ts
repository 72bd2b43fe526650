/**
 * The agent of one node: its sources, speaker, data plane and API, wired together.
 *
 * Owns: the order of start and stop, and what a change of the configuration sets in motion. Must not know: how any of
 * the parts works.
 */
import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createApi, EXIT, listen } from '../api/index.js';
import { systemClock } from '../bgp/speaker/index.js';
import type { NextHopFacts, PoolConflict } from '../ipip/index.js';
import { Alarms } from './alarms.js';
import { ChangeLog } from './change-log.js';
import { type CheckedPlan, checkedPlan, passwordsOf } from './checked-plan.js';
import type { AgentSettings } from './config/index.js';
import { NodeHost } from './host.js';
import { Interfaces } from './interfaces.js';
import { leavingPeers, planLocalChanges, planPeerChanges } from './membership/index.js';
import { machineGround, NodeDataplane } from './node-dataplane.js';
import { NodeSpeaker, tcpGround } from './node-speaker.js';
import { poolsInTheWay } from './notices.js';
import { livesByBgp } from './proof-of-life.js';
import { type ConfigError, checkText, formatConfigError, type ResourcesResult } from './resources/index.js';
import { type Rival, rivalText } from './rivals.js';
import { RuntimeFolder } from './runtime/index.js';
import { Sources } from './sources.js';
import { StartError } from './start-error.js';
import { AgentView } from './views/agent-view.js';

/** Who gave way to us is heard no more; its people still have to see that it was so. */
const RIVAL_SHOWN_MS = 600_000;

export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly log: Logger;
  readonly version: string;
}

/** What was there before the agent's own parts. */
interface Ground {
  readonly alarms: Alarms;
  readonly sources: Sources;
  /** Absent: the data plane is off, and nothing of this machine is changed. */
  readonly runtime: RuntimeFolder | undefined;
}

export class Agent {
  readonly #settings: AgentSettings;
  readonly #log: Logger;
  readonly #changeLog: ChangeLog;
  readonly #alarms: Alarms;
  readonly #sources: Sources;
  readonly #interfaces: Interfaces;
  readonly #host: NodeHost | undefined;
  readonly #dataplane: NodeDataplane | undefined;
  readonly #speaker: NodeSpeaker;
  readonly #view: AgentView;
  readonly #api: FastifyInstance;
  /** What is in force. */
  #plan: CheckedPlan;
  /** The newest configuration, where it is right by itself and this machine or a password stands in its way. */
  #refused: ResourcesResult | undefined;
  /** The newest configuration that is not looked at yet. */
  #next: ResourcesResult | undefined;
  /** Changes are carried out one after the other. */
  #work: Promise<void> = Promise.resolve();

  /**
   * Starts everything, or nothing.
   * @throws StartError, or the error of a part, each with a sentence for the operator
   */
  static async start(options: AgentOptions): Promise<Agent> {
    const { settings, log } = options;
    const alarms = new Alarms(systemClock, log);
    const sources = new Sources(settings, log, alarms);
    let runtime: RuntimeFolder | undefined;
    try {
      const first = await sources.readResources();
      if ('errors' in first) throw unusable(first.errors, sources);
      for (const warning of first.warnings) log.warn(formatConfigError(warning));
      const plan = await checkedPlan(first.resources, settings.nodeName, (wanted) =>
        sources.readSecrets(wanted),
      );
      if (settings.dataplane) runtime = RuntimeFolder.open(settings.runDir);
      const agent = new Agent(options, { alarms, sources, runtime }, plan);
      await agent.#begin();
      sources.follow({
        resourcesChanged: (result) => agent.#takeLater(result),
        secretsChanged: () => agent.#enqueue(() => agent.#takeSecrets()),
        isProven: (node) => livesByBgp(agent.#speaker.current, node),
      });
      return agent;
    } catch (error) {
      await sources.stop();
      runtime?.close();
      throw error;
    }
  }

  private constructor(
    { settings, log, version }: AgentOptions,
    { alarms, sources, runtime }: Ground,
    plan: CheckedPlan,
  ) {
    this.#settings = settings;
    this.#log = log;
    this.#changeLog = new ChangeLog(settings, log);
    this.#alarms = alarms;
    this.#sources = sources;
    this.#plan = plan;
    this.#interfaces = new Interfaces({
      settings,
      clock: systemClock,
      log,
      onChange: () => this.#speaker.tellPolicy(),
    });
    if (runtime !== undefined) {
      const host = new NodeHost({ settings, runtime, log: log.child({ part: 'host' }) });
      const follower = {
        onFactsChanged: (facts: NextHopFacts) => this.#speaker.tellFacts(facts),
        onPodMtuChanged: (mtuBytes: number) => host.setPodMtu(mtuBytes),
        onPoolConflictsChanged: (found: readonly PoolConflict[]) =>
          alarms.set('pools', poolsInTheWay(this.#plan.membership, found)),
      };
      this.#host = host;
      this.#dataplane = new NodeDataplane(
        { settings, ground: machineGround(runtime), log: log.child({ part: 'dataplane' }), follower },
        plan.membership,
      );
    }
    this.#speaker = new NodeSpeaker(
      {
        settings,
        log: log.child({ part: 'bgp' }),
        interfaces: this.#interfaces,
        ground: tcpGround,
        follower: {
          onBestPaths: (changes) => this.#dataplane?.applyChanges(changes),
          onPeersChanged: (peers) => this.#dataplane?.setPeers(peers),
          onRivals: (rivals) => this.#alarmOf(rivals),
        },
      },
      plan,
    );
    this.#view = new AgentView({
      settings,
      version,
      clock: systemClock,
      speaker: () => this.#speaker.current,
      dataplane: this.#dataplane?.dataplane,
      nat: this.#host?.nat,
      membership: () => this.#plan.membership,
      alarms: this.#alarms,
      storeName: sources.storeName,
      store: () => sources.health(),
      entry: () => sources.entryStatus(),
    });
    this.#api = createApi({
      source: this.#view,
      actions: {
        shutdown: (name, text) => this.#speaker.current.shutdownPeer(name, text),
        reset: (name, text) => this.#speaker.current.resetPeer(name, text),
        enable: (name) => this.#speaker.current.enablePeer(name),
      },
      logger: log.child({ part: 'api' }),
    });
  }

  /**
   * Ends the agent and leaves the network as it is: routes and tunnel stay, and peers that speak graceful restart keep
   * forwarding to this node until it is back.
   */
  async stop(): Promise<void> {
    await this.#sources.stop();
    await this.#work;
    await this.#interfaces.stop();
    this.#dataplane?.leaveRoutes();
    await this.#speaker.stop();
    await this.#dataplane?.dataplane.stop();
    await this.#api.close();
    await this.#host?.close();
  }

  async #begin(): Promise<void> {
    await listen(this.#api, this.#settings.api);
    try {
      await this.#interfaces.follow(this.#plan.membership);
      await this.#dataplane?.dataplane.start();
      this.#tellNode();
      // What the first UPDATE says of this node is then what it goes on saying.
      await this.#dataplane?.dataplane.settled();
      await this.#speaker.start(this.#dataplane?.hasLeftovers === true);
    } catch (error) {
      await this.#interfaces.stop();
      await this.#speaker.stop();
      await this.#dataplane?.dataplane.stop();
      await this.#api.close();
      await this.#host?.stop();
      throw error;
    }
    this.#changeLog.notices(this.#plan.membership);
    this.#log.info({ peers: this.#plan.membership.peers.length }, 'agent started');
  }

  #alarmOf(rivals: readonly Rival[]): void {
    const textsOf = (isWon: boolean) =>
      rivals.filter(({ verdict }) => (verdict === 'ours') === isWon).map(rivalText);
    this.#alarms.set('pod subnet', textsOf(false));
    this.#alarms.set('pod subnet kept', textsOf(true), RIVAL_SHOWN_MS);
  }

  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work);
  }

  /** Where several come before the first is taken over, the last one counts. */
  #takeLater(result: ResourcesResult): void {
    const isOnItsWay = this.#next !== undefined;
    this.#next = result;
    if (isOnItsWay) return;
    this.#enqueue(async () => {
      const next = this.#next;
      this.#next = undefined;
      if (next !== undefined) await this.#take(next);
    });
  }

  /** Takes over a newly read configuration, or says why the one in force stays. */
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
    const before = this.#plan;
    try {
      const plan = await checkedPlan(
        result.resources,
        this.#settings.nodeName,
        (wanted) => this.#sources.readSecrets(wanted),
        before.membership.nodeAddress,
      );
      await this.#interfaces.follow(plan.membership);
      this.#putInForce(plan);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      this.#refused = result;
      return error.message.split('\n');
    }
    const { membership } = this.#plan;
    this.#view.secretsRead([]);
    this.#changeLog.notices(membership);
    const changes = planLocalChanges(before.membership, membership);
    this.#changeLog.node(changes);
    this.#tellNode();
    if (changes.needsReset) return await this.#startAnew(before);
    this.#changeLog.peers(
      planPeerChanges(before.membership.peers, membership.peers),
      leavingPeers(before.membership, membership),
    );
    this.#speaker.tell();
    return undefined;
  }

  /** New keys go to the sessions that have them, which stay up; a key that cannot be read any more stays in force. */
  async #takeSecrets(): Promise<void> {
    // What was refused may have been so for a password.
    if (this.#refused !== undefined) await this.#take(this.#refused);
    const { membership, secrets: before } = this.#plan;
    const wanted = passwordsOf(membership);
    const { secrets, problems } = await this.#sources.readSecrets(wanted);
    this.#view.secretsRead(problems);
    if (problems.length > 0) {
      this.#log.error({ errors: problems }, 'a password in use cannot be read any more: it stays in force');
    }
    const now = secrets.over(before);
    if (now.agreesWith(before, wanted)) return;
    this.#log.info('a password was changed where it is kept: its peers take it over');
    this.#putInForce({ membership, secrets: now });
    this.#speaker.tellPeers();
  }

  /** Our OPEN or our listener has changed: every session ends and begins anew. */
  async #startAnew(before: CheckedPlan): Promise<readonly string[] | undefined> {
    await this.#speaker.stopForChange();
    const lost = Array.from(this.#speaker.current.rib.bestRoutes(), ({ prefix }) => prefix);
    this.#dataplane?.withdraw(lost);
    try {
      await this.#speaker.start(false);
      return undefined;
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      await this.#interfaces.follow(before.membership);
      this.#putInForce(before);
      this.#tellNode();
      await this.#speaker.start(false);
      return [error.message];
    }
  }

  #putInForce(plan: CheckedPlan): void {
    const { membership } = plan;
    const isSameCluster = isDeepStrictEqual(membership.nodes, this.#plan.membership.nodes);
    this.#plan = plan;
    this.#speaker.setPlan(plan);
    if (isSameCluster) return;
    const routes = this.#speaker.current.rib.bestRoutes();
    this.#dataplane?.setCluster(
      membership,
      Array.from(routes, ({ path, ...route }) => ({ ...route, best: path })),
    );
  }

  #tellNode(): void {
    this.#dataplane?.setMembership(this.#plan.membership);
    this.#host?.setMembership(this.#plan.membership);
  }
}

/** A store that cannot be read is no fault of the resources. */
function unusable(errors: readonly ConfigError[], sources: Sources): StartError {
  const text = checkText(errors);
  return sources.health().state === 'ok'
    ? new StartError(`the cluster resources are wrong:\n${text}`, { exitStatus: EXIT.usage })
    : new StartError(text);
}
