/** The agent's status as a list of names and values. Pure. */
import type { StatusRow } from '../schemas/index.js';
import { formatDuration, formatSince } from './duration.js';
import { renderPairs, type TextOptions } from './table.js';

/** One line per subject; what is wrong is spelled out below it. */
export function renderStatus(status: StatusRow, options: TextOptions = {}): string {
  const { counts, datastore, cluster, dataplane, pods, config, configErrors, alarms, readiness } = status;
  const ago = (failure: { readonly text: string; readonly at: string } | null, label: string): string[] =>
    failure ? [`${label}: ${failure.text} (${formatSince(failure.at, options.now)} ago)`] : [];
  return renderPairs(
    [
      ['node', `${status.node}, AS ${status.localAs}, identifier ${status.bgpIdentifier}`],
      ['ready', readiness.ready ? 'yes' : ['no', ...readiness.reasons]],
      ['alarms', alarms.map(({ text, since }) => `${text} (${formatSince(since, options.now)} ago)`)],
      ['agent', `${status.version}, up ${formatDuration(status.uptimeSeconds)}`],
      ['listens on', status.listen.join(', ')],
      ['peers', `${counts.peersEstablished} of ${counts.peers} established`],
      ['routes', `${counts.routesOk} of ${counts.routes} ok`],
      ['data plane', [describeDataplane(dataplane), ...ago(dataplane.lastError, 'last error')]],
      ['tunnel', describeTunnel(dataplane.tunnel)],
      ['pods', describePods(pods)],
      ['outgoing NAT', describeNat(dataplane.nat)],
      [
        'settings',
        dataplane.settings.map(({ name, value, before }) => `${name}=${value} (before: ${before})`),
      ],
      [
        'datastore',
        [
          `${datastore.source}, ${datastore.state}${datastore.reason === null ? '' : ` for ${formatSince(datastore.since, options.now)}: ${datastore.reason}`}`,
          ...datastore.notes,
          ...ago(datastore.lastError, 'last error'),
        ],
      ],
      ['cluster', describeCluster(cluster)],
      [
        'configuration',
        [
          `number ${config.generation}, loaded ${formatSince(config.loadedAt, options.now)} ago`,
          ...(configErrors.length > 0
            ? ['still in force, because the newest one is wrong:', ...configErrors]
            : []),
        ],
      ],
    ],
    options,
  );
}

function describeDataplane({ enabled, drift, failures }: StatusRow['dataplane']): string {
  if (!enabled) return 'off: routes are exchanged, the kernel is left alone';
  return `on, drift ${drift}, failures ${failures}`;
}

function describeCluster(cluster: StatusRow['cluster']): readonly string[] {
  if (cluster === null) return [];
  const { address, alternatives, silent, gone } = cluster;
  const place = (candidate: NonNullable<typeof address>) =>
    `${candidate.address}${candidate.interface === null ? '' : ` of ${candidate.interface}`}`;
  return [
    address === null ? 'this node is not entered yet' : `entered with ${place(address)}: ${address.reason}`,
    ...alternatives.map((candidate) => `not ${place(candidate)}: ${candidate.reason}`),
    ...(silent.length > 0 ? [`not heard by the store, alive by BGP: ${silent.join(', ')}`] : []),
    ...(gone.length > 0 ? [`gone: ${gone.join(', ')}`] : []),
  ];
}

function describePods({ subnets, mtu }: StatusRow['pods']): string {
  if (subnets.length === 0) return 'no subnet';
  return `${subnets.join(', ')}${mtu === null ? '' : `, mtu ${mtu}`}`;
}

function describeNat(nat: StatusRow['dataplane']['nat']): readonly string[] {
  if (nat === null) return [];
  const repairs = nat.repairs === 0 ? '' : `, repaired ${nat.repairs} times`;
  return [
    `${nat.state} for ${nat.pools.join(', ')}${repairs}`,
    ...(nat.reason === null ? [] : [`the reason: ${nat.reason}`]),
  ];
}

function describeTunnel(tunnel: StatusRow['dataplane']['tunnel']): string {
  if (!tunnel) return '';
  const address = tunnel.address === null ? '' : `, address ${tunnel.address}`;
  const mtu = tunnel.mtu === null ? '' : `, mtu ${tunnel.mtu}`;
  return `${tunnel.device} ${tunnel.state}${address}${mtu}`;
}
