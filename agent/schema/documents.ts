/**
 * YAML or JSON text -> documents that know the line of each of their values.
 *
 * Owns: syntax, several documents in a file, List kinds, lines. Must not know: what a resource means.
 * JSON needs no reader of its own: it is YAML 1.2.
 */
import { isCollection, isMap, isNode, isScalar, LineCounter, type Node, parseAllDocuments } from 'yaml';
import type { ConfigError } from './errors.js';

/** One file as read. */
export interface ManifestFile {
  /** As the operator names it; appears in errors. */
  readonly path: string;
  readonly text: string;
}

/** A path inside a document: keys and list indexes. */
export type Path = readonly (string | number)[];

/** One mapping of a file, which should be a resource. */
export interface LocatedDocument {
  readonly file: string;
  /** As plain values; keys are own properties, whatever they are called. */
  readonly value: Readonly<Record<string, unknown>>;
  /** The line of the value at `path`, or of the nearest one around it that exists; 0: there are no lines. */
  readonly lineOf: (path: Path) => number;
}

/** A document of a file, with where it stands there. */
export interface FileDocument extends LocatedDocument {
  /** The number of the YAML document in its file, from 0, empty ones included. */
  readonly index: number;
  /** Inside of that: empty, or the way to an item of a list. */
  readonly path: Path;
}

/** Aliases may be used, but not to blow a small file up to a large one. */
const MAX_ALIAS_COUNT = 100;

/** Assigning to it changes the prototype of a plain object instead of adding a key; nothing behind us must meet it. */
const PROTOTYPE_KEY = '__proto__';

/** All documents of one file, the items of lists one by one, and what is wrong with the syntax. */
export function readDocuments(file: ManifestFile): {
  readonly documents: readonly FileDocument[];
  readonly errors: readonly ConfigError[];
} {
  const lines = new LineCounter();
  const errors: ConfigError[] = [];
  const documents: FileDocument[] = [];
  const report = (line: number, message: string) => errors.push({ file: file.path, line, path: '', message });

  const parsed = parseAllDocuments(file.text, {
    lineCounter: lines,
    prettyErrors: false,
    // Or the package prints warnings by itself.
    logLevel: 'error',
  });
  for (const [index, document] of [...parsed].entries()) {
    const faults = [...document.errors, ...document.warnings];
    for (const fault of faults) {
      report(lines.linePos(fault.pos[0]).line, `is no valid YAML or JSON: ${lowerFirst(fault.message)}`);
    }
    if (faults.length > 0) continue;
    const root = document.contents;
    // An empty document, such as one of comments alone, says nothing.
    if (root === null || (isScalar(root) && root.value === null)) continue;

    const plain = plainValue(() => document.toJS({ maxAliasCount: MAX_ALIAS_COUNT }));
    if ('problem' in plain) {
      report(lineOfNode(root, lines), `is no valid YAML or JSON: ${plain.problem}`);
      continue;
    }
    const before = errors.length;
    const value = treeOf(plain.value, [], new Set(), (path, message) =>
      report(lineAt(root, path, lines), message),
    );
    if (errors.length > before) continue;
    const found = expandLists(file.path, value, root, lines, [], report);
    documents.push(...found.map((item) => ({ ...item, index })));
  }
  return { documents, errors };
}

/** The `yaml` package throws a ReferenceError for an unknown alias and for too many of them. */
function plainValue(convert: () => unknown): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: convert() };
  } catch (error) {
    if (error instanceof ReferenceError) return { problem: lowerFirst(error.message) };
    throw error;
  }
}

/**
 * A copy in which nothing is shared: with an alias the same object stands in two places, and whoever decodes it in
 * place would decode it twice. Reports what cannot be copied, or must not be.
 */
function treeOf(
  value: unknown,
  path: Path,
  around: ReadonlySet<unknown>,
  report: (path: Path, message: string) => void,
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (around.has(value)) {
    report(path, 'contains itself by an alias; write it out');
    return undefined;
  }
  const inside = new Set(around).add(value);
  if (Array.isArray(value)) return value.map((item, index) => treeOf(item, [...path, index], inside, report));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const at = [...path, key];
      if (key === PROTOTYPE_KEY) report(at, `has the key ${key}, which no resource has; take it out`);
      return [key, treeOf(item, at, inside, report)];
    }),
  );
}

function expandLists(
  file: string,
  value: unknown,
  root: Node,
  lines: LineCounter,
  at: Path,
  report: (line: number, message: string) => void,
): Omit<FileDocument, 'index'>[] {
  const lineOf = (path: Path) => lineAt(root, [...at, ...path], lines);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    report(lineOf([]), 'is no mapping; write fields with their values');
    return [];
  }
  const record = value as Readonly<Record<string, unknown>>;
  const { kind, items } = record;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) {
    return [{ file, value: record, lineOf, path: at }];
  }
  return items.flatMap((item: unknown, index) =>
    expandLists(file, item, root, lines, [...at, 'items', index], report),
  );
}

/** Walks as far as the path exists. The line of a key in a mapping is that of the key, not of its value. */
function lineAt(root: Node, path: Path, lines: LineCounter): number {
  let node: unknown = root;
  let line = lineOfNode(root, lines);
  for (const step of path) {
    if (!isCollection(node)) break;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) break;
      line = lineOfNode(pair.key, lines);
      node = pair.value;
    } else {
      node = node.items[Number(step)];
      if (!isNode(node)) break;
      line = lineOfNode(node, lines);
    }
  }
  return line;
}

function lineOfNode(node: unknown, lines: LineCounter): number {
  return isNode(node) && node.range ? lines.linePos(node.range[0]).line : 1;
}

function lowerFirst(message: string): string {
  return message.slice(0, 1).toLowerCase() + message.slice(1);
}
