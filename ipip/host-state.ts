/**
 * The machine's devices and addresses at one moment, and which changes of them matter.
 */
import type { Kernel, KernelAddress, KernelLink, Lookup } from './kernel/kernel.js';

export interface HostState {
  readonly links: readonly KernelLink[];
  readonly addresses: readonly KernelAddress[];
}

/** @throws KernelError */
export async function readHost(kernel: Kernel): Promise<HostState> {
  return { links: await kernel.links(), addresses: await kernel.addresses() };
}

/** The device by which a next hop is reached, where it has no carrier: the kernel goes on sending, and nothing arrives. */
export function lostCarrier({ links }: HostState, lookup: Lookup | undefined): string | undefined {
  if (lookup?.kind !== 'onlink' && lookup?.kind !== 'gateway') return undefined;
  return links.find(({ index, carrier }) => index === lookup.interfaceIndex && !carrier)?.name;
}

/** The kernel speaks of links for many reasons; only these change routes. */
export function isLinkNews(host: HostState, change: 'new' | 'gone', link: KernelLink): boolean {
  const known = host.links.find((other) => other.index === link.index);
  if (change === 'gone' || known === undefined) return true;
  return (
    known.up !== link.up ||
    known.carrier !== link.carrier ||
    known.name !== link.name ||
    known.mtuBytes !== link.mtuBytes ||
    known.ipip?.local !== link.ipip?.local ||
    known.ipip?.remote !== link.ipip?.remote
  );
}
