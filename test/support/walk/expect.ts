/**
 * What a world must have come to when all is quiet: every route of every kernel, every row of every API, every session;
 * and the difference between that and what is seen.
 *
 * Owns: the expectation and the comparison. Must not know: where the observations come from. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { foreignWords } from './foreign.js';
import { BETTER_METRIC, type NodePlan, OUR_METRIC, type World } from './world.js';

const OURS = 'proto 179';
const UNDERLAY = 'eth0';
const TUNNEL = 'podroute0';
const OUTER_HEADER_BYTES = 20;
const OUTER_TTL = 64;

/** A row of `GET /routes`, as far as it is compared. */
export interface SeenRoute {
  readonly prefix: string;
  readonly mode: string;
  readonly state: string;
  readonly reason: string;
  readonly learnedFrom: { readonly peer: string } | null;
  readonly nextHops: readonly { readonly address: string }[];
  readonly kernel: {
    readonly type: string;
    readonly protocol: number;
    readonly metric: number;
    readonly nextHops: readonly {
      readonly gateway: string | null;
      readonly device: string | null;
      readonly onlink: boolean;
    }[];
  } | null;
}

/** What the tunnel device is and must be. */
export interface TunnelDevice {
  readonly local: string;
  readonly ttl: number;
  readonly mtuBytes: number;
  readonly addresses: readonly string[];
}

/** A node as its API and its administrator see it. */
export interface Seen {
  /** Routes of the main table that the kernel did not make itself, as `ip -N route` words them; absent: not looked at. */
  readonly lines?: readonly string[];
  /** Absent: the agent does not run. */
  readonly agent?: {
    readonly routes: readonly SeenRoute[];
    readonly peers: readonly { readonly address: string; readonly state: string }[];
    /** It has not run for so long that it must have let go of what an earlier run left. */
    readonly isFresh: boolean;
    readonly tunnel: {
      readonly address: string | null;
      readonly mtu: number | null;
      readonly state: string;
    } | null;
  };
  /** The tunnel device; absent: there is none. */
  readonly tunnel?: TunnelDevice & { readonly up: boolean };
}

interface ExpectedRow {
  readonly mode: string;
  readonly state: string;
  /** The line of ours in the kernel; absent: none. */
  readonly line?: string;
  readonly nextHop?: string;
}

/** Everything that is not as it must be, a sentence each. */
export function differences(world: World, plan: NodePlan, seen: Seen): readonly string[] {
  const state = world.state(plan.name);
  const faults: string[] = [];
  const fault = (text: string) => faults.push(`${plan.name}: ${text}`);
  const lines = seen.lines?.map(bare);
  if (lines !== undefined) foreignDifferences(world, plan, lines, fault);
  if (!state.agent) return faults;
  if (seen.agent === undefined) return [...faults, `${plan.name}: the agent does not answer`];

  const expected = expectedRows(world, plan);
  // An agent that reaches nobody takes away nothing that an earlier run left; others wait a while for who is missing.
  const mayKeep = seen.agent.isFresh || ![...expectedSessions(world, plan).values()].includes(true);
  const kept = seen.agent.routes.filter(
    ({ prefix, state: shown, learnedFrom }) =>
      mayKeep && !expected.has(prefix) && shown === 'stale' && learnedFrom === null,
  );
  if (lines !== undefined) {
    const wanted = [
      ...[...expected.values()].flatMap(({ line }) => line ?? []),
      ...kept.flatMap(({ prefix, kernel }) => kernelLine(prefix, kernel) ?? []),
    ];
    compareSets('our route', wanted, lines.filter(isOurs), fault);
  }
  for (const [prefix, row] of expected) {
    const shown = seen.agent.routes.find((route) => route.prefix === prefix);
    const problem = shown === undefined ? 'is missing' : rowFault(prefix, row, shown);
    if (problem !== undefined) fault(`/routes ${prefix} ${problem}`);
  }
  for (const route of seen.agent.routes) {
    if (!expected.has(route.prefix) && !kept.includes(route)) {
      fault(`/routes has ${route.prefix}, ${route.mode} ${route.state} (${route.reason})`);
    }
  }
  for (const [address, isUp] of expectedSessions(world, plan)) {
    const shown = seen.agent.peers.find((peer) => peer.address === address)?.state ?? 'absent';
    if ((shown === 'Established') !== isUp) {
      fault(`/peers ${address} is ${shown}, must ${isUp ? '' : 'not '}be Established`);
    }
  }
  const problem = tunnelFault(world, plan, seen.tunnel, seen.agent.tunnel);
  if (problem !== undefined) fault(problem);
  return faults;
}

/** Routes of other programs and of the administrator: whatever the agent does, they are untouched. */
function foreignDifferences(
  world: World,
  plan: NodePlan,
  lines: readonly string[],
  fault: (text: string) => void,
): void {
  const { foreign, defaultRoute } = world.state(plan.name);
  const wanted = foreign.map((route) => foreignWords(plan, route));
  const isDefault = (line: string) => line.startsWith('default ');
  const found = lines.filter((line) => !isOurs(line) && !isDefault(line));
  compareSets('a foreign route', wanted, found, fault);
  const hasDefault = lines.some((line) => line.startsWith(`default via ${plan.gateway} `));
  if (hasDefault !== defaultRoute) fault(`the default route is ${hasDefault ? 'there' : 'gone'}`);
}

/** Without the source and the MTU that a route names: what they must be is for other tests. */
function bare(line: string): string {
  return line.replace(/ (src|mtu) \S+/g, '');
}

function isOurs(line: string): boolean {
  return line.includes(` ${OURS} `);
}

function compareSets(
  what: string,
  wanted: readonly string[],
  found: readonly string[],
  fault: (text: string) => void,
): void {
  for (const line of wanted) if (!found.includes(line)) fault(`${what} is missing: ${line}`);
  for (const line of found) if (!wanted.includes(line)) fault(`${what} too many: ${line}`);
  if (new Set(found).size !== found.length) fault(`${what} is there twice: ${found.join('; ')}`);
}

function expectedRows(world: World, plan: NodePlan): ReadonlyMap<string, ExpectedRow> {
  const rows = new Map<string, ExpectedRow>();
  for (const prefix of world.blocks(plan)) rows.set(prefix, ownRow(world, plan, prefix));
  for (const peer of world.plans) {
    if (!world.hasSession(plan, peer)) continue;
    for (const prefix of world.blocks(peer)) rows.set(prefix, learnedRow(world, plan, peer, prefix));
  }
  return rows;
}

function ownRow(world: World, plan: NodePlan, prefix: string): ExpectedRow {
  const { bridge } = world.state(plan.name);
  if (hasForeign(world, plan, prefix, OUR_METRIC)) return { mode: 'blackhole', state: 'conflict' };
  const line = `blackhole ${prefix} ${OURS} metric ${OUR_METRIC}`;
  // The connected route of the bridge has metric 0: nothing is better.
  if (bridge && prefix === plan.block) return { mode: 'local', state: 'ok', line };
  const isShadowed = hasForeign(world, plan, prefix, BETTER_METRIC);
  return { mode: 'blackhole', state: isShadowed ? 'shadowed' : 'blackhole', line };
}

function learnedRow(world: World, plan: NodePlan, peer: NodePlan, prefix: string): ExpectedRow {
  const isDirect = plan.network === peer.network;
  const way = isDirect ? UNDERLAY : TUNNEL;
  const row = { mode: isDirect ? 'direct' : 'ipip', nextHop: peer.address };
  if (hasForeign(world, plan, prefix, OUR_METRIC)) return { ...row, state: 'conflict' };
  return {
    ...row,
    state: hasForeign(world, plan, prefix, BETTER_METRIC) ? 'shadowed' : 'ok',
    line: `${prefix} via ${peer.address} dev ${way} ${OURS} metric ${OUR_METRIC}${isDirect ? '' : ' onlink'}`,
  };
}

function hasForeign(world: World, { name }: NodePlan, prefix: string, metric: number): boolean {
  return world.state(name).foreign.some((route) => route.prefix === prefix && route.metric === metric);
}

function rowFault(prefix: string, expected: ExpectedRow, shown: SeenRoute): string | undefined {
  const line = kernelLine(prefix, shown.kernel);
  const isRight =
    shown.mode === expected.mode &&
    shown.state === expected.state &&
    line === expected.line &&
    shown.nextHops.map(({ address }) => address).join() === (expected.nextHop ?? '');
  if (isRight) return undefined;
  const wanted = `${expected.mode} ${expected.state}, ${expected.line ?? 'nothing'}`;
  return `is ${shown.mode} ${shown.state}, ${line ?? 'nothing'} (${shown.reason}); must be ${wanted}`;
}

/** The `kernel` of a row in the words of `ip -N route`. */
function kernelLine(prefix: string, kernel: SeenRoute['kernel']): string | undefined {
  if (kernel === null) return undefined;
  const [hop] = kernel.nextHops;
  return [
    ...(kernel.type === 'unicast' ? [] : [kernel.type]),
    prefix,
    ...(hop?.gateway == null ? [] : ['via', hop.gateway]),
    ...(hop?.device == null ? [] : ['dev', hop.device]),
    `proto ${kernel.protocol} metric ${kernel.metric}`,
    ...(hop?.onlink === true ? ['onlink'] : []),
  ].join(' ');
}

/** Address -> whether there must be a session; peers that the node does not have are not named. */
function expectedSessions(world: World, plan: NodePlan): ReadonlyMap<string, boolean> {
  const sessions = new Map<string, boolean>();
  for (const peer of world.plans) {
    if (peer !== plan) sessions.set(peer.address, world.hasSession(plan, peer));
  }
  if (world.router !== undefined) sessions.set(world.router.address, world.hasRouterSession(plan));
  return sessions;
}

function tunnelFault(
  world: World,
  plan: NodePlan,
  device: Seen['tunnel'],
  told: NonNullable<Seen['agent']>['tunnel'],
): string | undefined {
  const { address, mtuBytes } = world.state(plan.name);
  const wanted: TunnelDevice = {
    local: plan.address,
    ttl: OUTER_TTL,
    // Without the node's address no link tells the underlay's MTU: that of the device stays as it is.
    mtuBytes: address || device === undefined ? mtuBytes - OUTER_HEADER_BYTES : device.mtuBytes,
    addresses: [plan.block.replace('/24', '/32')],
  };
  const isDeviceRight = isDeepStrictEqual(device, { ...wanted, up: true });
  const isToldRight = told?.mtu === wanted.mtuBytes && `${told.address}/32` === wanted.addresses[0];
  // The kernel sends nothing from an outer source that it does not have.
  if (isDeviceRight && isToldRight && (told.state === 'up') === address) return undefined;
  const texts = [device, told, wanted].map((value) => JSON.stringify(value ?? null));
  return `the tunnel is ${texts[0]} and told as ${texts[1]}; must be ${texts[2]}`;
}

/** The pod subnets that the router must have, with the gateways that are right for each. */
export function expectedOnRouter(world: World): ReadonlyMap<string, readonly string[]> {
  const routes = new Map<string, readonly string[]>();
  const teachers = world.plans.filter((plan) => world.hasRouterSession(plan));
  for (const owner of world.plans) {
    const gateways = teachers.filter((teacher) => teacher === owner || world.hasSession(teacher, owner));
    if (gateways.length === 0) continue;
    // Whoever shares the router's network is named as the next hop itself (RFC 4271 section 5.1.3).
    const isNear = teachers.some((teacher) => teacher.network === owner.network);
    const addresses = isNear ? [owner.address] : gateways.map(({ address }) => address);
    for (const prefix of world.blocks(owner)) routes.set(prefix, addresses);
  }
  return routes;
}

/** What is wrong with the routes of protocol BIRD on the router. */
export function routerDifferences(
  world: World,
  found: readonly { readonly dst: string; readonly gateway?: string }[],
): readonly string[] {
  const expected = expectedOnRouter(world);
  const name = world.router?.name ?? 'router';
  const faults: string[] = [];
  for (const [prefix, gateways] of expected) {
    const gateway = found.find(({ dst }) => dst === prefix)?.gateway;
    if (gateway === undefined || !gateways.includes(gateway)) {
      faults.push(`${name}: ${prefix} is via ${gateway ?? 'nobody'}, must be via ${gateways.join(' or ')}`);
    }
  }
  for (const { dst } of found) if (!expected.has(dst)) faults.push(`${name}: ${dst} is too many`);
  return faults;
}
