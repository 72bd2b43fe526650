/**
 * Resources in a file of JSON: one object, or a List of several.
 *
 * Owns: the form of the whole file. There are no comments to keep. Must not know: YAML, files.
 */
import type { ManifestFile } from '../schema/index.js';
import type { Edit } from './edit-file.js';
import { isRecord, type Manifest } from './manifest.js';

/** By its name and by what is in it: YAML may be called .json, too. */
export function isJson({ path, text }: ManifestFile): boolean {
  if (!path.endsWith('.json')) return false;
  return text.trim() === '' || parse(text) !== undefined;
}

export function editJson({ text }: ManifestFile, edits: readonly Edit[], added: readonly Manifest[]): string {
  const root = parse(text);
  const { items, ...list } = root ?? {};
  const isList = typeof list['kind'] === 'string' && list['kind'].endsWith('List') && Array.isArray(items);
  const before: readonly unknown[] = isList ? items : root === undefined ? [] : [root];
  const kept = before.flatMap((value, index) => {
    const edit = edits.find(({ document: { path } }) => path.length === 0 || path[1] === index);
    return edit === undefined ? [value] : edit.manifest === undefined ? [] : [edit.manifest];
  });
  const after = [...kept, ...added];
  if (after.length === 0) return '';
  const head = isList ? list : { apiVersion: after.find(isRecord)?.['apiVersion'], kind: 'List' };
  const value = isList || after.length > 1 ? { ...head, items: after } : after[0];
  return `${JSON.stringify(value, null, indentOf(text))}\n`;
}

function parse(text: string): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function indentOf(text: string): string | number {
  return /\n([ \t]+)"/.exec(text)?.[1] ?? (text.trim().includes('\n') || text.trim() === '' ? 2 : 0);
}
