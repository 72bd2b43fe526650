/**
 * Peers of the speaker as rows of `GET /peers`.
 *
 * Owns: the mapping, value by value. Must not know: how either side came to be.
 */
import type { PeerRow } from '../../api/index.js';
import { formatIpAddress, formatPrefix, formatZoned } from '../../bgp/net/index.js';
import type { Rib } from '../../bgp/rib/index.js';
import type { PeerError, PeerStatus } from '../../bgp/speaker/index.js';
import { type Capability, capabilityText } from '../../bgp/wire/index.js';

/** How many refused prefixes a row shows as examples. */
const REJECTED_EXAMPLES = 5;

const ERROR_DIRECTION: Readonly<Record<PeerError['from'], 'sent' | 'received' | 'local'>> = {
  us: 'sent',
  peer: 'received',
  machine: 'local',
};

/** @param description what the configuration says of the peer, such as the resource it comes from */
export function peerRow(status: PeerStatus, rib: Rib, description: string | null): PeerRow {
  const { config, session, lastError, shutdown, counters } = status;
  const routes = rib.counters(config.id);
  return {
    name: config.id,
    description,
    address: formatZoned(config.address, config.zone),
    port: config.port,
    localAddress: session === undefined ? null : formatIpAddress(session.localAddress),
    asn: config.asn,
    localAs: config.localAs,
    type: config.asn === config.localAs ? 'ibgp' : 'ebgp',
    place: config.place,
    dial: typeof config.dial === 'string' ? config.dial : 'delayed',
    state: status.state,
    since: isoTime(status.sinceMs),
    direction: session?.direction ?? null,
    bgpIdentifier: session === undefined ? null : formatIpAddress(session.peerIdentifier),
    shutdown:
      shutdown === undefined
        ? null
        : { by: shutdown.by, text: shutdown.text, since: isoTime(shutdown.sinceMs) },
    lastError:
      lastError === undefined
        ? null
        : { text: lastError.text, at: isoTime(lastError.atMs), direction: ERROR_DIRECTION[lastError.from] },
    counters: {
      messagesIn: counters.messagesIn,
      messagesOut: counters.messagesOut,
      updatesIn: counters.updatesIn,
      updatesOut: counters.updatesOut,
      prefixesReceived: routes?.received ?? 0,
      prefixesAccepted: routes?.accepted ?? 0,
      prefixesRejected: routes?.rejected ?? 0,
      prefixesAdvertised: routes?.advertised ?? 0,
      flaps: status.flaps,
    },
    capabilities: {
      ours: status.ourCapabilities.map(capabilityText),
      theirs: session === undefined ? null : session.peerCapabilities.map(capabilityText),
      negotiated: session === undefined ? [] : negotiated(status.ourCapabilities, session.peerCapabilities),
    },
    timers: {
      holdTimeSeconds: session?.holdTimeSeconds ?? null,
      keepaliveSeconds: session?.keepaliveSeconds ?? null,
      configured: {
        holdTimeSeconds: config.holdTimeSeconds,
        connectRetrySeconds: config.connectRetrySeconds,
      },
    },
    families: session?.families ?? [],
    endOfRib: (session?.families ?? []).map((family) => ({
      family,
      received: status.endOfRibFrom.includes(family),
      sent: rib.endOfRibSent(config.id, family),
    })),
    rejected: rejectedExamples(rib, config.id, routes?.rejected ?? 0),
  };
}

/** Capabilities that both sides announced; those that carry a family, for the same family. */
function negotiated(ours: readonly Capability[], theirs: readonly Capability[]): readonly string[] {
  const key = (capability: Capability): string =>
    capability.kind === 'multiprotocol' ? `${capability.kind} ${capability.family}` : capability.kind;
  const announced = new Set(theirs.map(key));
  return ours.filter((capability) => announced.has(key(capability))).map(capabilityText);
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

/** @param rejected how many there are, so that a table without any is not walked through */
function rejectedExamples(rib: Rib, id: string, rejected: number): PeerRow['rejected'] {
  const examples: { prefix: string; reason: string }[] = [];
  const wanted = Math.min(rejected, REJECTED_EXAMPLES);
  if (wanted === 0) return examples;
  for (const route of rib.received(id)) {
    if (route.accepted) continue;
    examples.push({ prefix: formatPrefix(route.prefix), reason: route.reason ?? '' });
    if (examples.length === wanted) break;
  }
  return examples;
}
