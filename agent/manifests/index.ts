/**
 * The door of agent/manifests: resources as people write them, compared, changed and put into files. Pure.
 */
export { differences, type FieldChange, fieldText } from './difference.js';
export { type Edit, type EditResult, editFile } from './edit-file.js';
export { KIND_NAMES, readKind } from './kind-names.js';
export {
  canonicalJson,
  isRecord,
  keyOf,
  keyText,
  type Manifest,
  normalManifest,
  type ResourceKey,
  statedVersion,
  versionedManifest,
} from './manifest.js';
export { jsonText, yamlText } from './print.js';
