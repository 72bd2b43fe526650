/**
 * The BGP speaker of this node: made from the plan in force, and made anew where its OPEN or its listener changes.
 *
 * Owns: the speaker that runs now, and what it is told of the plan. Must not know: the datastore, the kernel, HTTP; when
 * a plan comes into force.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { Ipv4, Prefix } from '../bgp/net/index.js';
import type { BestPathChange } from '../bgp/rib/index.js';
import {
  type CancelTimer,
  type ListenOptions,
  type PeerStatus,
  Speaker,
  type SpeakerOptions,
  systemClock,
  tcpTransport,
} from '../bgp/speaker/index.js';
import { CEASE, NOTIFICATION, notification } from '../bgp/wire/index.js';
import type { NextHopFacts } from '../ipip/index.js';
import type { CheckedPlan } from './checked-plan.js';
import type { AgentSettings } from './config/index.js';
import type { Interfaces } from './interfaces.js';
import { leavingPeers } from './membership/index.js';
import {
  dynamicPeerRanges,
  listenOptionsOf,
  localRoutesOf,
  type PolicyGrounds,
  peerConfigs,
  policyGroundsOf,
  policyOf,
} from './plan.js';
import { type Rival, rivalsOf } from './rivals.js';
import { bgpListenError } from './start-error.js';

/** The other one, which keeps the subnet, must have the time to see that there are two, and say so to its people. */
const GIVE_WAY_AFTER_MS = 1000;

export interface NodeSpeakerOptions {
  readonly settings: AgentSettings;
  readonly log: Logger;
  /** What the filters of the peers ask of this machine. */
  readonly interfaces: Pick<Interfaces, 'tableFor'>;
  readonly follower: SpeakerFollower;
  readonly ground: SpeakerGround;
}

/** What a speaker stands on. */
export type SpeakerGround = Pick<SpeakerOptions, 'transport' | 'clock' | 'random'>;

/** TCP, and the time of this machine. */
export const tcpGround: SpeakerGround = { transport: tcpTransport, clock: systemClock, random: Math.random };

/** Whom the speaker's doings concern. */
export interface SpeakerFollower {
  readonly onBestPaths: (changes: readonly BestPathChange[]) => void;
  /** @param peers asks for them: there may be hundreds */
  readonly onPeersChanged: (peers: () => readonly PeerStatus[]) => void;
  /** Others announce pod subnets of this node, or have ceased to. */
  readonly onRivals: (rivals: readonly Rival[]) => void;
}

export class NodeSpeaker {
  readonly #options: NodeSpeakerOptions;
  #plan: CheckedPlan;
  /** Peers that the plan in force has no more, and whose routes may stay for a while. */
  #leaving: ReadonlySet<string> = new Set();
  /** What the data plane has this node say of itself. */
  #facts: NextHopFacts | undefined;
  #rivals: readonly Rival[] = [];
  /** What we have ceased to announce for others. */
  #given: ReadonlySet<Prefix> = new Set();
  #cancelGiving: CancelTimer | undefined;
  readonly #formerIdentifiers = new Set<Ipv4>();
  #current: Speaker;
  /** What its policy rests on. */
  #grounds: PolicyGrounds | undefined;

  constructor(options: NodeSpeakerOptions, plan: CheckedPlan) {
    this.#options = options;
    this.#plan = plan;
    this.#current = this.#create(false);
  }

  /** The one that runs now. */
  get current(): Speaker {
    return this.#current;
  }

  /** What is told from now on rests on this plan. */
  setPlan(plan: CheckedPlan): void {
    const { bgpIdentifier } = this.#plan.membership;
    if (plan.membership.bgpIdentifier !== bgpIdentifier) this.#formerIdentifiers.add(bgpIdentifier);
    this.#formerIdentifiers.delete(plan.membership.bgpIdentifier);
    this.#leaving = leavingPeers(this.#plan.membership, plan.membership);
    this.#plan = plan;
  }

  /**
   * Starts a speaker for the plan, in the place of the one before.
   * @param restarted whether an earlier run has left routes: the peers are told that forwarding went on (RFC 4724)
   * @throws StartError where it cannot listen
   */
  async start(restarted: boolean): Promise<void> {
    this.#current = this.#create(restarted);
    try {
      await this.#current.start();
    } catch (error) {
      throw await bgpListenError(error, this.#listenOptions());
    }
    this.tell();
  }

  /** Ends every session, without a word: the peers go on forwarding to this node (RFC 4724). */
  stop(): Promise<void> {
    this.#cancelGiving?.();
    return this.#current.stop();
  }

  /** Ends every session, and says that it is for a change of the configuration (RFC 4486). */
  stopForChange(): Promise<void> {
    return this.#current.stop(notification(NOTIFICATION.CEASE, CEASE.CONFIGURATION_CHANGE));
  }

  /** Everything that may change while sessions are up. */
  tell(): void {
    this.tellPolicy();
    this.#current.setClusterId(this.#plan.membership.clusterId);
    this.#tellLocalRoutes();
    this.tellPeers();
    this.#lookForRivals();
  }

  /** Judging all routes anew for every peer is the square of a mesh: only where the outcome may differ. */
  tellPolicy(): void {
    const grounds = this.#policyGrounds();
    if (isDeepStrictEqual(grounds, this.#grounds)) return;
    this.#grounds = grounds;
    this.#current.setPolicy(policyOf(grounds));
  }

  tellPeers(): void {
    const { membership, secrets } = this.#plan;
    this.#current.setPeers(peerConfigs(membership, secrets), this.#leaving);
    this.#current.setDynamicPeers(dynamicPeerRanges(membership, secrets));
  }

  tellFacts(facts: NextHopFacts): void {
    this.#facts = facts;
    this.#tellLocalRoutes();
  }

  #tellLocalRoutes(): void {
    const routes = localRoutesOf(this.#plan.membership, this.#facts);
    this.#current.setLocalRoutes(routes.filter(({ prefix }) => !this.#given.has(prefix)));
  }

  #lost(): ReadonlySet<Prefix> {
    return new Set(this.#rivals.filter(({ verdict }) => verdict === 'theirs').map(({ prefix }) => prefix));
  }

  #giveWay(prefixes: ReadonlySet<Prefix>): void {
    if (isDeepStrictEqual(prefixes, this.#given)) return;
    this.#given = prefixes;
    this.#tellLocalRoutes();
  }

  #lookForRivals(): void {
    const { bgpIdentifier: identifier, localAs: asNumber, blocks } = this.#plan.membership;
    const { rib } = this.#current;
    const own = { identifier, former: this.#formerIdentifiers, asNumber, blocks };
    const rivals = rivalsOf(own, (prefix) => rib.paths(prefix));
    if (isDeepStrictEqual(rivals, this.#rivals)) return;
    this.#rivals = rivals;
    this.#options.follower.onRivals(rivals);
    const lost = this.#lost();
    // What is ours alone again, is announced at once.
    this.#giveWay(new Set([...this.#given].filter((prefix) => lost.has(prefix))));
    this.#cancelGiving ??= this.#options.ground.clock.setTimer(GIVE_WAY_AFTER_MS, () => {
      this.#cancelGiving = undefined;
      this.#giveWay(this.#lost());
    });
  }

  #policyGrounds(): PolicyGrounds {
    const { membership } = this.#plan;
    return policyGroundsOf(membership, this.#options.interfaces.tableFor(membership));
  }

  #listenOptions(): ListenOptions {
    return listenOptionsOf(this.#plan.membership, this.#options.settings);
  }

  #create(restarted: boolean): Speaker {
    const { settings, log, follower, ground } = this.#options;
    const { localAs, bgpIdentifier, clusterId } = this.#plan.membership;
    this.#grounds = this.#policyGrounds();
    return new Speaker({
      localAs,
      bgpIdentifier,
      ...(clusterId === undefined ? {} : { clusterId }),
      listen: this.#listenOptions(),
      policy: policyOf(this.#grounds),
      maxPaths: settings.maxPaths,
      ...ground,
      log,
      restarted,
      onBestPaths: follower.onBestPaths,
      onPeersChanged: () => follower.onPeersChanged(() => this.#current.peers()),
      onTablesChanged: () => this.#lookForRivals(),
    });
  }
}
