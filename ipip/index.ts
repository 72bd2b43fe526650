/**
 * The door of ipip: the data plane. It is told what is reachable, and makes the kernel's routes and tunnel so.
 */
export { type CleanupItem, type CleanupParts, cleanUp } from './cleanup.js';
export { Dataplane, type DataplaneOptions } from './dataplane.js';
export type { DataplaneEvent } from './events.js';
export { type InterfaceTable, InterfaceWatch } from './interface-watch.js';
export { KernelError } from './kernel/errors.js';
export type { Kernel, Sysctl } from './kernel/kernel.js';
export { nftables } from './kernel/nft.js';
export { rtnetlinkKernel } from './kernel/rtnetlink.js';
export { procSysctl } from './kernel/sysctl.js';
export { type NatStatus, OutgoingNat } from './nat.js';
export type { NatFacts } from './nat-rules.js';
export { readRoutes } from './read-routes.js';
export {
  type SettingChange,
  SettingRecord,
  SettingRecordError,
  type SettingStore,
  type SettingsKept,
  settingText,
} from './setting-record.js';
export {
  type Clock,
  type DataplaneCounters,
  type DataplaneSettings,
  defaultDataplaneSettings,
  type EncapsulationOverride,
  type IpipMode,
  type KernelRouteStatus,
  type LearnedNextHop,
  type LearnedRoute,
  type NextHopFacts,
  type NextHopStatus,
  type NodeFacts,
  type PeerGateway,
  type PeerProgress,
  type PoolConflict,
  type PoolFacts,
  type RouteChange,
  type RouteMode,
  type RouteSource,
  type RouteState,
  type RouteStatus,
  type TunnelStatus,
} from './types.js';
