/**
 * The text of a file in which resources are changed, added or taken out, and nothing else is touched.
 *
 * Owns: which way of editing a file gets, and the proof that the result says what it should. Must not know: files,
 * stores, how YAML is edited.
 */
import { type FileDocument, type ManifestFile, readDocuments } from '../schema/index.js';
import { editJson, isJson } from './edit-json.js';
import { editYaml } from './edit-yaml.js';
import { canonicalJson, keyOf, keyText, type Manifest } from './manifest.js';

/** What becomes of one document; undefined: it goes. */
export interface Edit {
  readonly document: FileDocument;
  readonly manifest: Manifest | undefined;
}

export type EditResult = { readonly text: string } | { readonly problem: string };

/**
 * @param file must be free of errors
 * @param added go to its end
 */
export function editFile(file: ManifestFile, edits: readonly Edit[], added: readonly Manifest[]): EditResult {
  const text = isJson(file) ? editJson(file, edits, added) : editYaml(file.text, edits, added);
  return says(text, wanted(file, edits, added)) ? { text } : { problem: cannotEdit(edits) };
}

/** The manifests that the file must hold afterwards, in order. */
function wanted(file: ManifestFile, edits: readonly Edit[], added: readonly Manifest[]): readonly Manifest[] {
  const kept = readDocuments(file).documents.flatMap(({ index, path, value }): readonly Manifest[] => {
    const edit = edits.find(({ document }) => document.index === index && samePath(document.path, path));
    if (edit === undefined) return [value];
    return edit.manifest === undefined ? [] : [edit.manifest];
  });
  return [...kept, ...added];
}

function samePath(a: FileDocument['path'], b: FileDocument['path']): boolean {
  return a.length === b.length && a.every((step, at) => step === b[at]);
}

function says(text: string, manifests: readonly Manifest[]): boolean {
  const { documents, errors } = readDocuments({ path: '', text });
  const values = documents.map(({ value }) => value);
  return errors.length === 0 && canonicalJson(values) === canonicalJson(manifests);
}

/** Anchors that other documents use, unusual lists, text without an end: rare, and better left to people. */
function cannotEdit(edits: readonly Edit[]): string {
  const names = edits.flatMap(({ document }) => {
    const key = keyOf(document.value);
    return key === undefined ? [] : keyText(key);
  });
  const what = names.length === 0 ? 'nothing can be added to it' : `${names.join(', ')} cannot be changed`;
  return `is written in a way in which ${what} without touching the rest; edit it by hand`;
}
