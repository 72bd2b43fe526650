/**
 * Capabilities: code(1) length(1) value, one table row per code that we know.
 *
 * Owns: the value of each capability. Must not know: the OPEN message around them.
 * A known code with a value that does not fit is kept as `unknown`, that is, ignored: RFC 5492 gives no reason to
 * refuse a session for it.
 * Source: RFC 5492, RFC 4760 section 8, RFC 2918, RFC 8950 section 4, RFC 8654, RFC 4724 section 3, RFC 8538,
 * RFC 6793 section 3, RFC 7313, RFC 9234 section 4.1.
 */
import { ByteReader, ByteWriter } from './bytes.js';
import { NOTIFICATION, OPEN_ERROR } from './constants.js';
import { afiFamily, afiSafi, familyOf } from './family.js';
import type { BgpRole, Capability, ExtendedNextHopCapability, GracefulRestartCapability } from './message.js';

type Kind = Exclude<Capability['kind'], 'unknown'>;
type OfKind<K extends Capability['kind']> = Extract<Capability, { readonly kind: K }>;

/** Where a capability points outside: the optional parameters are malformed (2/0). */
const OVERRUN = [NOTIFICATION.OPEN, OPEN_ERROR.UNSPECIFIC] as const;

const GRACEFUL_RESTART_R = 0x8000;
const GRACEFUL_RESTART_N = 0x4000;
const RESTART_TIME_MASK = 0x0fff;
const FORWARDING = 0x80;
/** By their value (RFC 9234 section 4.1). */
const ROLES: readonly BgpRole[] = ['provider', 'rs', 'rs-client', 'customer', 'peer'];

interface CapabilityRow<C extends Capability> {
  readonly code: number;
  /** @returns undefined where the value does not fit the capability. */
  decode(value: ByteReader): C | undefined;
  encode(out: ByteWriter, capability: C): void;
  text(capability: C): string;
}

const CAPABILITIES: { readonly [K in Kind]: CapabilityRow<OfKind<K>> } = {
  multiprotocol: {
    code: 1,
    decode: (value) => {
      if (value.remaining !== 4) return undefined;
      const afi = value.u16();
      value.u8(); // reserved: ignored (RFC 4760 §8)
      const family = familyOf(afi, value.u8());
      return family === undefined ? undefined : { kind: 'multiprotocol', family };
    },
    encode: (out, { family }) => {
      const { afi, safi } = afiSafi(family);
      out.u16(afi).u8(0).u8(safi);
    },
    text: ({ family }) => `multiprotocol ${family} unicast`,
  },
  routeRefresh: flag(2, { kind: 'routeRefresh' }, 'route refresh'),
  extendedNextHop: {
    code: 5,
    decode: decodeExtendedNextHop,
    encode: (out, { families }) => {
      for (const { family, nextHopFamily } of families) {
        const { afi, safi } = afiSafi(family);
        out.u16(afi).u16(safi).u16(afiSafi(nextHopFamily).afi);
      }
    },
    text: ({ families }) =>
      `extended next hop (${families.map((f) => `${f.family} over ${f.nextHopFamily}`).join(', ')})`,
  },
  role: {
    code: 9,
    decode: (value) => {
      if (value.remaining !== 1) return undefined;
      const role = ROLES[value.u8()];
      return role === undefined ? undefined : { kind: 'role', role };
    },
    encode: (out, { role }) => {
      out.u8(ROLES.indexOf(role));
    },
    text: ({ role }) => `role ${role}`,
  },
  extendedMessage: flag(6, { kind: 'extendedMessage' }, 'extended message'),
  gracefulRestart: {
    code: 64,
    decode: decodeGracefulRestart,
    encode: encodeGracefulRestart,
    text: gracefulRestartText,
  },
  fourOctetAs: {
    code: 65,
    decode: (value) => (value.remaining === 4 ? { kind: 'fourOctetAs', asn: value.u32() } : undefined),
    encode: (out, { asn }) => {
      out.u32(asn);
    },
    text: ({ asn }) => `4-octet AS ${asn}`,
  },
  enhancedRouteRefresh: flag(70, { kind: 'enhancedRouteRefresh' }, 'enhanced route refresh'),
};

const BY_CODE: ReadonlyMap<number, CapabilityRow<Capability>> = new Map(
  Object.values(CAPABILITIES).map((row: CapabilityRow<Capability>) => [row.code, row]),
);

/** Names of capabilities that we only show. */
const OTHER_NAMES: ReadonlyMap<number, string> = new Map([
  [3, 'outbound route filtering'],
  [7, 'BGPsec'],
  [8, 'multiple labels'],
  [9, 'BGP role'], // of a value that we do not know
  [67, 'dynamic capability'],
  [68, 'multisession'],
  [69, 'ADD-PATH'],
  [71, 'long-lived graceful restart'],
  [73, 'FQDN'],
  [128, 'route refresh (pre-standard)'],
]);

/** The first capability of `kind`; the value of a repeated one decides nothing (RFC 5492 §4). */
export function findCapability<K extends Capability['kind']>(
  capabilities: readonly Capability[],
  kind: K,
): OfKind<K> | undefined {
  return capabilities.find((capability): capability is OfKind<K> => capability.kind === kind);
}

/** A capability for people, such as `multiprotocol ipv6 unicast` or `capability 9 (BGP role) 03`. */
export function capabilityText(capability: Capability): string {
  if (capability.kind !== 'unknown') return rowOf(capability).text(capability);
  const name = OTHER_NAMES.get(capability.code);
  const value = Buffer.from(capability.value).toString('hex');
  return [`capability ${capability.code}`, name && `(${name})`, value].filter(Boolean).join(' ');
}

/** Reads one capability. @throws WireError 2/0 where its length points outside. */
export function decodeCapability(reader: ByteReader): Capability {
  const code = reader.u8();
  const value = reader.window(reader.u8());
  const length = value.remaining;
  // The value is read twice where it turns out to be unknown, hence the copy first.
  const bytes = value.bytes(length);
  return (
    BY_CODE.get(code)?.decode(ByteReader.over(bytes, 0, OVERRUN)) ?? { kind: 'unknown', code, value: bytes }
  );
}

/** @throws RangeError where the value is longer than 255 octets, which only a bug of ours can cause. */
export function encodeCapability(out: ByteWriter, capability: Capability): void {
  const value = new ByteWriter();
  if (capability.kind === 'unknown') value.bytes(capability.value);
  else rowOf(capability).encode(value, capability);
  if (value.length > 255) throw new RangeError(`capability ${capability.kind} of ${value.length} octets`);
  out
    .u8(capability.kind === 'unknown' ? capability.code : rowOf(capability).code)
    .u8(value.length)
    .bytes(value.finish());
}

function rowOf(capability: OfKind<Kind>): CapabilityRow<Capability> {
  return CAPABILITIES[capability.kind];
}

/** A capability without a value. */
function flag<C extends Capability>(code: number, capability: C, name: string): CapabilityRow<C> {
  return {
    code,
    decode: (value) => (value.remaining === 0 ? capability : undefined),
    encode: () => {},
    text: () => name,
  };
}

/** afi(2) safi(2) next hop afi(2), repeated; entries of families that we do not speak are left out. */
function decodeExtendedNextHop(value: ByteReader): ExtendedNextHopCapability | undefined {
  if (value.remaining % 6 !== 0) return undefined;
  const families: ExtendedNextHopCapability['families'][number][] = [];
  while (value.remaining > 0) {
    const family = familyOf(value.u16(), value.u16());
    const nextHopFamily = afiFamily(value.u16());
    if (family !== undefined && nextHopFamily !== undefined) families.push({ family, nextHopFamily });
  }
  return { kind: 'extendedNextHop', families };
}

/** flags(4 bits) restart time(12 bits), then afi(2) safi(1) flags(1) per family. */
function decodeGracefulRestart(value: ByteReader): GracefulRestartCapability | undefined {
  if (value.remaining < 2 || value.remaining % 4 !== 2) return undefined;
  const head = value.u16();
  const families: GracefulRestartCapability['families'][number][] = [];
  while (value.remaining > 0) {
    const family = familyOf(value.u16(), value.u8());
    const forwarding = (value.u8() & FORWARDING) !== 0;
    if (family !== undefined) families.push({ family, forwarding });
  }
  return {
    kind: 'gracefulRestart',
    restarting: (head & GRACEFUL_RESTART_R) !== 0,
    notification: (head & GRACEFUL_RESTART_N) !== 0,
    restartTimeSeconds: head & RESTART_TIME_MASK,
    families,
  };
}

function encodeGracefulRestart(out: ByteWriter, capability: GracefulRestartCapability): void {
  const restarting = capability.restarting ? GRACEFUL_RESTART_R : 0;
  const notification = capability.notification ? GRACEFUL_RESTART_N : 0;
  // More than 12 bits would set flags; the longest time that fits is the nearest to what was meant.
  out.u16(restarting | notification | Math.min(capability.restartTimeSeconds, RESTART_TIME_MASK));
  for (const { family, forwarding } of capability.families) {
    const { afi, safi } = afiSafi(family);
    const flags = forwarding ? FORWARDING : 0;
    out.u16(afi).u8(safi).u8(flags);
  }
}

function gracefulRestartText(capability: GracefulRestartCapability): string {
  const notes = [
    capability.restarting ? 'restarting' : '',
    capability.notification ? 'notification' : '',
    ...capability.families.map(({ family, forwarding }) => `${family}${forwarding ? ' forwarding' : ''}`),
  ].filter((note) => note !== '');
  const time = `graceful restart ${capability.restartTimeSeconds} s`;
  return notes.length === 0 ? time : `${time} (${notes.join(', ')})`;
}
