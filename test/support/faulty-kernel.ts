/**
 * A kernel port that fails once, at a moment of the test's choice, in front of any kernel: the fake one or a real one.
 *
 * Owns: which call fails and how. Must not know: which kernel is behind it, what the data plane makes of it.
 */
import { errnoNumber, KernelError, kernelError } from '../../ipip/kernel/errors.js';
import type {
  EventHandler,
  Kernel,
  KernelEvent,
  LinkOperation,
  RouteOperation,
  RouteResult,
} from '../../ipip/kernel/kernel.js';

/**
 * What can fail: a call of the port, one operation of a kind, or
 * - `answers`: the operations are carried out, and the answers to them are lost;
 * - `events`: what the kernel announces at one time is lost, with the kernel's word that it is (ENOBUFS) or without one.
 */
export type FaultyCall =
  | 'links'
  | 'addresses'
  | 'neighbours'
  | 'routes'
  | 'lookup'
  | 'apply'
  | 'answers'
  | 'events'
  | RouteOperation['op']
  | LinkOperation['op'];

const ESRCH = errnoNumber('ESRCH');

export interface Fault {
  readonly call: FaultyCall;
  /** An errno's name; DUMP_INTERRUPTED and CLOSED of the port; of events: ENOBUFS or SILENCE. */
  readonly errno: string;
  /** The first time, the second ... since this port was made. */
  readonly nth: number;
}

export class FaultyKernel implements Kernel {
  readonly #kernel: Kernel;
  readonly #fault: Fault;
  #count = 0;

  constructor(kernel: Kernel, fault: Fault) {
    this.#kernel = kernel;
    this.#fault = fault;
  }

  /** The fault has happened. */
  get isSpent(): boolean {
    return this.#count >= this.#fault.nth;
  }

  open(onEvents?: EventHandler): Promise<void> {
    if (onEvents === undefined) return this.#kernel.open();
    return this.#kernel.open((events) => {
      const heard = this.#heard(events);
      if (heard.length > 0) onEvents(heard);
    });
  }

  close(): Promise<void> {
    return this.#kernel.close();
  }

  checkPermission(): Promise<void> {
    return this.#kernel.checkPermission();
  }

  async links(): ReturnType<Kernel['links']> {
    this.#mayFail('links');
    return this.#kernel.links();
  }

  async addresses(): ReturnType<Kernel['addresses']> {
    this.#mayFail('addresses');
    return this.#kernel.addresses();
  }

  async neighbours(): ReturnType<Kernel['neighbours']> {
    this.#mayFail('neighbours');
    return this.#kernel.neighbours();
  }

  async routes(protocol?: number): ReturnType<Kernel['routes']> {
    this.#mayFail('routes');
    return this.#kernel.routes(protocol);
  }

  async lookup(addresses: Parameters<Kernel['lookup']>[0]): ReturnType<Kernel['lookup']> {
    this.#mayFail('lookup');
    return this.#kernel.lookup(addresses);
  }

  async apply(operations: readonly RouteOperation[]): Promise<readonly RouteResult[]> {
    this.#mayFail('apply');
    const refusals = operations.map(({ op }) => this.#failure(op));
    const isGone = ({ op }: RouteOperation, index: number) =>
      op === 'delete' && refusals[index]?.errno === ESRCH;
    // Somebody was faster.
    await this.#kernel.apply(operations.filter(isGone));
    const accepted = await this.#kernel.apply(operations.filter((_each, index) => !refusals[index]));
    this.#mayFail('answers');
    const results = accepted.values();
    return refusals.map((error): RouteResult => {
      if (error !== undefined) return { error };
      const { value } = results.next();
      if (value === undefined) throw new Error('the kernel answered less than it was asked');
      return value;
    });
  }

  async applyLink(operation: LinkOperation): Promise<void> {
    this.#mayFail(operation.op);
    await this.#kernel.applyLink(operation);
  }

  #heard(events: readonly KernelEvent[]): readonly KernelEvent[] {
    if (this.#fault.call !== 'events' || !this.#isNow()) return events;
    return this.#fault.errno === 'ENOBUFS' ? [{ kind: 'lost' }] : [];
  }

  #mayFail(call: FaultyCall): void {
    const error = this.#failure(call);
    if (error !== undefined) throw error;
  }

  #failure(call: FaultyCall): KernelError | undefined {
    const { errno } = this.#fault;
    if (call !== this.#fault.call || !this.#isNow()) return undefined;
    if (errno === 'DUMP_INTERRUPTED' || errno === 'CLOSED') {
      return new KernelError({ code: `KERNEL_${errno}`, message: `netlink: ${errno}` });
    }
    const number = errnoNumber(errno);
    if (number === 0) throw new Error(`no errno ${errno}`);
    return kernelError(number, 'the kernel refused');
  }

  #isNow(): boolean {
    this.#count += 1;
    return this.#count === this.#fault.nth;
  }
}

export function faultText({ call, errno, nth }: Fault): string {
  return `${call} number ${nth} ends with ${errno}`;
}
