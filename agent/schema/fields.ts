/**
 * The building blocks of schemas: texts that become values, and fields that are refused or have no effect.
 *
 * Owns: how one field is read, and the sentence when it cannot be. Must not know: which document it stands in.
 * Each function returns a TypeBox schema whose check gives the sentence and whose decoding gives the value.
 */
import { type TSchema, Type } from 'typebox';

/** What reading one text gives. */
export type Reading<T> = { readonly value: T } | { readonly problem: string };

/** The annotation of a field whose empty text counts as absent. */
export const EMPTY_IS_ABSENT = 'x-empty-is-absent';

/** Annotations of a field; `example` is what an error tells the operator to write. */
export type FieldOptions = {
  readonly description: string;
  readonly example?: string;
  /** The word for the value in a help text. */
  readonly placeholder?: string;
  readonly default?: unknown;
  /** An empty text is no text: the APIs of Kubernetes do not tell one from an absent field. */
  readonly [EMPTY_IS_ABSENT]?: true;
};

/** The annotation of {@link withoutEffect}, for the module that words the warnings. */
export const NO_EFFECT = 'x-no-effect';

/** A text that `read` turns into a value. The reading is repeated for the value: a check cannot hand one on. */
export function text<T>(read: (text: string) => Reading<T>, options: FieldOptions) {
  return Type.Decode(
    Type.Refine(
      Type.String(options),
      (value) => 'value' in read(value),
      (value) => problemOf(read(value)),
    ),
    (value) => decoded(read(value)),
  );
}

/** A field of any shape that `read` turns into a value; for the few that may be a number or a text. */
export function scalar<T>(read: (value: unknown) => Reading<T>, options: FieldOptions) {
  return Type.Decode(
    Type.Refine(
      Type.Unknown(options),
      (value) => 'value' in read(value),
      (value) => problemOf(read(value)),
    ),
    (value) => decoded(read(value)),
  );
}

function problemOf(reading: Reading<unknown>): string {
  return 'problem' in reading ? reading.problem : '';
}

function decoded<T>(reading: Reading<T>): T {
  if ('problem' in reading) throw new Error(`decoded without a check: ${reading.problem}`);
  return reading.value;
}

/** Whole numbers from `minimum` to `maximum`. */
export function integer(minimum: number, maximum: number, options: FieldOptions) {
  return Type.Integer({ minimum, maximum, ...options });
}

/** One of a closed set of words. */
export function oneOf<Words extends string[]>(words: readonly [...Words], options: FieldOptions) {
  return Type.Enum<Words>(words, options);
}

/** A text that may be left out, or be empty. */
export function optionalText<T>(read: (text: string) => Reading<T>, options: FieldOptions) {
  return Type.Optional(text(read, { ...options, [EMPTY_IS_ABSENT]: true }));
}

/** One of a closed set of words; it may be left out, or be empty. */
export function optionalWord<Words extends string[]>(words: readonly [...Words], options: FieldOptions) {
  return Type.Optional(oneOf(words, { ...options, [EMPTY_IS_ABSENT]: true }));
}

/** A mapping that refuses every key it does not list. */
export function mapping<Properties extends Record<string, TSchema>>(
  properties: Properties,
  options: FieldOptions,
) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** A field that this agent does not honour; only the values in `harmless`, which change nothing, are accepted. */
export function refused(reason: string, description: string, harmless: readonly unknown[] = []) {
  return Type.Optional(
    Type.Refine(
      Type.Unknown({ description }),
      (value) => harmless.includes(value) || (isEmptyList(value) && harmless.includes('[]')),
      () => reason,
    ),
  );
}

/** {@link refused}, for what a later version will honour. */
export function notYet(what: string, harmless: readonly unknown[] = []) {
  return refused('is not supported yet; take it out', `${what}. Not supported yet.`, harmless);
}

/** A field of Calico that is accepted, but with a warning that says why it changes nothing here. */
export function withoutEffect(reason: string, description: string) {
  return Type.Optional(Type.Unknown({ description, [NO_EFFECT]: reason }));
}

/** A field that only describes; any value is accepted in silence. */
export function descriptive(description: string) {
  return Type.Optional(Type.Unknown({ description }));
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
