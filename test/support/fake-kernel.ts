/**
 * A kernel in memory, with the habits of the real one that decide the design of the data plane:
 *
 * - `replace` takes whatever has the key, whoever owns it, and says so only by a flag on the event; it makes no IPv4 route
 *   a second time;
 * - a link that goes down takes its routes along without a word, and does not bring them back;
 * - the last address of a device takes the device's routes along, without a word, and so does a device that is deleted;
 * - a route with several ways out stays while the link of one is up, and names the others as dead;
 * - an IPv6 route takes no next hop twice;
 * - a deletion removes only the route with its key, protocol and next hops;
 * - an address takes the IPv4 routes along that name it as their source, and comes off the IPv6 ones, without a word;
 * - the first address of a subnet takes the others of it along;
 * - events of our own operations are not heard.
 *
 * It fails on demand.
 */
import { type IpAddress, isIpv4, prefixOf } from '../../bgp/net/index.js';
import { errnoNumber, type KernelError, kernelError } from '../../ipip/kernel/errors.js';
import {
  type EventHandler,
  type InterfaceIndex,
  type IpipParameters,
  interfaceIndex,
  type Kernel,
  type KernelAddress,
  type KernelEvent,
  type KernelLink,
  type KernelNeighbour,
  type KernelRoute,
  type LinkOperation,
  type Lookup,
  MAIN_TABLE,
  type NeighbourState,
  type RouteOperation,
  type RouteResult,
} from '../../ipip/kernel/kernel.js';
import { FakeRoutes } from './fake-routes.js';

/** What can be made to fail: the calls of the port, and each kind of operation. */
export type FakeCall =
  | 'checkPermission'
  | 'links'
  | 'addresses'
  | 'neighbours'
  | 'routes'
  | 'lookup'
  | 'apply'
  | RouteOperation['op']
  | LinkOperation['op'];

const PROTOCOL_KERNEL = 2;

export class FakeKernel implements Kernel {
  readonly #links = new Map<InterfaceIndex, KernelLink>();
  #addresses: KernelAddress[] = [];
  #neighbours: KernelNeighbour[] = [];
  readonly #routes = new FakeRoutes({
    links: this.#links,
    hasAddress: (address) => this.#addresses.some((entry) => entry.address === address),
  });
  readonly #failures: { readonly call: FakeCall; readonly error: KernelError }[] = [];
  readonly #hasIpip: boolean;
  #nextIndex = 1;
  #onEvents: EventHandler | undefined;
  /** What happens now is our own doing. Not every kernel hides that of links; one that does is the harder case. */
  #isQuiet = false;
  #losesNext = false;
  /** Every call of the port, in order. */
  readonly calls: FakeCall[] = [];

  constructor(options: { readonly hasIpip: boolean }) {
    this.#hasIpip = options.hasIpip;
    this.#addLink({ name: 'lo', up: true, carrier: true, mtuBytes: 65536 });
  }

  /** The next `times` calls of this kind are refused with this errno, such as `EINVAL`. */
  failNext(call: FakeCall, errno: string, times = 1): void {
    const error = kernelError(errnoNumber(errno), 'the kernel refused');
    for (let count = 0; count < times; count++) this.#failures.push({ call, error });
  }

  /** How many of the failures asked for have not happened. */
  get unspentFailures(): number {
    return this.#failures.length;
  }

  /** Events were dropped. */
  loseEvents(): void {
    this.#emit({ kind: 'lost' });
  }

  /** What is announced next does not arrive; that something was dropped does. */
  loseNextEvent(): void {
    this.#losesNext = true;
  }

  async open(onEvents?: EventHandler): Promise<void> {
    this.#onEvents = onEvents;
  }

  async close(): Promise<void> {
    this.#onEvents = undefined;
  }

  async checkPermission(): Promise<void> {
    this.#called('checkPermission');
  }

  async links(): Promise<readonly KernelLink[]> {
    this.#called('links');
    return [...this.#links.values()];
  }

  async addresses(): Promise<readonly KernelAddress[]> {
    this.#called('addresses');
    return [...this.#addresses];
  }

  async neighbours(): Promise<readonly KernelNeighbour[]> {
    this.#called('neighbours');
    return [...this.#neighbours];
  }

  async routes(protocol = 0): Promise<readonly KernelRoute[]> {
    this.#called('routes');
    return this.#routes.read().filter((route) => protocol === 0 || route.protocol === protocol);
  }

  allAddresses(): readonly KernelAddress[] {
    return this.#addresses;
  }

  allRoutes(): readonly KernelRoute[] {
    return this.#routes.all();
  }

  async lookup(addresses: readonly IpAddress[]): Promise<readonly Lookup[]> {
    this.#called('lookup');
    return addresses.map((address) => this.#lookup(address));
  }

  async apply(operations: readonly RouteOperation[]): Promise<readonly RouteResult[]> {
    this.#called('apply');
    return operations.map((operation) => {
      const error = this.#failure(operation.op) ?? this.#routes.apply(operation);
      return error === undefined ? { route: operation.route } : { error };
    });
  }

  async applyLink(operation: LinkOperation): Promise<void> {
    this.#called(operation.op);
    this.#isQuiet = true;
    try {
      this.changeLink(operation);
    } finally {
      this.#isQuiet = false;
    }
  }

  /** The same without the port: what another program does. */
  changeLink(operation: LinkOperation): void {
    switch (operation.op) {
      case 'createIpip': {
        if (!this.#hasIpip) throw kernelError(95, 'the kernel refused', 'Unknown device type');
        const { local, remote } = operation.parameters;
        const isTaken = this.#all().some(
          (link) =>
            link.name === operation.name || (link.ipip?.local === local && link.ipip.remote === remote),
        );
        if (isTaken) throw kernelError(17, 'the kernel refused');
        this.#addLink({
          name: operation.name,
          kind: 'ipip',
          up: false,
          carrier: false,
          mtuBytes: operation.mtuBytes,
          ipip: operation.parameters,
        });
        break;
      }
      case 'changeIpip':
        this.#changeLink(operation.index, { ipip: operation.parameters });
        break;
      case 'setMtu':
        this.#changeLink(operation.index, { mtuBytes: operation.mtuBytes });
        break;
      case 'setUp':
        this.setUp(operation.index, true);
        break;
      case 'deleteLink': {
        const link = this.#link(operation.index);
        this.#routes.dropNaming(link.index);
        this.#links.delete(link.index);
        this.#addresses = this.#addresses.filter((entry) => entry.index !== link.index);
        this.#emit({ kind: 'link', change: 'gone', link });
        break;
      }
      case 'addAddress':
        this.addAddress(operation.address);
        break;
      case 'removeAddress':
        this.#removeAddress(operation.address);
        break;
      default:
        operation satisfies never;
    }
  }

  /** A device that is up and has carrier. */
  addDevice(name: string, kind?: string): InterfaceIndex {
    return this.#addLink({
      name,
      up: true,
      carrier: true,
      mtuBytes: 1500,
      ...(kind === undefined ? {} : { kind }),
    });
  }

  addAddress(address: KernelAddress): void {
    if (this.#hasAddress(address)) return;
    const { up } = this.#link(address.index);
    const isSecondary = this.#addresses.some((entry) => isPrimaryOf(entry, address));
    this.#addresses.push(isSecondary ? { ...address, secondary: true } : address);
    this.#emit({ kind: 'address' });
    if (up) this.#addConnected(address);
  }

  /** What the kernel learns of a machine on a link; without a state it forgets it. */
  setNeighbour(index: InterfaceIndex, address: IpAddress, state: NeighbourState | undefined): void {
    const known = this.#neighbours.find((entry) => entry.index === index && entry.address === address);
    this.#neighbours = this.#neighbours.filter((entry) => entry !== known);
    if (state === undefined) {
      if (known !== undefined) this.#emit({ kind: 'neighbour', change: 'gone', neighbour: known });
      return;
    }
    const neighbour = { index, address, state };
    this.#neighbours.push(neighbour);
    this.#emit({ kind: 'neighbour', change: 'new', neighbour });
  }

  setUp(index: InterfaceIndex, up: boolean): void {
    if (!up) this.#routes.dropThrough(index);
    this.#changeLink(index, { up, carrier: up });
    if (up) for (const address of this.#addresses) if (address.index === index) this.#addConnected(address);
  }

  /** The kernel keeps the routes of a device that has lost its carrier. */
  setCarrier(index: InterfaceIndex, carrier: boolean): void {
    this.#changeLink(index, { carrier });
  }

  indexOf(device: string): InterfaceIndex {
    const link = this.#all().find((candidate) => candidate.name === device);
    if (link === undefined) throw kernelError(19, 'the kernel refused');
    return link.index;
  }

  hasDevice(name: string): boolean {
    return this.#all().some((link) => link.name === name);
  }

  /** Other parameters of a tunnel, the rest as they are. */
  changeTunnel(index: InterfaceIndex, change: Partial<IpipParameters>): void {
    const { ipip } = this.#link(index);
    if (ipip === undefined) throw kernelError(95, 'the kernel refused');
    this.#changeLink(index, { ipip: { ...ipip, ...change } });
  }

  nameOf(index: InterfaceIndex): string {
    return this.#link(index).name;
  }

  /** What another program does to a route, with its event. */
  foreign(op: 'add' | 'append' | 'replace' | 'delete', route: KernelRoute): void {
    const isKnown = this.#routes.hasKeyOf(route);
    const error =
      op === 'append'
        ? this.#routes.insert(route)
        : this.#routes.apply({ op: op === 'replace' && !isKnown ? 'add' : op, route });
    if (error !== undefined) throw error;
    this.#emit({
      kind: 'route',
      change: op === 'delete' ? 'gone' : 'new',
      route,
      replaced: op === 'replace' && isKnown,
    });
  }

  /** The route that a packet to `address` takes, down links left aside. */
  match(address: IpAddress): KernelRoute | undefined {
    return this.#routes.match(address);
  }

  #lookup(address: IpAddress): Lookup {
    if (this.#addresses.some((entry) => entry.address === address)) return { kind: 'local' };
    return this.#routes.lookup(address);
  }

  #addConnected(address: KernelAddress): void {
    const isHost = address.lengthBits === (isIpv4(address.address) ? 32 : 128);
    if (isHost) return;
    const route: KernelRoute = {
      prefix: prefixOf(address.address, address.lengthBits),
      table: MAIN_TABLE,
      tos: 0,
      metric: isIpv4(address.address) ? 0 : 256,
      protocol: PROTOCOL_KERNEL,
      type: 'unicast',
      ...(isIpv4(address.address) ? { source: address.address } : {}),
      nextHops: [{ interfaceIndex: address.index, onlink: false }],
    };
    if (this.#routes.insert(route) === undefined) {
      this.#emit({ kind: 'route', change: 'new', route, replaced: false });
    }
  }

  #removeAddress(address: KernelAddress): void {
    const gone = this.#addresses.find((entry) => sameAddress(entry, address));
    if (gone === undefined) throw kernelError(99, 'the kernel refused');
    this.#addresses = this.#addresses.filter((entry) => entry !== gone);
    const others = this.#addresses.filter((entry) => isPrimaryOf(gone, entry));
    this.#addresses = this.#addresses.filter((entry) => !others.includes(entry));
    const isLast = !this.#addresses.some((entry) => entry.index === address.index);
    if (isLast && isIpv4(address.address)) this.#routes.dropThrough(address.index);
    for (const { address: source } of [gone, ...others]) this.#routes.dropSource(source);
    this.#emit({ kind: 'address' });
  }

  #hasAddress(address: KernelAddress): boolean {
    return this.#addresses.some((entry) => sameAddress(entry, address));
  }

  #all(): KernelLink[] {
    return [...this.#links.values()];
  }

  #link(index: InterfaceIndex): KernelLink {
    const link = this.#links.get(index);
    if (link === undefined) throw kernelError(19, 'the kernel refused');
    return link;
  }

  #addLink(link: Omit<KernelLink, 'index'>): InterfaceIndex {
    const index = interfaceIndex(this.#nextIndex++);
    const made = { ...link, index };
    this.#links.set(index, made);
    this.#emit({ kind: 'link', change: 'new', link: made });
    return index;
  }

  #changeLink(index: InterfaceIndex, change: Partial<KernelLink>): void {
    const link = { ...this.#link(index), ...change };
    this.#links.set(index, link);
    this.#emit({ kind: 'link', change: 'new', link });
  }

  #called(call: FakeCall): void {
    this.calls.push(call);
    const error = this.#failure(call);
    if (error !== undefined) throw error;
  }

  #failure(call: FakeCall): KernelError | undefined {
    const index = this.#failures.findIndex((failure) => failure.call === call);
    return index < 0 ? undefined : this.#failures.splice(index, 1)[0]?.error;
  }

  /** As from a socket: later, and never from within the call that caused it. */
  #emit(event: KernelEvent): void {
    const handler = this.#onEvents;
    if (handler === undefined || this.#isQuiet) return;
    const heard: KernelEvent = this.#losesNext ? { kind: 'lost' } : event;
    this.#losesNext = false;
    queueMicrotask(() => {
      if (this.#onEvents === handler) handler([heard]);
    });
  }
}

function sameAddress(a: KernelAddress, b: KernelAddress): boolean {
  return a.index === b.index && a.address === b.address && a.lengthBits === b.lengthBits;
}

/** True where `entry` is the first address of the subnet that `other` is in as well. */
function isPrimaryOf(entry: KernelAddress, other: KernelAddress): boolean {
  return (
    entry.index === other.index &&
    entry.secondary === undefined &&
    isIpv4(entry.address) &&
    isIpv4(other.address) &&
    entry.lengthBits === other.lengthBits &&
    prefixOf(entry.address, entry.lengthBits) === prefixOf(other.address, other.lengthBits)
  );
}
