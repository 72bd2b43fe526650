/**
 * What the data plane tells its owner for the log: one event for what an operator acts on, never one per route.
 *
 * Owns: the events. Must not know: loggers and levels; the agent chooses those.
 */
import type { IpAddress, Prefix } from '../bgp/net/index.js';
import type { Lookup } from './kernel/kernel.js';
import type { NatFamily } from './nat-rules.js';
import type { PoolConflict, TunnelStatus } from './types.js';

export type DataplaneEvent =
  /** The kernel was read; `leftoverRoutes` of an earlier run stay in use until they are confirmed or swept. */
  | { readonly kind: 'started'; readonly leftoverRoutes: number }
  /** Routes that cannot be installed or whose device has no carrier, grouped by what stops them. `examples` holds the first few. */
  | {
      readonly kind: 'routesFailed';
      /** `KERNEL_...`, or absent where the plan itself has no way. */
      readonly code?: string;
      readonly reason: string;
      readonly count: number;
      readonly examples: readonly Prefix[];
    }
  /** Routes that failed before and are in order now. */
  | { readonly kind: 'routesRecovered'; readonly count: number; readonly examples: readonly Prefix[] }
  /** Another program holds these prefixes at our metric. */
  | { readonly kind: 'routesInConflict'; readonly count: number; readonly examples: readonly Prefix[] }
  /** Another program's better-metric routes win over ours. */
  | { readonly kind: 'routesShadowed'; readonly count: number; readonly examples: readonly Prefix[] }
  /** A next hop is reached in another way than before, and its routes follow. */
  | {
      readonly kind: 'nextHopChanged';
      readonly nextHop: IpAddress;
      readonly from: Lookup['kind'];
      readonly to: Lookup['kind'];
    }
  | { readonly kind: 'tunnelChanged'; readonly tunnel: TunnelStatus }
  /** The MTU that pods can use is known, or another one. */
  | { readonly kind: 'podMtuChanged'; readonly mtuBytes: number }
  /** Which pools share addresses with what this machine reaches in another way; none: that is over. */
  | { readonly kind: 'poolConflictsChanged'; readonly conflicts: readonly PoolConflict[] }
  /** The rules of outgoing NAT were loaded, for these pools; none: they were removed. */
  | {
      readonly kind: 'natChanged';
      readonly family: NatFamily;
      readonly masqueraded: readonly Prefix[];
    }
  /** Another program had changed or removed them. */
  | { readonly kind: 'natRepaired'; readonly family: NatFamily }
  /** They cannot be loaded, or not be looked at; it is tried again. */
  | { readonly kind: 'natFailed'; readonly reason: string }
  /** A read-back found own routes missing or altered; they are being put right. */
  | { readonly kind: 'drift'; readonly count: number; readonly examples: readonly Prefix[] }
  /** Routes of an earlier run that nobody announced again, removed; `why`: what let us conclude that. */
  | { readonly kind: 'swept'; readonly count: number; readonly why: 'endOfRib' | 'allComplete' | 'timeout' }
  /** A kernel setting was changed so that packets are forwarded, or put back because that is not needed any more. */
  | { readonly kind: 'settingChanged'; readonly setting: string; readonly from: string; readonly to: string }
  /** A setting that we changed is not needed any more, but somebody else has changed it since: it stays. */
  | {
      readonly kind: 'settingLeft';
      readonly setting: string;
      readonly value: string;
      readonly original: string;
    }
  /** A kernel setting stands in the way, and cannot be changed. */
  | {
      readonly kind: 'settingWrong';
      readonly setting: string;
      readonly value: string;
      readonly remedy: string;
    }
  /** The kernel could not be read; it is tried again. */
  | { readonly kind: 'kernelUnreadable'; readonly code: string; readonly reason: string }
  /** It can be read again, after so many failures. */
  | { readonly kind: 'kernelReadable'; readonly failures: number }
  /** Kernel events were lost in a burst; the tables are read again. */
  | { readonly kind: 'eventsLost' };
