/**
 * The few shapes that every schema is made of.
 *
 * Owns: how this API writes objects, lists, "none" and times. Rules that hold for every answer:
 * every key is always present; `null` says "none" (JSON has no `undefined`, and a key that comes and goes is a trap for
 * `jq`); times are ISO 8601 in UTC; fields are only ever added, so a client must accept keys that it does not know.
 */
import { type TProperties, type TSchema, Type } from 'typebox';

/** An object whose fields are all readonly in TypeScript. */
export function record<Properties extends TProperties>(properties: Properties, description?: string) {
  return Type.ReadonlyObject(Type.Object(properties), described(description));
}

/** An array, readonly in TypeScript. */
export function list<Item extends TSchema>(item: Item, description?: string) {
  return Type.Immutable(Type.Array(item, described(description)));
}

/** The value or `null` for "none". */
export function orNull<Value extends TSchema>(value: Value, description?: string) {
  return Type.Union([value, Type.Null()], described(description));
}

/** A point in time: ISO 8601, UTC. */
export function time(description?: string) {
  return Type.String({ format: 'date-time', ...described(description) });
}

/** A whole number, zero or more. */
export function count(description?: string) {
  return Type.Integer({ minimum: 0, ...described(description) });
}

/** An autonomous system number, four octets (RFC 6793). */
export function asNumber(description?: string) {
  return Type.Integer({ minimum: 0, maximum: 0xffff_ffff, ...described(description) });
}

function described(description: string | undefined): { description?: string } {
  return description === undefined ? {} : { description };
}
