/**
 * GoBGP as a peer of the interop matrix.
 */
import { rmSync, writeFileSync } from 'node:fs';
import type { Namespace } from '../netns.js';
import { until } from '../until.js';
import {
  AGENT,
  ask,
  asNumbers,
  type Daemon,
  HOLD_TIME_SECONDS,
  OTHER_CLIENT,
  Processes,
  ROUTER,
  type SeenRoute,
  type StartOptions,
} from './daemon.js';

const GOBGPD = 'gobgpd';

function configuration(options: StartOptions): string {
  const { passive, password, ttlSecurity, prefixLimit, internal } = options;
  const { own, agent } = asNumbers(options);
  const reflects = internal === 'reflector';
  const limit = `
[neighbors.afi-safis.prefix-limit.config]
max-prefixes = ${prefixLimit}`;
  const families = ['ipv4-unicast', 'ipv6-unicast'].map(
    (family) => `
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "${family}"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true${prefixLimit !== undefined && family === 'ipv4-unicast' ? limit : ''}`,
  );
  return `
[global.config]
as = ${own}
router-id = "${ROUTER.address}"
local-address-list = ["${ROUTER.address}"]
[[neighbors]]
[neighbors.config]
neighbor-address = "${AGENT.address}"
peer-as = ${agent}
${password === undefined ? '' : `auth-password = "${password}"`}
[neighbors.transport.config]
passive-mode = ${passive}
local-address = "${ROUTER.address}"
[neighbors.timers.config]
hold-time = ${HOLD_TIME_SECONDS}
keepalive-interval = ${HOLD_TIME_SECONDS / 3}
connect-retry = 2
idle-hold-time-after-reset = 1
${ttlSecurity === true ? '[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255' : ''}
[neighbors.graceful-restart.config]
enabled = true
restart-time = 60
${reflects ? reflection() : ''}
${families.join('')}
${reflects ? otherClient(own) : ''}
`;
}

function reflection(): string {
  return `[neighbors.route-reflector.config]
route-reflector-client = true
route-reflector-cluster-id = "${ROUTER.address}"`;
}

function otherClient(asn: number): string {
  return `[[neighbors]]
[neighbors.config]
neighbor-address = "${OTHER_CLIENT.address}"
peer-as = ${asn}
[neighbors.transport.config]
passive-mode = true
local-address = "${ROUTER.address}"
${reflection()}`;
}

/** Of the attributes that `gobgp global rib -j` shows, the fields that tell one from the other. */
interface ShownAttribute {
  readonly type: number;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
  readonly communities?: readonly number[];
  readonly value?: unknown;
}

interface ShownPath {
  readonly attrs: readonly ShownAttribute[];
  readonly 'neighbor-ip'?: string;
}

interface ShownLarge {
  readonly ASN: number;
  readonly LocalData1: number;
  readonly LocalData2: number;
}

export class GobgpDaemon implements Daemon {
  readonly name = 'GoBGP';
  readonly lacks = {
    refresh: 'it cannot be told to ask',
    sendsUnknown: 'it cannot make up an attribute',
    role: 'it knows no roles',
    twoOctets: 'it always speaks of 4-octet AS numbers',
  };
  readonly #processes: Processes;

  constructor(namespace: Namespace, folder: string) {
    this.#processes = new Processes(namespace, folder);
  }

  async version(): Promise<string> {
    return (await ask(GOBGPD, '--version')).replace('gobgpd version', '').trim();
  }

  async start(options: StartOptions): Promise<void> {
    writeFileSync(this.#processes.path('gobgpd.toml'), configuration(options));
    // A killed one leaves its socket behind, and the next would not start.
    rmSync(this.#processes.path('gobgpd.sock'), { force: true });
    const api = ['--pprof-disable', '--api-hosts', `unix://${this.#processes.path('gobgpd.sock')}`];
    const restart = options.restarting === true ? ['-r'] : [];
    this.#processes.spawn(GOBGPD, '-p', '-f', this.#processes.path('gobgpd.toml'), ...api, ...restart);
    await until('gobgpd answers', async () => (await this.#neighbour()).includes(AGENT.address));
    await this.announce();
  }

  async stop(): Promise<void> {
    await this.#processes.end(GOBGPD, 'SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#processes.end(GOBGPD, 'SIGKILL');
  }

  freeze(): void {
    this.#processes.signal(GOBGPD, 'SIGSTOP');
  }

  thaw(): void {
    this.#processes.signal(GOBGPD, 'SIGCONT');
  }

  async isEstablished(): Promise<boolean> {
    return /BGP state = ESTABLISHED/i.test(await this.#neighbour());
  }

  async route(prefix: string): Promise<SeenRoute | undefined> {
    const shown = await this.#ask('global', 'rib', ...familyOf(prefix), '-j');
    const table = JSON.parse(shown) as Record<string, readonly ShownPath[] | undefined>;
    const attributes = table[prefix]?.[0]?.attrs;
    if (attributes === undefined) return undefined;
    const of = (...types: readonly number[]) => attributes.find(({ type }) => types.includes(type));
    const med = of(4)?.metric;
    const originatorId = of(9)?.value;
    const clusterList = of(10)?.value as readonly string[] | undefined;
    const large = (of(32)?.value ?? []) as readonly ShownLarge[];
    return {
      ...(originatorId === undefined ? {} : { originatorId: String(originatorId) }),
      ...(clusterList === undefined ? {} : { clusterList }),
      nextHop: of(3, 14)?.nexthop ?? '',
      asPath: (of(2)?.as_paths ?? []).flatMap(({ asns }) => asns).join(' '),
      ...(med === undefined ? {} : { med }),
      communities: (of(8)?.communities ?? []).map((value) => `${value >>> 16}:${value & 0xffff}`),
      largeCommunities: large.map(({ ASN, LocalData1, LocalData2 }) => `${ASN}:${LocalData1}:${LocalData2}`),
      unknown: attributes
        .filter(({ type, value }) => type > 40 && typeof value === 'string')
        .map(({ type, value }) => `${type}=${Buffer.from(String(value), 'base64').toString('hex')}`),
    };
  }

  async announce(): Promise<void> {
    const attributes = [
      'med',
      `${ROUTER.med}`,
      'community',
      ROUTER.community,
      'large-community',
      ROUTER.largeCommunity,
    ];
    await this.#ask('global', 'rib', 'add', ROUTER.prefix, ...attributes);
    await this.#ask(
      'global',
      'rib',
      'add',
      '-a',
      'ipv6',
      ROUTER.prefix6,
      'nexthop',
      ROUTER.address6,
      ...attributes,
    );
  }

  async withdraw(): Promise<void> {
    for (const prefix of [ROUTER.prefix, ROUTER.prefix6]) {
      await this.#ask('global', 'rib', 'del', ...familyOf(prefix), prefix);
    }
  }

  async announceMore(): Promise<void> {
    await this.#ask('global', 'rib', 'add', ROUTER.morePrefix);
  }

  async withdrawMore(): Promise<void> {
    await this.#ask('global', 'rib', 'del', ROUTER.morePrefix);
  }

  async shutDown(text: string): Promise<void> {
    // The text goes with one command, and it stays down by the other.
    await this.#ask('neighbor', AGENT.address, 'shutdown', '--reason', text);
    await this.#ask('neighbor', AGENT.address, 'disable');
  }

  async bringUp(): Promise<void> {
    await this.#ask('neighbor', AGENT.address, 'enable');
  }

  async askForRefresh(): Promise<void> {
    throw new Error(this.lacks.refresh);
  }

  async lastNotification(): Promise<string> {
    return (
      this.log()
        .split('\n')
        .findLast((line) => line.includes('received notification')) ?? ''
    );
  }

  async operatorText(): Promise<string> {
    return this.lastNotification();
  }

  log(): string {
    return this.#processes.log();
  }

  #neighbour(): Promise<string> {
    return this.#ask('neighbor', AGENT.address);
  }

  #ask(...command: readonly string[]): Promise<string> {
    return ask('gobgp', '--target', `unix://${this.#processes.path('gobgpd.sock')}`, ...command);
  }
}

function familyOf(prefix: string): readonly string[] {
  return ['-a', prefix.includes(':') ? 'ipv6' : 'ipv4'];
}
