/**
 * Resources in a text of YAML: documents, and items of lists.
 *
 * Owns: the surgery. What is not named stays as it is, byte for byte, with its comments; of what is changed, as much as
 * can be. Must not know: files, resources. Whether the result says what it should is for the caller to see.
 *
 * The concrete syntax tree of `yaml` joins to the very text that it was made of: its tokens are cut out and replaced.
 */
import {
  Composer,
  CST,
  type Document,
  isCollection,
  isScalar,
  Parser,
  parseDocument,
  stringify,
  visit,
} from 'yaml';
import type { Path } from '../schema/index.js';
import type { Edit } from './edit-file.js';
import { editItems } from './edit-items.js';
import { canonicalJson, isRecord, type Manifest } from './manifest.js';

/** Long lines stay lines. */
const WHOLE_LINES = { lineWidth: 0 } as const;

export function editYaml(text: string, edits: readonly Edit[], added: readonly Manifest[]): string {
  const tokens = [...new Parser().parse(text)];
  const parts = tokens.map((token) => CST.stringify(token));
  const places = tokens.flatMap((token, at) => (token.type === 'document' ? at : []));
  for (const [index, at] of places.entries()) {
    const own = edits.filter(({ document }) => document.index === index);
    if (own.length > 0) parts[at] = editDocument(parts[at] ?? '', own);
  }
  return added.reduce(append, parts.join(''));
}

function append(text: string, manifest: Manifest): string {
  const isEmpty = !/^[^#\s]/m.test(text);
  const line = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${line}${isEmpty ? '' : '---\n'}${stringify(manifest, WHOLE_LINES)}`;
}

function editDocument(text: string, edits: readonly Edit[]): string {
  const [first] = edits;
  if (first?.document.path.length === 0) {
    return first.manifest === undefined ? '' : rewritten(text, first.document.value, first.manifest);
  }
  return editItems(text, edits, rewritten);
}

/** The first way that says the same as the manifest, from the one that keeps most of the text. */
function rewritten(text: string, before: Manifest, after: Manifest): string {
  const wanted = canonicalJson(after);
  const ways = [scalarsReplaced, fieldsReplaced].map((way) => way(text, before, after));
  return (
    ways.find((way) => way !== undefined && canonicalJson(valueIn(way)) === wanted) ?? replaced(text, after)
  );
}

function valueIn(text: string): unknown {
  const document = parseDocument(text, { logLevel: 'error', prettyErrors: false });
  return document.errors.length > 0 ? undefined : document.toJS();
}

/** A document whose nodes know the tokens that they are of. */
function withTokens(text: string): { readonly tokens: readonly CST.Token[]; readonly document: Document } {
  const tokens = [...new Parser().parse(text)];
  const [document] = new Composer({ keepSourceTokens: true, logLevel: 'error' }).compose(tokens);
  if (document === undefined) throw new Error('a document without a document');
  return { tokens, document };
}

function joined(tokens: readonly CST.Token[]): string {
  return tokens.map((token) => CST.stringify(token)).join('');
}

/** Where nothing but values of fields differ, only these are touched. */
function scalarsReplaced(text: string, before: Manifest, after: Manifest): string | undefined {
  const { tokens, document } = withTokens(text);
  return setScalars(document, [], before, after) ? joined(tokens) : undefined;
}

/** @returns false where more than values of fields differ: then the tokens are of no use any more */
function setScalars(document: Document, path: Path, before: unknown, after: unknown): boolean {
  if (canonicalJson(before) === canonicalJson(after)) return true;
  if (isRecord(before) && isRecord(after)) {
    const fields = Object.keys(before);
    return (
      fields.length === Object.keys(after).length &&
      fields.every(
        (field) =>
          Object.hasOwn(after, field) && setScalars(document, [...path, field], before[field], after[field]),
      )
    );
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    return (
      before.length === after.length &&
      before.every((item, index) => setScalars(document, [...path, index], item, after[index]))
    );
  }
  const node = document.getIn(path, true);
  if (!isScalar(node) || !CST.isScalar(node.srcToken) || !isPlain(after)) return false;
  const isText = typeof after === 'string';
  CST.setScalarValue(node.srcToken, String(after), isText ? {} : { type: 'PLAIN' });
  return true;
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** The comments stay; blanks and breaks of lines become those of `yaml`. */
function fieldsReplaced(text: string, before: Manifest, after: Manifest): string | undefined {
  const document = parseDocument(text, { logLevel: 'error' });
  let hasAlias = false;
  visit(document, {
    Alias: () => {
      hasAlias = true;
    },
  });
  // What is changed in one place would change in the other.
  if (hasAlias || document.errors.length > 0) return undefined;
  merge(document, [], before, after);
  const options = { ...WHOLE_LINES, flowCollectionPadding: !/[[{][^\s\]}]/.test(text) };
  return likeBefore(document.toString(options), text);
}

function merge(document: Document, path: Path, before: unknown, after: unknown): void {
  if (canonicalJson(before) === canonicalJson(after)) return;
  if (isRecord(before) && isRecord(after)) {
    for (const field of Object.keys(before)) {
      if (!Object.hasOwn(after, field)) document.deleteIn([...path, field]);
    }
    for (const [field, value] of Object.entries(after)) {
      merge(document, [...path, field], Object.hasOwn(before, field) ? before[field] : undefined, value);
    }
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = before.length - 1; index >= after.length; index--) document.deleteIn([...path, index]);
    for (const [index, item] of after.entries()) merge(document, [...path, index], before[index], item);
  } else {
    document.setIn(path, isPlain(after) ? after : document.createNode(after));
  }
}

/** Only what stands before the value stays. */
function replaced(text: string, after: Manifest): string {
  const [token] = new Parser().parse(text);
  const start = token?.type === 'document' ? token.start.map(({ source }) => source).join('') : '';
  const head = start === '' || start.endsWith('\n') ? start : `${start.trimEnd()}\n`;
  return likeBefore(`${head}${isFlow(text) ? JSON.stringify(after) : stringify(after, WHOLE_LINES)}`, text);
}

function isFlow(text: string): boolean {
  const { contents } = parseDocument(text);
  return isCollection(contents) && contents.flow === true;
}

/** Ends in as many empty lines as the text before. */
function likeBefore(text: string, before: string): string {
  return `${text.trimEnd()}${/\n\s*$/.exec(before)?.[0] ?? '\n'}`;
}
