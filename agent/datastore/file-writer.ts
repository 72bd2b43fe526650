/**
 * Files written so that every reader sees the old ones or the new ones, and writers one after the other.
 *
 * Owns: the lock, drafts, names, and what a file system may refuse. Must not know: what is in the files.
 *
 * All drafts are written and on the disk before the first takes the name of its file. Each file changes at once; several
 * change one after the other, within moments: a machine that fails between two of them leaves some old and some new.
 */
import { type FileHandle, lstat, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { takeLock } from '../runtime/index.js';
import { StoreError } from './types.js';

/** One file to be written. */
export interface FileWrite {
  readonly path: string;
  /** What it held when the new text was made; undefined: it was not there. */
  readonly before: string | undefined;
  /** undefined: the file goes. */
  readonly after: string | undefined;
}

/** Hidden: a folder's manifests are the others. */
const LOCK_FILE = '.podroute.lock';
/** A commit takes milliseconds; whoever holds the lock longer is stopped, or is no podroute. */
const LOCK_PATIENCE_MS = 10_000;
const LOCK_RETRY_MS = 10;
const NEW_FILE_MODE = 0o644;

const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['EROFS', 'is on a read-only file system, as mounted ConfigMaps are; change it where it comes from'],
  ['EACCES', 'may not be written by this user; run as root, or change the permissions of its folder'],
  ['EPERM', 'may not be written by this user; run as root, or change the permissions of its folder'],
  ['EBUSY', 'is a mount of its own, which nothing can take the place of; mount its folder instead'],
  ['ENOSPC', 'cannot be written: the file system is full; make room'],
  ['EDQUOT', 'cannot be written: the quota is used up; make room'],
  ['ENOENT', 'was removed meanwhile; try again'],
]);

/** Commits of this process, by folder: its own locks do not keep it out. */
const queues = new Map<string, Promise<unknown>>();

/** Where the files at `path` are: links are followed. @throws StoreError where they are gone */
export async function homeOf(path: string): Promise<{ readonly folder: string; readonly isFolder: boolean }> {
  return await refusing(path, async () => {
    const target = await realpath(path);
    const isFolder = (await stat(target)).isDirectory();
    return { folder: isFolder ? target : dirname(target), isFolder };
  });
}

/**
 * Runs `work` while no other podroute writes into the folder.
 * @throws StoreError where the lock cannot be had
 */
export async function holding<T>(
  folder: string,
  work: () => Promise<T>,
  patienceMs = LOCK_PATIENCE_MS,
): Promise<T> {
  const earlier = queues.get(folder) ?? Promise.resolve();
  const run = earlier.then(async () => {
    const path = join(folder, LOCK_FILE);
    const release = await lock(path, patienceMs);
    try {
      return await work();
    } finally {
      // While it is held: whoever waits for this very file sees that it is gone, and makes another.
      await rm(path, { force: true });
      release();
    }
  });
  // A failure is the caller's to see, through the promise that is returned.
  const settled = run.then(
    () => {},
    () => {},
  );
  queues.set(folder, settled);
  try {
    return await run;
  } finally {
    if (queues.get(folder) === settled) queues.delete(folder);
  }
}

/** The end of a lock of another process is no event that can be waited for with a limit. */
async function lock(path: string, patienceMs: number): Promise<() => void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const result = await refusing(path, async () => takeLock(path));
    if ('release' in result) return result.release;
    if (performance.now() > deadline) {
      const who = result.holder === 0 ? 'another process' : `process ${result.holder}`;
      throw new StoreError(`${path}: has been held by ${who} for ${patienceMs / 1000} s; end it`);
    }
    await pause(LOCK_RETRY_MS);
  }
}

/**
 * Writes all files, or none where the file system refuses one of them.
 * @returns false: one of them is not any more what it was before; nothing is written
 * @throws StoreError where the file system refuses
 */
export async function writeFiles(writes: readonly FileWrite[]): Promise<boolean> {
  const drafts: Draft[] = [];
  try {
    for (const write of writes) drafts.push(await draftOf(write));
    for (const { path, before } of writes) {
      if ((await refusing(path, () => textOf(path))) !== before) return false;
    }
    for (const draft of drafts) await take(draft);
  } finally {
    for (const { draft } of drafts) if (draft !== undefined) await rm(draft, { force: true });
  }
  for (const folder of new Set(drafts.map(({ target }) => dirname(target)))) await synchronise(folder);
  return true;
}

interface Draft {
  /** As people call it. */
  readonly path: string;
  /** The file itself, where the path is a link. */
  readonly target: string;
  /** undefined: the file goes. */
  readonly draft: string | undefined;
}

async function draftOf({ path, before, after }: FileWrite): Promise<Draft> {
  return await refusing(path, async () => {
    const target = before === undefined ? path : await realpath(path);
    if (isProjected(target)) {
      throw new StoreError(
        `${path}: is a mounted ConfigMap, which Kubernetes writes; change the ConfigMap itself`,
      );
    }
    // Without its file a link would be an error.
    const isLink = before !== undefined && (await lstat(path)).isSymbolicLink();
    if (after === undefined && !isLink) return { path, target, draft: undefined };
    const draft = join(dirname(target), `.${basename(target)}.draft`);
    await rm(draft, { force: true });
    const file = await open(draft, 'wx', NEW_FILE_MODE);
    try {
      if (before !== undefined) await takeAfter(file, target);
      await file.writeFile(after ?? '');
      await file.sync();
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return { path, target, draft };
  });
}

/** `..data/cluster.yaml` and `..2026_11_26/cluster.yaml` are how the kubelet swaps all files of a volume at once. */
function isProjected(target: string): boolean {
  return target.split('/').some((step) => step.length > 2 && step.startsWith('..'));
}

/** Mode and owner are those of the file that is replaced. */
async function takeAfter(file: FileHandle, target: string): Promise<void> {
  const old = await stat(target);
  const own = await file.stat();
  if (own.uid !== old.uid || own.gid !== old.gid) await file.chown(old.uid, old.gid);
  await file.chmod(old.mode & 0o7777);
}

async function take({ path, target, draft }: Draft): Promise<void> {
  await refusing(path, () => (draft === undefined ? rm(target) : rename(draft, target)));
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The new names are on the disk, where the file system can be asked for that. */
async function synchronise(folder: string): Promise<void> {
  await refusing(folder, async () => {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } catch (error) {
      if (codeOf(error) !== 'EINVAL') throw error;
    } finally {
      await handle.close();
    }
  });
}

/** What the file system refuses, as a sentence. */
async function refusing<T>(path: string, access: () => Promise<T>): Promise<T> {
  try {
    return await access();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || error instanceof StoreError) throw error;
    throw new StoreError(`${path}: ${REFUSALS.get(code) ?? `cannot be written (${code})`}`, { cause: error });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
