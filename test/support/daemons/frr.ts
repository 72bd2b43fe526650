/**
 * FRR as a peer of the interop matrix: bgpd, and zebra for its next hops.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
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

const ZEBRA = '/usr/lib/frr/zebra';
const BGPD = '/usr/lib/frr/bgpd';

function configuration(options: StartOptions): string {
  const { passive, password, ttlSecurity, prefixLimit, role, twoOctets, internal } = options;
  const { own } = asNumbers(options);
  // It reads the agent's AS from the capability even where it announces none of its own.
  const neighbour = `neighbor ${AGENT.address}`;
  const reflects = internal === 'reflector';
  return `
frr defaults datacenter
ip prefix-list OWN permit ${ROUTER.prefix}
ip prefix-list OWN permit ${ROUTER.morePrefix}
route-map ANNOUNCE permit 10
 set metric ${ROUTER.med}
 set community ${ROUTER.community}
 set large-community ${ROUTER.largeCommunity}
router bgp ${own}
 bgp router-id ${ROUTER.address}
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 timers bgp ${HOLD_TIME_SECONDS / 3} ${HOLD_TIME_SECONDS}
 ${neighbour} remote-as ${AGENT.asn}
 ${neighbour} timers connect 1
 ${neighbour} advertisement-interval 0
 ${passive ? `${neighbour} passive` : '!'}
 ${password === undefined ? '!' : `${neighbour} password ${password}`}
 ${ttlSecurity === true ? `${neighbour} ttl-security hops 1` : '!'}
 ${role === undefined ? '!' : `${neighbour} local-role ${role}`}
 ${twoOctets === true ? `${neighbour} dont-capability-negotiate` : '!'}
 ${reflects ? `neighbor ${OTHER_CLIENT.address} remote-as ${own}\n neighbor ${OTHER_CLIENT.address} advertisement-interval 0` : '!'}
 address-family ipv4 unicast
  network ${ROUTER.prefix} route-map ANNOUNCE
  ${reflects ? '!' : `${neighbour} prefix-list OWN out`}
  ${prefixLimit === undefined ? '!' : `${neighbour} maximum-prefix ${prefixLimit}`}
  ${reflects ? `${neighbour} route-reflector-client\n  neighbor ${OTHER_CLIENT.address} route-reflector-client` : '!'}
 exit-address-family
 address-family ipv6 unicast
  network ${ROUTER.prefix6} route-map ANNOUNCE
  ${neighbour} activate
 exit-address-family
`;
}

interface Shown {
  readonly paths?: readonly {
    readonly metric?: number;
    readonly aspath: { readonly string: string };
    readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
    readonly community?: { readonly list: readonly string[] };
    readonly largeCommunity?: { readonly list: readonly string[] };
    readonly local?: boolean;
    readonly originatorId?: string;
    readonly clusterList?: { readonly list: readonly string[] };
  }[];
}

interface ShownNeighbour {
  readonly bgpState: string;
  readonly lastNotificationReason?: string;
  readonly lastShutdownDescription?: string;
}

export class FrrDaemon implements Daemon {
  readonly name = 'FRR';
  readonly lacks = {
    showsUnknown: 'it does not show attributes that it does not know',
    sendsUnknown: 'it cannot make up an attribute',
  };
  readonly #processes: Processes;
  #asn: number = ROUTER.asn;

  /** `folder` must be one that other users may pass: the daemons give up root. */
  constructor(namespace: Namespace, folder: string) {
    this.#processes = new Processes(namespace, folder);
    execFileSync('chown', ['frr:frr', folder]);
  }

  async version(): Promise<string> {
    return /version (\S+)/.exec(await ask(BGPD, '--version'))?.[1] ?? '';
  }

  async start(options: StartOptions): Promise<void> {
    this.#asn = asNumbers(options).own;
    const at = (name: string) => this.#processes.path(name);
    writeFileSync(at('bgpd.conf'), configuration(options));
    const common = [
      '-z',
      at('zserv.api'),
      '--vty_socket',
      this.#processes.folder,
      '-A',
      '127.0.0.1',
      '-P',
      '0',
    ];
    if (!this.#processes.isRunning(ZEBRA)) {
      this.#processes.spawn(ZEBRA, '-f', '/dev/null', '-i', at('zebra.pid'), ...common);
      await until('zebra answers', () => this.#ask('show version'));
    }
    const bgpd = ['-f', at('bgpd.conf'), '-i', at('bgpd.pid'), '-l', ROUTER.address];
    this.#processes.spawn(BGPD, ...bgpd, ...common);
    await until('bgpd answers', async () => (await this.#neighbour()).bgpState);
  }

  async stop(): Promise<void> {
    await this.#processes.end(BGPD, 'SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#processes.end(BGPD, 'SIGKILL');
  }

  freeze(): void {
    this.#processes.signal(BGPD, 'SIGSTOP');
  }

  thaw(): void {
    this.#processes.signal(BGPD, 'SIGCONT');
  }

  async isEstablished(): Promise<boolean> {
    return (await this.#neighbour()).bgpState === 'Established';
  }

  async route(prefix: string): Promise<SeenRoute | undefined> {
    const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
    const shown = JSON.parse(await this.#ask(`show bgp ${family} unicast ${prefix} json`)) as Shown;
    const path = shown.paths?.find(({ local }) => local !== true);
    if (path === undefined) return undefined;
    return {
      nextHop: path.nexthops.find(({ scope }) => scope !== 'link-local')?.ip ?? '',
      asPath: path.aspath.string === 'Local' ? '' : path.aspath.string,
      ...(path.metric === undefined ? {} : { med: path.metric }),
      communities: path.community?.list ?? [],
      largeCommunities: path.largeCommunity?.list ?? [],
      unknown: [],
      ...(path.originatorId === undefined ? {} : { originatorId: path.originatorId }),
      ...(path.clusterList === undefined ? {} : { clusterList: path.clusterList.list }),
    };
  }

  async announce(): Promise<void> {
    await this.#networks('');
  }

  async withdraw(): Promise<void> {
    await this.#networks('no ');
  }

  async announceMore(): Promise<void> {
    await this.#configure('address-family ipv4 unicast', `network ${ROUTER.morePrefix}`);
  }

  async withdrawMore(): Promise<void> {
    await this.#configure('address-family ipv4 unicast', `no network ${ROUTER.morePrefix}`);
  }

  async shutDown(text: string): Promise<void> {
    await this.#configure(`neighbor ${AGENT.address} shutdown message ${text}`);
  }

  async bringUp(): Promise<void> {
    await this.#configure(`no neighbor ${AGENT.address} shutdown`);
  }

  async askForRefresh(): Promise<void> {
    await this.#ask(`clear bgp ipv4 unicast ${AGENT.address} soft in`);
  }

  async lastNotification(): Promise<string> {
    return (await this.#neighbour()).lastNotificationReason ?? '';
  }

  async operatorText(): Promise<string> {
    return (await this.#neighbour()).lastShutdownDescription ?? '';
  }

  log(): string {
    return this.#processes.log();
  }

  async #networks(no: '' | 'no '): Promise<void> {
    const map = ' route-map ANNOUNCE';
    await this.#configure('address-family ipv4 unicast', `${no}network ${ROUTER.prefix}${map}`);
    await this.#configure('address-family ipv6 unicast', `${no}network ${ROUTER.prefix6}${map}`);
  }

  async #neighbour(): Promise<ShownNeighbour> {
    const shown = await this.#ask(`show bgp neighbors ${AGENT.address} json`);
    const neighbour = (JSON.parse(shown) as Record<string, ShownNeighbour>)[AGENT.address];
    if (neighbour === undefined) throw new Error(`FRR shows no neighbour: ${shown}`);
    return neighbour;
  }

  async #configure(...lines: readonly string[]): Promise<void> {
    await this.#ask('configure terminal', `router bgp ${this.#asn}`, ...lines);
  }

  #ask(...commands: readonly string[]): Promise<string> {
    const lines = commands.flatMap((command) => ['-c', command]);
    return ask('vtysh', '--vty_socket', this.#processes.folder, ...lines);
  }
}
