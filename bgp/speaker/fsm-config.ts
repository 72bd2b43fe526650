/**
 * The configuration of a peer as its FSM reads it.
 *
 * Owns: which settings the FSM knows, and their fixed ones. Must not know: the FSM.
 * The values are read through, so what is changed while the peer lives holds from its next use on.
 */
import type { FsmConfig } from '../fsm/index.js';
import type { Ipv4 } from '../net/index.js';
import type { PeerConfig } from './types.js';

/** First and longest pause after a failure; a peer that is in order again is back well within half a minute. */
const IDLE_HOLD_SECONDS = { initial: 1, max: 16 };

export function fsmConfigOf(
  config: () => PeerConfig,
  bgpIdentifier: Ipv4,
  capabilities: FsmConfig['capabilities'],
): FsmConfig {
  return {
    bgpIdentifier,
    capabilities,
    idleHoldSeconds: IDLE_HOLD_SECONDS,
    get localAs() {
      return config().localAs;
    },
    get peerAs() {
      return config().asn;
    },
    get holdTimeSeconds() {
      return config().holdTimeSeconds;
    },
    get connectRetrySeconds() {
      return config().connectRetrySeconds;
    },
    get dial() {
      return config().dial;
    },
    get sendHoldTimeSeconds() {
      return config().sendHoldTimeSeconds;
    },
  };
}
