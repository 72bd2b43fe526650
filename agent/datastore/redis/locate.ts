/**
 * Which server takes our writes now: the one that the URL names, or that Sentinels or the nodes of a Cluster name.
 *
 * Owns: the question and whom to ask. Must not know: what is done with the answer.
 */
import { errorOfServer, Link, type LinkOptions, type Login } from './link.js';
import { resourcesKey } from './scripts.js';
import { TroubleError } from './trouble.js';
import { formatHost, type RedisHost, type RedisPlace } from './url.js';

/** Finds the master; one that has answered before is asked first. */
export class MasterFinder {
  readonly #place: RedisPlace;
  readonly #options: LinkOptions;
  /** Whom to ask, in this order. */
  #hosts: readonly RedisHost[];

  constructor(place: RedisPlace, options: LinkOptions) {
    this.#place = place;
    this.#options = options;
    this.#hosts = place.target.type === 'server' ? [] : place.target.hosts;
  }

  /** @throws TroubleError where nobody can say */
  async find(login: Login): Promise<RedisHost> {
    const { target } = this.#place;
    switch (target.type) {
      case 'server':
        return target.host;
      case 'sentinel':
        return this.#ask('Sentinel', login.sentinel, (link) => askSentinel(link, target.master));
      case 'cluster':
        return this.#ask('node', login.options, (link, host) => this.#askNode(link, host));
      default:
        target satisfies never;
        throw new Error('no such target');
    }
  }

  async #ask(
    word: string,
    login: Login['options'],
    question: (link: Link, host: RedisHost) => Promise<RedisHost>,
  ): Promise<RedisHost> {
    let first: unknown;
    for (const host of this.#hosts) {
      try {
        const link = await Link.open(host, login, this.#options);
        try {
          const answer = await question(link, host);
          this.#hosts = [host, ...this.#hosts.filter((other) => other !== host)];
          return answer;
        } finally {
          link.end(undefined);
        }
      } catch (error) {
        first ??= errorOfServer(error, `${word} ${formatHost(host)}`);
      }
    }
    throw first;
  }

  /** The node that has the slot of our keys; the others are remembered, should those of the URL be gone. */
  async #askNode(link: Link, asked: RedisHost): Promise<RedisHost> {
    const slot = Number(await link.call('CLUSTER', 'KEYSLOT', resourcesKey(this.#place.prefix)));
    const ranges = (await link.call('CLUSTER', 'SLOTS')) as readonly ClusterSlots[];
    const known = new Map(this.#hosts.map((host) => [formatHost(host), host]));
    let owner: RedisHost | undefined;
    for (const [first, last, master, ...replicas] of ranges) {
      for (const node of [master, ...replicas]) {
        const host = hostOf(node, asked);
        if (!known.has(formatHost(host))) known.set(formatHost(host), host);
      }
      if (first <= slot && slot <= last) owner = hostOf(master, asked);
    }
    this.#hosts = [...known.values()];
    if (owner !== undefined) return owner;
    const reason = 'knows no node that has our slot; finish setting up the Cluster';
    throw new TroubleError({ state: 'refusing', reason });
  }
}

/** CLUSTER SLOTS: of each range the first and last slot, the master, the replicas; a node is host, port and more. */
type ClusterSlots = readonly [first: number, last: number, ...nodes: [ClusterNode, ...ClusterNode[]]];
type ClusterNode = readonly [host: string | null, port: number, ...rest: unknown[]];

/** A node that does not know its own address is the one that was asked. */
function hostOf([host, port]: ClusterNode, asked: RedisHost): RedisHost {
  return { host: host === null || host === '' || host === '?' ? asked.host : host, port };
}

async function askSentinel(link: Link, master: string): Promise<RedisHost> {
  const answer = (await link.call('SENTINEL', 'get-master-addr-by-name', master)) as readonly string[] | null;
  const [host, port] = answer ?? [];
  if (host === undefined || port === undefined) {
    const reason = `knows no master "${master}"; correct the name in the URL, or have it monitored`;
    throw new TroubleError({ state: 'refusing', reason });
  }
  return { host, port: Number(port) };
}
