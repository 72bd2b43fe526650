/** A node of the rig as its API, its kernel and its administrator see it. */
import { formatIpAddress } from '../../../bgp/net/index.js';
import { type Kernel, rtnetlinkKernel } from '../../../ipip/index.js';
import { routeLines } from '../../support/machine.js';
import type { Seen, SeenRoute } from '../../support/walk/expect.js';
import { askApi } from '../api.js';
import { inNamespace } from '../libc.js';
import { mustRun, namespaceName, namespacePath } from '../namespaces.js';

const TUNNEL = 'podroute0';

type AgentSeen = NonNullable<Seen['agent']>;

/** Looks at one node; starting a process is slow inside User-Mode Linux, so only the routes are asked of `ip`. */
export class Sight {
  readonly #lab: string;
  readonly #node: string;
  readonly #kernel: Kernel = rtnetlinkKernel();

  private constructor(lab: string, node: string) {
    this.#lab = lab;
    this.#node = node;
  }

  static async open(lab: string, node: string): Promise<Sight> {
    const sight = new Sight(lab, node);
    await inNamespace(namespacePath(namespaceName(lab, node)), () => sight.#kernel.open());
    return sight;
  }

  close(): Promise<void> {
    return this.#kernel.close();
  }

  /** What the agent says. @throws ApiError where it does not answer */
  async agent(isFresh: boolean): Promise<AgentSeen> {
    const ask = (path: string) => askApi(this.#lab, this.#node, path);
    const { routes } = (await ask('/routes')) as { readonly routes: readonly SeenRoute[] };
    const { peers } = (await ask('/peers')) as Pick<AgentSeen, 'peers'>;
    const { dataplane } = (await ask('/status')) as { readonly dataplane: Pick<AgentSeen, 'tunnel'> };
    return { routes, peers, tunnel: dataplane.tunnel, isFresh };
  }

  async tunnel(): Promise<Seen['tunnel']> {
    const device = (await this.#kernel.links()).find(({ name }) => name === TUNNEL);
    if (device?.ipip === undefined) return undefined;
    const addresses = (await this.#kernel.addresses())
      .filter(({ index, address }) => index === device.index && typeof address === 'number')
      .map(({ address, lengthBits }) => `${formatIpAddress(address)}/${lengthBits}`);
    const { local, ttl } = device.ipip;
    return { local: formatIpAddress(local), ttl, mtuBytes: device.mtuBytes, addresses, up: device.up };
  }

  /** The main table in the words of `ip`. */
  async lines(): Promise<readonly string[]> {
    const out = await this.#ip('-N', '-4', 'route', 'show', 'table', '254');
    return routeLines(out.split('\n'));
  }

  /** What nobody in the walk adds to or takes from: the devices by name, and the policy rules. */
  async inventory(): Promise<readonly string[]> {
    const names = (await this.#kernel.links()).map(({ name }) => `device ${name}`);
    const rules = (await this.#ip('rule')).trim().split('\n');
    return [...names, ...rules].sort();
  }

  #ip(...words: readonly string[]): Promise<string> {
    return mustRun(['ip', '-netns', namespaceName(this.#lab, this.#node), ...words]);
  }
}
