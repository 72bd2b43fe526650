/**
 * Files of manifests as a store: what is in them, and what becomes of their texts by a commit.
 *
 * Owns: versions, which file a resource is in and a new one goes to. Must not know: how files are read and written.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  canonicalJson,
  type Edit,
  editFile,
  keyOf,
  keyText,
  type Manifest,
  normalManifest,
} from '../manifests/index.js';
import { type ConfigError, checkText, type ManifestFile } from '../resources/index.js';
import { type FileDocument, formatLocation, readDocuments } from '../schema/index.js';
import { type Change, type Conflict, type ResourceKey, type StoredResource, StoreError } from './types.js';

/** A resource with its place. */
interface Entry extends StoredResource {
  readonly file: ManifestFile;
  readonly document: FileDocument;
}

/** The new text of each file that changes, by path; without resources, it may go. */
export type FileTexts = ReadonlyMap<string, { readonly text: string; readonly isEmpty: boolean }>;

/** Of 64 bits: two states of one resource do not meet by chance. */
const VERSION_LETTERS = 16;

/** Comments and bookkeeping are no part of the version: it is what is said that counts. */
export function versionOf(manifest: Manifest): string {
  return createHash('sha256').update(canonicalJson(manifest)).digest('hex').slice(0, VERSION_LETTERS);
}

/** All resources, in the order of files and lines. @throws StoreError where a file cannot be understood */
export function entriesOf(files: readonly ManifestFile[]): readonly Entry[] {
  const errors: ConfigError[] = [];
  const entries = new Map<string, Entry>();
  for (const file of files) {
    const { documents, errors: faults } = readDocuments(file);
    errors.push(...faults);
    for (const document of documents) {
      const place = { file: file.path, line: document.lineOf([]) };
      const key = keyOf(document.value);
      const other = key && entries.get(keyText(key));
      if (key === undefined) {
        errors.push({ ...place, path: '', message: 'has no kind or no metadata.name; add it by hand' });
      } else if (other !== undefined) {
        const first = formatLocation({ file: other.file.path, line: other.document.lineOf([]) });
        const message = `exists already (${first}); remove one of them by hand`;
        errors.push({ ...place, path: keyText(key), message });
      } else {
        const manifest = normalManifest(document.value);
        entries.set(keyText(key), { ...key, version: versionOf(manifest), manifest, file, document });
      }
    }
  }
  if (errors.length > 0) throw new StoreError(checkText(errors));
  return [...entries.values()];
}

/** Those changes whose expectation is not met. */
export function conflictsOf(entries: readonly Entry[], changes: readonly Change[]): readonly Conflict[] {
  return changes.flatMap(({ kind, name, expected }) => {
    const found = find(entries, { kind, name });
    const isMet =
      expected === 'any' || (expected === 'absent' ? !found : found?.version === expected.version);
    return isMet ? [] : [{ kind, name, found: found && storedOf(found) }];
  });
}

/** Without its place. */
export function storedOf({ kind, name, version, manifest }: Entry): StoredResource {
  return { kind, name, version, manifest };
}

/**
 * What the files must say for the changes to be made.
 * @param home where new resources go: the one file, or a folder in which each gets its own
 * @throws StoreError where a file cannot be changed without touching the rest, or nothing would be left
 */
export function textsAfter(
  files: readonly ManifestFile[],
  entries: readonly Entry[],
  changes: readonly Change[],
  home: { readonly path: string; readonly isFolder: boolean },
): FileTexts {
  const edits = new Map<string, Edit[]>();
  const added = new Map<string, Manifest[]>();
  let count = entries.length;
  for (const change of changes) {
    const { manifest } = change;
    const entry = find(entries, change);
    if (entry !== undefined) {
      if (manifest === undefined) count--;
      else if (versionOf(normalManifest(manifest)) === entry.version) continue;
      push(edits, entry.file.path, { document: entry.document, manifest });
    } else if (manifest !== undefined) {
      count++;
      push(added, home.isFolder ? join(home.path, fileNameOf(change)) : home.path, manifest);
    }
  }
  if (count === 0 && entries.length > 0) {
    throw new StoreError(
      `${home.path}: would be left without any resource, which agents take for a damaged store; keep one, or remove the files by hand once the agents are stopped`,
    );
  }
  const texts = new Map<string, { text: string; isEmpty: boolean }>();
  for (const path of new Set([...edits.keys(), ...added.keys()])) {
    const file = files.find((known) => known.path === path) ?? { path, text: '' };
    const result = editFile(file, edits.get(path) ?? [], added.get(path) ?? []);
    if ('problem' in result) throw new StoreError(`${path}: ${result.problem}`);
    // What is left may be comments, which are somebody's.
    texts.set(path, { text: result.text, isEmpty: /^(---)?\s*$/.test(result.text) });
  }
  return texts;
}

function find(entries: readonly Entry[], { kind, name }: ResourceKey): Entry | undefined {
  return entries.find((entry) => entry.kind === kind && entry.name === name);
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

/** `bgppeer-tor.yaml`; a name that is no name of a resource leads out of no folder. */
function fileNameOf({ kind, name }: ResourceKey): string {
  return `${kind.toLowerCase()}-${name}.yaml`.replace(/[^\w.-]/g, '-');
}
