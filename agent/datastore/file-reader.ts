/**
 * The manifests of a file or a folder, as texts, and the directories whose changes concern them.
 *
 * Owns: which files count, and what is wrong with reading them. Must not know: when to read, what is in the files.
 */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ConfigError, ManifestFile } from '../resources/index.js';

/** What one reading found. */
export interface Snapshot {
  readonly files: readonly ManifestFile[];
  readonly errors: readonly ConfigError[];
  /**
   * The directory of every name that leads to the files, symbolic links followed: a file that an editor replaces, or a
   * link that is turned to another target (as a mounted ConfigMap does), changes one of them.
   */
  readonly directories: ReadonlySet<string>;
}

const MANIFEST = /\.(ya?ml|json)$/;

const MISSING_STORE = 'does not exist; create it, or give another place with --datastore';

/** What else can be wrong with reading a path, and what to do. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'may not be read by this user; change its permissions'],
  ['EPERM', 'may not be read by this user; change its permissions'],
  ['ENOTDIR', 'leads through something that is no folder; correct the path'],
  ['ELOOP', 'is a circle of symbolic links; correct them'],
  ['EISDIR', 'is a folder where a file should be; correct the path'],
]);

/** As {@link readFiles}; a folder without manifests is an error. */
export async function readManifests(path: string, missing = MISSING_STORE): Promise<Snapshot> {
  const snapshot = await readFiles(path, missing);
  if (snapshot.files.length > 0 || snapshot.errors.length > 0) return snapshot;
  const message = 'holds no manifest; put *.yaml, *.yml or *.json files into it';
  return { ...snapshot, errors: [{ file: path, path: '', message }] };
}

/**
 * Reads the file at `path`, or all manifests in the folder at `path`, sorted by name. Never throws.
 * @param missing what is said of a path that does not exist
 */
export async function readFiles(path: string, missing = MISSING_STORE): Promise<Snapshot> {
  const files: ManifestFile[] = [];
  const errors: ConfigError[] = [];
  const directories = new Set([dirname(path)]);

  /** Runs `access`; a failure of the file system becomes an error of `file`. */
  const attempt = async <T>(file: string, access: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await access();
    } catch (error) {
      errors.push({ file, path: '', message: remedyOf(error, missing) });
      return undefined;
    }
  };
  const readOne = async (file: string): Promise<void> => {
    const target = await attempt(file, () => realpath(file));
    if (target === undefined) return;
    directories.add(dirname(target));
    const text = await attempt(file, () => readFile(target, 'utf8'));
    if (text !== undefined) files.push({ path: file, text });
  };

  const found = await attempt(path, () => stat(path));
  if (found === undefined) return { files, errors, directories };
  if (!found.isDirectory()) {
    if (found.isFile()) await readOne(path);
    else errors.push({ file: path, path: '', message: 'is neither a file nor a folder; correct the path' });
    return { files, errors, directories };
  }

  directories.add(path);
  const folder = await attempt(path, () => realpath(path));
  if (folder !== undefined) directories.add(folder);
  const names = (await attempt(path, () => readdir(path))) ?? [];
  const manifests = names.filter((name) => MANIFEST.test(name) && !name.startsWith('.')).sort();
  for (const name of manifests) {
    const file = join(path, name);
    const entry = await attempt(file, () => stat(file));
    // A folder called x.yaml is no manifest, and a pipe would block.
    if (entry?.isFile()) await readOne(file);
  }
  return { files, errors, directories };
}

function remedyOf(error: unknown, missing: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  if (code === undefined) throw error;
  if (code === 'ENOENT') return missing;
  return REMEDIES.get(code) ?? `cannot be read (${code})`;
}
