/**
 * The port of the API: what it asks the agent for. Each call is a snapshot of now, made for one request and never kept.
 */
import type { AgentStatusRow, PeerRow, ReadinessRow, RouteRow } from './schemas/index.js';

export interface ApiSource {
  /** One row per prefix, in any order; the API sorts. */
  routes(): readonly RouteRow[];
  /** One row per configured peer, in any order; names are unique. */
  peers(): readonly PeerRow[];
  status(): AgentStatusRow;
  ready(): ReadinessRow;
}
