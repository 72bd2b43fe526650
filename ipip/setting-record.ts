/**
 * What we changed of the kernel's settings, and what was there before.
 *
 * Owns: the memory of the changes, which outlives the agent: an entry is stored before its setting is written, so that
 * no change is ever without its way back; and that way back. Must not know: which settings matter, files.
 */
import type { Sysctl } from './kernel/kernel.js';

/** Where the memory is kept from run to run. */
export interface SettingStore {
  /** For people: where it is. */
  readonly place: string;
  /** @returns what `save` was given last; undefined where there is nothing, or where it is of another boot or machine */
  load(): unknown;
  /** Whole or not at all; undefined: nothing is left to remember. @throws Error with a `code` where it cannot be kept */
  save(value: SettingsKept | undefined): void;
}

/** What a store keeps. */
export interface SettingsKept {
  readonly changes: readonly SettingChange[];
}

/** One change. */
export interface SettingChange {
  /** The sysctl, with slashes. */
  readonly name: string;
  /** What was there. */
  readonly original: string;
  /** What we wrote. */
  readonly ours: string;
  /** Other settings with their values of before: the kernel changes them by itself when `name` is written. */
  readonly along: Readonly<Record<string, string>>;
}

/** The memory cannot be understood; the message is for people. */
export class SettingRecordError extends Error {
  override readonly name = 'SettingRecordError';
  readonly code = 'SETTING_RECORD_DAMAGED';
}

/** A store for a data plane that shall not remember anything. */
export function volatileStore(): SettingStore {
  let kept: SettingsKept | undefined;
  return {
    place: 'memory',
    load: () => kept,
    save: (value) => {
      kept = value;
    },
  };
}

export class SettingRecord {
  readonly #store: SettingStore;
  #changes: ReadonlyMap<string, SettingChange>;

  /** @throws SettingRecordError */
  constructor(store: SettingStore) {
    this.#store = store;
    this.#changes = byName(readChanges(store));
  }

  /** In the order in which they were made. */
  changes(): readonly SettingChange[] {
    return [...this.#changes.values()];
  }

  get(name: string): SettingChange | undefined {
    return this.#changes.get(name);
  }

  /** To be called before the setting is written. @throws Error where it cannot be kept: then nothing may be changed */
  note(change: SettingChange): void {
    this.#save([...this.#without(change.name), change]);
  }

  /** The setting is not ours any more. @throws Error where that cannot be kept */
  forget(name: string): void {
    if (this.#changes.has(name)) this.#save(this.#without(name));
  }

  #without(name: string): readonly SettingChange[] {
    return this.changes().filter((change) => change.name !== name);
  }

  /** Memory follows only what was stored. */
  #save(changes: readonly SettingChange[]): void {
    this.#store.save(changes.length === 0 ? undefined : { changes });
    this.#changes = byName(changes);
  }
}

function byName(changes: readonly SettingChange[]): ReadonlyMap<string, SettingChange> {
  return new Map(changes.map((change) => [change.name, change]));
}

/** What became of a setting that was to be as before. `value`: what is there now. */
export type Restored =
  | { readonly outcome: 'restored' }
  /** It is as it was, by somebody else's hand. */
  | { readonly outcome: 'already' }
  /** Somebody else has changed it since; it is left. */
  | { readonly outcome: 'left'; readonly value: string }
  /** Its device is gone, and the setting with it. */
  | { readonly outcome: 'gone' };

/** What restoring a change would do now. @throws KernelError where the setting cannot be read */
export function wayBack(sysctl: Sysctl, { name, original, ours }: SettingChange): Restored {
  const value = sysctl.read(name);
  if (value === undefined) return { outcome: 'gone' };
  if (value === original) return { outcome: 'already' };
  return value === ours ? { outcome: 'restored' } : { outcome: 'left', value };
}

/** Puts back what was there, with what the kernel changes along with it. @throws KernelError */
export function restoreSetting(sysctl: Sysctl, change: SettingChange): Restored {
  const way = wayBack(sysctl, change);
  if (way.outcome !== 'restored') return way;
  sysctl.write(change.name, change.original);
  for (const [name, value] of Object.entries(change.along)) {
    const now = sysctl.read(name);
    if (now !== undefined && now !== value) sysctl.write(name, value);
  }
  return way;
}

/** As sysctl(8) writes it: a dot in the name of a device becomes a slash. */
export function settingText(name: string): string {
  return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}

function readChanges(store: SettingStore): readonly SettingChange[] {
  const kept = store.load();
  if (kept === undefined) return [];
  const changes = isObject(kept) ? kept['changes'] : undefined;
  if (Array.isArray(changes) && changes.every(isChange)) return changes;
  throw new SettingRecordError(
    `the record of changed kernel settings in ${store.place} is damaged; put back by hand what it tells of, and remove it`,
  );
}

function isChange(value: unknown): value is SettingChange {
  return (
    isObject(value) &&
    ['name', 'original', 'ours'].every((field) => typeof value[field] === 'string') &&
    isObject(value['along']) &&
    Object.values(value['along']).every((entry) => typeof entry === 'string')
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
