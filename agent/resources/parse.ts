/**
 * Manifests -> cluster resources, or every error at once.
 *
 * Owns: the order of the steps (syntax, each resource alone, all together) and the form of an error.
 * Must not know: where the files come from.
 */
import {
  type ConfigError,
  didYouMean,
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

/**
 * Reads all files as one set of resources.
 * @returns the resources with warnings, or all errors, ordered by file and line.
 */
export function parseResources(files: readonly ManifestFile[]): ResourcesResult {
  const errors: ConfigError[] = [];
  const warnings: ConfigError[] = [];
  const draft: Draft = { nodes: [], pools: [], configurations: [], peers: [], filters: [] };

  for (const file of files) {
    const { documents, errors: syntaxErrors } = readDocuments(file);
    errors.push(...syntaxErrors);
    for (const document of documents) readResource(document, draft, errors, warnings);
  }
  for (const { origin, path, message, severity } of crossCheck(draft)) {
    (severity === 'error' ? errors : warnings).push(errorAt(origin, path, message));
  }
  const isEmpty = Object.values(draft).every((list: readonly unknown[]) => list.length === 0);
  // A file that an editor has just cut to nothing must not look like a cluster without nodes.
  if (isEmpty && errors.length === 0) {
    const message = 'holds no resource; write at least a Node and an IPPool';
    const [first] = files;
    errors.push(first === undefined ? { path: '', message } : { file: first.path, path: '', message });
  }
  if (errors.length > 0) return { errors: inOrder(errors, files) };
  return { resources: complete(draft), warnings: inOrder(warnings, files) };
}

function readResource(
  document: LocatedDocument,
  draft: Draft,
  errors: ConfigError[],
  warnings: ConfigError[],
): void {
  const origin = originOf(document);
  const { apiVersion, kind } = document.value;
  const report = (path: Path, message: string) => errors.push(errorAt(origin, path, message));

  const read = typeof kind === 'string' ? KINDS.get(kind) : undefined;
  if (kind === undefined || read === undefined) {
    report(['kind'], kindProblem(kind));
    return;
  }
  if (apiVersion !== API_VERSION) {
    const found = apiVersion === undefined ? 'is missing' : `${quote(apiVersion)} is not supported`;
    report(['apiVersion'], `${found}; write apiVersion: ${API_VERSION}`);
  }
  const reading = read(document.value);
  if ('faults' in reading) {
    for (const fault of reading.faults) report(fault.path, fault.message);
    return;
  }
  warnings.push(...reading.warnings.map((warning) => errorAt(origin, warning.path, warning.message)));
  reading.addTo(draft, origin);
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

function inOrder(errors: readonly ConfigError[], files: readonly ManifestFile[]): ConfigError[] {
  const rank = new Map(files.map((file, index) => [file.path, index]));
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
  };
}

function byName<T extends { readonly name: string }>(list: readonly Located<T>[]): T[] {
  return list
    .map(({ resource }) => resource)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
