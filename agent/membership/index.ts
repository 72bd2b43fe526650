/**
 * The door of agent/membership: what the cluster resources mean for one node, and what a change of them means. Pure.
 */
export { leavingPeers, planLocalChanges, planPeerChanges } from './changes.js';
export { dialTowards, planMembership } from './membership.js';
export { type SessionEffect, type SessionOutcome, sessionEffects } from './session-effects.js';
export type {
  DynamicPeerSpec,
  Membership,
  MembershipResult,
  PeerChange,
  PeerChanges,
  PeerSpec,
} from './types.js';
