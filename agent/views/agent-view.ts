/**
 * The agent as the API sees it.
 *
 * Owns: the answers to `GET /status` and `/readyz`, and the way from the API's questions to the parts. Must not know:
 * HTTP.
 */
import type { AgentStatusRow, ApiSource, PeerRow, ReadinessRow, RouteRow } from '../../api/index.js';
import { formatIpAddress, formatPrefix, isIpv4 } from '../../bgp/net/index.js';
import type { Clock, ListenOptions, PeerStatus, Speaker } from '../../bgp/speaker/index.js';
import {
  type Dataplane,
  type NatStatus,
  type OutgoingNat,
  type RouteState,
  settingText,
  type TunnelStatus,
} from '../../ipip/index.js';
import type { Alarms } from '../alarms.js';
import type { AgentSettings } from '../config/index.js';
import type { StoreHealth } from '../datastore/index.js';
import type { Candidate } from '../detect/index.js';
import type { EntryStatus } from '../join/index.js';
import type { Membership } from '../membership/index.js';
import { listenOptionsOf } from '../plan.js';
import { peerRow } from './peers.js';
import { installedRouteRow, tableRouteRow } from './routes.js';

export interface AgentParts {
  readonly settings: AgentSettings;
  readonly version: string;
  readonly clock: Clock;
  readonly speaker: () => Speaker;
  /** Absent: switched off. */
  readonly dataplane: Dataplane | undefined;
  /** Absent with the data plane. */
  readonly nat: OutgoingNat | undefined;
  readonly membership: () => Membership;
  readonly alarms: Pick<Alarms, 'list'>;
  /** Without secrets. */
  readonly storeName: string;
  readonly store: () => StoreHealth;
  /** Answers undefined where nodes are written by hand. */
  readonly entry: () => EntryStatus | undefined;
}

export class AgentView implements ApiSource {
  readonly #parts: AgentParts;
  readonly #startedAtMs: number;
  #generation = 1;
  #loadedAtMs: number;
  #configErrors: readonly string[] = [];
  #configFailedAtMs: number | undefined;
  #secretErrors: readonly string[] = [];

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#startedAtMs = parts.clock.now();
    this.#loadedAtMs = this.#startedAtMs;
  }

  /** A configuration was read; `problems` where it is not in force, because of them. */
  configurationRead(problems: readonly string[] | undefined): void {
    this.#configErrors = problems ?? [];
    if (problems === undefined) {
      this.#generation += 1;
      this.#loadedAtMs = this.#parts.clock.now();
      this.#configFailedAtMs = undefined;
    } else {
      this.#configFailedAtMs = this.#parts.clock.now();
    }
  }

  /** The passwords in use were read again; `problems`: those that cannot be, and stay in force as they were. */
  secretsRead(problems: readonly string[]): void {
    this.#secretErrors = problems;
  }

  routes(): readonly RouteRow[] {
    const { dataplane, speaker } = this.#parts;
    if (dataplane !== undefined) return dataplane.routes().map(installedRouteRow);
    return [...speaker().rib.bestRoutes()].map((route) => tableRouteRow(route, this.#loadedAtMs));
  }

  peers(): readonly PeerRow[] {
    const { rib } = this.#parts.speaker();
    const descriptions = new Map(this.#parts.membership().peers.map((peer) => [peer.id, peer.description]));
    return this.#peerStatuses().map((status) =>
      peerRow(status, rib, descriptions.get(status.config.id) ?? null),
    );
  }

  status(): AgentStatusRow {
    const { settings, version, clock } = this.#parts;
    const membership = this.#parts.membership();
    const peers = this.#peerStatuses();
    const states = this.#routeStates();
    return {
      node: membership.nodeName,
      version,
      startedAt: isoTime(this.#startedAtMs),
      uptimeSeconds: Math.round((clock.now() - this.#startedAtMs) / 1000),
      localAs: membership.localAs,
      bgpIdentifier: formatIpAddress(membership.bgpIdentifier),
      listen: [listenText(listenOptionsOf(membership, settings))],
      datastore: this.#datastoreStatus(),
      cluster: clusterRow(this.#parts.entry()),
      dataplane: this.#dataplaneStatus(),
      pods: {
        subnets: membership.blocks.map(formatPrefix),
        mtu: this.#parts.dataplane?.podMtuBytes() ?? null,
      },
      counts: {
        peers: peers.length,
        peersEstablished: peers.filter(({ session }) => session !== undefined).length,
        routes: states.length,
        routesOk: states.filter((state) => state === 'ok' || state === 'blackhole').length,
      },
      config: { generation: this.#generation, loadedAt: isoTime(this.#loadedAtMs) },
      configErrors: [...this.#configErrors, ...this.#secretErrors],
      alarms: this.#parts.alarms.list().map(({ text, sinceMs }) => ({ text, since: isoTime(sinceMs) })),
    };
  }

  ready(): ReadinessRow {
    const reasons: string[] = [];
    const peers = this.#peerStatuses();
    if (peers.length > 0 && peers.every(({ session }) => session === undefined)) {
      reasons.push(`none of ${peers.length} BGP peers is established; see /peers for the reason of each`);
    }
    if (this.#parts.speaker().recovering) {
      reasons.push('recovery after a restart: not all peers have sent their tables again');
    }
    const { dataplane } = this.#parts;
    if (dataplane !== undefined) {
      const tunnel = dataplane.tunnel();
      if (tunnel.state === 'failed') reasons.push(`the tunnel cannot be made: ${tunnel.reason}`);
      const waiting = dataplane
        .routes()
        .filter(({ state }) => state === 'failed' || state === 'pending').length;
      if (waiting > 0)
        reasons.push(`${waiting} routes are not installed; see /routes for the reason of each`);
    }
    const { state, reason, notes } = this.#parts.store();
    const details = [
      ...(state === 'ok' ? [] : [`the datastore is ${state}${reason === '' ? '' : `: ${reason}`}`]),
      ...notes,
      ...this.#parts.alarms.list().map(({ text }) => text),
    ];
    return { ready: reasons.length === 0, reasons, details };
  }

  /** Of each route, without making rows for the API of them. */
  #routeStates(): readonly RouteState[] {
    const { dataplane, speaker } = this.#parts;
    if (dataplane !== undefined) return dataplane.routes().map(({ state }) => state);
    return Array.from(speaker().rib.bestRoutes(), ({ path }) => (path.stale === true ? 'stale' : 'ok'));
  }

  #peerStatuses(): readonly PeerStatus[] {
    return this.#parts.speaker().peers();
  }

  #datastoreStatus(): AgentStatusRow['datastore'] {
    const { storeName, store } = this.#parts;
    const { state, reason, sinceMs, notes } = store();
    const failedAtMs = this.#configFailedAtMs;
    return {
      source: storeName,
      state: state === 'ok' && failedAtMs !== undefined ? 'failed' : state,
      since: isoTime(sinceMs),
      reason: reason === '' ? null : reason,
      notes: [...notes],
      lastError:
        failedAtMs === undefined ? null : { text: this.#configErrors[0] ?? '', at: isoTime(failedAtMs) },
    };
  }

  #dataplaneStatus(): AgentStatusRow['dataplane'] {
    const { dataplane, nat } = this.#parts;
    if (dataplane === undefined) {
      return {
        enabled: false,
        tunnel: null,
        drift: 0,
        failures: 0,
        lastError: null,
        nat: null,
        settings: [],
      };
    }
    const { drift, failed } = dataplane.counters();
    return {
      enabled: true,
      tunnel: tunnelRow(dataplane.tunnel()),
      drift,
      failures: failed,
      lastError: null,
      nat: nat === undefined ? null : natRow(nat.status()),
      settings: dataplane.changedSettings().map(({ name, original, ours }) => ({
        name: settingText(name),
        value: ours,
        before: original,
      })),
    };
  }
}

function clusterRow(status: EntryStatus | undefined): AgentStatusRow['cluster'] {
  if (status === undefined) return null;
  const { address, alternatives, presence } = status;
  return {
    address: address === undefined ? null : candidateRow(address),
    alternatives: alternatives.map(candidateRow),
    silent: [...presence.silent],
    gone: [...presence.gone],
  };
}

function candidateRow({ address, lengthBits, interface: name, reason }: Candidate) {
  return {
    address: `${formatIpAddress(address)}/${lengthBits}`,
    interface: name === '' ? null : name,
    reason,
  };
}

function natRow({ state, reason, pools, repairs }: NatStatus): AgentStatusRow['dataplane']['nat'] {
  if (pools.length === 0 && state !== 'failed') return null;
  return {
    state: state === 'on' || state === 'failed' ? state : 'pending',
    pools: pools.map(formatPrefix),
    reason: reason === '' ? null : reason,
    repairs,
  };
}

function tunnelRow(tunnel: TunnelStatus): AgentStatusRow['dataplane']['tunnel'] {
  if (tunnel.state === 'unused') return null;
  return {
    device: tunnel.device,
    address: tunnel.address === undefined ? null : formatIpAddress(tunnel.address),
    mtu: tunnel.mtuBytes ?? null,
    state: tunnel.state === 'up' ? 'up' : 'absent',
  };
}

function listenText({ address, port }: ListenOptions): string {
  if (address === undefined) return `*:${port}`;
  const text = formatIpAddress(address);
  return isIpv4(address) ? `${text}:${port}` : `[${text}]:${port}`;
}

function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
