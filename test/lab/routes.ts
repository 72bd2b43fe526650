/** The routes that nodes and BIRD routers must have, and those that their kernels do have. */
import { mustRun, namespaceName } from './namespaces.js';
import {
  type BirdMachine,
  machinesOf,
  mainAddress,
  type NodeMachine,
  sharedNetwork,
  type Topology,
} from './topology.js';

/** The agent's tunnel device, route protocol and metric: ARCHITECTURE.md. */
const TUNNEL_DEVICE = 'podroute0';
/** As `ip` names it: by number, or by the name that packaging writes to rt_protos.d. */
const ROUTE_PROTOCOL: readonly (string | undefined)[] = ['179', 'podroute'];
const ROUTE_METRIC = 2048;

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
  readonly mode: 'direct' | 'ipip' | 'blackhole' | 'learned';
  readonly allowedGateways: readonly string[];
}

/** The pod subnets of all other nodes, and the node's own as a blackhole beneath the bridge's. */
export function expectedOnNode(topology: Topology, node: NodeMachine): readonly ExpectedRoute[] {
  return machinesOf(topology, 'node').map((owner): ExpectedRoute => {
    const prefix = owner.podSubnet;
    if (owner.name === node.name) return { prefix, mode: 'blackhole', allowedGateways: [] };
    const mode = sharedNetwork(node, owner) === undefined ? 'ipip' : 'direct';
    return { prefix, mode, allowedGateways: [mainAddress(owner)] };
  });
}

/** Every pod subnet: by its owner where that is a neighbour, else by any neighbour. */
export function expectedOnBird(topology: Topology, router: BirdMachine): readonly ExpectedRoute[] {
  const nodes = machinesOf(topology, 'node');
  const neighbors = nodes.filter(({ name }) => router.neighbors.includes(name));
  return nodes.map((owner): ExpectedRoute => {
    const gateways = neighbors.includes(owner) ? [owner] : neighbors;
    return { prefix: owner.podSubnet, mode: 'learned', allowedGateways: gateways.map(mainAddress) };
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
  if (there.some((route) => fulfils(route, expected))) return undefined;
  const wanted = describe(expected);
  return there.length === 0
    ? `no route to ${expected.prefix} (expected ${wanted})`
    : `${expected.prefix} is ${there.map(text).join(' and ')}, expected ${wanted}`;
}

function fulfils(route: KernelRoute, expected: ExpectedRoute): boolean {
  const ours = ROUTE_PROTOCOL.includes(route.protocol) && route.metric === ROUTE_METRIC;
  const gateway = route.gateway !== undefined && expected.allowedGateways.includes(route.gateway);
  switch (expected.mode) {
    case 'direct':
      return ours && gateway && route.dev !== TUNNEL_DEVICE;
    case 'ipip':
      return ours && gateway && route.dev === TUNNEL_DEVICE && (route.flags ?? []).includes('onlink');
    case 'blackhole':
      return ours && route.type === 'blackhole';
    case 'learned':
      return gateway;
    default:
      return expected.mode satisfies never;
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
