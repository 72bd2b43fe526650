/**
 * Keeps the rules of outgoing NAT in the kernel: loaded when they change, looked at again on a timer, and repaired.
 *
 * Owns: when nft is run, and the state that is shown. Must not know: what is in a rule. It works beside the routes and never
 * holds them up; a kernel without nf_tables costs the pods their way outside, and nothing else.
 */
import type { Prefix } from '../bgp/net/index.js';
import type { DataplaneEvent } from './events.js';
import { NftError, type RuleSets } from './kernel/nft.js';
import {
  NAT_FAMILIES,
  NAT_STAND_IN,
  NAT_TABLE,
  type NatFacts,
  type NatFamily,
  natPools,
  natRemoval,
  natRules,
} from './nat-rules.js';
import { Timers } from './timers.js';
import type { Clock } from './types.js';

/** As often as the routes are read back. */
const CHECK_INTERVAL_MS = 90_000;
/** Somebody may have installed the package, or loaded the module. */
const RETRY_MS = 10_000;

/** Outgoing NAT, as it is. */
export interface NatStatus {
  /**
   * - `off`: no pool asks for it, and there are no rules of ours.
   * - `pending`: not loaded yet.
   * - `on`: the rules are in force.
   * - `failed`: they cannot be; `reason` says why. It is tried again.
   */
  readonly state: 'off' | 'pending' | 'on' | 'failed';
  /** Empty but for `failed`. */
  readonly reason: string;
  /** The pools that ask for it. */
  readonly pools: readonly Prefix[];
  /** How often another program had changed or removed the rules since the start. */
  readonly repairs: number;
}

export interface OutgoingNatOptions {
  readonly ruleSets: RuleSets;
  readonly clock: Clock;
  readonly report: (event: DataplaneEvent) => void;
}

/** What is in force of ours: the text that was loaded, and how nft printed it then. */
interface Loaded {
  readonly text: string;
  readonly listing: string | undefined;
}

export class OutgoingNat {
  readonly #ruleSets: RuleSets;
  readonly #report: (event: DataplaneEvent) => void;
  readonly #timers: Timers<'check'>;
  readonly #loaded = new Map<NatFamily, Loaded>();
  #facts: NatFacts = { masqueraded: [], pools: [], nodes: [] };
  #state: NatStatus['state'] = 'pending';
  #reason = '';
  #repairs = 0;
  #mustRun = false;
  #isStopped = false;
  #run: Promise<void> | undefined;

  constructor({ ruleSets, clock, report }: OutgoingNatOptions) {
    this.#ruleSets = ruleSets;
    this.#report = report;
    this.#timers = new Timers(clock);
  }

  /** Takes what is asked for now; the kernel follows. The first time, what an earlier run left is taken over or removed. */
  set(facts: NatFacts): void {
    this.#facts = facts;
    this.#wake();
  }

  status(): NatStatus {
    const { masqueraded } = this.#facts;
    return { state: this.#state, reason: this.#reason, pools: masqueraded, repairs: this.#repairs };
  }

  /** Resolves when everything asked so far has been tried. */
  async settled(): Promise<void> {
    await this.#run;
  }

  /** Stops looking; the rules stay. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timers.close();
    await this.#run;
  }

  #wake(): void {
    if (this.#isStopped) return;
    this.#mustRun = true;
    this.#run ??= this.#runAll();
  }

  async #runAll(): Promise<void> {
    try {
      while (this.#mustRun && !this.#isStopped) {
        this.#mustRun = false;
        await this.#settle(this.#facts);
      }
    } finally {
      this.#run = undefined;
    }
  }

  async #settle(facts: NatFacts): Promise<void> {
    const isWanted = facts.masqueraded.length > 0;
    try {
      for (const family of NAT_FAMILIES) await this.#settleFamily(facts, family);
      this.#become(isWanted ? 'on' : 'off', '');
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      // Where there is no nftables, there are no rules of ours.
      if (!isWanted && error.code !== 'NFT_FAILED') this.#become('off', '');
      else this.#become('failed', error.message);
    }
    if (this.#state === 'off' || this.#isStopped) return;
    const delayMs = this.#state === 'on' ? CHECK_INTERVAL_MS : RETRY_MS;
    this.#timers.set('check', delayMs, () => this.#wake());
  }

  /** @throws NftError */
  async #settleFamily(facts: NatFacts, family: NatFamily): Promise<void> {
    const text = natRules(facts, family);
    if (!this.#loaded.has(family)) await this.#removeStandIn(family);
    const listing = await this.#ruleSets.list(family, NAT_TABLE);
    const loaded = this.#loaded.get(family);
    if (text === undefined) {
      if (listing === undefined) return;
      await this.#ruleSets.apply(natRemoval(family));
      this.#loaded.delete(family);
      this.#report({ kind: 'natChanged', family, masqueraded: [] });
      return;
    }
    const isNew = text !== loaded?.text;
    if (!isNew && listing === loaded?.listing) return;
    await this.#replace(facts, family, text, listing !== undefined);
    this.#loaded.set(family, { text, listing: await this.#ruleSets.list(family, NAT_TABLE) });
    if (isNew) {
      this.#report({ kind: 'natChanged', family, masqueraded: natPools(facts, family) });
    } else {
      this.#repairs++;
      this.#report({ kind: 'natRepaired', family });
    }
  }

  /** While there are rules, others of the same content are in force until the new ones are. */
  async #replace(facts: NatFacts, family: NatFamily, text: string, isThere: boolean): Promise<void> {
    const standIn = isThere ? natRules(facts, family, NAT_STAND_IN) : undefined;
    if (standIn !== undefined) await this.#ruleSets.apply(standIn);
    await this.#ruleSets.apply(text);
    if (standIn !== undefined) await this.#ruleSets.apply(natRemoval(family, NAT_STAND_IN));
  }

  /** An earlier run may have ended in the middle of a change. */
  async #removeStandIn(family: NatFamily): Promise<void> {
    if ((await this.#ruleSets.list(family, NAT_STAND_IN)) === undefined) return;
    await this.#ruleSets.apply(natRemoval(family, NAT_STAND_IN));
  }

  /** A failure is told once, and again when its reason is another one. */
  #become(state: 'off' | 'on' | 'failed', reason: string): void {
    if (state === 'failed' && reason !== this.#reason) this.#report({ kind: 'natFailed', reason });
    this.#state = state;
    this.#reason = reason;
  }
}
