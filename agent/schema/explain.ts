/**
 * A value against its schema: every fault as a path and a sentence, or the decoded value.
 *
 * Owns: the wording of what TypeBox finds. Must not know: which resource or setting it is.
 */
import type { StaticDecode, TSchema } from 'typebox';
import { Settings } from 'typebox/system';
import { DecodeUnsafe, Value } from 'typebox/value';
import type { Path } from './documents.js';
import { quote } from './errors.js';
import { EMPTY_IS_ABSENT, type FieldOptions, NO_EFFECT } from './fields.js';
import { didYouMean } from './nearest.js';

/** One fault of a value; `path` leads to the field. */
export interface Fault {
  readonly path: Path;
  readonly message: string;
}

/** What checking a value gives; `warnings` name the fields that are accepted without effect. */
export type Checked<T> =
  | { readonly value: T; readonly warnings: readonly Fault[] }
  | { readonly faults: readonly Fault[] };

/**
 * TypeBox stops at 8 errors by default; an operator wants all of them. Without unions in our schemas there is nothing
 * to sort, and sorting copies the whole schema for each value.
 */
const TYPEBOX_SETTINGS = { maxErrors: 10_000, unionPrioritySort: false };

/** What the check of a schema needs to know of it; a JSON schema, read as data. */
interface SchemaNode {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
  readonly example?: string;
  readonly [NO_EFFECT]?: string;
  readonly [EMPTY_IS_ABSENT]?: true;
}

type ValidationError = ReturnType<typeof Value.Errors>[number];

/** Fills in defaults, checks, and decodes where nothing is wrong. */
export function checkValue<S extends TSchema>(schema: S, input: unknown): Checked<StaticDecode<S>> {
  Settings.Set(TYPEBOX_SETTINGS);
  const value = Value.Default(schema, withoutEmptyTexts(schema as SchemaNode, structuredClone(input)));
  const errors = Value.Check(schema, value) ? [] : Value.Errors(schema, value);
  const faults = errors.flatMap((error) => explain(schema as SchemaNode, value, error));
  if (faults.length > 0) return { faults };
  return {
    // Value.Decode would clone first, and TypeBox leaves keys such as `constructor` out of its clones.
    value: DecodeUnsafe({}, schema, value) as StaticDecode<S>,
    warnings: fieldsWithoutEffect(schema as SchemaNode, value, []),
  };
}

/** Takes the empty texts out of `value` that count as absent. */
function withoutEmptyTexts(schema: SchemaNode, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { items, properties = {} } = schema;
  if (Array.isArray(value)) {
    if (items !== undefined) for (const item of value) withoutEmptyTexts(items, item);
    return value;
  }
  const record = value as Record<string, unknown>;
  for (const [name, field] of Object.entries(properties)) {
    if (!Object.hasOwn(record, name)) continue;
    if (field[EMPTY_IS_ABSENT] && record[name] === '') delete record[name];
    else withoutEmptyTexts(field, record[name]);
  }
  return value;
}

function explain(schema: SchemaNode, root: unknown, error: ValidationError): readonly Fault[] {
  const path = parsePointer(error.instancePath, root);
  const value = valueAt(root, path);
  const node = schemaAt(schema, path);
  switch (error.keyword) {
    case 'required':
      return error.params.requiredProperties.map((name) => ({
        path: [...path, name],
        message: missing(node?.properties?.[name]),
      }));
    case 'boolean':
      return [{ path, message: unknownField(path, schemaAt(schema, path.slice(0, -1))) }];
    case 'additionalProperties':
      // Each of them is reported by a `boolean` error of its own.
      return [];
    case '~refine':
      return [{ path, message: error.params.message }];
    case 'type':
      return [{ path, message: wrongType(value, String(error.params.type)) }];
    case 'enum': {
      const words = error.params.allowedValues.map(String);
      const guess = typeof value === 'string' ? didYouMean(value, words) : '';
      return [{ path, message: `${quote(value)} is not one of ${words.join(', ')}${guess}` }];
    }
    case 'minimum':
    case 'maximum':
      return [{ path, message: `${quote(value)} is not between ${node?.minimum} and ${node?.maximum}` }];
    default:
      return [{ path, message: error.message }];
  }
}

function missing(field: SchemaNode | undefined): string {
  const { description, example } = (field ?? {}) as Partial<FieldOptions>;
  if (example !== undefined) return `is missing; write it like ${example}`;
  return description === undefined ? 'is missing' : `is missing; add it: ${description}`;
}

function unknownField(path: Path, parent: SchemaNode | undefined): string {
  const known = Object.keys(parent?.properties ?? {});
  const guess = didYouMean(String(path.at(-1)), known);
  return guess === '' ? 'is an unknown field; take it out' : `is an unknown field${guess}`;
}

const TYPE_WORDS: ReadonlyMap<string, string> = new Map([
  ['string', 'no text'],
  ['integer', 'no whole number'],
  ['number', 'no number'],
  ['boolean', 'neither true nor false'],
  ['array', 'no list'],
  ['object', 'no mapping'],
]);

function wrongType(value: unknown, type: string): string {
  if (value === null) return 'is empty; give it a value or take the line out';
  const isScalarForText = type === 'string' && (typeof value === 'number' || typeof value === 'boolean');
  const remedy = isScalarForText ? `; put it in quotes: "${String(value)}"` : '';
  return `${quote(value)} is ${TYPE_WORDS.get(type) ?? `no ${type}`}${remedy}`;
}

/** RFC 6901; a step into a list becomes a number. */
function parsePointer(pointer: string, root: unknown): Path {
  const path: (string | number)[] = [];
  for (const step of pointer.split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(valueAt(root, path)) ? Number(key) : key);
  }
  return path;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}

function schemaAt(schema: SchemaNode, path: Path): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const step of path) {
    const properties: SchemaNode['properties'] = node?.properties;
    if (properties === undefined) node = node?.items;
    else node = Object.hasOwn(properties, step) ? properties[step] : undefined;
  }
  return node;
}

function fieldsWithoutEffect(schema: SchemaNode, value: unknown, path: Path): Fault[] {
  const reason = schema[NO_EFFECT];
  if (reason !== undefined) return [{ path, message: reason }];
  if (schema.properties === undefined) return [];
  return Object.entries(schema.properties).flatMap(([name, field]) => {
    const inner = valueAt(value, [name]);
    return inner === undefined ? [] : fieldsWithoutEffect(field, inner, [...path, name]);
  });
}
