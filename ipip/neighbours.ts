/**
 * What the kernel knows of the machines that take our packets: whether they answer ARP or IPv6 neighbour discovery.
 *
 * Owns: the last state of each neighbour, and the words for one that does not answer. Must not know: routes. It is
 * shown and decides nothing: a neighbour that fails for a while is no reason to send its packets another way.
 */
import { formatIpAddress, type IpAddress, isIpv4 } from '../bgp/net/index.js';
import type {
  InterfaceIndex,
  Kernel,
  KernelEvent,
  KernelNeighbour,
  Lookup,
  NeighbourState,
} from './kernel/kernel.js';

type NeighbourEvent = Extract<KernelEvent, { kind: 'neighbour' }>;

/** The machine that takes the packets for a next hop. */
export interface Taker {
  readonly index: InterfaceIndex;
  readonly address: IpAddress;
  readonly isGateway: boolean;
}

/** The next hop itself where it is on a link, else the gateway towards it. */
export function takerOf(nextHop: IpAddress, lookup: Lookup | undefined): Taker | undefined {
  switch (lookup?.kind) {
    case 'onlink':
      return { index: lookup.interfaceIndex, address: nextHop, isGateway: false };
    case 'gateway':
      return { index: lookup.interfaceIndex, address: lookup.gateway, isGateway: true };
    default:
      return undefined;
  }
}

export class NeighbourTable {
  #states = new Map<InterfaceIndex, Map<IpAddress, NeighbourState>>();
  /** What is heard while the kernel is read: it is newer than what the reading brings. */
  #meanwhile: NeighbourEvent[] | undefined;

  /** Reads all of them in place of what was known. @throws KernelError */
  async read(kernel: Kernel): Promise<void> {
    const meanwhile: NeighbourEvent[] = [];
    this.#meanwhile = meanwhile;
    try {
      const neighbours = await kernel.neighbours();
      this.#states = new Map();
      for (const neighbour of neighbours) this.#set(neighbour);
      for (const event of meanwhile) this.#take(event);
    } finally {
      this.#meanwhile = undefined;
    }
  }

  /** @returns true where it says something new */
  heard(event: NeighbourEvent): boolean {
    this.#meanwhile?.push(event);
    const { index, address } = event.neighbour;
    const before = this.stateOf(index, address);
    this.#take(event);
    return this.stateOf(index, address) !== before;
  }

  /** Undefined: the kernel knows nothing of it, or nothing any more. */
  stateOf(index: InterfaceIndex, address: IpAddress): NeighbourState | undefined {
    return this.#states.get(index)?.get(address);
  }

  #take({ change, neighbour }: NeighbourEvent): void {
    if (change === 'new') this.#set(neighbour);
    else this.#states.get(neighbour.index)?.delete(neighbour.address);
  }

  #set({ index, address, state }: KernelNeighbour): void {
    let ofDevice = this.#states.get(index);
    if (ofDevice === undefined) {
      ofDevice = new Map();
      this.#states.set(index, ofDevice);
    }
    ofDevice.set(address, state);
  }
}

/** What is wrong with a neighbour; undefined where nothing is known to be. */
export function neighbourProblem({ address, isGateway }: Taker, state: NeighbourState): string | undefined {
  if (state !== 'failed') return undefined;
  const question = isIpv4(address) ? 'ARP' : 'neighbour discovery';
  return `${isGateway ? 'gateway' : 'next hop'} ${formatIpAddress(address)} does not answer ${question}`;
}
