/** The routes that nodes and BIRD routers must have, and those that their kernels do have. */
import { mustRun, namespaceName } from './namespaces.js';
import {
  type BirdMachine,
  type Member,
  mainAddress,
  membersOf,
  modeTowards,
  onLinkWire,
  type Topology,
} from './topology.js';

/** By what the routes of a member's routing program are known. */
interface Signature {
  /** As `ip` names it: by number, or by the name in its rt_protos files. */
  readonly protocols: readonly (string | undefined)[];
  readonly metric: number;
  readonly tunnelDevice: string;
}

const SIGNATURES: Readonly<Record<Member['kind'], Signature>> = {
  // ARCHITECTURE.md; the name is written by packaging.
  node: { protocols: ['179', 'podroute'], metric: 2048, tunnelDevice: 'podroute0' },
  // BIRD's own values; the device is made by the script beside its configuration.
  'bird-node': { protocols: ['12', 'bird'], metric: 32, tunnelDevice: 'ipip0' },
};

/** A route as `ip -j route show` gives it. */
export interface KernelRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
  readonly metric?: number;
  readonly flags?: readonly string[];
}

/** What must be in a table; `allowedGateways` where there is more than one right answer. */
export interface ExpectedRoute {
  readonly prefix: string;
  /** `none`: there must be no route. */
  readonly mode: 'direct' | 'ipip' | 'blackhole' | 'none' | 'learned';
  readonly allowedGateways: readonly string[];
  /** Undefined: whoever made it. */
  readonly signature?: Signature;
}

/** The pod subnets of all other members, and its own as a blackhole beneath the bridge's. */
export function expectedOnMember(topology: Topology, member: Member): readonly ExpectedRoute[] {
  const signature = SIGNATURES[member.kind];
  return membersOf(topology).flatMap((owner) =>
    owner.podSubnets.map((subnet): ExpectedRoute => {
      const { prefix } = subnet;
      if (owner.name === member.name) return { prefix, mode: 'blackhole', allowedGateways: [], signature };
      const mode = modeTowards(member, owner, subnet);
      return { prefix, mode, allowedGateways: mode === 'none' ? [] : [mainAddress(owner)], signature };
    }),
  );
}

/**
 * Every pod subnet: by its owner where that is on a network of the router, be it announced by another node
 * (RFC 4271 §5.1.3), else by any neighbour.
 */
export function expectedOnBird(topology: Topology, router: BirdMachine): readonly ExpectedRoute[] {
  const members = membersOf(topology);
  const neighbors = members.filter(({ name }) => router.neighbors.includes(name));
  return members.flatMap((owner) => {
    const isNear = onLinkWire(router, mainAddress(owner)) !== undefined;
    const gateways = isNear ? [owner] : neighbors;
    return owner.podSubnets.map(({ prefix }): ExpectedRoute => {
      return { prefix, mode: 'learned', allowedGateways: gateways.map(mainAddress) };
    });
  });
}

/** The main table of a machine. */
export async function readRoutes(lab: string, machine: string): Promise<readonly KernelRoute[]> {
  const json = await mustRun(['ip', '-j', '-netns', namespaceName(lab, machine), 'route', 'show']);
  return JSON.parse(json);
}

/** Why a table does not hold `expected`; undefined where it does. */
export function missing(routes: readonly KernelRoute[], expected: ExpectedRoute): string | undefined {
  const there = routes.filter(({ dst }) => dst === expected.prefix);
  if (expected.mode === 'none' && there.length === 0) return undefined;
  if (there.some((route) => fulfils(route, expected))) return undefined;
  const wanted = describe(expected);
  return there.length === 0
    ? `no route to ${expected.prefix} (expected ${wanted})`
    : `${expected.prefix} is ${there.map(text).join(' and ')}, expected ${wanted}`;
}

function fulfils(route: KernelRoute, { mode, allowedGateways, signature }: ExpectedRoute): boolean {
  const isTheirs =
    signature === undefined ||
    (signature.protocols.includes(route.protocol) && route.metric === signature.metric);
  const isTunnel = route.dev === signature?.tunnelDevice;
  const gateway = route.gateway !== undefined && allowedGateways.includes(route.gateway);
  switch (mode) {
    case 'direct':
      return isTheirs && gateway && !isTunnel;
    case 'ipip':
      return isTheirs && gateway && isTunnel && (route.flags ?? []).includes('onlink');
    case 'blackhole':
      return isTheirs && route.type === 'blackhole';
    case 'none':
      return false;
    case 'learned':
      return gateway;
    default:
      return mode satisfies never;
  }
}

function describe({ mode, allowedGateways }: ExpectedRoute): string {
  const gateways = allowedGateways.length > 0 ? ` via ${allowedGateways.join(' or ')}` : '';
  return mode === 'learned' ? gateways.trim() : `${mode}${gateways}`;
}

function text({ type, gateway, dev, protocol, metric, flags }: KernelRoute): string {
  const parts = [
    type,
    gateway && `via ${gateway}`,
    dev && `dev ${dev}`,
    protocol && `proto ${protocol}`,
    metric && `metric ${metric}`,
    ...(flags ?? []),
  ];
  return parts.filter(Boolean).join(' ');
}
