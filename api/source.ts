/**
 * The port of the API: what it asks the agent for. Each call is a snapshot of now, made for one request and never kept.
 */
import type { AgentStatusRow, PeerAction, PeerRow, ReadinessRow, RouteRow } from './schemas/index.js';

/** What became of a wish. `shutdown`: the peer is down on purpose, so there is nothing to reset. */
export type PeerActionOutcome = 'done' | 'unknown' | 'shutdown';

/** What the API may ask the agent to do, by the name of a peer. */
export type PeerActions = Readonly<Record<PeerAction, (name: string, text: string) => PeerActionOutcome>>;

export interface ApiSource {
  /** One row per prefix, in any order; the API sorts. */
  routes(): readonly RouteRow[];
  /** One row per configured peer, in any order; names are unique. */
  peers(): readonly PeerRow[];
  status(): AgentStatusRow;
  ready(): ReadinessRow;
}
