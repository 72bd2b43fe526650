/**
 * OpenBGPD as a peer of the interop matrix.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
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

const BGPD = '/usr/sbin/bgpd';
/** The empty folder that its children are locked into; its service makes it at each start. */
const CHROOT = '/run/openbgpd';

function configuration(options: StartOptions, socket: string): string {
  const { passive, password, ttlSecurity, prefixLimit, role, internal } = options;
  const { own, agent } = asNumbers(options);
  const reflects = internal === 'reflector';
  return `
AS ${own}
router-id ${ROUTER.address}
fib-update no
listen on ${ROUTER.address}
socket "${socket}"
holdtime ${HOLD_TIME_SECONDS}
holdtime min 3
connect-retry 2
neighbor ${AGENT.address} {
  remote-as ${agent}
  ${passive ? 'passive' : ''}
  announce IPv4 unicast
  announce IPv6 unicast
  announce restart yes
  ${password === undefined ? '' : `tcp md5sig password ${password}`}
  ${ttlSecurity === true ? 'ttl-security yes' : ''}
  ${prefixLimit === undefined ? '' : `max-prefix ${prefixLimit}`}
  ${role === undefined ? '' : `announce policy ${role}`}
  ${reflects ? 'route-reflector' : ''}
}
${reflects ? `neighbor ${OTHER_CLIENT.address} {\n  remote-as ${own}\n  passive\n  route-reflector\n}` : ''}
allow from any
allow to any
`;
}

interface Shown {
  readonly rib?: readonly {
    readonly prefix: string;
    readonly aspath: string;
    readonly exit_nexthop: string;
    readonly metric?: number;
    readonly communities?: readonly string[];
    readonly large_communities?: readonly string[];
    readonly neighbor: { readonly remote_addr: string };
    readonly attributes?: readonly {
      readonly type: string;
      readonly data?: string;
      readonly originator?: string;
      readonly cluster_list?: readonly string[];
    }[];
  }[];
}

export class OpenbgpdDaemon implements Daemon {
  readonly name = 'OpenBGPD';
  readonly lacks = {
    announcesRestart: 'it never asks to have its routes kept',
    sendsUnknown: 'it cannot make up an attribute',
    twoOctets: 'it takes no peer then whose AS needs four',
  };
  readonly #processes: Processes;

  constructor(namespace: Namespace, folder: string) {
    this.#processes = new Processes(namespace, folder);
    // On Linux it gives the address of the loopback device as the next hop of its IPv6 routes.
    namespace.ip('address', 'delete', '::1/128', 'dev', 'lo');
    namespace.ip('address', 'add', `${ROUTER.address6}/128`, 'dev', 'lo', 'nodad');
  }

  async version(): Promise<string> {
    return (await ask(BGPD, '-V')).replace('OpenBGPD', '').trim();
  }

  async start(options: StartOptions): Promise<void> {
    mkdirSync(CHROOT, { recursive: true });
    const file = this.#processes.path('bgpd.conf');
    writeFileSync(file, configuration(options, this.#processes.path('ctl')), { mode: 0o600 });
    this.#processes.spawn(BGPD, '-d', '-f', file);
    await until('bgpd answers', async () => (await this.#neighbour()).includes(AGENT.address));
    await this.announce();
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
    return (await this.#neighbour()).includes('BGP state = Established');
  }

  async route(prefix: string): Promise<SeenRoute | undefined> {
    const shown = JSON.parse(await this.#ask('-j', 'show', 'rib', 'detail', prefix)) as Shown;
    const route = shown.rib?.find(
      (row) => row.prefix === prefix && row.neighbor.remote_addr === AGENT.address,
    );
    if (route === undefined) return undefined;
    const originatorId = route.attributes?.find(({ originator }) => originator !== undefined)?.originator;
    const clusterList = route.attributes?.find(
      ({ cluster_list }) => cluster_list !== undefined,
    )?.cluster_list;
    return {
      ...(originatorId === undefined ? {} : { originatorId }),
      ...(clusterList === undefined ? {} : { clusterList }),
      nextHop: route.exit_nexthop,
      asPath: route.aspath,
      ...(route.metric === undefined ? {} : { med: route.metric }),
      communities: route.communities ?? [],
      largeCommunities: route.large_communities ?? [],
      // Named `Unknown Attribute #99`.
      unknown: (route.attributes ?? []).map(({ type, data }) => `${type.split('#').at(-1)}=${data}`),
    };
  }

  async announce(): Promise<void> {
    const attributes = [
      'metric',
      `${ROUTER.med}`,
      'community',
      ROUTER.community,
      'large-community',
      ROUTER.largeCommunity,
    ];
    for (const prefix of [ROUTER.prefix, ROUTER.prefix6]) {
      await this.#ask('network', 'add', prefix, ...attributes);
    }
  }

  async withdraw(): Promise<void> {
    for (const prefix of [ROUTER.prefix, ROUTER.prefix6]) await this.#ask('network', 'delete', prefix);
  }

  async announceMore(): Promise<void> {
    await this.#ask('network', 'add', ROUTER.morePrefix);
  }

  async withdrawMore(): Promise<void> {
    await this.#ask('network', 'delete', ROUTER.morePrefix);
  }

  async shutDown(text: string): Promise<void> {
    await this.#ask('neighbor', AGENT.address, 'down', text);
  }

  async bringUp(): Promise<void> {
    await this.#ask('neighbor', AGENT.address, 'up');
  }

  async retry(): Promise<void> {
    await this.bringUp();
  }

  async askForRefresh(): Promise<void> {
    await this.#ask('neighbor', AGENT.address, 'refresh');
  }

  async lastNotification(): Promise<string> {
    return /Last error received: (.*)/.exec(await this.#neighbour())?.[1] ?? '';
  }

  async operatorText(): Promise<string> {
    return this.#neighbour();
  }

  log(): string {
    return this.#processes.log();
  }

  #neighbour(): Promise<string> {
    return this.#ask('show', 'neighbor', AGENT.address);
  }

  #ask(...command: readonly string[]): Promise<string> {
    return ask('bgpctl', '-s', this.#processes.path('ctl'), ...command);
  }
}
