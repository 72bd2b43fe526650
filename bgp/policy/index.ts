/**
 * The door of bgp/policy: which routes are used and who is told of them, as a `RoutePolicy` for the Rib.
 *
 * A policy is a pure value made from configuration; a changed configuration is a new policy. The pool policy is what
 * holds where no filter says otherwise; the filter policy is another `RoutePolicy` that answers for its own rules and
 * asks this one for the rest.
 */
export type {
  Community,
  FilterRule,
  FiltersByPeer,
  PeerFilters,
  PrefixMatch,
  RouteOperation,
} from './filter.js';
export { type FilterPolicyOptions, filterPolicy } from './filter-policy.js';
export { type InterfaceTable, interfaceTowards } from './interface.js';
export { type PoolPolicyOptions, poolPolicy } from './pool-policy.js';
