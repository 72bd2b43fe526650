/**
 * What differs between two manifests, field by field, and how it is read.
 *
 * Owns: which values are compared as one. Must not know: what a field means; only that some hold secrets.
 */
import { canonicalJson, isRecord, type Manifest } from './manifest.js';

/** One field that differs; undefined: it is not there. */
export interface FieldChange {
  /** `spec.bgp.asNumber`, `spec.importV4[0].action`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

const HIDDEN = '(hidden)';

/** In the order of the fields, those of `before` first. */
export function differences(before: Manifest, after: Manifest): readonly FieldChange[] {
  return compare('', before, after);
}

function compare(path: string, before: unknown, after: unknown): FieldChange[] {
  if (canonicalJson(before) === canonicalJson(after)) return [];
  if (isRecord(before) && isRecord(after)) {
    const fields = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...fields].flatMap((field) =>
      compare(pathTo(path, field), own(before, field), own(after, field)),
    );
  }
  if (isListOfMappings(before) && isListOfMappings(after)) {
    const longer = before.length > after.length ? before : after;
    return longer.flatMap((_item, index) => compare(`${path}[${index}]`, before[index], after[index]));
  }
  // A password that stands in the manifest itself is refused; here it might be what is put right.
  const shown = (value: unknown) => (typeof value === 'string' && /password$/i.test(path) ? HIDDEN : value);
  return [{ path, before: shown(before), after: shown(after) }];
}

function own(record: Readonly<Record<string, unknown>>, field: string): unknown {
  return Object.hasOwn(record, field) ? record[field] : undefined;
}

/** Lists of scalars are read as a whole. */
function isListOfMappings(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0 && value.every(isRecord);
}

function pathTo(path: string, field: string): string {
  const step = /^[\w-]+$/.test(field) ? `.${field}` : `[${JSON.stringify(field)}]`;
  return `${path}${step}`.replace(/^\./, '');
}

/** `spec.asNumber: 65001 -> 65002`. */
export function fieldText({ path, before, after }: FieldChange): string {
  return `${path}: ${valueText(before)} -> ${valueText(after)}`;
}

/** Texts that would be read as something else are in quotes. */
function valueText(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') {
    return /^$|^\s|\s$|[\n\r\t]|^(nothing|true|false|null|[+-]?[\d.]+)$/.test(value)
      ? JSON.stringify(value)
      : value;
  }
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`;
  if (!isRecord(value)) return String(value);
  const fields = Object.entries(value).map(([field, part]) => `${field}: ${valueText(part)}`);
  return `{${fields.join(', ')}}`;
}
