/**
 * Manifests as text that can be applied again.
 *
 * Owns: the two forms. Must not know: where they come from.
 */
import { stringify } from 'yaml';
import type { Manifest } from './manifest.js';

/** One document after the other. */
export function yamlText(manifests: readonly Manifest[]): string {
  return manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n');
}

/** One object, or a List of any number of them. */
export function jsonText(manifests: readonly Manifest[], isList: boolean): string {
  const list = { apiVersion: 'projectcalico.org/v3', kind: 'List', items: manifests };
  return `${JSON.stringify(isList ? list : manifests[0], null, 2)}\n`;
}
