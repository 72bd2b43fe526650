/** Peers as a table, and one peer in full. Pure. */
import type { PeerRow } from '../schemas/index.js';
import { formatSince } from './duration.js';
import { renderPairs, renderTable, type TextOptions } from './table.js';

/** One line per peer. */
export function renderPeers(peers: readonly PeerRow[], options: TextOptions = {}): string {
  return renderTable<PeerRow>(
    [
      { title: 'NAME', cell: ({ name }) => name },
      { title: 'ADDRESS', cell: ({ address }) => address },
      { title: 'AS', cell: ({ asn }) => String(asn) },
      { title: 'TYPE', cell: ({ type }) => type },
      { title: 'STATE', cell: ({ state }) => state },
      { title: 'SINCE', cell: ({ since }) => formatSince(since, options.now) },
      {
        title: 'PREFIXES(in/acc/out)',
        cell: ({ counters }) =>
          `${counters.prefixesReceived}/${counters.prefixesAccepted}/${counters.prefixesAdvertised}`,
      },
      { title: 'LAST ERROR', cell: (peer) => describeLastError(peer, options.now) },
    ],
    peers,
    options,
  );
}

const DIAL = {
  now: 'we connect',
  delayed: 'the peer connects; we do if it does not',
  never: 'only the peer connects',
} as const;

/** Everything that is known of one peer. */
export function renderPeer(peer: PeerRow, options: TextOptions = {}): string {
  const { counters, capabilities, timers } = peer;
  return renderPairs(
    [
      ['name', peer.description === null ? peer.name : `${peer.name} (${peer.description})`],
      ['address', `${peer.address} port ${peer.port}, from ${peer.localAddress ?? '-'}`],
      ['AS', `${peer.asn}, ours ${peer.localAs} (${peer.type}, ${peer.place})`],
      ['state', `${peer.state} for ${formatSince(peer.since, options.now)}`],
      ['connection', peer.direction === null ? DIAL[peer.dial] : `${peer.direction} (${DIAL[peer.dial]})`],
      ['identifier', peer.bgpIdentifier ?? ''],
      ...describeShutdown(peer, options.now),
      ['last error', describeLastError(peer, options.now)],
      [
        'timers',
        `hold ${seconds(timers.holdTimeSeconds)}, keepalive ${seconds(timers.keepaliveSeconds)}; configured: hold ${seconds(timers.configured.holdTimeSeconds)}, connect retry ${seconds(timers.configured.connectRetrySeconds)}`,
      ],
      ['families', peer.families.join(', ')],
      ['end of RIB', orDash(peer.endOfRib.map(describeEndOfRib))],
      [
        'prefixes',
        `received ${counters.prefixesReceived}, accepted ${counters.prefixesAccepted}, rejected ${counters.prefixesRejected}, advertised ${counters.prefixesAdvertised}`,
      ],
      [
        'messages',
        `in ${counters.messagesIn} (${counters.updatesIn} updates), out ${counters.messagesOut} (${counters.updatesOut} updates)`,
      ],
      ['flaps', String(counters.flaps)],
      ['our capabilities', orDash(capabilities.ours)],
      ['their capabilities', orDash(capabilities.theirs ?? [])],
      ['negotiated', orDash(capabilities.negotiated)],
      ['rejected', orDash(peer.rejected.map(({ prefix, reason }) => `${prefix}: ${reason}`))],
    ],
    options,
  );
}

/** A row of its own for a peer that is down on purpose. */
function describeShutdown({ shutdown }: PeerRow, now: number | undefined): readonly [string, string][] {
  if (shutdown === null) return [];
  return [['shut down', `by ${shutdown.by} ${formatSince(shutdown.since, now)} ago: ${shutdown.text}`]];
}

function describeLastError({ lastError }: PeerRow, now: number | undefined): string {
  if (!lastError) return '';
  return `${lastError.text} (${lastError.direction}, ${formatSince(lastError.at, now)} ago)`;
}

function describeEndOfRib({ family, received, sent }: PeerRow['endOfRib'][number]): string {
  return `${family}: ${received ? 'received' : 'not received'}, ${sent ? 'sent' : 'not sent'}`;
}

function seconds(value: number | null): string {
  return value === null ? '-' : `${value}s`;
}

function orDash(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? ['-'] : lines;
}
