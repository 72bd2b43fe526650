/**
 * A manifest as plain values: what names it, what of it is kept, and when two of them say the same.
 *
 * Owns: the normal form in which resources are compared and kept. Must not know: what the fields mean, stores, YAML.
 */
import { BOOKKEEPING } from '../resources/index.js';

/** A resource as JSON: apiVersion, kind, metadata, spec. */
export type Manifest = Readonly<Record<string, unknown>>;

/** What names a resource in a store. */
export interface ResourceKey {
  readonly kind: string;
  readonly name: string;
}

/** What kubectl writes beside a resource for its own later use. */
const KUBECTL_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';

/** `Node/node-a`. */
export function keyText({ kind, name }: ResourceKey): string {
  return `${kind}/${name}`;
}

/** What names the manifest; undefined where it has no kind or no name. */
export function keyOf(manifest: Manifest): ResourceKey | undefined {
  const { kind } = manifest;
  const name = isRecord(manifest['metadata']) ? manifest['metadata']['name'] : undefined;
  return typeof kind === 'string' && typeof name === 'string' ? { kind, name } : undefined;
}

/** The version that a manifest says it was made from. */
export function statedVersion(manifest: Manifest): string | undefined {
  const version = isRecord(manifest['metadata']) ? manifest['metadata']['resourceVersion'] : undefined;
  return version === undefined || version === null || version === '' ? undefined : String(version);
}

/** Without the bookkeeping of Kubernetes and of kubectl, and without the status. */
export function normalManifest(manifest: Manifest): Manifest {
  const { status: _status, ...rest } = manifest;
  if (!isRecord(manifest['metadata'])) return rest;
  const metadata = Object.entries(manifest['metadata']).flatMap(([field, value]): [string, unknown][] => {
    if (BOOKKEEPING.has(field)) return [];
    if (field !== 'annotations' || !isRecord(value)) return [[field, value]];
    const annotations = Object.entries(value).filter(([name]) => name !== KUBECTL_ANNOTATION);
    return annotations.length === 0 ? [] : [[field, Object.fromEntries(annotations)]];
  });
  return inOrder({ ...rest, metadata: Object.fromEntries(metadata) });
}

/** As it is given out: with the version that a later write rests on. */
export function versionedManifest(manifest: Manifest, version: string): Manifest {
  const metadata = isRecord(manifest['metadata']) ? manifest['metadata'] : {};
  return inOrder({ ...manifest, metadata: { ...metadata, resourceVersion: version } });
}

/** The order in which people write them. */
function inOrder(manifest: Manifest): Manifest {
  const { apiVersion, kind, metadata, ...rest } = manifest;
  const head = Object.entries({ apiVersion, kind, metadata }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(head), ...rest };
}

/** JSON in which the order of keys does not show: equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    isRecord(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : part,
  );
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
