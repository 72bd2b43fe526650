/**
 * A speaker over real TCP as a program of its own, for tests that put it into a network namespace.
 *
 * `node speaker-program.mjs SOCKET SETTINGS`: listens on port 179 and on the unix socket, where a line of JSON is one request
 * (`SpeakerRequest`) and the answer is one line. Bundled by `speaker-process.ts`.
 */
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { formatIpAddress, formatPrefix } from '../../bgp/net/index.js';
import { poolPolicy } from '../../bgp/policy/index.js';
import type { RoutePolicy } from '../../bgp/rib/index.js';
import { type PeerConfig, Speaker, systemClock, tcpTransport } from '../../bgp/speaker/index.js';
import { CEASE, NOTIFICATION, notification } from '../../bgp/wire/index.js';
import { address, address4, prefix } from './addresses.js';

/** What the speaker is, as text. */
export interface SpeakerSettings {
  readonly asn: number;
  readonly identifier: string;
  readonly block: string;
  /** Absent: all addresses. */
  readonly listen?: string;
  /** True: every route is taken and told to everybody; otherwise the pool policy with 10.244.0.0/16. */
  readonly transit?: boolean;
  /** A fault of ours on purpose: whoever announces this prefix makes the code throw. */
  readonly poison?: string;
}

/** A peer as text; what is absent has a value that suits a test. */
export interface PeerText
  extends Pick<PeerConfig, 'password' | 'ttlSecurityHops' | 'multihopTtl' | 'zone' | 'sendHoldTimeSeconds'> {
  readonly address: string;
  readonly asn: number;
  readonly dial?: 'now' | 'never';
  readonly source?: string;
}

export interface RangeText {
  readonly name: string;
  readonly prefix: string;
  readonly asn: number | 'external';
  readonly limit: number;
  readonly password?: string;
}

export type SpeakerRequest =
  | { readonly type: 'peers'; readonly peers: readonly PeerText[] }
  | { readonly type: 'ranges'; readonly ranges: readonly RangeText[] }
  | { readonly type: 'announce'; readonly block: string }
  | { readonly type: 'status' };

/** One peer of the answer to `status`. */
export interface PeerReport {
  readonly id: string;
  readonly state: string;
  readonly direction: string | undefined;
  readonly localAddress: string | undefined;
  readonly lastError: string | undefined;
  readonly flaps: number;
}

export interface StatusReport {
  readonly peers: readonly PeerReport[];
  /** Prefixes with a route. */
  readonly routes: readonly string[];
  /** CPU time of the process so far. */
  readonly cpuMs: number;
  /** Everything of the status as text, for what must not be in it. */
  readonly whole: string;
}

const [socketPath = '', settingsText = ''] = process.argv.slice(2);
const settings = JSON.parse(settingsText) as SpeakerSettings;
const speaker = new Speaker({
  localAs: settings.asn,
  bgpIdentifier: address4(settings.identifier),
  listen: { port: 179, ...(settings.listen === undefined ? {} : { address: address(settings.listen) }) },
  policy: policyFor(settings.block),
  transport: tcpTransport,
  clock: systemClock,
  random: Math.random,
  log: pino({ level: 'debug' }),
  restarted: false,
  onBestPaths: () => {},
  onPeersChanged: () => {},
});

await speaker.start();
announce(settings.block);
createServer((client) => {
  createInterface(client).on('line', (line) => {
    client.end(`${JSON.stringify(answer(JSON.parse(line) as SpeakerRequest))}\n`);
  });
}).listen(socketPath);
process.once('SIGTERM', async () => {
  await speaker.stop(notification(NOTIFICATION.CEASE, CEASE.ADMINISTRATIVE_SHUTDOWN));
  process.exit(0);
});

function answer(request: SpeakerRequest): unknown {
  switch (request.type) {
    case 'peers':
      speaker.setPeers(request.peers.map(peerOf));
      return {};
    case 'ranges':
      speaker.setDynamicPeers(
        request.ranges.map(({ prefix: text, password, ...range }) => ({
          ...range,
          prefix: prefix(text),
          template: { ...common(), ...(password === undefined ? {} : { password }) },
        })),
      );
      return {};
    case 'announce':
      announce(request.block);
      return {};
    case 'status':
      return status();
    default:
      return request satisfies never;
  }
}

function announce(block: string): void {
  speaker.setPolicy(policyFor(block));
  speaker.setLocalRoutes([{ prefix: prefix(block) }]);
}

function policyFor(block: string): RoutePolicy {
  const pools = [prefix('10.244.0.0/16')];
  const policy: RoutePolicy =
    settings.transit === true
      ? { importRoute: () => ({ accept: true }), exportRoute: () => ({ accept: true }) }
      : poolPolicy({ pools, exportablePools: pools, ownBlocks: [prefix(block)], advertisements: [] });
  const poison = settings.poison === undefined ? undefined : prefix(settings.poison);
  return {
    ...policy,
    importRoute: (peer, announced, path) => {
      if (announced === poison) throw new Error('a fault on purpose');
      return policy.importRoute(peer, announced, path);
    },
  };
}

function peerOf({ address: text, source, ...peer }: PeerText): PeerConfig {
  return {
    ...common(),
    dial: 'now',
    ...peer,
    id: text,
    address: address(text),
    ...(source === undefined ? {} : { source: address(source) }),
  };
}

function common() {
  return {
    port: 179,
    localAs: settings.asn,
    place: 'outside',
    holdTimeSeconds: 90,
    connectRetrySeconds: 3,
    restartTimeSeconds: 0,
    families: ['ipv4'],
  } as const;
}

function status(): StatusReport {
  const statuses = speaker.peers();
  const { user, system } = process.cpuUsage();
  return {
    peers: statuses.map(({ config, state, session, lastError, flaps }) => ({
      id: config.id,
      state,
      direction: session?.direction,
      localAddress: session === undefined ? undefined : formatIpAddress(session.localAddress),
      lastError: lastError?.text,
      flaps,
    })),
    routes: [...speaker.rib.bestRoutes()].map((route) => formatPrefix(route.prefix)),
    cpuMs: (user + system) / 1000,
    whole: JSON.stringify(statuses, (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
  };
}
