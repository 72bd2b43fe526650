/**
 * The metrics of the agent: one table of names, and one loop that fills them from a snapshot.
 *
 * Owns: names, labels and meaning. Must not know: where the snapshot comes from. Labels are of low cardinality: the peer,
 * the state, the mode; never a prefix.
 */
import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import {
  type AgentStatusRow,
  PEER_STATES,
  type PeerRow,
  ROUTE_MODES,
  ROUTE_STATES,
  type RouteRow,
} from './schemas/index.js';

export interface MetricsSnapshot {
  readonly routes: readonly RouteRow[];
  readonly peers: readonly PeerRow[];
  readonly status: AgentStatusRow;
  readonly ready: boolean;
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric {
  /** A counter ends in `_total` and only grows while the agent runs. */
  readonly type: 'gauge' | 'counter';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  read(snapshot: MetricsSnapshot): readonly Sample[];
}

/** Everything named `podroute_`. */
export const METRICS: readonly Metric[] = [
  {
    type: 'gauge',
    name: 'podroute_info',
    help: 'Always 1; the labels say which agent this is.',
    labels: ['node', 'version'],
    read: ({ status: { node, version } }) => [{ labels: { node, version }, value: 1 }],
  },
  single('gauge', 'podroute_ready', '1 where /readyz says so.', ({ ready }) => Number(ready)),

  perPeer('gauge', 'podroute_bgp_peer_up', '1 where the session is established.', (peer) =>
    Number(peer.state === 'Established'),
  ),
  perPeer(
    'gauge',
    'podroute_bgp_peer_state',
    '1 Idle, 2 Connect, 3 Active, 4 OpenSent, 5 OpenConfirm, 6 Established (RFC 4273).',
    (peer) => PEER_STATES.indexOf(peer.state) + 1,
  ),
  perPeer(
    'counter',
    'podroute_bgp_session_flaps_total',
    'How often an established session ended.',
    ({ counters }) => counters.flaps,
  ),
  perPeer(
    'counter',
    'podroute_bgp_messages_received_total',
    'BGP messages of all types from the peer.',
    ({ counters }) => counters.messagesIn,
  ),
  perPeer(
    'counter',
    'podroute_bgp_messages_sent_total',
    'BGP messages of all types to the peer.',
    ({ counters }) => counters.messagesOut,
  ),
  perPeer(
    'counter',
    'podroute_bgp_updates_received_total',
    'UPDATE messages from the peer.',
    ({ counters }) => counters.updatesIn,
  ),
  perPeer(
    'counter',
    'podroute_bgp_updates_sent_total',
    'UPDATE messages to the peer.',
    ({ counters }) => counters.updatesOut,
  ),
  perPeer(
    'gauge',
    'podroute_bgp_prefixes_received',
    'Prefixes in the table received from the peer.',
    ({ counters }) => counters.prefixesReceived,
  ),
  perPeer(
    'gauge',
    'podroute_bgp_prefixes_accepted',
    'Of the received prefixes, those that the import policy let through.',
    ({ counters }) => counters.prefixesAccepted,
  ),
  perPeer(
    'gauge',
    'podroute_bgp_prefixes_rejected',
    'Of the received prefixes, those that it did not.',
    ({ counters }) => counters.prefixesRejected,
  ),
  perPeer(
    'gauge',
    'podroute_bgp_prefixes_advertised',
    'Prefixes that the peer holds from us.',
    ({ counters }) => counters.prefixesAdvertised,
  ),

  single('gauge', 'podroute_datastore_up', '1 where the datastore answers and takes writes.', ({ status }) =>
    Number(status.datastore.state === 'ok' || status.datastore.state === 'failed'),
  ),
  {
    type: 'gauge',
    name: 'podroute_nodes_missed',
    help: 'Other nodes that give no sign: silent ones live by what BGP shows, gone ones have left the mesh.',
    labels: ['state'],
    read: ({ status: { cluster } }) =>
      cluster === null
        ? []
        : (['silent', 'gone'] as const).map((state) => ({ labels: { state }, value: cluster[state].length })),
  },
  single(
    'gauge',
    'podroute_alarms',
    'What somebody has to look into; /status says what.',
    ({ status }) => status.alarms.length,
  ),

  perRoute('podroute_routes', 'Routes by state.', 'state', ROUTE_STATES),
  perRoute('podroute_routes_by_mode', 'Routes by the way packets leave.', 'mode', ROUTE_MODES),
  single(
    'counter',
    'podroute_kernel_drift_total',
    'Routes of ours that were found missing or altered in the kernel, and put right.',
    ({ status }) => status.dataplane.drift,
  ),
  single(
    'counter',
    'podroute_kernel_failures_total',
    'Kernel operations that failed.',
    ({ status }) => status.dataplane.failures,
  ),
  {
    type: 'gauge',
    name: 'podroute_nat_state',
    help: '1 for the state that outgoing NAT is in; off: no pool asks for it.',
    labels: ['state'],
    read: ({ status: { dataplane } }) =>
      ['off', 'pending', 'on', 'failed'].map((state) => ({
        labels: { state },
        value: Number((dataplane.nat?.state ?? 'off') === state),
      })),
  },
  single(
    'counter',
    'podroute_nat_repairs_total',
    'How often another program had changed or removed the rules of outgoing NAT.',
    ({ status }) => status.dataplane.nat?.repairs ?? 0,
  ),
  single(
    'gauge',
    'podroute_kernel_settings_changed',
    'Kernel settings that the agent has changed, and cleanup puts back.',
    ({ status }) => status.dataplane.settings.length,
  ),
  single(
    'gauge',
    'podroute_pod_mtu_bytes',
    'The MTU that pods can use; 0 where it is not known.',
    ({ status }) => status.pods.mtu ?? 0,
  ),

  single(
    'gauge',
    'podroute_config_last_reload_successful',
    '1 where the newest configuration is the one in force.',
    ({ status }) => Number(status.configErrors.length === 0),
  ),
  single(
    'gauge',
    'podroute_config_last_reload_success_timestamp_seconds',
    'When the configuration in force was loaded.',
    ({ status }) => Date.parse(status.config.loadedAt) / 1000,
  ),
  single(
    'gauge',
    'podroute_config_generation',
    'How many configurations were in force since the start.',
    ({ status }) => status.config.generation,
  ),
];

/**
 * Adds the table, and the usual metrics of a Node process, to a registry.
 * @returns what sets all of them from a snapshot; synchronous, so a scrape never sees half of one
 */
export function registerMetrics(registry: Registry): (snapshot: MetricsSnapshot) => void {
  collectDefaultMetrics({ register: registry });
  const updates = METRICS.map((metric) => {
    const options = {
      name: metric.name,
      help: metric.help,
      labelNames: [...metric.labels],
      registers: [registry],
    };
    const gauge = metric.type === 'gauge' ? new Gauge(options) : new Counter(options);
    return (snapshot: MetricsSnapshot) => {
      gauge.reset(); // a peer that is gone must not leave its series behind
      for (const { labels, value } of metric.read(snapshot)) gauge.inc(labels, value);
    };
  });
  return (snapshot) => {
    for (const update of updates) update(snapshot);
  };
}

function single(
  type: Metric['type'],
  name: string,
  help: string,
  value: (snapshot: MetricsSnapshot) => number,
): Metric {
  return { type, name, help, labels: [], read: (snapshot) => [{ labels: {}, value: value(snapshot) }] };
}

function perPeer(type: Metric['type'], name: string, help: string, value: (peer: PeerRow) => number): Metric {
  return {
    type,
    name,
    help,
    labels: ['peer'],
    read: ({ peers }) => peers.map((peer) => ({ labels: { peer: peer.name }, value: value(peer) })),
  };
}

/** Every value of the label is there, zero included, so that a series does not come and go. */
function perRoute<Label extends 'state' | 'mode'>(
  name: string,
  help: string,
  label: Label,
  values: readonly RouteRow[Label][],
): Metric {
  return {
    type: 'gauge',
    name,
    help,
    labels: [label],
    read: ({ routes }) => {
      const counts = new Map(values.map((value) => [value, 0]));
      for (const route of routes) counts.set(route[label], (counts.get(route[label]) ?? 0) + 1);
      return [...counts].map(([value, total]) => ({ labels: { [label]: value }, value: total }));
    },
  };
}
