/**
 * UPDATE: withdrawn length(2) withdrawn prefixes, attributes length(2) attributes, prefixes.
 *
 * Owns: the three fields of the body and which prefixes are reachable, withdrawn, or treated as withdrawn. Must not
 * know: how any attribute is written.
 * Source: RFC 4271 sections 4.3 and 6.3, RFC 4724 section 2, RFC 4760, RFC 7606, RFC 8950.
 */
import { type Family, formatIpAddress, isHostAddress, isIpv4, type Prefix } from '../net/index.js';
import { AS_PATH } from './attributes/as-path.js';
import { decodeAttributes, encodeAttributes } from './attributes/attribute-list.js';
import { LOCAL_PREF } from './attributes/local-pref.js';
import { MP_REACH_NLRI } from './attributes/mp-reach.js';
import { MP_UNREACH_NLRI } from './attributes/mp-unreach.js';
import { NEXT_HOP } from './attributes/next-hop.js';
import { ORIGIN } from './attributes/origin.js';
import type { AttributeDraft, AttributeRow } from './attributes/row.js';
import type { ByteReader, ByteWriter } from './bytes.js';
import { NOTIFICATION, UPDATE_ERROR } from './constants.js';
import { failWith } from './fault.js';
import type {
  AttributeFault,
  CodecContext,
  DecodeContext,
  NextHop,
  PathAttributes,
  Reach,
  Unreach,
  UpdateMessage,
} from './message.js';
import { decodePrefixes, encodePrefix } from './nlri.js';

/** The message that ends the initial routes of one family (RFC 4724 §2). */
export function endOfRibMessage(family: Family): UpdateMessage {
  return { type: 'UPDATE', unreach: [{ family, prefixes: [] }], reach: [], faults: [] };
}

/** The family whose initial routes `update` ends. @returns undefined where it is an ordinary UPDATE. */
export function endOfRib(update: UpdateMessage): Family | undefined {
  const [first, ...others] = update.unreach;
  if (first === undefined || others.length > 0 || update.reach.length > 0) return undefined;
  return first.prefixes.length === 0 ? first.family : undefined;
}

/** @throws WireError for what RFC 7606 leaves as a reset. */
export function decodeUpdate(body: ByteReader, context: DecodeContext): UpdateMessage {
  // Both lengths before any content (RFC 4271 §6.3): where they are wrong, what looks like a prefix is none.
  const withdrawnField = field(body, 'withdrawn routes');
  const attributesField = field(body, 'path attributes');
  const withdrawn = decodePrefixField(withdrawnField, context);
  const { draft, faults, seen } = decodeAttributes(attributesField, context);
  const nlri = decodePrefixField(body, context);
  const endedFamily = withdrawn.length + nlri.length + faults.length === 0 ? ended(draft, seen) : undefined;
  if (endedFamily !== undefined) return endOfRibMessage(endedFamily);

  const unreach = withPrefixes([{ family: 'ipv4', prefixes: withdrawn }, draft.mpUnreach]);
  const announced = withPrefixes([{ family: 'ipv4', prefixes: nlri }, draft.mpReach]);
  if (announced.length > 0) {
    faults.push(...missing(draft, nlri.length > 0, context, faults));
    if (nlri.length > 0 && draft.nextHop !== undefined) faults.push(...unusable(NEXT_HOP, draft.nextHop));
    if (draft.mpReach !== undefined) faults.push(...unusable(MP_REACH_NLRI, draft.mpReach.nextHop.address));
  }
  const { route } = draft;
  const withdrawals = faults.filter(({ outcome }) => outcome === 'treat-as-withdraw');
  if (withdrawals.length > 0) {
    checkPrefixesWereFound(withdrawals, nlri.length > 0 || seen.has(MP_REACH_NLRI.code));
    const prefixesOnly = announced.map(({ family, prefixes }) => ({ family, prefixes }));
    return { type: 'UPDATE', unreach: [...unreach, ...prefixesOnly], reach: [], faults };
  }
  if (announced.length === 0 || !isComplete(route)) return { type: 'UPDATE', unreach, reach: [], faults };
  return { type: 'UPDATE', unreach, reach: reached(nlri, draft), attributes: route, faults };
}

/**
 * IPv4 prefixes go into the classic fields, IPv6 ones and IPv4 ones with an IPv6 next hop (RFC 8950) into the
 * multiprotocol attributes. So one UPDATE holds at most one `reach` entry of either sort.
 * @throws RangeError for a message that cannot be written: a bug of ours, the peer has no part in it.
 */
export function encodeUpdate(out: ByteWriter, message: UpdateMessage, context: CodecContext): void {
  const { attributes } = message;
  const withdrawn = message.unreach.filter(({ family }) => family === 'ipv4');
  const mpWithdrawn = message.unreach.filter(({ family }) => family === 'ipv6');
  const classic = single(message.reach.filter(isClassic));
  const mpReach = single(message.reach.filter((reach) => !isClassic(reach)));
  checkEncodable(message);

  const withdrawnStart = out.u16(0).length;
  for (const { prefixes } of withdrawn) for (const prefix of prefixes) encodePrefix(out, prefix);
  out.setU16(withdrawnStart - 2, out.length - withdrawnStart);
  const attributesStart = out.u16(0).length;
  const mpUnreach = mpWithdrawn.length > 0 && {
    family: 'ipv6' as const,
    prefixes: mpWithdrawn.flatMap(({ prefixes }) => prefixes),
  };
  encodeAttributes(
    out,
    {
      ...(attributes && message.reach.length > 0 && { route: attributes }),
      ...(classic && isIpv4(classic.nextHop.address) && { nextHop: classic.nextHop.address }),
      ...(mpReach && { mpReach }),
      ...(mpUnreach && { mpUnreach }),
    },
    context,
  );
  out.setU16(attributesStart - 2, out.length - attributesStart);
  for (const prefix of classic?.prefixes ?? []) encodePrefix(out, prefix);
}

/** True where the classic fields can hold the prefixes: NEXT_HOP is an IPv4 address. */
function isClassic({ family, nextHop }: { readonly family: Family; readonly nextHop: NextHop }): boolean {
  return family === 'ipv4' && isIpv4(nextHop.address);
}

/** A 2-octet length and as many octets. */
function field(body: ByteReader, name: string): ByteReader {
  const length = body.u16();
  if (length > body.remaining) {
    fail('MALFORMED_ATTRIBUTE_LIST', `${name}: length ${length} where ${body.remaining} octets follow`);
  }
  return body.window(length);
}

/** RFC 7606 §5.3: prefixes that cannot be read cannot be withdrawn. */
function decodePrefixField(reader: ByteReader, context: DecodeContext): readonly Prefix[] {
  const prefixes = decodePrefixes(reader, 'ipv4', context);
  return typeof prefixes === 'string' ? fail('INVALID_NETWORK_FIELD', prefixes) : prefixes;
}

/** RFC 4724 §2: no attributes at all, or nothing but an MP_UNREACH_NLRI without prefixes. */
function ended({ mpUnreach }: AttributeDraft, seen: ReadonlySet<number>): Family | undefined {
  if (seen.size === 0) return 'ipv4';
  return seen.size === 1 && mpUnreach?.prefixes.length === 0 ? mpUnreach.family : undefined;
}

function withPrefixes(entries: readonly (Unreach | undefined)[]): Unreach[] {
  return entries.filter((entry) => entry !== undefined).filter(({ prefixes }) => prefixes.length > 0);
}

function reached(nlri: readonly Prefix[], { nextHop, mpReach }: AttributeDraft): readonly Reach[] {
  const reach: Reach[] = [];
  if (nlri.length > 0 && nextHop !== undefined) {
    reach.push({ family: 'ipv4', nextHop: { address: nextHop }, prefixes: nlri });
  }
  if (mpReach !== undefined && mpReach.prefixes.length > 0) reach.push(mpReach);
  return reach;
}

function isComplete(route: Partial<PathAttributes>): route is PathAttributes {
  return route.origin !== undefined && route.asPath !== undefined;
}

/** RFC 7606 §3 d: what a route must have, without what is there but malformed and therefore already reported. */
function missing(
  { route, nextHop }: AttributeDraft,
  hasNlri: boolean,
  { peerType }: CodecContext,
  faults: readonly AttributeFault[],
): AttributeFault[] {
  const absent: AttributeRow[] = [];
  if (route.origin === undefined) absent.push(ORIGIN);
  if (route.asPath === undefined) absent.push(AS_PATH);
  if (hasNlri && nextHop === undefined) absent.push(NEXT_HOP);
  if (peerType === 'ibgp' && route.localPref === undefined) absent.push(LOCAL_PREF);
  return absent
    .filter(({ code }) => !faults.some((fault) => fault.code === code))
    .map(({ code, name }) => ({ code, outcome: 'treat-as-withdraw', reason: `${name}: missing` }));
}

/** RFC 4271 §6.3: an address that no host can have; the session stays. */
function unusable({ code, name }: AttributeRow, address: NextHop['address']): AttributeFault[] {
  if (isHostAddress(address)) return [];
  const reason = `${name}: ${formatIpAddress(address)} is no host address`;
  return [{ code, outcome: 'treat-as-withdraw', reason }];
}

/**
 * RFC 7606 §5.2: where attributes are wrong and there is nothing to withdraw, the prefixes were probably hidden by
 * the error. A wrong MP_UNREACH_NLRI has shown its own prefixes.
 */
function checkPrefixesWereFound(withdrawals: readonly AttributeFault[], found: boolean): void {
  if (found) return;
  const hiding = withdrawals.find(({ code }) => code !== MP_UNREACH_NLRI.code);
  if (hiding !== undefined) fail('MALFORMED_ATTRIBUTE_LIST', `no prefixes, and ${hiding.reason}`);
}

function single(reach: readonly Reach[]): Reach | undefined {
  if (reach.length > 1) throw new RangeError(`${reach.length} next hops of one sort in one UPDATE`);
  return reach[0];
}

function checkEncodable(message: UpdateMessage): void {
  for (const { family, nextHop, prefixes } of message.reach) {
    if (message.attributes === undefined) throw new RangeError('reachable prefixes without attributes');
    if (prefixes.length === 0) throw new RangeError('a next hop without prefixes');
    if (family === 'ipv6' && isIpv4(nextHop.address))
      throw new RangeError('IPv6 prefixes with an IPv4 next hop');
  }
  // An UPDATE that says nothing would be read as the End-of-RIB of IPv4.
  const says = message.reach.length + message.unreach.length;
  if (says === 0) throw new RangeError('an UPDATE without prefixes');
}

function fail(error: keyof typeof UPDATE_ERROR, reason: string): never {
  return failWith(NOTIFICATION.UPDATE, UPDATE_ERROR[error], reason);
}
