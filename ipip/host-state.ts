/**
 * The machine's devices and addresses at one moment, and which changes of them matter.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Kernel, KernelAddress, KernelLink } from './kernel/kernel.js';

export interface HostState {
  readonly links: readonly KernelLink[];
  readonly addresses: readonly KernelAddress[];
}

/** @throws KernelError */
export async function readHost(kernel: Kernel): Promise<HostState> {
  return { links: await kernel.links(), addresses: await kernel.addresses() };
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
    !isDeepStrictEqual(known.ipip, link.ipip)
  );
}
