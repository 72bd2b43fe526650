/**
 * Manifests -> cluster resources, or every error at once.
 *
 * Owns: the order of the steps (syntax, each resource alone, all together) and the form of an error.
 * Must not know: where the files come from.
 */
import {
  type ConfigError,
  didYouMean,
  type Fault,
  type LocatedDocument,
  type ManifestFile,
  type Path,
  quote,
  readDocuments,
} from '../schema/index.js';
import { crossCheck } from './cross-checks.js';
import { type Draft, KINDS, type Located, type Origin } from './kinds.js';
import type { BgpConfiguration, Resources, ResourcesResult } from './types.js';

const API_VERSION = 'projectcalico.org/v3';

/** What holds where no BGPConfiguration is written; the defaults of Calico. */
const DEFAULT_CONFIGURATION: BgpConfiguration = {
  asNumber: 64512,
  nodeToNodeMeshEnabled: true,
  listenPort: 179,
  bindMode: 'None',
  advertisements: [],
  prefixCommunities: [],
  mesh: {},
};

/** What one document says, seen alone. */
interface DocumentReading {
  readonly origin: Origin;
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly ConfigError[];
  /** Adds it, even where only the version is wrong: the others are then checked against it all the same. */
  readonly addTo: (draft: Draft) => void;
}

/**
 * Reads all files as one set of resources.
 * @returns the resources with warnings, or all errors, ordered by file and line.
 */
export function parseResources(files: readonly ManifestFile[]): ResourcesResult {
  const read = files.map(readDocuments);
  const readings = read.flatMap(({ documents }) => documents).map(readingOf);
  const draft = draftOf(readings);
  const found = findingsOf(readings, draft);
  const errors = [...read.flatMap((file) => file.errors), ...found.errors];
  const isEmpty = Object.values(draft).every((list: readonly unknown[]) => list.length === 0);
  // A file that an editor has just cut to nothing must not look like a cluster without nodes.
  if (isEmpty && errors.length === 0) {
    const message = 'holds no resource; write at least a Node and an IPPool';
    const [first] = files;
    errors.push(first === undefined ? { path: '', message } : { file: first.path, path: '', message });
  }
  const order = files.map(({ path }) => path);
  if (errors.length > 0) return { errors: inOrder(errors, order) };
  return { resources: complete(draft), warnings: inOrder(found.warnings, order), leftOut: [] };
}

/**
 * Everything that is wrong with a set of documents, whoever wrote them, and what is accepted without effect; ordered by
 * file and line. No document at all is right.
 */
export function checkDocuments(documents: readonly LocatedDocument[]): Faults {
  const order = documents.map(({ file }) => file);
  const readings = documents.map(readingOf);
  const { errors, warnings } = findingsOf(readings, draftOf(readings));
  return { errors: inOrder(errors, order), warnings: inOrder(warnings, order) };
}

interface Faults {
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly ConfigError[];
}

/** Of each alone, and of all together. */
function findingsOf(readings: readonly DocumentReading[], draft: Draft): Faults {
  const errors = readings.flatMap((reading) => reading.errors);
  const warnings = readings.flatMap((reading) => reading.warnings);
  for (const { origin, path, message, severity } of crossCheck(draft)) {
    (severity === 'error' ? errors : warnings).push(errorAt(origin, path, message));
  }
  return { errors, warnings };
}

/** What nodes write of themselves: one that is wrong is no reason for the others to stand still. */
const WRITTEN_BY_NODES: ReadonlySet<string> = new Set(['Node', 'BlockAffinity']);

/**
 * Reads what a store that nodes enter themselves into has, as one set of resources. A Node or a BlockAffinity that is
 * wrong, or that contradicts an earlier one, is left out, and every reader leaves out the same.
 * @param documents the oldest first: who came first, stays. None at all is an empty cluster, and right.
 */
export function parseDocuments(documents: readonly LocatedDocument[]): ResourcesResult {
  const order = documents.map(({ file }) => file);
  const errors: ConfigError[] = [];
  const leftOut: ConfigError[] = [];
  let readings = documents.map(readingOf);
  for (const { origin, errors: own } of readings) {
    (WRITTEN_BY_NODES.has(origin.kind) ? leftOut : errors).push(...own);
  }
  for (;;) {
    const draft = draftOf(readings);
    const findings = crossCheck(draft);
    const faults = findings.filter(({ severity }) => severity === 'error');
    const losers = new Map(
      faults.filter(({ origin }) => WRITTEN_BY_NODES.has(origin.kind)).map((fault) => [fault.origin, fault]),
    );
    // One that goes may be the reason of what is said of the others.
    if (losers.size > 0) {
      for (const { origin, path, message } of losers.values()) leftOut.push(errorAt(origin, path, message));
      readings = readings.filter(({ origin }) => !losers.has(origin));
      continue;
    }
    errors.push(...faults.map(({ origin, path, message }) => errorAt(origin, path, message)));
    if (errors.length > 0) return { errors: inOrder(errors, order) };
    const warnings = [
      ...readings.flatMap((reading) => reading.warnings),
      ...findings.map(({ origin, path, message }) => errorAt(origin, path, message)),
    ];
    return {
      resources: complete(draft),
      warnings: inOrder(warnings, order),
      leftOut: inOrder(leftOut, order),
    };
  }
}

function draftOf(readings: readonly DocumentReading[]): Draft {
  const draft: Draft = { nodes: [], pools: [], configurations: [], peers: [], filters: [], blocks: [] };
  for (const reading of readings) reading.addTo(draft);
  return draft;
}

/** A store hands on the same document as long as nobody changes it. */
const readings = new WeakMap<LocatedDocument, DocumentReading>();

function readingOf(document: LocatedDocument): DocumentReading {
  const known = readings.get(document) ?? readDocument(document);
  readings.set(document, known);
  return known;
}

function readDocument(document: LocatedDocument): DocumentReading {
  const origin = originOf(document);
  const { apiVersion, kind } = document.value;
  const faulty = (...faults: readonly Fault[]): DocumentReading => ({
    origin,
    errors: faults.map(({ path, message }) => errorAt(origin, path, message)),
    warnings: [],
    addTo: () => {},
  });
  const read = typeof kind === 'string' ? KINDS.get(kind) : undefined;
  if (kind === undefined || read === undefined) return faulty({ path: ['kind'], message: kindProblem(kind) });
  const reading = read(document.value);
  const faults = [...versionFaults(apiVersion), ...('faults' in reading ? reading.faults : [])];
  if ('faults' in reading) return faulty(...faults);
  return {
    ...faulty(...faults),
    warnings: reading.warnings.map((warning) => errorAt(origin, warning.path, warning.message)),
    addTo: (draft) => reading.addTo(draft, origin),
  };
}

function versionFaults(apiVersion: unknown): readonly Fault[] {
  if (apiVersion === API_VERSION) return [];
  const found = apiVersion === undefined ? 'is missing' : `${quote(apiVersion)} is not supported`;
  return [{ path: ['apiVersion'], message: `${found}; write apiVersion: ${API_VERSION}` }];
}

function kindProblem(kind: unknown): string {
  const known = [...KINDS.keys()];
  if (kind === undefined) return `is missing; write one of ${known.join(', ')}`;
  const guess = typeof kind === 'string' ? didYouMean(kind, known) : '';
  return `${quote(kind)} is no kind that podroute reads (${known.join(', ')})${guess || '; take the document out'}`;
}

function originOf({ file, value, lineOf }: LocatedDocument): Origin {
  const { kind, metadata } = value;
  const name =
    typeof metadata === 'object' && metadata !== null && 'name' in metadata ? metadata.name : undefined;
  return {
    kind: typeof kind === 'string' ? kind : 'resource',
    name: typeof name === 'string' ? name : '(unnamed)',
    file,
    lineOf,
  };
}

/** `Node/node-a spec.podCIDRs[0]` with the line of that field. */
function errorAt(origin: Origin, path: Path, message: string): ConfigError {
  const field = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  return {
    file: origin.file,
    line: origin.lineOf(path),
    path: `${origin.kind}/${origin.name} ${field.replace(/^\./, '')}`.trimEnd(),
    message,
  };
}

function inOrder(errors: readonly ConfigError[], order: readonly string[]): ConfigError[] {
  const rank = new Map(order.map((file, index) => [file, index]));
  const rankOf = (error: ConfigError) => rank.get(error.file ?? '') ?? -1;
  return [...errors].sort((a, b) => rankOf(a) - rankOf(b) || (a.line ?? 0) - (b.line ?? 0));
}

function complete(draft: Draft): Resources {
  return {
    nodes: byName(draft.nodes),
    pools: byName(draft.pools),
    configuration: draft.configurations[0]?.resource ?? DEFAULT_CONFIGURATION,
    peers: byName(draft.peers),
    filters: byName(draft.filters),
    blocks: byName(draft.blocks),
  };
}

function byName<T extends { readonly name: string }>(list: readonly Located<T>[]): T[] {
  return list
    .map(({ resource }) => resource)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
