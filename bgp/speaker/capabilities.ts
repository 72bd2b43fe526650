/**
 * What our OPEN announces.
 *
 * Owns: the list. Must not know: bytes, sessions.
 * Source: RFC 5492, RFC 4760, RFC 2918, RFC 6793, RFC 4724.
 */
import type { Capability } from '../wire/index.js';
import type { PeerConfig } from './types.js';

/** The two facts of this moment that graceful restart announces (RFC 4724 section 3). */
export interface RestartFlags {
  /** R bit: this speaker recovers from a restart. */
  readonly restarting: boolean;
  /** F bit: forwarding went on while the session was gone. */
  readonly forwarding: boolean;
}

export function ourCapabilities(config: PeerConfig, flags: RestartFlags): readonly Capability[] {
  const { families, localAs, restartTimeSeconds } = config;
  return [
    ...families.map((family): Capability => ({ kind: 'multiprotocol', family })),
    { kind: 'routeRefresh' },
    { kind: 'fourOctetAs', asn: localAs },
    {
      kind: 'gracefulRestart',
      restarting: flags.restarting,
      // RFC 8538: not announced, so that a NOTIFICATION of ours ends a session for good.
      notification: false,
      restartTimeSeconds,
      families: families.map((family) => ({ family, forwarding: flags.forwarding })),
    },
  ];
}
