/**
 * What two OPENs agree on, or the NOTIFICATION for the one that we cannot accept.
 *
 * Owns: the meaning of an OPEN. Must not know: its bytes, whose well-formedness is the codec's matter, and states.
 * Source: RFC 4271 sections 4.2 and 6.2, RFC 4760 section 8, RFC 5492, RFC 6286, RFC 6793, RFC 7313, RFC 8654,
 * RFC 8950, RFC 9234.
 */
import { type Family, formatIpv4 } from '../net/index.js';
import {
  type BgpRole,
  type Capability,
  DEFAULT_MAX_MESSAGE_LENGTH,
  EXTENDED_MAX_MESSAGE_LENGTH,
  type GracefulRestartCapability,
  type NotificationMessage,
  type OpenMessage,
} from '../wire/index.js';
import { badBgpIdentifier, badPeerAs, roleMismatch } from './notifications.js';
import type { Direction, FsmConfig, NegotiatedSession } from './types.js';

/** An OPEN that we cannot accept. */
export interface RefusedOpen {
  readonly notification: NotificationMessage;
  /** What does not fit, with both values, for the operator. */
  readonly why: string;
}

/**
 * Judges the peer's OPEN against our configuration.
 *
 * @returns the session, or the NOTIFICATION to send: 2/2 for another AS than the configured one or AS 0, 2/3 for
 * BGP Identifier 0 or, over iBGP, our own, 2/11 for a role that does not go with ours. `'why' in result` tells them
 * apart.
 *
 * No family in common is no error: the session then carries no routes, and the API shows why. Sending 2/7
 * (RFC 5492 §5) is for a speaker that insists, and we do not.
 */
export function negotiate(
  open: OpenMessage,
  config: FsmConfig,
  direction: Direction,
): NegotiatedSession | RefusedOpen {
  // RFC 4271 §6.2: the AS that the configuration expects, which is never 0 (RFC 7607 §2).
  if (open.asn !== config.peerAs) {
    const why = `it says AS ${open.asn}, the configuration says AS ${config.peerAs}`;
    return { notification: badPeerAs(), why };
  }
  const peerType = config.peerAs === config.localAs ? 'ibgp' : 'ebgp';
  // RFC 6286 §2.2: not zero, and unique within an AS; peers in different ASes may share one.
  if (open.bgpIdentifier === 0)
    return { notification: badBgpIdentifier(), why: 'its BGP identifier is 0.0.0.0' };
  if (peerType === 'ibgp' && open.bgpIdentifier === config.bgpIdentifier) {
    const why = `its BGP identifier ${formatIpv4(open.bgpIdentifier)} is our own`;
    return { notification: badBgpIdentifier(), why };
  }

  const ours = config.capabilities();
  const theirs = open.capabilities;
  // RFC 9234 §1: roles are between ASes.
  const mismatch = peerType === 'ebgp' ? roleConflict(ours, theirs) : undefined;
  if (mismatch !== undefined) return { notification: roleMismatch(), why: mismatch };
  const both = (kind: Capability['kind']): boolean => has(ours, kind) && has(theirs, kind);
  const holdTimeSeconds = Math.min(config.holdTimeSeconds, open.holdTimeSeconds);
  const gracefulRestart = gracefulRestartOf(theirs);
  const theirFamilies = familiesOf(theirs);
  return {
    direction,
    peerAs: open.asn,
    peerIdentifier: open.bgpIdentifier,
    peerType,
    // RFC 4271 §4.2: the smaller of both. §4.4: keepalives at a third of it; none where it is zero.
    holdTimeSeconds,
    keepaliveSeconds: Math.floor(holdTimeSeconds / 3),
    as4: both('fourOctetAs'),
    families: familiesOf(ours).filter((family) => theirFamilies.includes(family)),
    routeRefresh: both('routeRefresh'),
    enhancedRouteRefresh: both('enhancedRouteRefresh'),
    maxMessageLength: both('extendedMessage') ? EXTENDED_MAX_MESSAGE_LENGTH : DEFAULT_MAX_MESSAGE_LENGTH,
    extendedNextHop: extendedNextHopOf(ours).filter((family) => extendedNextHopOf(theirs).includes(family)),
    ...(gracefulRestart === undefined ? {} : { gracefulRestart }),
    peerCapabilities: theirs,
  };
}

/** RFC 4724 §3: of several instances all but the last are ignored. */
export function gracefulRestartOf(
  capabilities: readonly Capability[],
): GracefulRestartCapability | undefined {
  return capabilities.findLast((capability) => capability.kind === 'gracefulRestart');
}

/** The capability of a family: its code, and AFI(2) reserved(1) SAFI(1) (RFC 4760 §8). */
const MULTIPROTOCOL_CODE = 1;
const MULTIPROTOCOL_OCTETS = 4;

/** The code of the role capability, for those with a value that we do not know (RFC 9234 §4.1). */
const ROLE_CODE = 9;

/** What a speaker of each role expects of its peer (RFC 9234 §4.2). */
const COUNTERPART: Readonly<Record<BgpRole, BgpRole>> = {
  provider: 'customer',
  customer: 'provider',
  rs: 'rs-client',
  'rs-client': 'rs',
  peer: 'peer',
};

/**
 * RFC 9234 §4.2: both roles are announced and do not go together, or the peer announces several that differ. Where one
 * side announces none, ours holds alone.
 */
function roleConflict(ours: readonly Capability[], theirs: readonly Capability[]): string | undefined {
  const announced = new Set(rolesOf(theirs));
  if (announced.size > 1) return `it says that it is ${[...announced].join(' and ')}`;
  const [role] = ours.flatMap((capability) => (capability.kind === 'role' ? [capability.role] : []));
  const [theirRole] = announced;
  if (role === undefined || theirRole === undefined || theirRole === COUNTERPART[role]) return undefined;
  return `its role is ${theirRole}, and ours is ${role}: it must be ${COUNTERPART[role]}`;
}

/** Names of roles; one that is not assigned is a role all the same, and goes with none. */
function rolesOf(capabilities: readonly Capability[]): readonly string[] {
  return capabilities.flatMap((capability) => {
    if (capability.kind === 'role') return [capability.role];
    if (capability.kind !== 'unknown' || capability.code !== ROLE_CODE) return [];
    const [value] = capability.value;
    return capability.value.length === 1 ? [`role ${value}`] : [];
  });
}

/** Families that may have a next hop of the other family (RFC 8950 §4). */
function extendedNextHopOf(capabilities: readonly Capability[]): readonly Family[] {
  return capabilities.flatMap((capability) =>
    capability.kind === 'extendedNextHop'
      ? capability.families
          .filter(({ family, nextHopFamily }) => family !== nextHopFamily)
          .map(({ family }) => family)
      : [],
  );
}

function has(capabilities: readonly Capability[], kind: Capability['kind']): boolean {
  return capabilities.some((capability) => capability.kind === kind);
}

/** RFC 4760 §8; a speaker that announces no family at all, of whatever kind, speaks IPv4 unicast (RFC 4271). */
function familiesOf(capabilities: readonly Capability[]): readonly Family[] {
  const families = capabilities.flatMap((capability) =>
    capability.kind === 'multiprotocol' ? [capability.family] : [],
  );
  if (families.length > 0) return [...new Set(families)];
  return capabilities.some(isOtherFamily) ? [] : ['ipv4'];
}

/** A family that we do not speak: its capability is one that we only show. */
function isOtherFamily(capability: Capability): boolean {
  return (
    capability.kind === 'unknown' &&
    capability.code === MULTIPROTOCOL_CODE &&
    capability.value.length === MULTIPROTOCOL_OCTETS
  );
}
