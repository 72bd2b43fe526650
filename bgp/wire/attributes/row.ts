/**
 * The shape of the attribute table: what one row says and what its two functions work on.
 *
 * Owns: types and the flag bits. Must not know: any particular attribute.
 * Source: RFC 4271 section 4.3 (flags), RFC 7606 section 2 (outcomes).
 */
import type { Ipv4 } from '../../net/index.js';
import type { ByteReader, ByteWriter } from '../bytes.js';
import type {
  AsPathSegment,
  CodecContext,
  DecodeContext,
  PathAttributes,
  Reach,
  Unreach,
} from '../message.js';

/** Attribute flags. */
export const OPTIONAL = 0x80;
export const TRANSITIVE = 0x40;
export const PARTIAL = 0x20;
export const EXTENDED_LENGTH = 0x10;

/** What becomes of an UPDATE whose attribute is malformed; the fourth outcome is that it is not. */
export type Outcome = 'discard' | 'treat-as-withdraw' | 'reset';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What the rows decode into. The attributes of the route, and those that only the codec sees. */
export interface AttributeDraft {
  readonly route: Partial<Mutable<PathAttributes>>;
  nextHop?: Ipv4;
  /** Absent too where the family is one that we do not speak. */
  mpReach?: Reach;
  mpUnreach?: Unreach;
  as4Path?: readonly AsPathSegment[];
  as4Aggregator?: NonNullable<PathAttributes['aggregator']>;
}

/** What the rows encode: at most one of `nextHop` and `mpReach` per set of prefixes. */
export interface AttributeSource {
  readonly route?: PathAttributes;
  readonly nextHop?: Ipv4;
  readonly mpReach?: Reach;
  readonly mpUnreach?: Unreach;
}

/** One attribute. */
export interface AttributeRow {
  readonly code: number;
  /** The name in the RFC. */
  readonly name: string;
  /** The values that the Optional and Transitive bits must have. */
  readonly flags: number;
  /** RFC 7606 section 7: what a malformed one leads to. */
  readonly malformed: Outcome;
  /** Set for attributes that an external peer must not send: they are discarded unseen, and not sent to one. */
  readonly internalOnly?: true;
  /** Set for attributes that are only checked: their octets are carried as they came, in `PathAttributes.unknown`. */
  readonly opaque?: true;
  /**
   * Reads the value, all of it, into `draft`.
   * @returns what is wrong, as text, where the value is malformed.
   */
  decode(value: ByteReader, draft: AttributeDraft, context: DecodeContext): string | undefined;
  /**
   * Writes the value.
   * @returns false where `source` has no such attribute and nothing was written.
   */
  encode(out: ByteWriter, source: AttributeSource, context: CodecContext): boolean;
}
