/**
 * BIRD 2 as a peer of the interop matrix.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bird } from '../bird.js';
import type { Namespace } from '../netns.js';
import {
  AGENT,
  ask,
  asNumbers,
  type Daemon,
  HOLD_TIME_SECONDS,
  OTHER_CLIENT,
  ROUTER,
  type SeenRoute,
  type StartOptions,
} from './daemon.js';

function configuration(options: StartOptions): string {
  const { passive, password, ttlSecurity, prefixLimit, role, internal } = options;
  const { own } = asNumbers(options);
  const attributes = `
    bgp_med = ${ROUTER.med};
    bgp_community.add((${ROUTER.community.replaceAll(':', ',')}));
    bgp_large_community.add((${ROUTER.largeCommunity.replaceAll(':', ',')}));`;
  const reflects = internal === 'reflector';
  const channel = `import all; export ${reflects ? 'where source = RTS_STATIC || source = RTS_BGP' : 'filter announce'};`;
  return `
log stderr all;
router id ${ROUTER.address};
protocol device {}
protocol direct { ipv4; ipv6; }
protocol static pods4 { ipv4; route ${ROUTER.prefix} blackhole; }
protocol static pods6 { ipv6; route ${ROUTER.prefix6} blackhole; }
protocol static more4 { disabled; ipv4; route ${ROUTER.morePrefix} blackhole; }
filter announce { if source != RTS_STATIC then reject; ${attributes}
  accept;
}
protocol bgp agent {
  local ${ROUTER.address} as ${own};
  neighbor ${AGENT.address} as ${AGENT.asn};
  passive ${passive ? 'on' : 'off'};
  hold time ${HOLD_TIME_SECONDS};
  connect delay time 1; connect retry time 2; error wait time 1, 2;
  graceful restart on;
  ${internal === undefined ? `ttl security ${ttlSecurity === true ? 'on' : 'off'};` : ''}
  ${password === undefined ? '' : `password "${password}";`}
  ${role === undefined ? '' : `local role ${role};`}
  ${reflects ? 'rr client;' : ''}
  ipv4 { ${channel} ${prefixLimit === undefined ? '' : `receive limit ${prefixLimit} action disable;`} };
  ipv6 { ${channel} next hop address ${ROUTER.address6}; };
}
${reflects ? otherClient(own) : ''}
`;
}

function otherClient(asn: number): string {
  return `protocol bgp second {
  local ${ROUTER.address} as ${asn};
  neighbor ${OTHER_CLIENT.address} as ${asn};
  rr client;
  connect delay time 1; connect retry time 2; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_BGP; };
}`;
}

export class BirdDaemon implements Daemon {
  readonly name = 'BIRD';
  readonly lacks = {
    sendsUnknown: 'it cannot make up an attribute',
    twoOctets: 'it takes no peer then whose AS needs four',
  };
  readonly #namespace: Namespace;
  readonly #folder: string;
  #bird: Bird | undefined;

  constructor(namespace: Namespace, folder: string) {
    this.#namespace = namespace;
    this.#folder = folder;
  }

  async version(): Promise<string> {
    return (await ask('bird', '--version')).replace('BIRD version', '').trim();
  }

  async start(options: StartOptions): Promise<void> {
    this.#bird = new Bird(this.#namespace, this.#folder, configuration(options));
    await this.#bird.start(...(options.restarting === true ? ['-R'] : []));
  }

  async stop(): Promise<void> {
    await this.#bird?.stop();
  }

  async kill(): Promise<void> {
    await this.#bird?.stop('SIGKILL');
  }

  freeze(): void {
    process.kill(this.#pid(), 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.#pid(), 'SIGCONT');
  }

  async isEstablished(): Promise<boolean> {
    return this.#ask('show', 'protocols', 'agent').includes('Established');
  }

  async route(prefix: string): Promise<SeenRoute | undefined> {
    const shown = this.#ask('show', 'route', prefix, 'all', 'protocol', 'agent');
    const nextHop = field(shown, 'BGP.next_hop')?.split(' ')[0];
    if (nextHop === undefined) return undefined;
    const med = field(shown, 'BGP.med');
    const originatorId = field(shown, 'BGP.originator_id');
    const clusterList = field(shown, 'BGP.cluster_list');
    return {
      ...(originatorId === undefined ? {} : { originatorId }),
      ...(clusterList === undefined ? {} : { clusterList: clusterList.split(' ') }),
      nextHop,
      asPath: field(shown, 'BGP.as_path') ?? '',
      ...(med === undefined ? {} : { med: Number(med) }),
      communities: values(field(shown, 'BGP.community')),
      largeCommunities: values(field(shown, 'BGP.large_community')),
      // `BGP.63 [t]: 01 02`, code and octets in hexadecimal.
      unknown: Array.from(
        shown.matchAll(/BGP\.([0-9a-f]{2}) \[t\]: (.*)$/gm),
        ([, code = '', octets = '']) => `${Number.parseInt(code, 16)}=${octets.replaceAll(' ', '')}`,
      ),
    };
  }

  async announce(): Promise<void> {
    this.#ask('enable', '"pods*"');
  }

  async withdraw(): Promise<void> {
    this.#ask('disable', '"pods*"');
  }

  async announceMore(): Promise<void> {
    this.#ask('enable', 'more4');
  }

  async withdrawMore(): Promise<void> {
    this.#ask('disable', 'more4');
  }

  async shutDown(text: string): Promise<void> {
    this.#ask('disable', 'agent', `"${text}"`);
  }

  async bringUp(): Promise<void> {
    this.#ask('enable', 'agent');
  }

  async askForRefresh(): Promise<void> {
    this.#ask('reload', 'in', 'agent');
  }

  async lastNotification(): Promise<string> {
    return /Last error: +(.*)/.exec(this.#ask('show', 'protocols', 'all', 'agent'))?.[1] ?? '';
  }

  async operatorText(): Promise<string> {
    return this.log();
  }

  log(): string {
    return readFileSync(join(this.#folder, 'bird.log'), 'utf8');
  }

  #ask(...command: readonly string[]): string {
    if (this.#bird === undefined) throw new Error('BIRD was not started');
    return this.#bird.ask(...command);
  }

  #pid(): number {
    return Number(readFileSync(join(this.#folder, 'bird.pid'), 'utf8'));
  }
}

function field(shown: string, name: string): string | undefined {
  return new RegExp(`${name.replace('.', '\\.')}: (.*)`).exec(shown)?.[1]?.trim();
}

/** `(64512,3) (1, 2, 3)` -> `64512:3`, `1:2:3` */
function values(communities = ''): readonly string[] {
  return Array.from(communities.matchAll(/\(([^)]*)\)/g), ([, value = '']) => value.replaceAll(/, ?/g, ':'));
}
