/**
 * Tells when the addresses or interfaces of this machine have changed.
 *
 * Owns: the kernel's events and that a burst of them is one. Must not know: which address matters, and what for.
 */
import type { CancelTimer, Clock } from '../bgp/speaker/index.js';
import { KernelError, rtnetlinkKernel } from '../ipip/index.js';

/** An address that moves is taken away and added; a link that comes up gets its addresses one by one. */
const SETTLE_MS = 200;

export class AddressWatch {
  readonly #kernel = rtnetlinkKernel();
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** @returns why there are no events; undefined: they are told */
  async start(): Promise<string | undefined> {
    try {
      await this.#kernel.open((events) => {
        if (events.some(({ kind }) => kind === 'address' || kind === 'link' || kind === 'lost'))
          this.#settle();
      });
      return undefined;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return error.message;
    }
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    await this.#kernel.close();
  }

  #settle(): void {
    this.#cancel ??= this.#clock.setTimer(SETTLE_MS, () => {
      this.#cancel = undefined;
      this.#onChange();
    });
  }
}
