/** Rows as an agent would hand them over: every field filled, with overrides. */
import type { AgentStatusRow, ApiSource, PeerRow, ReadinessRow, RouteRow } from '../../../api/index.js';

/** The present, for durations in tables. */
export const NOW = Date.parse('2026-01-02T03:10:00.000Z');
export const SINCE = '2026-01-02T03:06:48.000Z';

export function route(overrides: Partial<RouteRow> = {}): RouteRow {
  return {
    prefix: '10.244.3.0/24',
    learnedFrom: { peer: 'node-c', asn: 64512, type: 'ibgp' },
    nextHops: [
      { address: '192.168.2.13', device: 'podroute0', mode: 'ipip', peer: 'node-c', neighbour: null },
    ],
    mode: 'ipip',
    reason: 'the next hop is behind the gateway 192.168.1.254',
    kernel: {
      type: 'unicast',
      table: 254,
      protocol: 179,
      metric: 2048,
      source: '10.244.1.0',
      mtu: 1480,
      nextHops: [{ gateway: '192.168.2.13', device: 'podroute0', onlink: true, weight: 1, state: 'ok' }],
    },
    state: 'ok',
    since: SINCE,
    ...overrides,
  };
}

export const localRoute = route({
  prefix: '10.244.1.0/24',
  learnedFrom: null,
  nextHops: [],
  mode: 'local',
  reason: 'a block of this node',
  kernel: {
    type: 'blackhole',
    table: 254,
    protocol: 179,
    metric: 2048,
    source: null,
    mtu: null,
    nextHops: [{ gateway: null, device: null, onlink: false, weight: 1, state: 'ok' }],
  },
});

export const directRoute = route({
  prefix: '10.244.2.0/24',
  learnedFrom: { peer: 'node-b', asn: 64512, type: 'ibgp' },
  nextHops: [
    { address: '192.168.1.12', device: 'eth0', mode: 'direct', peer: 'node-b', neighbour: 'reachable' },
  ],
  mode: 'direct',
  reason: 'the next hop is on eth0',
});

export const unreachableRoute = route({
  prefix: '10.244.20.0/24',
  nextHops: [{ address: '192.168.9.9', device: null, mode: 'none', peer: null, neighbour: null }],
  mode: 'none',
  reason: 'no route to the next hop',
  kernel: null,
  state: 'failed',
});

export function peer(overrides: Partial<PeerRow> = {}): PeerRow {
  return {
    name: 'node-b',
    description: null,
    address: '192.168.1.12',
    port: 179,
    localAddress: '192.168.1.11',
    asn: 64512,
    localAs: 64512,
    type: 'ibgp',
    place: 'cluster',
    dial: 'delayed',
    state: 'Established',
    since: SINCE,
    direction: 'incoming',
    bgpIdentifier: '192.168.1.12',
    shutdown: { by: 'administrator', text: 'new cables', since: SINCE },
    lastError: { text: 'Hold Timer Expired', at: SINCE, direction: 'sent' },
    counters: {
      messagesIn: 12,
      messagesOut: 13,
      updatesIn: 3,
      updatesOut: 4,
      prefixesReceived: 6,
      prefixesAccepted: 5,
      prefixesRejected: 1,
      prefixesAdvertised: 2,
      flaps: 1,
    },
    capabilities: {
      ours: ['multiprotocol ipv4 unicast', 'route refresh'],
      theirs: ['multiprotocol ipv4 unicast'],
      negotiated: ['multiprotocol ipv4 unicast'],
    },
    timers: {
      holdTimeSeconds: 90,
      keepaliveSeconds: 30,
      configured: { holdTimeSeconds: 90, connectRetrySeconds: 5 },
    },
    families: ['ipv4'],
    endOfRib: [{ family: 'ipv4', received: true, sent: true }],
    rejected: [{ prefix: '0.0.0.0/0', reason: 'a default route' }],
    ...overrides,
  };
}

export const idlePeer = peer({
  name: 'tor',
  description: 'top of rack',
  address: '192.168.1.1',
  localAddress: null,
  asn: 65001,
  type: 'ebgp',
  place: 'outside',
  dial: 'now',
  state: 'Active',
  direction: null,
  bgpIdentifier: null,
  shutdown: null,
  lastError: null,
  capabilities: { ours: ['route refresh'], theirs: null, negotiated: [] },
  timers: {
    holdTimeSeconds: null,
    keepaliveSeconds: null,
    configured: { holdTimeSeconds: 90, connectRetrySeconds: 5 },
  },
  families: [],
  endOfRib: [],
  rejected: [],
});

export function status(overrides: Partial<AgentStatusRow> = {}): AgentStatusRow {
  return {
    node: 'node-a',
    version: '0.1.0',
    startedAt: '2026-01-02T03:00:00.000Z',
    uptimeSeconds: 600,
    localAs: 64512,
    bgpIdentifier: '192.168.1.11',
    listen: ['192.168.1.11:179'],
    datastore: {
      source: 'file:/etc/podroute/cluster.yaml',
      state: 'failed',
      since: SINCE,
      reason: null,
      notes: [],
      lastError: { text: 'the file is gone', at: SINCE },
    },
    cluster: {
      address: { address: '192.168.1.11/24', interface: 'eth0', reason: 'first-found' },
      alternatives: [{ address: '172.17.0.1/16', interface: 'docker0', reason: 'a container bridge' }],
      silent: ['node-c'],
      gone: ['node-d'],
    },
    dataplane: {
      enabled: true,
      tunnel: { device: 'podroute0', address: '10.244.1.0', mtu: 1480, state: 'up' },
      drift: 1,
      failures: 2,
      lastError: { text: 'no such device', at: SINCE },
      nat: {
        state: 'failed',
        pools: ['10.244.0.0/16'],
        reason: 'nft is not installed: install the package nftables',
        repairs: 2,
      },
      settings: [{ name: 'net.ipv4.ip_forward', value: '1', before: '0' }],
    },
    pods: { subnets: ['10.244.1.0/24'], mtu: 1480 },
    counts: { peers: 2, peersEstablished: 1, routes: 4, routesOk: 3 },
    config: { generation: 3, loadedAt: SINCE },
    configErrors: ['cluster.yaml:12: spec.cidr: not a prefix'],
    alarms: [{ text: '10.244.1.0/24 is announced by node-b too', since: SINCE }],
    ...overrides,
  };
}

export const READY: ReadinessRow = { ready: true, reasons: [], details: [] };
export const NOT_READY: ReadinessRow = {
  ready: false,
  reasons: ['no peer is established'],
  details: ['10.244.1.0/24 is announced by node-b too'],
};

export interface SourceRows {
  routes: readonly RouteRow[];
  peers: readonly PeerRow[];
  status: AgentStatusRow;
  ready: ReadinessRow;
}

/** A source whose rows a test may replace between two requests. */
export function sourceOf(overrides: Partial<SourceRows> = {}): ApiSource & { rows: SourceRows } {
  const rows: SourceRows = {
    routes: [unreachableRoute, route(), localRoute, directRoute],
    peers: [idlePeer, peer()],
    status: status(),
    ready: READY,
    ...overrides,
  };
  return {
    rows,
    routes: () => rows.routes,
    peers: () => rows.peers,
    status: () => rows.status,
    ready: () => rows.ready,
  };
}
