/**
 * Makes the tunnel device as `tunnel.ts` describes it, step by step against what the kernel has.
 *
 * Owns: the steps, their failures, and the device's status. Must not know: routes.
 */
import type { Forwarding } from './forwarding.js';
import { type HostState, readHost } from './host-state.js';
import { KernelError } from './kernel/errors.js';
import type { Kernel, KernelLink } from './kernel/kernel.js';
import type { TunnelUse } from './plan.js';
import {
  describeTunnel,
  diffTunnel,
  type TunnelSpec,
  type TunnelWish,
  tunnelProblem,
  underlayLink,
} from './tunnel.js';
import type { NodeFacts, TunnelStatus } from './types.js';

/** Create, change, MTU, address, a few old addresses, up: what takes more steps does not converge. */
const MAX_STEPS = 16;

export class TunnelKeeper {
  readonly #kernel: Kernel;
  readonly #forwarding: Forwarding;
  readonly #device: string;
  status: TunnelStatus;
  use: TunnelUse;
  /** How often a device was removed, and with it, silently, all its routes. */
  removals = 0;
  /** Nobody wishes for the device, and it stays only because routes of ours still lead through it. */
  isSurplus = false;

  constructor(kernel: Kernel, forwarding: Forwarding, device: string) {
    this.#kernel = kernel;
    this.#forwarding = forwarding;
    this.#device = device;
    this.status = { device, state: 'pending', reason: 'not looked at yet' };
    this.use = { state: 'absent', device, reason: 'it is not set up yet' };
  }

  /**
   * Brings the device to what is wished.
   * @param inUse a route of ours in the kernel leads through it: then it stays, wished or not
   * @returns the machine's state afterwards
   * @throws KernelError where the kernel cannot be read
   */
  async settle(wish: TunnelWish, facts: NodeFacts, host: HostState, inUse: boolean): Promise<HostState> {
    this.isSurplus = false;
    if (wish === 'wanted') return this.#make(facts, host);
    const link = host.links.find((candidate) => candidate.name === this.#device);
    const reason =
      wish === 'unwanted' ? 'no pool asks for IPIP' : 'this node has no pod subnet and no route needs it';
    this.status = { device: this.#device, state: 'unused', reason };
    this.use =
      link?.kind === 'ipip' && link.up
        ? { state: 'ready', device: this.#device, interfaceIndex: link.index }
        : { state: 'absent', device: this.#device, reason };
    if (wish === 'keep' || link?.kind !== 'ipip') return host;
    if (inUse) {
      this.isSurplus = true;
      return host;
    }
    this.use = { state: 'absent', device: this.#device, reason };
    try {
      await this.#kernel.applyLink({ op: 'deleteLink', index: link.index });
      this.removals++;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#failed(`${this.#device} is not needed any more, but cannot be removed: ${error.message}`, host);
    }
    return readHost(this.#kernel);
  }

  async #make(facts: NodeFacts, host: HostState): Promise<HostState> {
    let now = host;
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const spec = describeTunnel(this.#device, facts, now.links, now.addresses);
      const delta = diffTunnel(spec, now.links, now.addresses);
      switch (delta.kind) {
        case 'done':
          this.#ready(spec, delta.link);
          this.#checkFilters(facts, now);
          return now;
        case 'blocked':
          this.#failed(delta.reason, now);
          return now;
        case 'step':
          try {
            await this.#kernel.applyLink(delta.operation);
            if (delta.operation.op === 'deleteLink') this.removals++;
          } catch (error) {
            if (!(error instanceof KernelError)) throw error;
            now = await readHost(this.#kernel);
            this.#failed(tunnelProblem(spec, delta.operation, error.code, error.message), now);
            return now;
          }
          now = await readHost(this.#kernel);
          break;
        default:
          delta satisfies never;
      }
    }
    this.#failed(`${this.#device} does not become what it is set to: another program changes it`, now);
    return now;
  }

  #ready(spec: TunnelSpec, link: KernelLink): void {
    this.status = {
      device: this.#device,
      state: 'up',
      reason: 'set up as described',
      local: spec.local,
      mtuBytes: spec.mtuBytes,
      ...(spec.address === undefined ? {} : { address: spec.address }),
    };
    this.use = { state: 'ready', device: this.#device, interfaceIndex: link.index };
  }

  /** A device that is up goes on carrying packets, even where something about it cannot be put right. */
  #failed(reason: string, { links }: HostState): void {
    this.status = { device: this.#device, state: 'failed', reason };
    const link = links.find((candidate) => candidate.name === this.#device);
    this.use =
      link?.ipip?.remote === 0 && link.up
        ? { state: 'ready', device: this.#device, interfaceIndex: link.index }
        : { state: 'absent', device: this.#device, reason };
  }

  #checkFilters(facts: NodeFacts, { links, addresses }: HostState): void {
    this.#forwarding.loosenTunnel(this.#device);
    const underlay = underlayLink(facts.nodeAddress, links, addresses);
    if (underlay !== undefined) this.#forwarding.checkUnderlay(underlay.name);
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
