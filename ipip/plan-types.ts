/**
 * What the plan of a route rests on, and what a plan is.
 *
 * Owns: the shapes. Must not know: how a plan is made. Pure.
 */
import type { IpAddress, Ipv4 } from '../bgp/net/index.js';
import type { NodeEnd } from './encapsulation.js';
import type { InterfaceIndex, KernelNextHop, Lookup } from './kernel/kernel.js';
import type { SourceAddresses } from './source-address.js';
import type { EncapsulationOverride, NextHopStatus, PeerGateway, PoolFacts, RouteMode } from './types.js';

/** The tunnel as far as a route must know it. */
export type TunnelUse =
  | {
      readonly state: 'ready';
      readonly device: string;
      readonly interfaceIndex: InterfaceIndex;
      readonly mtuBytes: number;
      /** Absent while the device has none. */
      readonly address?: Ipv4;
      /** Why what is sent into it is dropped. Its routes stay: without them the packets would leave some other way. */
      readonly problem?: string;
    }
  /** `reason`: why packets cannot go through it. */
  | { readonly state: 'absent'; readonly device: string; readonly reason: string };

/** What the plan rests on. */
export interface HostFacts {
  readonly pools: readonly PoolFacts[];
  /** Peers that are reached through a gateway. */
  readonly gateways?: readonly PeerGateway[] | undefined;
  readonly tunnel: TunnelUse;
  /** How the kernel reaches each next hop. */
  readonly lookups: ReadonlyMap<IpAddress, Lookup>;
  readonly deviceNames: ReadonlyMap<InterfaceIndex, string>;
  /** This node, as it presents itself to the others. */
  readonly own: NodeEnd;
  /** What the operator set, by address of the next hop. */
  readonly overrides: ReadonlyMap<IpAddress, EncapsulationOverride>;
  /** Devices that carry nothing now: the cable is out, the other end is down. */
  readonly withoutCarrier: ReadonlySet<InterfaceIndex>;
  /** Absent: no route names a source. */
  readonly sources?: SourceAddresses;
}

/** Where a route leads; absent in a plan where it cannot be installed. */
export type RouteTarget =
  | { readonly type: 'blackhole'; readonly nextHops: readonly [] }
  | {
      readonly type: 'unicast';
      readonly nextHops: readonly KernelNextHop[];
      readonly source?: IpAddress;
      readonly mtuBytes?: number;
    };

export interface RoutePlan {
  readonly mode: RouteMode;
  readonly nextHops: readonly NextHopStatus[];
  readonly reason: string;
  /** Whether it needs the tunnel, be there one or not. */
  readonly needsTunnel: boolean;
  readonly target?: RouteTarget;
  /** Why packets do not get through, although the target can be installed. */
  readonly problem?: string;
}
