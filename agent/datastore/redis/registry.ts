/**
 * The registry of nodes in Redis: signs of life and claims, as calls of scripts and their answers.
 *
 * Owns: the arguments and answers. Must not know: connections.
 */
import { randomBytes } from 'node:crypto';
import type { Beat, BeatOrder, ClaimOrder, ClaimResult, Registry, Sign, Signs } from '../types.js';
import { idOf } from './entry.js';
import { BEAT, CLAIM, type Script, SIGNS } from './scripts.js';

/** How long an instance that was refused a name is told of; it asks again more often than that. */
const RIVAL_LIFETIME_MS = 60_000;

/** Runs a script. @throws StoreError */
export type Run = (script: Script, args: readonly string[]) => Promise<unknown>;

/** What every script that writes resources begins with, after the channel: a new epoch, and a word of its own. */
export function freshWords(): readonly [epoch: string, word: string] {
  return [randomBytes(8).toString('hex'), randomBytes(6).toString('hex')];
}

export class RedisRegistry implements Registry {
  readonly #channel: string;
  readonly #write: Run;
  readonly #read: Run;

  constructor(channel: string, write: Run, read: Run) {
    this.#channel = channel;
    this.#write = write;
    this.#read = read;
  }

  async beat({ node, instance, address, takeOverAfterMs }: BeatOrder): Promise<Beat> {
    const args = [node, instance, address, String(takeOverAfterMs), String(RIVAL_LIFETIME_MS)];
    const answer = (await this.#write(BEAT, args)) as readonly [string, string, string, readonly string[]];
    const [now, holder, rival, list] = answer;
    return {
      nowMs: Number(now),
      signs: readSigns(list),
      holder: readSign(holder),
      rival: readSign(rival),
    };
  }

  async signs(): Promise<Signs> {
    const [now, list] = (await this.#read(SIGNS, [])) as readonly [string, readonly string[]];
    return { nowMs: Number(now), signs: readSigns(list) };
  }

  async claim({ node, pool, candidates }: ClaimOrder): Promise<ClaimResult> {
    const field = idOf({ kind: 'IPPool', name: pool.name });
    const args = [this.#channel, ...freshWords(), field, pool.version, JSON.stringify(node), ...candidates];
    const [outcome, cidr] = (await this.#write(CLAIM, args)) as readonly [ClaimResult['outcome'], string?];
    if (outcome !== 'claimed') return { outcome };
    return { outcome, cidr: cidr ?? '' };
  }
}

/** A flat list of Redis, two by two. */
export function pairsOf(list: readonly string[]): readonly (readonly [string, string])[] {
  return list.flatMap((word, index) => (index % 2 === 0 ? [[word, list[index + 1] ?? ''] as const] : []));
}

function readSigns(list: readonly string[]): ReadonlyMap<string, Sign> {
  return new Map(
    pairsOf(list).flatMap(([name, text]) => {
      const sign = readSign(text);
      return sign === undefined ? [] : [[name, sign] as const];
    }),
  );
}

/** @returns undefined where there is none, or none that is a sign */
function readSign(text: string): Sign | undefined {
  if (!text.startsWith('{')) return undefined;
  const { instance, address, atMs } = JSON.parse(text) as Partial<Sign>;
  if (typeof instance !== 'string' || typeof address !== 'string' || typeof atMs !== 'number')
    return undefined;
  return { instance, address, atMs };
}
