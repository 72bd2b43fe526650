/**
 * A set of watched directories that follows what should be watched.
 *
 * Owns: the fs.watch handles. Must not know: what is in the directories.
 *
 * Directories are watched, not files: a watch of a file stays with the inode, so that it goes deaf when an editor
 * renames a new file over the old one. For the same reason a directory that is replaced gets a new watch.
 */
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';

interface Watched {
  readonly watcher: FSWatcher;
  /** Device and inode: the same path with another inode is another directory. */
  readonly identity: string;
}

/** Calls back on any change in any of the directories. */
export class DirectoryWatch {
  readonly #watched = new Map<string, Watched>();
  readonly #failed = new Set<string>();
  readonly #onChange: () => void;
  readonly #onFailure: (directory: string, error: Error) => void;

  /** `onFailure` is told once for each directory that cannot be watched, until it can be again. */
  constructor(onChange: () => void, onFailure: (directory: string, error: Error) => void) {
    this.#onChange = onChange;
    this.#onFailure = onFailure;
  }

  /** Watches exactly these directories, those that exist. @returns true where a watch was added. */
  async follow(directories: ReadonlySet<string>): Promise<boolean> {
    for (const directory of this.#watched.keys()) {
      if (!directories.has(directory)) this.#drop(directory);
    }
    let isAdded = false;
    for (const directory of directories) {
      const identity = await identityOf(directory);
      if (this.#watched.get(directory)?.identity === identity) continue;
      this.#drop(directory);
      if (identity !== undefined) isAdded = this.#add(directory, identity) || isAdded;
    }
    return isAdded;
  }

  close(): void {
    for (const directory of this.#watched.keys()) this.#drop(directory);
  }

  #add(directory: string, identity: string): boolean {
    try {
      const watcher = watch(directory, { persistent: false }, this.#onChange);
      watcher.on('error', (error) => {
        this.#drop(directory);
        this.#fail(directory, error);
      });
      this.#watched.set(directory, { watcher, identity });
      this.#failed.delete(directory);
      return true;
    } catch (error) {
      // Out of inotify watches, or the directory has just gone: the poll sees to it.
      this.#fail(directory, error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  #fail(directory: string, error: Error): void {
    if (this.#failed.has(directory)) return;
    this.#failed.add(directory);
    this.#onFailure(directory, error);
  }

  #drop(directory: string): void {
    this.#watched.get(directory)?.watcher.close();
    this.#watched.delete(directory);
  }
}

async function identityOf(directory: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(directory);
    return `${dev}:${ino}`;
  } catch {
    // Whether a missing directory matters is for whoever reads the files to say.
    return undefined;
  }
}
