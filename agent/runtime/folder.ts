/**
 * The runtime folder: the few files of a running agent that outlive it, and the lock that says that it runs.
 *
 * Owns: the files' names and how they are written. Must not know: what is in them.
 */
import { lstatSync, mkdirSync, readdirSync, realpathSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../start-error.js';
import { lockHolder, takeLock } from './lock.js';
import { readIfThere, unlessMissing, writeWhole } from './whole-file.js';

/** Everything that we ever write there. */
export const RUNTIME_FILES = {
  /** Held by the agent, or by `cleanup`, as long as it runs. */
  lock: 'lock',
  /** Which kernel settings were changed. */
  settings: 'settings.json',
  /** What the pods' network is, for CNI plugins. */
  subnetEnv: 'subnet.env',
} as const;

export type RuntimeFile = Exclude<keyof typeof RUNTIME_FILES, 'lock'>;

const FOLDER_MODE = 0o755;

export class RuntimeFolder {
  readonly path: string;
  readonly #release: () => void;

  /**
   * Makes the folder where it is missing, and holds its lock until `close`.
   * @throws StartError where it cannot be written, or another podroute holds it
   */
  static open(path: string): RuntimeFolder {
    try {
      mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
      const lock = takeLock(join(path, RUNTIME_FILES.lock));
      if ('release' in lock) return new RuntimeFolder(path, lock.release);
      throw new StartError(`${heldText(path, lock.holder)}; stop it, or name another folder with --run-dir`);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error) || error instanceof StartError) throw error;
      throw new StartError(
        `the runtime folder ${path} cannot be used (${error.message}); run as root, or name another one with --run-dir`,
        { cause: error },
      );
    }
  }

  private constructor(path: string, release: () => void) {
    this.path = path;
    this.#release = release;
  }

  /** Lets go of the lock; the files stay. */
  close(): void {
    this.#release();
  }

  place(file: RuntimeFile): string {
    return join(this.path, RUNTIME_FILES[file]);
  }

  /** @returns undefined where there is no such file */
  read(file: RuntimeFile): string | undefined {
    return readIfThere(this.place(file));
  }

  /** Readers see the old text or the new one, and a crash leaves one of the two. @throws Error of the file system */
  write(file: RuntimeFile, text: string): void {
    writeWhole(this.place(file), draftOf(this.place(file)), text);
  }

  remove(file: RuntimeFile): void {
    rmSync(this.place(file), { force: true });
  }

  /**
   * Removes our files, `files` with them, and the folder, unless there is something else in it.
   * @returns whether it is gone
   */
  dissolve(files: readonly string[] = []): boolean {
    return dissolveFolder(this.path, [...ownFiles(this.path), ...files]);
  }
}

/**
 * Removes `files`, and the folder, unless there is something else in it.
 * @returns whether it is gone
 */
export function dissolveFolder(folder: string, files: readonly string[]): boolean {
  for (const path of files) rmSync(path, { force: true });
  if (readdirSync(folder).length > 0) return false;
  // A service manager may have put a link in its place (systemd does with DynamicUser=yes).
  const isLink = lstatSync(folder).isSymbolicLink();
  rmdirSync(realpathSync(folder));
  if (isLink) unlinkSync(folder);
  return true;
}

/** What there is of ours in a folder that may or may not be there, drafts of a killed agent included. */
export function ownFiles(folder: string): readonly string[] {
  return filesAmong(folder, Object.values(RUNTIME_FILES));
}

/** What there is in a folder of files with these names, drafts included; nothing where there is no folder. */
export function filesAmong(folder: string, names: readonly string[]): readonly string[] {
  const own = new Set(names.flatMap((name) => [join(folder, name), draftOf(join(folder, name))]));
  return entriesOf(folder)
    .map((entry) => join(folder, entry))
    .filter((path) => own.has(path));
}

/** Where the changed settings are kept in a folder. */
export function settingsPlace(folder: string): string {
  return join(folder, RUNTIME_FILES.settings);
}

/** The process that holds the folder; undefined: none. */
export function folderHolder(folder: string): number | undefined {
  return lockHolder(join(folder, RUNTIME_FILES.lock));
}

/** Who is in the way; the caller adds the remedy. @param holder 0: unseen */
export function heldText(folder: string, holder: number): string {
  const who = holder === 0 ? 'a podroute in another PID namespace' : `podroute (pid ${holder})`;
  return `${who} is at work with the runtime folder ${folder}`;
}

function entriesOf(folder: string): readonly string[] {
  return unlessMissing<readonly string[]>(() => readdirSync(folder), []);
}

/** What a file is called while it is written; a crash may leave it. */
export function draftOf(path: string): string {
  return `${path}.draft`;
}
