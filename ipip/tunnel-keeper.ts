/**
 * Makes the tunnel device as `tunnel.ts` describes it, step by step against what the kernel has.
 *
 * Owns: the steps, their failures, and the device's status. Must not know: routes.
 */
import { formatIpAddress, type IpAddress } from '../bgp/net/index.js';
import { type HostState, readHost } from './host-state.js';
import { KernelError } from './kernel/errors.js';
import type { Kernel, KernelLink } from './kernel/kernel.js';
import type { TunnelUse } from './plan-types.js';
import {
  describeTunnel,
  diffTunnel,
  type TunnelSpec,
  type TunnelWish,
  tunnelAddress,
  tunnelProblem,
  underlayLink,
} from './tunnel.js';
import type { NodeFacts, TunnelStatus } from './types.js';

type ReadyTunnel = Extract<TunnelUse, { readonly state: 'ready' }>;

/** What routes of ours in the kernel have to do with the device. */
export interface TunnelDemand {
  /** One leads through it. */
  readonly isUsed: boolean;
  /** The sources that they name. */
  readonly sources: ReadonlySet<IpAddress>;
}

/** Create, change, MTU, address, a few old addresses, up: what takes more steps does not converge. */
const MAX_STEPS = 16;

export class TunnelKeeper {
  readonly #kernel: Kernel;
  readonly #device: string;
  status: TunnelStatus;
  use: TunnelUse;
  /** How often a device was removed, and with it, silently, all its routes. */
  removals = 0;
  /** Nobody wishes for the device, and it stays only because routes of ours still lead through it. */
  isSurplus = false;
  /** Addresses that stay only because routes of ours name them as their source. */
  waiting: readonly IpAddress[] = [];

  constructor(kernel: Kernel, device: string) {
    this.#kernel = kernel;
    this.#device = device;
    this.status = { device, state: 'pending', reason: 'not looked at yet' };
    this.use = { state: 'absent', device, reason: 'it is not set up yet' };
  }

  /**
   * Brings the device to what is wished.
   * @param demand while a route leads through the device, it stays, wished or not
   * @returns the machine's state afterwards
   * @throws KernelError where the kernel cannot be read
   */
  async settle(
    wish: TunnelWish,
    facts: NodeFacts,
    host: HostState,
    demand: TunnelDemand,
  ): Promise<HostState> {
    this.isSurplus = false;
    this.waiting = [];
    if (wish === 'wanted') return this.#make(facts, host, demand.sources);
    const link = host.links.find((candidate) => candidate.name === this.#device);
    const reason =
      wish === 'unwanted' ? 'no pool asks for IPIP' : 'this node has no pod subnet and no route needs it';
    this.status = { device: this.#device, state: 'unused', reason };
    this.use =
      link?.kind === 'ipip' && link.up
        ? this.#usable(link, facts, host)
        : { state: 'absent', device: this.#device, reason };
    if (wish === 'keep' || link?.kind !== 'ipip') return host;
    if (demand.isUsed) {
      this.isSurplus = true;
      return host;
    }
    this.use = { state: 'absent', device: this.#device, reason };
    try {
      await this.#kernel.applyLink({ op: 'deleteLink', index: link.index });
      this.removals++;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#failed(
        `${this.#device} is not needed any more, but cannot be removed: ${error.message}`,
        facts,
        host,
      );
    }
    return readHost(this.#kernel);
  }

  async #make(facts: NodeFacts, host: HostState, named: ReadonlySet<IpAddress>): Promise<HostState> {
    let now = host;
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const spec = describeTunnel(this.#device, facts, now.links, now.addresses);
      const delta = diffTunnel(spec, now.links, now.addresses, named);
      switch (delta.kind) {
        case 'done':
          this.waiting = delta.waiting.map(({ address }) => address);
          this.#ready(spec, delta.link, facts, now);
          return now;
        case 'blocked':
          this.#failed(delta.reason, facts, now);
          return now;
        case 'step':
          try {
            await this.#kernel.applyLink(delta.operation);
            if (delta.operation.op === 'deleteLink') this.removals++;
          } catch (error) {
            if (!(error instanceof KernelError)) throw error;
            now = await readHost(this.#kernel);
            this.#failed(tunnelProblem(spec, delta.operation, error.code, error.message), facts, now);
            return now;
          }
          now = await readHost(this.#kernel);
          break;
        default:
          delta satisfies never;
      }
    }
    this.#failed(`${this.#device} does not become what it is set to: another program changes it`, facts, now);
    return now;
  }

  #ready(spec: TunnelSpec, link: KernelLink, facts: NodeFacts, host: HostState): void {
    this.use = this.#usable(link, facts, host);
    this.status = {
      device: this.#device,
      ...(this.use.problem === undefined
        ? { state: 'up', reason: 'set up as described' }
        : { state: 'failed', reason: this.use.problem }),
      local: spec.local,
      mtuBytes: spec.mtuBytes,
      ...(spec.address === undefined ? {} : { address: spec.address }),
    };
  }

  /** A device that is up goes on carrying packets, even where something about it cannot be put right. */
  #failed(reason: string, facts: NodeFacts, host: HostState): void {
    this.status = { device: this.#device, state: 'failed', reason };
    const link = host.links.find((candidate) => candidate.name === this.#device);
    this.use =
      link?.ipip?.remote === 0 && link.up
        ? this.#usable(link, facts, host)
        : { state: 'absent', device: this.#device, reason };
  }

  /** What routes must know of the device. The kernel sends nothing from an outer source that it does not have. */
  #usable(link: KernelLink, facts: NodeFacts, { links, addresses }: HostState): ReadyTunnel {
    const wanted = tunnelAddress(facts);
    const hasWanted = addresses.some(({ index, address }) => index === link.index && address === wanted);
    const hasSource = underlayLink(facts.nodeAddress, links, addresses) !== undefined;
    return {
      state: 'ready',
      device: this.#device,
      interfaceIndex: link.index,
      mtuBytes: link.mtuBytes,
      ...(wanted === undefined || !hasWanted ? {} : { address: wanted }),
      ...(hasSource
        ? {}
        : {
            problem: `no device of this machine has the node address ${formatIpAddress(facts.nodeAddress)}: what is sent into ${this.#device} is dropped until it is back`,
          }),
    };
  }
}

/** True where nothing changed that an operator would want to know. */
export function sameTunnel(a: TunnelStatus, b: TunnelStatus): boolean {
  return (
    a.state === b.state &&
    a.reason === b.reason &&
    a.local === b.local &&
    a.address === b.address &&
    a.mtuBytes === b.mtuBytes
  );
}
