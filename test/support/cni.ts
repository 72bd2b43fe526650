/**
 * A container runtime as far as pods' networks go: runs the reference plugins of a CNI configuration as libcni does.
 *
 * Source: CNI specification 1.0.0, sections 2 to 4: plugins in their order for ADD and CHECK and backwards for DEL, each
 * told the result of the one before, and the capabilities that it asks for.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Namespace } from './netns.js';

const PLUGINS = '/usr/lib/cni';

/** What an ADD came to. */
export interface PodResult {
  readonly ips: readonly { readonly address: string; readonly gateway: string }[];
}

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp';
}

interface PluginConfiguration {
  readonly type: string;
  readonly mtu?: number;
  readonly ipam?: { readonly ranges: readonly (readonly { readonly subnet: string }[])[] };
  readonly capabilities?: Readonly<Record<string, boolean>>;
}

interface Conflist {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly PluginConfiguration[];
}

/** What a plugin says instead of a result. */
export class CniError extends Error {
  override readonly name = 'CniError';
}

/** Makes pods on one node, from the configuration that is there when a pod is made. */
export class PodRuntime {
  readonly #node: Namespace;
  readonly #file: string;
  readonly #pods = new Set<Pod>();

  constructor(node: Namespace, configurations: string) {
    this.#node = node;
    this.#file = join(configurations, '10-podroute.conflist');
  }

  configuration(): Conflist {
    return JSON.parse(readFileSync(this.#file, 'utf8'));
  }

  /** @throws CniError where a plugin refuses; as libcni, what the others have done is left to a DEL */
  add(portMappings: readonly PortMapping[] = []): Pod {
    const pod = new Pod(this.#node, this.configuration(), portMappings);
    this.#pods.add(pod);
    pod.add();
    return pod;
  }

  /** Takes a pod away, as it was made. */
  async delete(pod: Pod): Promise<void> {
    pod.delete();
    this.#pods.delete(pod);
    await pod.namespace.remove();
  }

  /** Takes the pods away that are left. */
  async close(): Promise<void> {
    for (const pod of [...this.#pods]) await this.delete(pod);
  }
}

export class Pod {
  readonly namespace = Namespace.create('pod');
  readonly #node: Namespace;
  readonly #configuration: Conflist;
  readonly #portMappings: readonly PortMapping[];
  #result: PodResult | undefined;

  constructor(node: Namespace, configuration: Conflist, portMappings: readonly PortMapping[]) {
    this.#node = node;
    this.#configuration = configuration;
    this.#portMappings = portMappings;
    // Duplicate address detection would hold every ADD up for a second or two.
    this.namespace.run('sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0');
  }

  /** Without its length, of a family. */
  address(family: 'ipv4' | 'ipv6' = 'ipv4'): string {
    const all = this.#result?.ips.map(({ address }) => address.replace(/\/.*/, '')) ?? [];
    const found = all.find((address) => address.includes(':') === (family === 'ipv6'));
    if (found === undefined) throw new Error(`the pod has no ${family} address: ${all.join(', ')}`);
    return found;
  }

  mtu(): number {
    const [link] = JSON.parse(this.namespace.ip('-j', 'link', 'show', 'dev', 'eth0'));
    return link.mtu;
  }

  /** One packet there and back; of a size, whole. */
  reaches(address: string, bytes?: number): boolean {
    const size = bytes === undefined ? [] : ['-M', 'do', '-s', String(bytes - 28)];
    const argv = ['netns', 'exec', this.namespace.name, 'ping', '-n', '-c', '1', '-W', '5', ...size, address];
    return spawnSync('ip', argv).status === 0;
  }

  add(): void {
    for (const plugin of this.#configuration.plugins) {
      this.#result = JSON.parse(this.#run('ADD', plugin)) as PodResult;
    }
  }

  /** @throws CniError where a plugin finds that something is not as it made it */
  check(): void {
    for (const plugin of this.#configuration.plugins) this.#run('CHECK', plugin);
  }

  delete(): void {
    for (const plugin of [...this.#configuration.plugins].reverse()) this.#run('DEL', plugin);
  }

  #run(command: 'ADD' | 'CHECK' | 'DEL', { capabilities, ...plugin }: PluginConfiguration): string {
    const { cniVersion, name } = this.#configuration;
    const runtimeConfig = capabilities?.['portMappings'] === true ? { portMappings: this.#portMappings } : {};
    const prevResult = this.#result === undefined ? {} : { prevResult: this.#result };
    const { status, stdout, stderr, error } = spawnSync(
      'ip',
      ['netns', 'exec', this.#node.name, join(PLUGINS, plugin.type)],
      {
        encoding: 'utf8',
        input: JSON.stringify({ ...plugin, cniVersion, name, runtimeConfig, ...prevResult }),
        env: {
          PATH: process.env['PATH'],
          CNI_COMMAND: command,
          CNI_CONTAINERID: this.namespace.name,
          CNI_NETNS: `/run/netns/${this.namespace.name}`,
          CNI_IFNAME: 'eth0',
          CNI_PATH: PLUGINS,
        },
      },
    );
    if (error !== undefined) throw error;
    if (status !== 0) throw new CniError(`${plugin.type} ${command}: ${stdout}${stderr}`);
    return stdout;
  }
}
