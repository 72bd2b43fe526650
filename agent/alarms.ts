/**
 * What somebody has to look into although everything goes on: who has said it, since when, and when it is over.
 *
 * Owns: the list. Must not know: what any of it means.
 */
import type { Logger } from 'pino';
import type { Clock } from '../bgp/speaker/index.js';

export interface Alarm {
  /** A sentence with the remedy. */
  readonly text: string;
  /** Milliseconds of the wall clock. */
  readonly sinceMs: number;
}

interface Entry extends Alarm {
  readonly source: string;
  /** It is no longer so, and is shown until then all the same. */
  overAtMs?: number;
}

export class Alarms {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #log: Logger;
  #entries: readonly Entry[] = [];

  constructor(clock: Pick<Clock, 'now'>, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * All that one source has to say now, in place of what it said before.
   * @param holdMs how long what is over is shown on: the other side of a quarrel may have given way to us, and its
   *   people have yet to see why
   */
  set(source: string, texts: readonly string[], holdMs = 0): void {
    const now = this.#clock.now();
    const wanted = new Set(texts);
    const own = this.#current(now).filter((entry) => entry.source === source);
    for (const text of wanted) {
      if (!own.some((entry) => entry.text === text && entry.overAtMs === undefined))
        this.#log.error({ alarm: source }, text);
    }
    const kept = own.flatMap((entry): Entry[] => {
      if (wanted.delete(entry.text)) return [{ source, text: entry.text, sinceMs: entry.sinceMs }];
      if (entry.overAtMs !== undefined) return [entry];
      this.#log.info({ alarm: source, text: entry.text }, 'alarm over');
      return holdMs === 0 ? [] : [{ ...entry, overAtMs: now + holdMs }];
    });
    this.#entries = [
      ...this.#current(now).filter((entry) => entry.source !== source),
      ...kept,
      ...[...wanted].map((text) => ({ source, text, sinceMs: now })),
    ];
  }

  /** The oldest first. */
  list(): readonly Alarm[] {
    return this.#current(this.#clock.now())
      .map(({ text, sinceMs }) => ({ text, sinceMs }))
      .sort((a, b) => a.sinceMs - b.sinceMs);
  }

  #current(now: number): readonly Entry[] {
    return this.#entries.filter(({ overAtMs }) => overAtMs === undefined || overAtMs > now);
  }
}
