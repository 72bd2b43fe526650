/** The shapes of all answers: TypeBox schemas, and the types derived from them. A schema and its type share a name. */
export { ErrorAnswer } from './error.js';
export { PEER_STATES, Peer, PeerList, type PeerRow, type PeerState } from './peer.js';
export { PEER_ACTIONS, type PeerAction, PeerActionAnswer, PeerActionBody } from './peer-action.js';
export {
  PEER_TYPES,
  ROUTE_MODES,
  ROUTE_STATES,
  Route,
  type RouteMode,
  RoutePage,
  type RouteRow,
  type RouteState,
} from './route.js';
export {
  AgentStatus,
  type AgentStatusRow,
  Health,
  Readiness,
  type ReadinessRow,
  Status,
  type StatusRow,
} from './status.js';
