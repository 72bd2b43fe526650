/**
 * Files that are there whole or not at all.
 *
 * Owns: how they are written and read. Must not know: what is in them.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';

/** Everybody may read what we write: CNI plugins and people do. */
const FILE_MODE = 0o644;

/**
 * Readers see the old text or the new one, and a crash leaves one of the two.
 * @param draft a name in the same folder, for as long as it is being written
 * @throws Error of the file system
 */
export function writeWhole(path: string, draft: string, text: string): void {
  // One that was left by a killed agent may belong to another user, as services with DynamicUser=yes have them.
  rmSync(draft, { force: true });
  const fd = openSync(draft, 'wx', FILE_MODE);
  try {
    // A service manager may have set a umask that takes others' right to read.
    fchmodSync(fd, FILE_MODE);
    writeFileSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
}

/** @returns undefined where there is no such file */
export function readIfThere(path: string): string | undefined {
  return unlessMissing(() => readFileSync(path, 'utf8'), undefined);
}

/** What is read of the file system, or `otherwise` where nothing is there. */
export function unlessMissing<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise;
    throw error;
  }
}
