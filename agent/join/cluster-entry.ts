/**
 * This node in a cluster that nodes enter themselves into: it enters, gives signs of life, sees who has gone, and follows
 * its own address.
 *
 * Owns: when each of that happens, and what of the store's resources this node goes by. Must not know: BGP, kernels, how
 * resources are stored.
 *
 *   store -> resources -> without the nodes that are gone -> the agent
 *   beat --> signs -----> who is gone; whether our name is ours
 *   beat, address, resources --> is all of us entered as it should be? --> enter
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { EXIT } from '../../api/index.js';
import { formatIpAddress, formatPrefix, isIpv4, prefixAddress } from '../../bgp/net/index.js';
import type { CancelTimer, Clock } from '../../bgp/speaker/index.js';
import type { Alarms } from '../alarms.js';
import {
  type Beat,
  type Datastore,
  type Registry,
  type Sign,
  StoreError,
  type StoreHealth,
} from '../datastore/index.js';
import { type Candidate, detectionText } from '../detect/index.js';
import { claimsWanted, heldBlocks } from '../ipam/index.js';
import { checkText, type NodeResource, type Resources, type ResourcesResult } from '../resources/index.js';
import { StartError } from '../start-error.js';
import { EVERYBODY, type Presence, presenceOf, withoutAnnouncements, withoutNodes } from './presence.js';
import { type Entry, type EntryOrder, enter, interfaceText } from './registration.js';
import { isAbout, leftOutText, nameTakenText, nameWantedText, sameAddressText } from './sentences.js';

export interface ClusterEntryOptions {
  readonly datastore: Datastore;
  readonly registry: Registry;
  readonly nodeName: string;
  readonly locate: EntryOrder['locate'];
  /** This run of the agent; no other one has it. */
  readonly instance: string;
  readonly beatMs: number;
  readonly nodeTimeoutMs: number;
  readonly clock: Clock;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly alarms: Pick<Alarms, 'set'>;
  /** Whether BGP itself shows that a node lives. */
  readonly isProven: (node: NodeResource) => boolean;
  /** What this node goes by is another state than before. */
  readonly onChange: (result: ResourcesResult) => void;
  readonly onHealth: (health: StoreHealth) => void;
}

/** How the node and the others stand, for people. */
export interface EntryStatus {
  readonly address: Candidate | undefined;
  readonly alternatives: readonly Candidate[];
  readonly presence: Presence;
}

/** The store tells its own writers within moments; this is for one that does not. */
const ECHO_MS = 10_000;
/** So many missed, and a name or an instance is free for another machine. */
const MISSED_BEATS = 3;
/** What beats together at the start does not go on to. */
const BEAT_BLUR = 0.2;

export class ClusterEntry {
  readonly #options: ClusterEntryOptions;
  #newest: ResourcesResult = { errors: [] };
  /** Our own Node as it last was in force. */
  #own: NodeResource | undefined;
  #entry: Extract<Entry, { outcome: 'entered' }> | undefined;
  #beat: Beat | undefined;
  /** Of this machine's clock; undefined: the store does not answer. */
  #answeringSinceMs: number | undefined;
  #presence: Presence = EVERYBODY;
  #isSilenced = false;
  #echo: (() => void) | undefined;
  #cancelBeat: CancelTimer | undefined;
  /** Where this machine is, as it last was known. */
  #address: Candidate | undefined;
  /** One thing after another. */
  #work: Promise<void> = Promise.resolve();
  /** An entering is under way or on its way; the start is one. */
  #isEntering = true;
  #isStopped = false;

  constructor(options: ClusterEntryOptions) {
    this.#options = options;
  }

  /**
   * Reads the store, and enters this node where the store can be reached.
   * @returns what the node goes by
   * @throws StartError where this node cannot be entered, and is not known from before either
   */
  async start(): Promise<ResourcesResult> {
    const { datastore, nodeName } = this.#options;
    const first = await datastore.start({
      resourcesChanged: (result) => this.#heard(result),
      healthChanged: (health) => this.#healthChanged(health),
      heldBack: (found) => {
        if (!found.some(({ kind, name }) => kind === 'Node' && name === nodeName)) this.#enterLater();
      },
    });
    if ('errors' in first) return first;
    this.#newest = first;
    const isKnown = this.#ownIn(first) !== undefined;
    try {
      const problem = await this.#place(first.resources);
      // Without an address there is nothing to be called by, and no sign to give.
      if (problem !== undefined && !isKnown) throw new StartError(problem, { exitStatus: EXIT.usage });
      await this.#takeName();
      await this.#enterAtStart(isKnown);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (!isKnown) {
        throw new StartError(`Node/${nodeName} is not entered yet, and cannot be: ${error.message}`);
      }
      this.#options.log.warn(
        { reason: error.message },
        'the store is away: this node goes by what it knows from before',
      );
    }
    this.#isEntering = false;
    this.#scheduleBeat();
    if (this.#isAmiss()) this.#enterLater();
    // What is wrong by now, the agent is told behind this.
    return this.#view('errors' in this.#newest ? first : this.#newest);
  }

  /** Addresses or interfaces of this machine are others than before. */
  addressesChanged(): void {
    this.#enqueue(() => this.#look());
  }

  status(): EntryStatus {
    const { address, alternatives } = this.#entry ?? { address: undefined, alternatives: [] };
    return { address, alternatives, presence: this.#presence };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelBeat?.();
    this.#echo?.();
    await this.#options.datastore.stop();
    await this.#work;
  }

  // --- What the store says ---

  #heard(result: ResourcesResult): void {
    if (this.#isStopped) return;
    this.#newest = result;
    this.#echo?.();
    this.#judge();
    this.#options.onChange(this.#view(result));
    if (this.#isAmiss()) this.#enterLater();
  }

  #healthChanged(health: StoreHealth): void {
    if (this.#isStopped) return;
    if (health.state === 'ok') this.#enterLater();
    else if (health.state === 'unreachable') this.#storeIsAway();
    this.#options.onHealth(health);
  }

  /** What this node goes by, of what the store has. */
  #view(result: ResourcesResult): ResourcesResult {
    const { nodeName } = this.#options;
    if ('errors' in result) return result;
    const { resources, leftOut } = result;
    this.#options.alarms.set('left out', leftOut.map(leftOutText));
    const own = this.#ownIn(result) ?? this.#own;
    this.#own = own;
    const isLeftOut = leftOut.some((error) => isAbout(error, nodeName));
    this.#isSilenced = own !== undefined && (isLeftOut || this.#beat?.holder !== undefined);
    const present = withoutNodes(resources, this.#presence.gone);
    return {
      ...result,
      resources: this.#isSilenced && own !== undefined ? withoutAnnouncements(present, own) : present,
    };
  }

  #ownIn(result: ResourcesResult): NodeResource | undefined {
    if ('errors' in result) return undefined;
    return result.resources.nodes.find(({ name }) => name === this.#options.nodeName);
  }

  // --- Entering ---

  /**
   * A machine that has gone leaves its name to the next one. Whoever else has it shows that while we wait.
   * @throws StartError where somebody has our name and lives, and StoreError
   */
  async #takeName(): Promise<void> {
    const { clock, beatMs, nodeName } = this.#options;
    await this.#beatOnce();
    for (let seen = this.#beat?.holder; seen !== undefined; ) {
      await new Promise<void>((resolve) => clock.setTimer(beatMs / 2, resolve));
      await this.#beatOnce();
      const holder = this.#beat?.holder;
      if (holder !== undefined && holder.atMs > seen.atMs) {
        throw new StartError(nameTakenText(nodeName, holder.address), { exitStatus: EXIT.usage });
      }
      seen = holder;
    }
  }

  /** @param isKnown the node was entered before: what stands in the way now is an alarm, and it goes on as it was */
  async #enterAtStart(isKnown: boolean): Promise<void> {
    const entry = await this.#enter();
    if (entry.outcome === 'refused') {
      if (isKnown) return;
      throw new StartError(entry.problem, { exitStatus: EXIT.usage });
    }
    const { nodeName, datastore } = this.#options;
    const lacks = (): string | undefined => {
      if ('errors' in this.#newest) return checkText(this.#newest.errors);
      const about = this.#newest.leftOut.find((error) => isAbout(error, nodeName));
      if (about !== undefined) return leftOutText(about);
      const own = this.#ownIn(this.#newest);
      const isThere = own?.ipv4 !== undefined && interfaceText(own.ipv4) === interfaceText(entry.address);
      return isThere && isDeepStrictEqual(heldBlocks(this.#newest.resources, nodeName), entry.blocks)
        ? undefined
        : `${datastore.name} has taken Node/${nodeName} and does not tell of it; look at the store`;
    };
    if (lacks() === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.setTimer(ECHO_MS, resolve);
      this.#echo = () => {
        if (lacks() !== undefined && !this.#isStopped) return;
        cancel();
        resolve();
      };
    });
    this.#echo = undefined;
    const problem = lacks();
    if (problem !== undefined) throw new StartError(problem, { exitStatus: EXIT.usage });
  }

  /** @throws StoreError */
  async #enter(): Promise<Entry> {
    const { datastore, registry, nodeName, locate, alarms, log } = this.#options;
    const former =
      this.#entry?.blocks ?? ('errors' in this.#newest ? [] : heldBlocks(this.#newest.resources, nodeName));
    const entry = await enter({ datastore, registry }, { nodeName, locate, former });
    if (entry.outcome === 'refused') {
      alarms.set('entry', [entry.problem]);
      return entry;
    }
    alarms.set('entry', entry.problems);
    const before = this.#entry;
    this.#entry = entry;
    const { address, alternatives, blocks } = entry;
    if (entry.isNew || !isDeepStrictEqual(before?.address, address)) {
      log.info(
        { address: detectionText({ chosen: address, alternatives }), subnets: blocks.map(formatPrefix) },
        'this node is entered',
      );
    }
    return entry;
  }

  /** Once for all reasons that come up until then. */
  #enterLater(): void {
    if (this.#isEntering || this.#isStopped) return;
    this.#isEntering = true;
    this.#enqueue(async () => {
      this.#isEntering = false;
      if (this.#isStopped || this.#beat?.holder !== undefined) return;
      await this.#enter();
    });
  }

  /** Without asking the store: is anything of ours not as it should be? */
  #isAmiss(): boolean {
    const { nodeName } = this.#options;
    if (this.#entry === undefined || 'errors' in this.#newest) return this.#entry === undefined;
    const { resources, leftOut } = this.#newest;
    const own = this.#ownIn(this.#newest);
    if (own?.ipv4 === undefined) return !leftOut.some((error) => isAbout(error, nodeName));
    if (interfaceText(own.ipv4) !== interfaceText(this.#entry.address)) return true;
    const blocks = heldBlocks(resources, nodeName);
    if (blocks.map(prefixAddress).find(isIpv4) !== this.#entry.blocks.map(prefixAddress).find(isIpv4))
      return true;
    const plan = claimsWanted(resources, nodeName);
    return 'wanted' in plan && plan.wanted.length > 0;
  }

  // --- Signs of life ---

  #scheduleBeat(): void {
    const { clock, beatMs, random } = this.#options;
    if (this.#isStopped) return;
    const delayMs = beatMs * (1 - BEAT_BLUR / 2 + BEAT_BLUR * random());
    this.#cancelBeat = clock.setTimer(delayMs, () => {
      this.#enqueue(async () => {
        try {
          await this.#beatOnce();
          if (this.#beat?.holder === undefined) await this.#look();
        } finally {
          this.#scheduleBeat();
        }
      });
    });
  }

  /** @throws StoreError */
  async #beatOnce(): Promise<void> {
    const { registry, nodeName, instance, beatMs, clock } = this.#options;
    const address = this.#address === undefined ? '' : formatIpAddress(this.#address.address);
    const takeOverAfterMs = MISSED_BEATS * beatMs;
    try {
      const beat = await registry.beat({ node: nodeName, instance, address, takeOverAfterMs });
      this.#answeringSinceMs ??= clock.now();
      this.#beat = beat;
    } catch (error) {
      if (error instanceof StoreError) this.#storeIsAway();
      throw error;
    }
    this.#tellOfNames();
    this.#judge();
  }

  /** Nobody can give a sign, so that nobody is missed. */
  #storeIsAway(): void {
    this.#answeringSinceMs = undefined;
    this.#judge();
  }

  /** Who takes part by now; the agent is told where that is another answer than before. */
  #judge(): void {
    const { nodeName, nodeTimeoutMs, clock, isProven, log, onChange } = this.#options;
    if ('errors' in this.#newest) return;
    const { presence, isSilenced } = { presence: this.#presence, isSilenced: this.#isSilenced };
    this.#presence =
      this.#answeringSinceMs === undefined || this.#beat === undefined
        ? EVERYBODY
        : presenceOf({
            nodes: this.#newest.resources.nodes,
            ownName: nodeName,
            beat: this.#beat,
            answeringForMs: clock.now() - this.#answeringSinceMs,
            timeoutMs: nodeTimeoutMs,
            isProven,
          });
    for (const name of this.#presence.gone) {
      if (!presence.gone.has(name))
        log.warn({ node: name }, 'a node is silent for too long: it leaves the mesh');
    }
    for (const name of presence.gone) {
      if (!this.#presence.gone.has(name)) log.info({ node: name }, 'a node is back in the mesh');
    }
    const view = this.#view(this.#newest);
    if (!isDeepStrictEqual(presence.gone, this.#presence.gone) || isSilenced !== this.#isSilenced)
      onChange(view);
  }

  #tellOfNames(): void {
    const { nodeName, alarms, beatMs } = this.#options;
    if (this.#beat === undefined) return;
    const { holder, rival, signs, nowMs } = this.#beat;
    const address = this.#address === undefined ? '' : formatIpAddress(this.#address.address);
    const isDouble = ([name, sign]: readonly [string, Sign]) =>
      name !== nodeName && sign.address === address && nowMs - sign.atMs < MISSED_BEATS * beatMs;
    alarms.set(
      'address',
      [...signs].filter(isDouble).map(([name]) => sameAddressText(name, address)),
    );
    alarms.set('name', [
      ...(holder === undefined ? [] : [nameTakenText(nodeName, holder.address)]),
      ...(rival === undefined ? [] : [nameWantedText(nodeName, rival.address)]),
    ]);
  }

  // --- Addresses ---

  /** Looks where this machine is. @returns why that is unknown */
  async #place(resources: Resources): Promise<string | undefined> {
    const own = resources.nodes.find(({ name }) => name === this.#options.nodeName);
    const { ipv4 } = await this.#options.locate(resources, own ?? this.#own);
    if ('problem' in ipv4) return ipv4.problem;
    this.#address = ipv4.chosen;
    return undefined;
  }

  /** What no event has told: the address may be another one by now. */
  async #look(): Promise<void> {
    if ('errors' in this.#newest) return;
    const problem = await this.#place(this.#newest.resources);
    const hasMoved = problem === undefined && this.#address?.address !== this.#entry?.address.address;
    if (hasMoved || this.#isAmiss()) await this.#enter();
  }

  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#isStopped) return;
      try {
        await work();
      } catch (error) {
        // The health of the store says so, and the next beat tries again.
        if (!(error instanceof StoreError)) throw error;
        this.#options.log.debug({ reason: error.message }, 'the store is in the way');
      }
    });
  }
}
