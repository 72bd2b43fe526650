/**
 * What a BGP message is once it is decoded, and what can be encoded: plain readonly values.
 *
 * Owns: the types that the codec, the FSM and the RIB share. Must not know: bytes, sockets, tables.
 * Source: RFC 4271 section 4, RFC 4760, RFC 5492, RFC 6793, RFC 2918, RFC 7313, RFC 4724.
 */
import type { Family, IpAddress, Ipv4, Ipv6, Prefix } from '../net/index.js';

/** Any BGP message. `type` is the tag of the union. */
export type Message =
  | OpenMessage
  | UpdateMessage
  | NotificationMessage
  | KeepaliveMessage
  | RouteRefreshMessage;

/** RFC 4271 section 4.2. */
export interface OpenMessage {
  readonly type: 'OPEN';
  /** The speaker's AS, taken from capability 65 where present (RFC 6793), else from the 2-octet field. */
  readonly asn: number;
  /** 0, or 3 to 65535. A decoded 1 or 2 never gets here: it is NOTIFICATION 2/6. */
  readonly holdTimeSeconds: number;
  readonly bgpIdentifier: Ipv4;
  /** In the order received; what we do not know is kept as `unknown`. */
  readonly capabilities: readonly Capability[];
}

/** RFC 5492 capabilities. */
export type Capability =
  | { readonly kind: 'multiprotocol'; readonly family: Family }
  | { readonly kind: 'routeRefresh' }
  | { readonly kind: 'enhancedRouteRefresh' }
  | { readonly kind: 'fourOctetAs'; readonly asn: number }
  | GracefulRestartCapability
  | { readonly kind: 'extendedMessage' }
  | ExtendedNextHopCapability
  | { readonly kind: 'role'; readonly role: BgpRole }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

/** RFC 9234 section 4.1: what the sender of the capability is to its peer. */
export type BgpRole = 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer';

/** RFC 8950 section 4: families whose prefixes may have a next hop of another family. */
export interface ExtendedNextHopCapability {
  readonly kind: 'extendedNextHop';
  readonly families: readonly { readonly family: Family; readonly nextHopFamily: Family }[];
}

/** RFC 4724 section 3, RFC 8538 section 2. */
export interface GracefulRestartCapability {
  readonly kind: 'gracefulRestart';
  /** R bit: the speaker has restarted and its peer must not wait for its End-of-RIB. */
  readonly restarting: boolean;
  /** N bit (RFC 8538): NOTIFICATIONs are graceful too. */
  readonly notification: boolean;
  /** 0 to 4095 seconds. */
  readonly restartTimeSeconds: number;
  /** Families in which the sender keeps forwarding state (F bit per family). Empty: it only sends End-of-RIB. */
  readonly families: readonly { readonly family: Family; readonly forwarding: boolean }[];
}

/** Where packets for the prefixes of one family go. */
export interface NextHop {
  readonly address: IpAddress;
  /** The second address of a 32-octet IPv6 next hop (RFC 2545 section 3). */
  readonly linkLocal?: Ipv6;
}

/** Prefixes of one family that an UPDATE announces, with their next hop. */
export interface Reach {
  readonly family: Family;
  readonly nextHop: NextHop;
  readonly prefixes: readonly Prefix[];
}

/** Prefixes of one family that an UPDATE withdraws. */
export interface Unreach {
  readonly family: Family;
  readonly prefixes: readonly Prefix[];
}

/**
 * RFC 4271 section 4.3, with the NLRI of RFC 4271 and of RFC 4760 brought together: whether a prefix came in the
 * NLRI field or in MP_REACH_NLRI is the codec's business alone.
 *
 * End-of-RIB (RFC 4724 section 2) is `reach` empty and one `unreach` entry without prefixes; see `endOfRib`.
 */
export interface UpdateMessage {
  readonly type: 'UPDATE';
  readonly unreach: readonly Unreach[];
  readonly reach: readonly Reach[];
  /** Present exactly when `reach` announces something. */
  readonly attributes?: PathAttributes;
  /**
   * What was wrong and survived (RFC 7606): discarded attributes, and treat-as-withdraw, whose prefixes are then in
   * `unreach`. Empty for a clean message and for one that we send.
   */
  readonly faults: readonly AttributeFault[];
}

/** One finding of RFC 7606 that does not reset the session. */
export interface AttributeFault {
  /** Attribute type code, 0 where the fault is not one attribute's. */
  readonly code: number;
  readonly outcome: 'discard' | 'treat-as-withdraw';
  /** One sentence for the log. */
  readonly reason: string;
}

/** RFC 4271 section 4.3 ORIGIN, in the order of preference. */
export type Origin = 'IGP' | 'EGP' | 'INCOMPLETE';

/** One segment of an AS_PATH; ASes are 4-octet numbers (RFC 6793). */
export interface AsPathSegment {
  readonly kind: 'sequence' | 'set' | 'confedSequence' | 'confedSet';
  readonly asns: readonly number[];
}

/** RFC 8092. */
export interface LargeCommunity {
  readonly globalAdministrator: number;
  readonly localData1: number;
  readonly localData2: number;
}

/** An attribute that the codec does not know, or carries opaquely, byte for byte. */
export interface UnknownAttribute {
  readonly code: number;
  /** The flags octet as received, extended-length bit cleared. */
  readonly flags: number;
  readonly value: Uint8Array;
}

/**
 * The path attributes of a route, except NEXT_HOP and MP_REACH/MP_UNREACH, which are in `Reach`.
 * AS4_PATH and AS4_AGGREGATOR are merged in by the decoder and made by the encoder (RFC 6793), so nobody else sees them.
 */
export interface PathAttributes {
  readonly origin: Origin;
  readonly asPath: readonly AsPathSegment[];
  /** MULTI_EXIT_DISC, unsigned 32 bits. */
  readonly med?: number;
  /** LOCAL_PREF, unsigned 32 bits; absent over eBGP. */
  readonly localPref?: number;
  readonly atomicAggregate?: true;
  readonly aggregator?: { readonly asn: number; readonly address: Ipv4 };
  /** RFC 1997, each an unsigned 32-bit number. */
  readonly communities?: readonly number[];
  readonly originatorId?: Ipv4;
  readonly clusterList?: readonly Ipv4[];
  /** RFC 4360, each an unsigned 64-bit number. */
  readonly extendedCommunities?: readonly bigint[];
  readonly largeCommunities?: readonly LargeCommunity[];
  /** Only to customer (RFC 9234): the AS. */
  readonly otc?: number;
  /**
   * Codes of the known optional transitive attributes that came with the Partial bit, ascending: it must not be
   * cleared when they are passed on (RFC 4271 section 5).
   */
  readonly partial?: readonly number[];
  /** Sorted by code. Optional transitive ones only: the decoder drops unknown non-transitive ones (RFC 4271 5). */
  readonly unknown?: readonly UnknownAttribute[];
}

/** RFC 4271 section 4.5. */
export interface NotificationMessage {
  readonly type: 'NOTIFICATION';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** RFC 4271 section 4.4. */
export interface KeepaliveMessage {
  readonly type: 'KEEPALIVE';
}

/** RFC 2918; `subtype` per RFC 7313: 0 request, 1 BoRR, 2 EoRR. An unknown family is kept by its numbers. */
export interface RouteRefreshMessage {
  readonly type: 'ROUTE-REFRESH';
  readonly family: Family | { readonly afi: number; readonly safi: number };
  readonly subtype: number;
}

/** What the codec must know of the session to read or write a message. */
export interface CodecContext {
  /** True when both sides announced capability 65: AS numbers are 4 octets on the wire. */
  readonly as4: boolean;
  /** RFC 7606 treats some attributes by the kind of peer. */
  readonly peerType: 'ibgp' | 'ebgp';
  /** 4096, or 65535 once extended messages are negotiated (RFC 8654). */
  readonly maxMessageLength: number;
  /** Attribute codes that the operator wants dropped unseen; those without which a route is none are exempt. */
  readonly discardAttributes?: ReadonlySet<number>;
}

/**
 * What reading needs beyond that. This speaker does not negotiate ADD-PATH, so nothing is ever written in its form; the
 * messages of others, from a capture, can be read.
 */
export interface DecodeContext extends CodecContext {
  /**
   * True: every prefix, of every family, is preceded by a path identifier (RFC 7911 section 3). The identifiers are
   * read past and dropped, since a path is told apart by its peer here; a prefix with two of them appears twice.
   */
  readonly addPath?: boolean;
}
