/**
 * What a change of a peer's settings needs: nothing but new settings, or a new session.
 *
 * Owns: the list of settings that can change while a session is up. Must not know: sessions.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PeerConfig } from './types.js';

/**
 * Settings that no OPEN and no connection carries. All others are in what both sides have agreed on, so that only a
 * new session can change them (RFC 4271 section 6.7, Cease 6/6).
 */
const LIVE: ReadonlySet<keyof PeerConfig> = new Set([
  'id',
  'place',
  'dial',
  'localAddress6',
  'connectRetrySeconds',
  'sendHoldTimeSeconds',
  'allowedOwnAs',
  'nextHop',
  'maxPrefixes',
  'routeReflectorClient',
]);

/** Settings that say which router it is: routes of another one are not kept. */
const IDENTITY: ReadonlySet<keyof PeerConfig> = new Set(['address', 'zone', 'asn', 'localAs']);

/** Names of the settings that differ, as the log shows them. */
export function changedFields(before: PeerConfig, after: PeerConfig): readonly (keyof PeerConfig)[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof PeerConfig>;
  return [...names].filter((name) => !isDeepStrictEqual(before[name], after[name]));
}

/** Those of them for which the session must be reset. */
export function resettingFields(changed: readonly (keyof PeerConfig)[]): readonly (keyof PeerConfig)[] {
  return changed.filter((name) => !LIVE.has(name));
}

export function isSameRouter(changed: readonly (keyof PeerConfig)[]): boolean {
  return !changed.some((name) => IDENTITY.has(name));
}
