/**
 * Where this machine is, for a cluster that nodes enter themselves into.
 *
 * Owns: that a node keeps the address under which the others know it. Must not know: stores, when it is asked.
 *
 * An interface without a carrier is in no list of interfaces, and its address is that of the node all the same: a pulled
 * cable must not make a node call itself by another name.
 */
import type { AgentSettings } from './config/index.js';
import { type Candidate, type Detection, detectAddress } from './detect/index.js';
import type { Place } from './join/index.js';
import type { NodeResource, Resources } from './resources/index.js';
import { hasAddress } from './start-error.js';

export class Locator {
  readonly #settings: Pick<AgentSettings, 'ip' | 'ip6' | 'tunnelDevice'>;
  /** A method that an operator has named is asked at every start, and from then on when the address is gone. */
  #placed: Candidate | undefined;

  constructor(settings: Pick<AgentSettings, 'ip' | 'ip6' | 'tunnelDevice'>) {
    this.#settings = settings;
  }

  async locate({ pools }: Resources, entered: NodeResource | undefined): Promise<Place> {
    const { ip, ip6, tunnelDevice } = this.#settings;
    const context = { pools, tunnelDevice };
    const ask = () => detectAddress(ip, { ...context, family: 'ipv4' });
    // A name is not looked up again without need: who waits for DNS gives no signs of life meanwhile.
    const found = ip.type === 'can-reach' && this.#placed !== undefined ? undefined : await ask();
    const isKnown =
      found !== undefined && 'chosen' in found && found.chosen.address === entered?.ipv4?.address;
    const ipv4 = isKnown ? found : ((await this.#kept(entered, context)) ?? found ?? (await ask()));
    if ('chosen' in ipv4) this.#placed = ipv4.chosen;
    if (ip6 === undefined) return { ipv4 };
    return { ipv4, ipv6: await detectAddress(ip6, { ...context, family: 'ipv6' }) };
  }

  async #kept(
    entered: NodeResource | undefined,
    context: { readonly pools: Resources['pools']; readonly tunnelDevice: string },
  ): Promise<Detection | undefined> {
    const { ip } = this.#settings;
    const isFree = ip.type === 'first-found' || (this.#placed !== undefined && ip.type !== 'address');
    const address = entered?.ipv4;
    if (!isFree || address === undefined || !(await hasAddress(address.address))) return undefined;
    const kept = await detectAddress({ type: 'address', address }, { ...context, family: 'ipv4' });
    if ('problem' in kept) return kept;
    const isSame = this.#placed?.address === address.address;
    const reason = isSame ? this.#placed?.reason : undefined;
    return {
      ...kept,
      chosen: { ...kept.chosen, reason: reason ?? 'entered before, and still of this machine' },
    };
  }
}
