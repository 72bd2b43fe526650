/**
 * What our OPEN announces.
 *
 * Owns: the list. Must not know: bytes, sessions.
 * Source: RFC 5492, RFC 4760, RFC 2918, RFC 6793, RFC 4724, RFC 7313, RFC 8538, RFC 8654, RFC 8950, RFC 9234.
 */
import { isIpv6 } from '../net/index.js';
import type { Capability } from '../wire/index.js';
import type { PeerConfig } from './types.js';

const IPV4_OVER_IPV6: Capability = {
  kind: 'extendedNextHop',
  families: [{ family: 'ipv4', nextHopFamily: 'ipv6' }],
};

/** The two facts of this moment that graceful restart announces (RFC 4724 section 3). */
export interface RestartFlags {
  /** R bit: this speaker recovers from a restart. */
  readonly restarting: boolean;
  /** F bit: forwarding went on while the session was gone. */
  readonly forwarding: boolean;
}

export function ourCapabilities(config: PeerConfig, flags: RestartFlags): readonly Capability[] {
  const { families, localAs, restartTimeSeconds, role, address, asn } = config;
  const external = asn !== localAs;
  return [
    ...families.map((family): Capability => ({ kind: 'multiprotocol', family })),
    { kind: 'routeRefresh' },
    { kind: 'enhancedRouteRefresh' },
    { kind: 'extendedMessage' },
    // RFC 8950 §4: where the session runs over IPv6, there may be no IPv4 address to give as the next hop.
    ...(families.includes('ipv4') && isIpv6(address) ? [IPV4_OVER_IPV6] : []),
    // RFC 9234 §4.1: roles are between ASes.
    ...(role !== undefined && external ? [{ kind: 'role', role } as const] : []),
    { kind: 'fourOctetAs', asn: localAs },
    {
      kind: 'gracefulRestart',
      restarting: flags.restarting,
      // RFC 8538 §2: a NOTIFICATION does not end the session for good, unless it is a hard reset.
      notification: true,
      restartTimeSeconds,
      families: families.map((family) => ({ family, forwarding: flags.forwarding })),
    },
  ];
}
