/**
 * A set that is emptied in the order it was filled: the waiting room of the Adj-RIB-Out.
 *
 * Why not a plain Set with its own order: reading the first entry of a Set again and again steps over every hole that
 * earlier removals left, and an iterator kept between reads keeps every earlier size of the table alive for as long as
 * the reader pauses. Here an entry that was removed leaves a note in the list, and the list is rewritten when most of
 * it is such notes, so memory stays proportional to what is in the set however often entries come and go.
 */

/** Notes that a list may hold before a rewrite is worth it. */
const SLACK = 64;

export class FifoSet<T extends NonNullable<unknown>> {
  readonly #members = new Set<T>();
  #order: T[] = [];
  #head = 0;

  get size(): number {
    return this.#members.size;
  }

  has(entry: T): boolean {
    return this.#members.has(entry);
  }

  /** Puts `entry` last; one that is there already keeps its place. */
  add(entry: T): void {
    if (this.#members.has(entry)) return;
    this.#members.add(entry);
    this.#order.push(entry);
    if (this.#order.length - this.#head > 2 * this.#members.size + SLACK) this.#rewrite();
  }

  delete(entry: T): boolean {
    return this.#members.delete(entry);
  }

  /** The entry that waits longest. */
  first(): T | undefined {
    while (this.#head < this.#order.length) {
      const entry = this.#order[this.#head];
      if (entry !== undefined && this.#members.has(entry)) return entry;
      this.#head += 1;
    }
    this.#order = [];
    this.#head = 0;
    return undefined;
  }

  /** Removes and returns entries in order as long as `fits` says yes to each. */
  takeWhile(fits: (entry: T) => boolean): T[] {
    const taken: T[] = [];
    for (let entry = this.first(); entry !== undefined && fits(entry); entry = this.first()) {
      this.#members.delete(entry);
      this.#head += 1;
      taken.push(entry);
    }
    if (this.#head > this.#order.length / 2) this.#rewrite();
    return taken;
  }

  clear(): void {
    this.#members.clear();
    this.#order = [];
    this.#head = 0;
  }

  /** Entries keep the order in which they were added last, which is the Set's own. */
  #rewrite(): void {
    this.#order = [...this.#members];
    this.#head = 0;
  }
}
