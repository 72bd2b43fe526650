/**
 * ExaBGP: as a peer of the interop matrix, and as the witness behind the agent that speaks for several routers at once.
 *
 * It has no routing table; what it says it received is replayed here.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import type { Namespace } from '../netns.js';
import { until } from '../until.js';
import {
  AGENT,
  AS_TRANS,
  ask,
  asNumbers,
  type Daemon,
  HOLD_TIME_SECONDS,
  Processes,
  ROUTER,
  type SeenRoute,
  type StartOptions,
  UNKNOWN_ATTRIBUTE,
} from './daemon.js';

const EXABGP = 'exabgp';

/** One session with the agent. */
export interface ExabgpSpeaker extends StartOptions {
  readonly address: string;
  readonly asn: number;
  readonly holdTimeSeconds: number;
  /** With whom, if not with the agent. */
  readonly peer?: { readonly address: string; readonly asn: number };
}

/** What ExaBGP tells its API process, one line each; only what is read here. */
interface Told {
  readonly type: string;
  /** Absent where it tells of itself. */
  readonly neighbor?: {
    readonly address: { readonly local: string };
    readonly state?: string;
    readonly direction?: string;
    readonly message?: {
      readonly update?: {
        readonly attribute?: Readonly<Record<string, unknown>>;
        /** Family -> next hop -> prefixes. */
        readonly announce?: Readonly<
          Record<string, Readonly<Record<string, readonly { readonly nlri?: string }[]>>>
        >;
        readonly withdraw?: Readonly<Record<string, readonly { readonly nlri: string }[]>>;
      };
    };
    readonly notification?: { readonly code: number; readonly subcode: number; readonly message?: string };
  };
}

/** The program, with its two doors: commands go in by a pipe, and what it says is appended to a file. */
export class Exabgp {
  readonly #processes: Processes;

  constructor(namespace: Namespace, folder: string) {
    this.#processes = new Processes(namespace, folder);
  }

  async start(speakers: readonly ExabgpSpeaker[]): Promise<void> {
    const at = (name: string) => this.#processes.path(name);
    if (!existsSync(at('commands'))) execFileSync('mkfifo', [at('commands')]);
    writeFileSync(at('told'), '');
    // Opened for both, so that the pipe outlives each writer.
    writeFileSync(at('doors.sh'), `cat <>${at('commands')} &\nexec cat >>${at('told')}\n`);
    const neighbours = speakers.map((speaker) => neighbour(speaker)).join('');
    writeFileSync(
      at('exabgp.conf'),
      `process doors { run /bin/sh ${at('doors.sh')}; encoder json; }\n${neighbours}`,
    );
    const listen = speakers.filter(({ passive }) => passive).map(({ address }) => address);
    const environment = {
      'exabgp.daemon.user': 'root',
      'exabgp.daemon.drop': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.api.cli': 'false',
      'exabgp.tcp.bind': listen.join(' '),
    };
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    this.#processes.spawn('env', ...variables, EXABGP, at('exabgp.conf'));
    await until('ExaBGP runs', () => this.log().includes('loaded new configuration successfully'));
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    await this.#processes.end('env', signal);
  }

  signal(signal: NodeJS.Signals): void {
    this.#processes.signal('env', signal);
  }

  /** Gives a command to its API. */
  async command(line: string): Promise<void> {
    await appendFile(this.#processes.path('commands'), `${line}\n`);
  }

  isEstablished(local: string): boolean {
    return this.#told(local).findLast(({ type }) => type === 'state')?.neighbor?.state === 'up';
  }

  route(local: string, prefix: string): SeenRoute | undefined {
    let route: SeenRoute | undefined;
    for (const { type, neighbor } of this.#told(local)) {
      if (type === 'state') route = undefined;
      const update = neighbor?.message?.update;
      const withdrawn = Object.values(update?.withdraw ?? {}).flat();
      if (withdrawn.some(({ nlri }) => nlri === prefix)) route = undefined;
      for (const byNextHop of Object.values(update?.announce ?? {})) {
        for (const [nextHop, announced] of Object.entries(byNextHop)) {
          if (announced.some(({ nlri }) => nlri === prefix)) route = seen(nextHop, update?.attribute ?? {});
        }
      }
    }
    return route;
  }

  lastNotification(local: string): string {
    const told = this.#told(local).findLast(
      ({ type, neighbor }) => type === 'notification' && neighbor?.direction !== 'send',
    );
    return JSON.stringify(told?.neighbor?.notification ?? told?.neighbor?.message ?? '');
  }

  log(): string {
    return this.#processes.log();
  }

  #told(local: string): readonly Told[] {
    // The last line may be half written.
    const lines = readFileSync(this.#processes.path('told'), 'utf8').split('\n').slice(0, -1);
    return (
      lines
        // It prints the data of a NOTIFICATION as it came.
        .map((line) => JSON.parse(line.replaceAll(/\p{Cc}/gu, ' ')) as Told)
        .filter(({ neighbor }) => neighbor?.address.local === local)
    );
  }
}

export class ExabgpDaemon implements Daemon {
  readonly name = 'ExaBGP';
  readonly lacks = {
    keepsRoutes: 'it has no routing table',
    shutdown: 'it ends sessions with graceful restart without a word',
    shutdownText: 'it ends sessions with graceful restart without a word',
    prefixLimit: 'it has no routing table',
    showsText: 'it fails to read a Cease with a text',
    reflector: 'it has no routing table',
    role: 'it knows no roles',
  };
  readonly #exabgp: Exabgp;

  constructor(namespace: Namespace, folder: string) {
    this.#exabgp = new Exabgp(namespace, folder);
  }

  async version(): Promise<string> {
    return /ExaBGP : (\S+)/.exec(await ask(EXABGP, '--version'))?.[1] ?? '';
  }

  async start(options: StartOptions): Promise<void> {
    const asn = asNumbers(options).own;
    const holdTimeSeconds = HOLD_TIME_SECONDS;
    await this.#exabgp.start([{ address: ROUTER.address, asn, holdTimeSeconds, ...options }]);
    await this.announce();
  }

  async stop(): Promise<void> {
    await this.#exabgp.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#exabgp.end('SIGKILL');
  }

  freeze(): void {
    this.#exabgp.signal('SIGSTOP');
  }

  thaw(): void {
    this.#exabgp.signal('SIGCONT');
  }

  async isEstablished(): Promise<boolean> {
    return this.#exabgp.isEstablished(ROUTER.address);
  }

  async route(prefix: string): Promise<SeenRoute | undefined> {
    return this.#exabgp.route(ROUTER.address, prefix);
  }

  async announce(): Promise<void> {
    const attributes = `med ${ROUTER.med} community [${ROUTER.community}] large-community [${ROUTER.largeCommunity}]`;
    const unknown = `attribute [0x${UNKNOWN_ATTRIBUTE.code.toString(16)} 0xc0 0x${UNKNOWN_ATTRIBUTE.hex}]`;
    await this.#command(
      `announce route ${ROUTER.prefix} next-hop ${ROUTER.address} ${attributes} ${unknown}`,
    );
    await this.#command(
      `announce route ${ROUTER.prefix6} next-hop ${ROUTER.address6} ${attributes} ${unknown}`,
    );
  }

  async withdraw(): Promise<void> {
    await this.#command(`withdraw route ${ROUTER.prefix} next-hop ${ROUTER.address}`);
    await this.#command(`withdraw route ${ROUTER.prefix6} next-hop ${ROUTER.address6}`);
  }

  async announceMore(): Promise<void> {
    await this.#command(`announce route ${ROUTER.morePrefix} next-hop ${ROUTER.address}`);
  }

  async withdrawMore(): Promise<void> {
    await this.#command(`withdraw route ${ROUTER.morePrefix} next-hop ${ROUTER.address}`);
  }

  async shutDown(): Promise<void> {
    throw new Error(this.lacks.shutdown);
  }

  async bringUp(): Promise<void> {
    throw new Error(this.lacks.shutdown);
  }

  async askForRefresh(): Promise<void> {
    await this.#command('announce route-refresh ipv4 unicast');
  }

  async lastNotification(): Promise<string> {
    return this.#exabgp.lastNotification(ROUTER.address);
  }

  async operatorText(): Promise<string> {
    return this.lastNotification();
  }

  log(): string {
    return this.#exabgp.log();
  }

  #command(line: string): Promise<void> {
    return this.#exabgp.command(`neighbor ${AGENT.address} ${line}`);
  }
}

function neighbour(speaker: ExabgpSpeaker): string {
  const { address, asn, passive, holdTimeSeconds, password, ttlSecurity, twoOctets, peer = AGENT } = speaker;
  return `
neighbor ${peer.address} {
  router-id ${address};
  local-address ${address};
  local-as ${asn};
  peer-as ${twoOctets === true ? AS_TRANS : peer.asn};
  hold-time ${holdTimeSeconds};
  passive ${passive};
  ${password === undefined ? '' : `md5-password "${password}";`}
  ${ttlSecurity === true ? 'outgoing-ttl 255; incoming-ttl 255;' : ''}
  family { ipv4 unicast; ipv6 unicast; }
  capability { graceful-restart 60; route-refresh enable; ${twoOctets === true ? 'asn4 disable;' : ''} }
  api { processes [ doors ]; neighbor-changes; receive { parsed; update; notification; } }
}
`;
}

function seen(nextHop: string, attribute: Readonly<Record<string, unknown>>): SeenRoute {
  const list = (name: string) => (attribute[name] ?? []) as readonly (readonly number[])[];
  const path = (attribute['as-path'] ?? []) as readonly number[];
  const med = attribute['med'];
  const originatorId = attribute['originator-id'];
  const clusterList = attribute['cluster-list'];
  return {
    ...(typeof originatorId === 'string' ? { originatorId } : {}),
    ...(Array.isArray(clusterList) ? { clusterList: clusterList as readonly string[] } : {}),
    nextHop,
    asPath: path.join(' '),
    ...(typeof med === 'number' ? { med } : {}),
    communities: list('community').map((parts) => parts.join(':')),
    largeCommunities: list('large-community').map((parts) => parts.join(':')),
    // `attribute-0x63-0xE0`: code and flags; the value in hexadecimal.
    unknown: Object.entries(attribute).flatMap(([name, value]) => {
      const code = /^attribute-0x([0-9a-f]+)/i.exec(name)?.[1];
      return code === undefined
        ? []
        : [`${Number.parseInt(code, 16)}=${String(value).slice(2).toLowerCase()}`];
    }),
  };
}
