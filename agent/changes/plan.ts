/**
 * What a change of the resources comes to: each resource with its fields, what would be wrong, and the sessions.
 *
 * Owns: the comparison of what is kept with what is wanted, and what stands in the way. Must not know: stores, files,
 * how it is shown. Pure.
 */
import type { Change, Conflict, StoredResource } from '../datastore/index.js';
import {
  canonicalJson,
  differences,
  type FieldChange,
  isRecord,
  keyOf,
  keyText,
  type Manifest,
  normalManifest,
  type ResourceKey,
  statedVersion,
} from '../manifests/index.js';
import { type SessionEffect, sessionEffects } from '../membership/index.js';
import {
  type ConfigError,
  checkDocuments,
  formatConfigError,
  type LocatedDocument,
  parseDocuments,
  type Resources,
} from '../resources/index.js';

/** What becomes of one resource. */
export interface ResourceChange extends ResourceKey {
  readonly outcome: 'created' | 'changed' | 'removed' | 'unchanged' | 'absent';
  /** Of one that is changed. */
  readonly fields: readonly FieldChange[];
}

export interface ChangePlan {
  readonly resources: readonly ResourceChange[];
  /** For the store. */
  readonly changes: readonly Change[];
  /** What was read before. */
  readonly before: readonly StoredResource[];
  /** Another version is there than the manifest was made from. */
  readonly conflicts: readonly Conflict[];
  /** What would be wrong that is not so now, or is wrong with what is applied: nothing may be written. */
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly ConfigError[];
  readonly sessions: readonly SessionEffect[];
  /** What else people should know, a sentence each. */
  readonly notes: readonly string[];
}

/** What is to be known of the store. */
export interface Store {
  /** Stands for the file in what is said of what is kept. */
  readonly name: string;
  /** Nodes enter themselves: one that is wrong is left out, and holds up nobody. */
  readonly isForNodes: boolean;
}

/** What is to be. */
interface Wanted extends ResourceKey {
  /** undefined: it goes. */
  readonly manifest: Manifest | undefined;
  readonly version: string | undefined;
}

/**
 * Every document is created, or takes the place of what is there.
 */
export function planApply(
  before: readonly StoredResource[],
  documents: readonly LocatedDocument[],
  store: Store,
): ChangePlan {
  const kept = documentsOf(before, store);
  const after = new Map(kept);
  const others: LocatedDocument[] = [];
  const seen = new Set<string>();
  const wanted: Wanted[] = [];
  for (const document of documents) {
    const key = keyOf(document.value);
    // What has no name, or has that of another document, is for the check to find.
    if (key === undefined || seen.has(keyText(key))) {
      others.push(document);
      continue;
    }
    seen.add(keyText(key));
    after.set(keyText(key), document);
    wanted.push({
      ...key,
      manifest: normalManifest(document.value),
      version: statedVersion(document.value),
    });
  }
  return plan(before, wanted, [...kept.values()], [...after.values(), ...others], store);
}

/** Each of these goes, where it is there. */
export function planRemoval(
  before: readonly StoredResource[],
  removed: readonly (ResourceKey & { readonly version?: string | undefined })[],
  store: Store,
): ChangePlan {
  const kept = documentsOf(before, store);
  const after = new Map(kept);
  for (const key of removed) after.delete(keyText(key));
  const wanted = [...new Map(removed.map((key) => [keyText(key), key])).values()].map(
    ({ kind, name, version }) => ({ kind, name, version, manifest: undefined }),
  );
  return plan(before, wanted, [...kept.values()], [...after.values()], store);
}

function documentsOf(
  resources: readonly StoredResource[],
  { name }: Store,
): ReadonlyMap<string, LocatedDocument> {
  return new Map(
    resources.map((resource) => [
      keyText(resource),
      { file: name, value: resource.manifest, lineOf: () => 0 },
    ]),
  );
}

function plan(
  before: readonly StoredResource[],
  wanted: readonly Wanted[],
  kept: readonly LocatedDocument[],
  after: readonly LocatedDocument[],
  store: Store,
): ChangePlan {
  const known = new Map(before.map((resource) => [keyText(resource), resource]));
  const found = wanted.map((one) => ({ ...one, was: known.get(keyText(one)) }));
  const resources = found.map((one) => resourceChange(one, one.was));
  const touched = found.filter((_one, at) => isTouched(resources[at]));
  return {
    resources,
    before,
    changes: touched.map(({ kind, name, manifest, was }) => ({
      kind,
      name,
      manifest,
      expected: was === undefined ? 'absent' : { version: was.version },
    })),
    conflicts: touched.flatMap(({ kind, name, version, was }) =>
      version === undefined || version === was?.version ? [] : [{ kind, name, found: was }],
    ),
    ...faults(kept, after, store),
    ...effects(kept, after, store, resources, before),
  };
}

function resourceChange({ kind, name, manifest }: Wanted, was: StoredResource | undefined): ResourceChange {
  const key = { kind, name };
  if (manifest === undefined) return { ...key, outcome: was ? 'removed' : 'absent', fields: [] };
  if (was === undefined) return { ...key, outcome: 'created', fields: [] };
  const old = normalManifest(was.manifest);
  const isSame = canonicalJson(old) === canonicalJson(manifest);
  return { ...key, outcome: isSame ? 'unchanged' : 'changed', fields: differences(old, manifest) };
}

function isTouched(change: ResourceChange | undefined): boolean {
  return change !== undefined && change.outcome !== 'unchanged' && change.outcome !== 'absent';
}

/** An error that was there before is no reason to refuse what has nothing to do with it, or mends another one. */
function faults(
  kept: readonly LocatedDocument[],
  after: readonly LocatedDocument[],
  store: Store,
): Pick<ChangePlan, 'errors' | 'warnings'> {
  const old = checkDocuments(kept);
  const now = checkDocuments(after);
  const known = new Set([...old.errors, ...old.warnings].map(formatConfigError));
  const isNew = (fault: ConfigError) => fault.file !== store.name || !known.has(formatConfigError(fault));
  const remaining = now.errors.filter((error) => !isNew(error));
  return {
    errors: now.errors.filter(isNew),
    warnings: [
      ...now.warnings.filter(isNew),
      ...remaining.map((error) => ({ ...error, message: `${error.message} (it was so before)` })),
    ],
  };
}

function effects(
  kept: readonly LocatedDocument[],
  after: readonly LocatedDocument[],
  store: Store,
  resources: readonly ResourceChange[],
  before: readonly StoredResource[],
): Pick<ChangePlan, 'sessions' | 'notes'> {
  const notes = resources.flatMap((change) => claimNotes(change, resources, before));
  const [was, is] = [resourcesOf(kept, store), resourcesOf(after, store)];
  if (was !== undefined && is !== undefined) return { sessions: sessionEffects(was, is), notes };
  const unknown =
    is === undefined
      ? 'not everything in the store is right: agents keep what is in force until it is'
      : 'not everything in the store was right: what becomes of sessions depends on what each agent has in force';
  return { sessions: [], notes: [unknown, ...notes] };
}

/** What agents make of them; undefined: nothing. */
function resourcesOf(documents: readonly LocatedDocument[], store: Store): Resources | undefined {
  if (!store.isForNodes && checkDocuments(documents).errors.length > 0) return undefined;
  const result = parseDocuments(documents);
  return 'errors' in result ? undefined : result.resources;
}

/** A claim outlives its node: the node may come back, and its pods with it. */
function claimNotes(
  { kind, name, outcome }: ResourceChange,
  resources: readonly ResourceChange[],
  before: readonly StoredResource[],
): string[] {
  if (kind !== 'Node' || outcome !== 'removed') return [];
  const blocks = before.flatMap(({ kind: other, name: block, manifest: { spec } }) => {
    const isOwn = other === 'BlockAffinity' && isRecord(spec) && spec['node'] === name;
    const goesToo = resources.some((change) => change.kind === other && change.name === block);
    return isOwn && !goesToo ? [String(spec['cidr'])] : [];
  });
  if (blocks.length === 0) return [];
  const list = blocks.join(', ');
  return [`${list} stay reserved for ${name}; release them: podroute ipam release --node ${name}`];
}
