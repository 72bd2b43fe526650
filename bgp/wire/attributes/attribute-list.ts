/**
 * The path attributes of one UPDATE: flags(1) code(1) length(1 or 2) value, repeated.
 *
 * Owns: the one loop of each direction: framing, duplicates, flags, unknown attributes, and what a malformed one
 * leads to. Must not know: any particular attribute; the table does.
 *
 *     list --> framing --> duplicate? --> known? --> internal? --> flags? --> row.decode --> draft
 *                 |            |             |           |            |           |
 *              withdraw   drop / reset  carry / drop   discard     withdraw   row.malformed
 *                                         / reset
 *
 * Source: RFC 4271 sections 4.3, 5 and 6.3, RFC 7606 sections 3 to 5.
 */
import type { ByteReader, ByteWriter } from '../bytes.js';
import { NOTIFICATION, UPDATE_ERROR } from '../constants.js';
import { failWith } from '../fault.js';
import type { AttributeFault, CodecContext, DecodeContext, UnknownAttribute } from '../message.js';
import { AS_PATH } from './as-path.js';
import { LOCAL_PREF } from './local-pref.js';
import { mergeAs4 } from './merge-as4.js';
import { MP_REACH_NLRI } from './mp-reach.js';
import { MP_UNREACH_NLRI } from './mp-unreach.js';
import { NEXT_HOP } from './next-hop.js';
import { ORIGIN } from './origin.js';
import {
  type AttributeDraft,
  type AttributeRow,
  type AttributeSource,
  EXTENDED_LENGTH,
  OPTIONAL,
  type Outcome,
  PARTIAL,
  TRANSITIVE,
} from './row.js';
import { ATTRIBUTES, attributeName, attributeRow } from './table.js';

const MAX_SHORT_LENGTH = 255;
const MAX_CODE = 255;
/** A route without them is none, so an operator's list cannot drop them. */
const INDISPENSABLE: readonly AttributeRow[] = [
  ORIGIN,
  AS_PATH,
  NEXT_HOP,
  LOCAL_PREF,
  MP_REACH_NLRI,
  MP_UNREACH_NLRI,
];

/** In the order of writing: the attributes that hold prefixes (RFC 7606 §5.1), then by code (RFC 4271 §5). */
const PREFIX_ROWS: readonly AttributeRow[] = ATTRIBUTES.filter(holdsPrefixes);
const OTHER_ROWS: readonly AttributeRow[] = ATTRIBUTES.filter((row) => !holdsPrefixes(row));

/** What a list of attributes says. */
export interface DecodedAttributes {
  readonly draft: AttributeDraft;
  readonly faults: AttributeFault[];
  /** Codes in the list, whatever became of them. */
  readonly seen: ReadonlySet<number>;
}

interface Header {
  readonly flags: number;
  readonly code: number;
  /** Of the value, in octets. */
  readonly length: number;
  /** Of this header. */
  readonly octets: number;
}

/** What a known attribute leads to where it is not sound. */
interface Verdict {
  readonly outcome: Outcome;
  /** Named after the attribute, for the log. */
  readonly reason: string;
}

/**
 * Reads `list` to its end. A malformed attribute does not stop it, so that all prefixes are found (RFC 7606 §3 j).
 * @throws WireError where RFC 7606 leaves only a reset.
 */
export function decodeAttributes(list: ByteReader, context: DecodeContext): DecodedAttributes {
  const draft: AttributeDraft = { route: {} };
  const faults: AttributeFault[] = [];
  const seen = new Set<number>();
  const unknown: UnknownAttribute[] = [];
  const partial: number[] = [];
  while (list.remaining > 0) {
    const header = readHeader(list);
    if (header === undefined || header.length > list.remaining) {
      faults.push(cutShort(header, list.remaining));
      break;
    }
    const { code, length } = header;
    const value = list.window(length);
    if (seen.has(code)) {
      faults.push(duplicate(code));
      continue;
    }
    seen.add(code);
    const row = attributeRow(code);
    if (isUnwanted(code, row, context)) continue;
    const verdict = row && decodeKnown(row, header.flags, value, draft, context);
    if (verdict?.outcome === 'reset') {
      fail('OPTIONAL_ATTRIBUTE_ERROR', verdict.reason, wholeAttribute(header, list));
    }
    if (verdict !== undefined) faults.push({ code, outcome: verdict.outcome, reason: verdict.reason });
    else if (row === undefined || row.opaque) carry(header, list, unknown);
    else if (isPartial(row, header.flags)) partial.push(code);
  }
  mergeAs4(draft);
  if (unknown.length > 0) draft.route.unknown = unknown.sort((a, b) => a.code - b.code);
  if (partial.length > 0) draft.route.partial = partial.sort((a, b) => a - b);
  return { draft, faults, seen };
}

/** Writes all attributes of `source`. */
export function encodeAttributes(out: ByteWriter, source: AttributeSource, context: CodecContext): void {
  const { unknown = [], partial = [] } = source.route ?? {};
  const encodeRow = (row: AttributeRow) => {
    if (row.internalOnly && context.peerType === 'ebgp') return;
    const flags = partial.includes(row.code) ? row.flags | PARTIAL : row.flags;
    encodeAttribute(out, flags, row.code, () => row.encode(out, source, context));
  };
  PREFIX_ROWS.forEach(encodeRow);
  let previous = -1;
  for (const row of OTHER_ROWS) {
    encodeCarried(out, unknown, previous, row.code);
    encodeRow(row);
    previous = row.code;
  }
  encodeCarried(out, unknown, previous, MAX_CODE);
}

/** True for MP_REACH and MP_UNREACH: nothing but a reset is left when their prefixes cannot be read. */
function holdsPrefixes(row: AttributeRow): boolean {
  return row.malformed === 'reset';
}

/** @returns undefined where the list ends inside the header. */
function readHeader(list: ByteReader): Header | undefined {
  if (list.remaining < 3) return undefined;
  const flags = list.u8();
  const code = list.u8();
  if ((flags & EXTENDED_LENGTH) === 0) return { flags, code, length: list.u8(), octets: 3 };
  if (list.remaining < 2) return undefined;
  return { flags, code, length: list.u16(), octets: 4 };
}

/** RFC 7606 §4: the list's own length tells where the prefixes are, so they can be withdrawn. */
function cutShort(header: Header | undefined, remaining: number): AttributeFault {
  if (header === undefined) {
    return {
      code: 0,
      outcome: 'treat-as-withdraw',
      reason: 'attribute list ends inside an attribute header',
    };
  }
  const { code, length } = header;
  const reason = `${attributeName(code)}: length ${length} where ${remaining} octets follow`;
  const row = attributeRow(code);
  if (row !== undefined && holdsPrefixes(row)) fail('MALFORMED_ATTRIBUTE_LIST', reason);
  return { code, outcome: 'treat-as-withdraw', reason };
}

/** RFC 7606 §3 g: the first one counts. */
function duplicate(code: number): AttributeFault {
  const reason = `${attributeName(code)}: duplicate`;
  const row = attributeRow(code);
  if (row !== undefined && holdsPrefixes(row)) fail('MALFORMED_ATTRIBUTE_LIST', reason);
  return { code, outcome: 'discard', reason };
}

function isUnwanted(
  code: number,
  row: AttributeRow | undefined,
  { discardAttributes }: CodecContext,
): boolean {
  if (discardAttributes === undefined || !discardAttributes.has(code)) return false;
  return row === undefined || !INDISPENSABLE.includes(row);
}

/** @returns undefined where the attribute is sound and in `draft`. */
function decodeKnown(
  row: AttributeRow,
  flags: number,
  value: ByteReader,
  draft: AttributeDraft,
  context: DecodeContext,
): Verdict | undefined {
  if (row.internalOnly && context.peerType === 'ebgp') {
    return { outcome: 'discard', reason: `${row.name}: from an external peer` };
  }
  const conflict: Verdict | undefined =
    (flags & (OPTIONAL | TRANSITIVE)) === row.flags
      ? undefined
      : { outcome: 'treat-as-withdraw', reason: `${row.name}: flags 0x${flags.toString(16)}` };
  // RFC 7606 §3 c. Prefixes are read all the same: they are what has to be withdrawn.
  if (conflict !== undefined && !holdsPrefixes(row)) return conflict;
  const malformed = row.decode(value, draft, context);
  return malformed === undefined ? conflict : { outcome: row.malformed, reason: `${row.name}: ${malformed}` };
}

/** RFC 4271 §5: a Partial bit that somebody has set must not be cleared. */
function isPartial(row: AttributeRow, flags: number): boolean {
  return row.flags === (OPTIONAL | TRANSITIVE) && (flags & PARTIAL) !== 0;
}

/** RFC 4271 §5, §9: what we do not know is passed on if it is transitive, ignored if not, unless we have to know it. */
function carry(header: Header, list: ByteReader, unknown: UnknownAttribute[]): void {
  const { flags, code, length } = header;
  if ((flags & OPTIONAL) === 0) {
    const reason = `unknown well-known attribute ${code}`;
    fail('UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE', reason, wholeAttribute(header, list));
  }
  if ((flags & TRANSITIVE) === 0) return;
  unknown.push({ code, flags: flags & ~EXTENDED_LENGTH, value: list.lookBack(length) });
}

/** The attribute that `list` has just stepped over, as the data of a NOTIFICATION (RFC 4271 §6.3). */
function wholeAttribute({ octets, length }: Header, list: ByteReader): Uint8Array {
  return list.lookBack(octets + length);
}

/** Writes those of `unknown` with a code above `after`, up to and including `upTo`. */
function encodeCarried(
  out: ByteWriter,
  unknown: readonly UnknownAttribute[],
  after: number,
  upTo: number,
): void {
  for (const { code, flags, value } of unknown) {
    if (code <= after || code > upTo) continue;
    // RFC 4271 §5: Partial tells everybody after us that one speaker did not know the attribute.
    const partial = attributeRow(code) === undefined ? PARTIAL : 0;
    encodeAttribute(out, flags | partial, code, () => {
      out.bytes(value);
      return true;
    });
  }
}

/** Writes header and value; the length is that of what `encodeValue` wrote, never one that was received. */
function encodeAttribute(out: ByteWriter, flags: number, code: number, encodeValue: () => boolean): void {
  const start = out.length;
  out.u8(flags).u8(code).u8(0);
  const valueStart = out.length;
  if (!encodeValue()) {
    out.truncate(start);
    return;
  }
  const length = out.length - valueStart;
  if (length <= MAX_SHORT_LENGTH) {
    out.setU8(valueStart - 1, length);
    return;
  }
  out.insertU8(valueStart, 0);
  out.setU8(start, flags | EXTENDED_LENGTH);
  out.setU16(valueStart - 1, length);
}

function fail(error: keyof typeof UPDATE_ERROR, reason: string, data?: Uint8Array): never {
  return failWith(NOTIFICATION.UPDATE, UPDATE_ERROR[error], reason, data);
}
