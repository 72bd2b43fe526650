/** The findings of a lab: every check by name, passed or not, none of them forgotten at the end. */

/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What was wrong; empty when nothing was. */
  readonly detail: string;
}

/** A list that only grows. */
export class Checks {
  readonly #list: Check[] = [];

  /** Enters a check that holds when `fault` is undefined. */
  add(name: string, fault: string | undefined): void {
    this.#list.push({ name, ok: fault === undefined, detail: fault ?? '' });
  }

  get all(): readonly Check[] {
    return this.#list;
  }

  get failed(): readonly Check[] {
    return this.#list.filter(({ ok }) => !ok);
  }
}
