/**
 * The numbers of the BGP registries that more than one file needs, by their IANA names.
 *
 * Owns: constants. Must not know: anything else.
 * Source: RFC 4271, RFC 6793, RFC 8654, IANA "BGP Parameters" and "BGP Well-known Communities".
 */

/** Version of every OPEN (RFC 4271 §4.2). */
export const BGP_VERSION = 4;

/** Marker, length and type (RFC 4271 §4.1), in octets. */
export const HEADER_LENGTH = 19;
export const MARKER_LENGTH = 16;

/** Longest message without, and with, extended messages negotiated (RFC 4271 §4.1, RFC 8654 §4), in octets. */
export const DEFAULT_MAX_MESSAGE_LENGTH = 4096;
export const EXTENDED_MAX_MESSAGE_LENGTH = 65535;

/** Stands for a 4-octet AS where only two octets fit (RFC 6793 §4.2). */
export const AS_TRANS = 23456;

/** The largest AS number that the 2-octet fields can carry. */
export const MAX_TWO_OCTET_AS = 65535;

/** Type octet of the header. */
export const MESSAGE_TYPE = {
  OPEN: 1,
  UPDATE: 2,
  NOTIFICATION: 3,
  KEEPALIVE: 4,
  ROUTE_REFRESH: 5,
} as const;

/** Well-known communities as unsigned 32-bit numbers (RFC 1997, RFC 7999, RFC 8326, RFC 9494). */
export const COMMUNITY = {
  GRACEFUL_SHUTDOWN: 0xffff0000,
  LLGR_STALE: 0xffff0006,
  NO_LLGR: 0xffff0007,
  BLACKHOLE: 0xffff029a,
  NO_EXPORT: 0xffffff01,
  NO_ADVERTISE: 0xffffff02,
  NO_EXPORT_SUBCONFED: 0xffffff03,
} as const;

/** NOTIFICATION error codes (RFC 4271 §4.5, RFC 7313 §5, RFC 9687 §3). */
export const NOTIFICATION = {
  HEADER: 1,
  OPEN: 2,
  UPDATE: 3,
  HOLD_TIMER_EXPIRED: 4,
  FSM: 5,
  CEASE: 6,
  ROUTE_REFRESH: 7,
  SEND_HOLD_TIMER_EXPIRED: 8,
} as const;

/** Subcodes of code 1 (RFC 4271 §6.1). */
export const HEADER_ERROR = {
  CONNECTION_NOT_SYNCHRONIZED: 1,
  BAD_MESSAGE_LENGTH: 2,
  BAD_MESSAGE_TYPE: 3,
} as const;

/** Subcodes of code 2 (RFC 4271 §6.2, RFC 5492 §5, RFC 9234 §4.2). */
export const OPEN_ERROR = {
  UNSPECIFIC: 0,
  UNSUPPORTED_VERSION: 1,
  BAD_PEER_AS: 2,
  BAD_BGP_IDENTIFIER: 3,
  UNSUPPORTED_OPTIONAL_PARAMETER: 4,
  UNACCEPTABLE_HOLD_TIME: 6,
  UNSUPPORTED_CAPABILITY: 7,
  ROLE_MISMATCH: 11,
} as const;

/** Subcodes of code 3 that remain a session reset under RFC 7606. */
export const UPDATE_ERROR = {
  MALFORMED_ATTRIBUTE_LIST: 1,
  UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE: 2,
  OPTIONAL_ATTRIBUTE_ERROR: 9,
  INVALID_NETWORK_FIELD: 10,
} as const;

/** Subcodes of code 5 (RFC 6608): the state in which an unexpected message came. */
export const FSM_ERROR = {
  UNSPECIFIED: 0,
  OPEN_SENT: 1,
  OPEN_CONFIRM: 2,
  ESTABLISHED: 3,
} as const;

/** Subcodes of code 6 (RFC 4486, RFC 8538 §3, RFC 9384). */
export const CEASE = {
  MAXIMUM_PREFIXES: 1,
  ADMINISTRATIVE_SHUTDOWN: 2,
  PEER_DECONFIGURED: 3,
  ADMINISTRATIVE_RESET: 4,
  CONNECTION_REJECTED: 5,
  CONFIGURATION_CHANGE: 6,
  CONNECTION_COLLISION: 7,
  OUT_OF_RESOURCES: 8,
  HARD_RESET: 9,
  BFD_DOWN: 10,
} as const;

/** Subcodes of code 7 (RFC 7313 §5). */
export const ROUTE_REFRESH_ERROR = { INVALID_MESSAGE_LENGTH: 1 } as const;
