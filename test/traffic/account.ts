/**
 * Pure: what became of the numbered packets of one flow.
 *
 * Owns: losses, outages, silence, order. Must not know: sockets, clocks. Packets are numbered by the clock: number n is
 * due n / rate after the start, and a sender that was held up sends what is due all the same. So a gap in the numbers is
 * a gap in time, however the processor was shared.
 */

/** Packets that were lost in a row. */
export interface Outage {
  readonly firstLost: number;
  readonly lost: number;
  /** When the last packet before arrived, in milliseconds since the epoch; undefined: none did. */
  readonly sinceMs: number | undefined;
  /** When the first packet after arrived; undefined: none did. */
  readonly untilMs: number | undefined;
}

/** The balance of one flow. */
export interface FlowReport {
  readonly name: string;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
  /** Packets that came after one with a higher number. */
  readonly late: number;
  /** The longest time without any arrival between two that came, in milliseconds. */
  readonly longestSilenceMs: number;
  readonly outages: readonly Outage[];
}

/** Enters arrivals as they come and gives the balance at the end. */
export class FlowAccount {
  readonly #name: string;
  /** By number: when it arrived, in milliseconds since the epoch; 0: not yet. */
  readonly #arrivals: Float64Array;
  #received = 0;
  #duplicates = 0;
  #late = 0;
  #highest = -1;

  /** @param capacity the largest number that may be sent, and one */
  constructor(name: string, capacity: number) {
    this.#name = name;
    this.#arrivals = new Float64Array(capacity);
  }

  get received(): number {
    return this.#received;
  }

  /** @throws RangeError for a number that cannot have been sent */
  arrived(sequence: number, atMs: number): void {
    if (sequence >= this.#arrivals.length)
      throw new RangeError(`${this.#name}: no packet has number ${sequence}`);
    if (this.#arrivals[sequence] !== 0) {
      this.#duplicates += 1;
      return;
    }
    this.#arrivals[sequence] = atMs;
    this.#received += 1;
    if (sequence < this.#highest) this.#late += 1;
    else this.#highest = sequence;
  }

  /** @param sent how many were sent, numbered from 0 */
  report(sent: number): FlowReport {
    const outages: Outage[] = [];
    let last: number | undefined;
    let longestSilenceMs = 0;
    let firstLost: number | undefined;
    for (let sequence = 0; sequence < sent; sequence += 1) {
      const atMs = this.#arrivals[sequence] ?? 0;
      if (atMs === 0) {
        firstLost ??= sequence;
        continue;
      }
      if (firstLost !== undefined) {
        outages.push({ firstLost, lost: sequence - firstLost, sinceMs: last, untilMs: atMs });
        firstLost = undefined;
      }
      if (last !== undefined) longestSilenceMs = Math.max(longestSilenceMs, atMs - last);
      last = atMs;
    }
    if (firstLost !== undefined) {
      outages.push({ firstLost, lost: sent - firstLost, sinceMs: last, untilMs: undefined });
    }
    return {
      name: this.#name,
      sent,
      received: this.#received,
      lost: sent - this.#received,
      duplicates: this.#duplicates,
      late: this.#late,
      longestSilenceMs,
      outages,
    };
  }
}

/** The most packets that were lost in a row. */
export function longestLoss({ outages }: FlowReport): number {
  return Math.max(0, ...outages.map(({ lost }) => lost));
}
