/**
 * Everything the data plane knows of one prefix, and how that reads from outside.
 *
 * Owns: the entry, its mode, state and sentence. Must not know: how it came to be. Pure but for the entry it is given.
 */
import { formatIpAddress, type Prefix } from '../bgp/net/index.js';
import type { InterfaceIndex, KernelRoute, NeighbourState } from './kernel/kernel.js';
import { neighbourProblem, type Taker } from './neighbours.js';
import type { RoutePlan } from './plan-types.js';
import type {
  KernelRouteStatus,
  LearnedNextHop,
  LearnedRoute,
  NextHopStatus,
  PeerGateway,
  RouteMode,
  RouteState,
  RouteStatus,
} from './types.js';

/** An operation that the kernel refused. */
export interface RouteFailure {
  readonly code: string;
  readonly reason: string;
  /** Refusals in a row, from 1. */
  readonly attempts: number;
  readonly retryAtMs: number;
}

/** One prefix that is wanted, or that has a route of ours in the kernel. */
export interface RouteEntry {
  readonly prefix: Prefix;
  learned: LearnedRoute | undefined;
  /** One of this node's own subnets; wins over anything learned. */
  isOwn: boolean;
  /** The address of a peer that is reached through a gateway; wins over anything learned. */
  gateway: PeerGateway | undefined;
  /** Found at start, installed by an earlier run, not confirmed yet. */
  isLeftover: boolean;
  plan: RoutePlan | undefined;
  /** Our route as the kernel holds it. */
  installed: KernelRoute | undefined;
  /** A foreign route at our key. */
  conflict: KernelRoute | undefined;
  /** A foreign route that wins over ours. */
  shadow: KernelRoute | undefined;
  failure: RouteFailure | undefined;
  mode: RouteMode;
  state: RouteState;
  /** The sentence of this mode and state. */
  reason: string;
  /** Since when mode and state are what they are. */
  sinceMs: number;
}

/** What the words need to know of this machine. */
export interface StatusContext {
  readonly deviceNames: ReadonlyMap<InterfaceIndex, string>;
  readonly tunnelDevice: string;
  /** The machine that takes the packets for a next hop, and what the kernel knows of it; absent: nobody asks. */
  readonly takerOf?: (nextHop: NextHopStatus) => Taker | undefined;
  readonly neighbourOf?: (taker: Taker) => NeighbourState | undefined;
}

export function newEntry(prefix: Prefix, nowMs: number): RouteEntry {
  return {
    prefix,
    learned: undefined,
    isOwn: false,
    gateway: undefined,
    isLeftover: false,
    plan: undefined,
    installed: undefined,
    conflict: undefined,
    shadow: undefined,
    failure: undefined,
    mode: 'none',
    state: 'pending',
    reason: 'not looked at yet',
    sinceMs: nowMs,
  };
}

/** True where the prefix shall have a route. */
export function isWanted(entry: RouteEntry): boolean {
  return entry.isOwn || entry.gateway !== undefined || entry.learned !== undefined;
}

/** True where the entry stands for something: else nothing is wanted and nothing is there. */
export function isNeeded(entry: RouteEntry): boolean {
  return isWanted(entry) || entry.installed !== undefined;
}

/** Puts mode, state and reason right. @returns the state before, where any of the three changed */
export function refresh(entry: RouteEntry, context: StatusContext, nowMs: number): RouteState | undefined {
  const before = entry.state;
  const { mode, state, reason } = judge(entry, context);
  if (entry.mode !== mode || before !== state) {
    entry.mode = mode;
    entry.state = state;
    entry.sinceMs = nowMs;
  } else if (entry.reason === reason) {
    return undefined;
  }
  entry.reason = reason;
  return before;
}

interface Judgement {
  readonly mode: RouteMode;
  readonly state: RouteState;
  readonly reason: string;
}

function judge(entry: RouteEntry, context: StatusContext): Judgement {
  const { plan, failure, conflict, shadow, installed } = entry;
  if (!isWanted(entry)) return judgeUnwanted(entry, context);
  if (plan === undefined) return { mode: 'none', state: 'pending', reason: 'not planned yet' };
  const { mode, reason } = plan;
  if (plan.target === undefined) return { mode, state: 'failed', reason };
  if (conflict !== undefined) {
    return {
      mode,
      state: 'conflict',
      reason: `not installed: another program (protocol ${conflict.protocol}) has a route to this prefix at our metric ${conflict.metric}`,
    };
  }
  if (failure !== undefined) return { mode, state: 'failed', reason: `${reason}; ${failure.reason}` };
  if (installed === undefined) return { mode, state: 'pending', reason };
  if (plan.problem !== undefined) return { mode, state: 'failed', reason: `${reason}; ${plan.problem}` };
  if (shadow !== undefined) {
    const isConnected =
      shadow.type === 'unicast' && shadow.nextHops.every((hop) => hop.gateway === undefined);
    if (entry.isOwn && isConnected) {
      return {
        mode: 'local',
        state: 'ok',
        reason: `own subnet, connected to ${deviceText(shadow, context)}`,
      };
    }
    return {
      mode,
      state: 'shadowed',
      reason: `${reason}; a route of another program (protocol ${shadow.protocol}, metric ${shadow.metric}, ${leadsTo(shadow, context)}) wins`,
    };
  }
  if (entry.isOwn) return { mode, state: 'blackhole', reason };
  if (entry.learned?.stale === true && entry.gateway === undefined) {
    return { mode, state: 'stale', reason: `${reason}; kept while its peer restarts` };
  }
  return { mode, state: 'ok', reason };
}

/** A route of ours that nobody wants: an earlier run's, or one on its way out. */
function judgeUnwanted(entry: RouteEntry, context: StatusContext): Judgement {
  const { installed, failure } = entry;
  if (installed === undefined) return { mode: 'none', state: 'pending', reason: 'withdrawn' };
  const hops = installedNextHops(installed, context);
  const mode: RouteMode =
    installed.type === 'blackhole'
      ? 'blackhole'
      : hops.some((hop) => hop.mode === 'ipip')
        ? 'ipip'
        : hops.length > 0
          ? 'direct'
          : 'none';
  if (entry.isLeftover) {
    return {
      mode,
      state: 'stale',
      reason: 'in use since an earlier run of the agent, and not announced again yet',
    };
  }
  return failure === undefined
    ? { mode, state: 'pending', reason: 'withdrawn, being removed' }
    : { mode, state: 'failed', reason: `withdrawn, but it cannot be removed: ${failure.reason}` };
}

/** The next hops of a route that has no plan, by where the kernel sends its packets. */
function installedNextHops(installed: KernelRoute, context: StatusContext): readonly NextHopStatus[] {
  return installed.nextHops.flatMap((hop): NextHopStatus[] => {
    if (hop.gateway === undefined) return [];
    const device = hop.interfaceIndex === undefined ? undefined : context.deviceNames.get(hop.interfaceIndex);
    return [
      {
        address: hop.gateway,
        ...(device === undefined ? {} : { device }),
        mode: device === context.tunnelDevice ? 'ipip' : 'direct',
      },
    ];
  });
}

/** The next hops with what is known of their neighbours at this moment, and the sentences about those that fail. */
function withNeighbours(
  nextHops: readonly NextHopStatus[],
  { takerOf, neighbourOf }: StatusContext,
): { readonly nextHops: readonly NextHopStatus[]; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const shown = nextHops.map((nextHop): NextHopStatus => {
    const taker = nextHop.mode === 'none' ? undefined : takerOf?.(nextHop);
    const neighbour = taker && neighbourOf?.(taker);
    if (taker === undefined || neighbour === undefined) return nextHop;
    const problem = neighbourProblem(taker, neighbour);
    // Next hops behind one gateway share its failure.
    if (problem !== undefined && !problems.includes(problem)) problems.push(problem);
    return { ...nextHop, neighbour };
  });
  return { nextHops: shown, problems };
}

/** The entry as the door shows it. */
export function statusOf(entry: RouteEntry, context: StatusContext): RouteStatus {
  const { prefix, mode, state, reason, sinceMs, learned, installed } = entry;
  const isLearned = learned !== undefined && !entry.isOwn && entry.gateway === undefined;
  const { nextHops, problems } = withNeighbours(
    isWanted(entry) || installed === undefined
      ? withPeers(entry.plan?.nextHops ?? [], isLearned ? learned : undefined)
      : installedNextHops(installed, context),
    context,
  );
  return {
    prefix,
    ...(isLearned ? { learnedFrom: learned.learnedFrom } : {}),
    nextHops,
    mode,
    reason: problems.length === 0 ? reason : [reason, ...problems].join('; '),
    ...(installed === undefined ? {} : { kernel: kernelStatus(installed, context.deviceNames) }),
    state,
    sinceMs,
  };
}

/** Plans are shared by routes with the same next hops; who told of them differs from route to route. */
function withPeers(
  nextHops: readonly NextHopStatus[],
  learned: LearnedRoute | undefined,
): readonly NextHopStatus[] {
  return nextHops.map((nextHop) => {
    const isIt = ({ address, linkLocal }: LearnedNextHop) =>
      address === nextHop.address || linkLocal === nextHop.address;
    const peer = learned?.nextHops.find(isIt)?.peer;
    return peer === undefined ? nextHop : { ...nextHop, peer };
  });
}

function deviceText(route: KernelRoute, context: StatusContext): string {
  const index = route.nextHops[0]?.interfaceIndex;
  return (index === undefined ? undefined : context.deviceNames.get(index)) ?? 'this node';
}

function leadsTo(route: KernelRoute, context: StatusContext): string {
  if (route.type !== 'unicast') return route.type;
  const gateway = route.nextHops[0]?.gateway;
  return gateway === undefined
    ? `dev ${deviceText(route, context)}`
    : `via ${formatIpAddress(gateway)} dev ${deviceText(route, context)}`;
}

/** A route of the kernel with device names in place of numbers. */
export function kernelStatus(
  route: KernelRoute,
  deviceNames: ReadonlyMap<InterfaceIndex, string>,
): KernelRouteStatus {
  return {
    type: route.type,
    table: route.table,
    protocol: route.protocol,
    metric: route.metric,
    ...(route.source === undefined ? {} : { source: route.source }),
    ...(route.mtuBytes === undefined ? {} : { mtuBytes: route.mtuBytes }),
    nextHops: route.nextHops.map((hop) => {
      const device = hop.interfaceIndex === undefined ? undefined : deviceNames.get(hop.interfaceIndex);
      return {
        ...(hop.gateway === undefined ? {} : { gateway: hop.gateway }),
        ...(device === undefined ? {} : { device }),
        onlink: hop.onlink,
        ...(hop.weight === undefined ? {} : { weight: hop.weight }),
        ...(hop.state === undefined ? {} : { state: hop.state }),
      };
    }),
  };
}
