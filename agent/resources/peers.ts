/**
 * The BGPPeer: the rules that its fields obey together, and the value it becomes.
 *
 * Owns: a peering seen alone. Must not know: syntax, other resources.
 */
import type { StaticDecode } from 'typebox';
import { addressFamily } from '../../bgp/net/index.js';
import type { Fault } from '../schema/index.js';
import type { bgpPeerSpec } from './schemas.js';
import type { BgpPeer, PeeringOptions, PeerTarget } from './types.js';

/** RFC 4271 section 4.4 */
const KEEPALIVES_PER_HOLD_TIME = 3;
/** Peers of a range at one time, where the resource does not say. */
const DEFAULT_MAX_PEERS = 100;
const AMONG_NODES = 'stands beside peerSelector, but both ends would be the same in it; take it out';
const NEXT_HOPS = { Auto: 'auto', Self: 'self', Keep: 'keep' } as const;
const PREFIX_ACTIONS = { Warn: 'warn', Restart: 'restart', Stop: 'stop' } as const;
const ROLES = {
  Provider: 'provider',
  RS: 'rs',
  RSClient: 'rs-client',
  Customer: 'customer',
  Peer: 'peer',
} as const;

type BgpPeerSpec = StaticDecode<typeof bgpPeerSpec>;

/** What is wrong with a BGPPeer whose every field is right. */
export function peerRules(spec: BgpPeerSpec): Fault[] {
  const faults: Fault[] = [];
  const fault = (field: string, message: string) => faults.push({ path: ['spec', field], message });
  if (spec.node !== undefined && spec.nodeSelector !== undefined) {
    fault('nodeSelector', 'stands beside node; keep one of them');
  }
  if (spec.peerSelector !== undefined) {
    for (const field of ['peerIP', 'peerRange', 'asNumber'] as const) {
      if (spec[field] === undefined) continue;
      fault(field, 'stands beside peerSelector, which takes it from the selected nodes; keep one of them');
    }
    if (spec.localASNumber !== undefined) fault('localASNumber', AMONG_NODES);
    if (spec.passive) fault('passive', AMONG_NODES);
    if (spec.role !== undefined) fault('role', AMONG_NODES);
  } else if (spec.peerRange !== undefined) {
    if (spec.peerIP !== undefined) fault('peerIP', 'stands beside peerRange; keep one of them');
    if (spec.passive) fault('passive', 'says nothing new: a peer of peerRange is never dialled; take it out');
  } else if (spec.peerIP === undefined) {
    fault('peerIP', 'is missing; write the address of the router, or peerSelector for nodes of the cluster');
  } else if (spec.asNumber === undefined) {
    fault('asNumber', 'is missing; write the AS number of the router');
  }
  if (spec.maxPeers !== undefined && spec.peerRange === undefined) {
    fault('maxPeers', 'stands without peerRange; it is for peers that come from a range');
  }
  if (spec.encapsulation !== undefined && spec.peerRange !== undefined) {
    fault('encapsulation', 'stands beside peerRange; it is for one peer, named by peerIP or peerSelector');
  }
  if (spec.keepOriginalNextHop === true && spec.nextHopMode !== undefined) {
    fault('keepOriginalNextHop', 'stands beside nextHopMode, which replaces it; take it out');
  }
  const gateway = gatewayProblem(spec);
  if (gateway !== undefined) fault('reachableBy', gateway);
  if (spec.keepaliveTime !== undefined && spec.holdTime !== undefined) {
    fault('keepaliveTime', 'stands beside holdTime, a third of which it is; keep one of them');
  }
  for (const [index, name] of spec.filters.entries()) {
    if (spec.filters.indexOf(name) === index) continue;
    faults.push({ path: ['spec', 'filters', index], message: `"${name}" stands there twice; keep one` });
  }
  return faults;
}

function gatewayProblem({ reachableBy, peerIP }: BgpPeerSpec): string | undefined {
  if (reachableBy === undefined) return undefined;
  if (peerIP === undefined) return 'stands without peerIP; it is the gateway to that one address';
  if (addressFamily(reachableBy) !== addressFamily(peerIP.address)) {
    return 'is of another address family than peerIP; write the address of the gateway in that family';
  }
  return reachableBy === peerIP.address
    ? 'is peerIP itself; write the gateway that lies before it, or take it out'
    : undefined;
}

/** The value of a BGPPeer that the rules find nothing wrong with. */
export function buildPeer(spec: BgpPeerSpec, header: { readonly name: string }): BgpPeer {
  return {
    name: header.name,
    nodes: spec.node !== undefined ? { name: spec.node } : { selector: spec.nodeSelector ?? { type: 'all' } },
    target: peerTarget(spec),
    sourceAddress: spec.sourceAddress,
    ...(spec.localASNumber !== undefined && { localAsNumber: spec.localASNumber }),
    nextHop: nextHop(spec),
    ...(spec.encapsulation !== undefined &&
      spec.encapsulation !== 'auto' && { encapsulation: spec.encapsulation }),
    filters: spec.filters,
    options: peeringOptions(spec),
  };
}

function nextHop({ nextHopMode, keepOriginalNextHop = false }: BgpPeerSpec): BgpPeer['nextHop'] {
  if (nextHopMode !== undefined) return NEXT_HOPS[nextHopMode];
  return keepOriginalNextHop ? 'keep' : 'auto';
}

function peeringOptions(spec: BgpPeerSpec): PeeringOptions {
  const { maxPrefixes } = spec;
  const holdTimeSeconds =
    spec.keepaliveTime === undefined ? spec.holdTime : KEEPALIVES_PER_HOLD_TIME * spec.keepaliveTime;
  return {
    ...(spec.password !== undefined && { password: spec.password }),
    ...(spec.maxRestartTime !== undefined && { restartTimeSeconds: spec.maxRestartTime }),
    ...(holdTimeSeconds !== undefined && { holdTimeSeconds }),
    ...(spec.ttlSecurity !== undefined && { ttlSecurityHops: spec.ttlSecurity }),
    ...(spec.numAllowedLocalASNumbers !== undefined && { allowedOwnAs: spec.numAllowedLocalASNumbers }),
    ...(spec.passive && { passive: true as const }),
    ...(maxPrefixes !== undefined && {
      maxPrefixes: { limit: maxPrefixes.limit, action: PREFIX_ACTIONS[maxPrefixes.action] },
    }),
    ...(spec.role !== undefined && { role: ROLES[spec.role] }),
  };
}

function peerTarget(spec: BgpPeerSpec): PeerTarget {
  if (spec.peerIP !== undefined && spec.asNumber !== undefined) {
    return {
      type: 'address',
      ...spec.peerIP,
      asNumber: spec.asNumber,
      ...(spec.reachableBy !== undefined && { gateway: spec.reachableBy }),
    };
  }
  if (spec.peerRange !== undefined) {
    return {
      type: 'range',
      range: spec.peerRange,
      limit: spec.maxPeers ?? DEFAULT_MAX_PEERS,
      ...(spec.asNumber !== undefined && { asNumber: spec.asNumber }),
    };
  }
  return {
    type: 'nodes',
    selector: spec.peerSelector ?? { type: 'all' },
    peerBack: spec.reversePeering === 'Auto',
  };
}
