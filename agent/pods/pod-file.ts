/**
 * A file that tells whoever makes pods what their network is, kept as it must be.
 *
 * Owns: when it is written and removed, and what is said of that. Must not know: what is in it.
 */
import type { Logger } from 'pino';

/** Where the text is kept. Each call throws the file system's Error, or a {@link PodFileError}. */
export interface PodFilePlace {
  readonly path: string;
  /** @returns undefined where there is no such file */
  read(): string | undefined;
  write(text: string): void;
  remove(): void;
  /** What may be done where the file system refuses. */
  readonly remedy: string;
}

/** The file is in the way: the message is one sentence with the remedy. */
export class PodFileError extends Error {
  override readonly name = 'PodFileError';
  readonly code = 'POD_FILE';
}

export class PodFile {
  readonly #place: PodFilePlace;
  readonly #log: Logger;
  #wanted: { readonly text: string | undefined } | undefined;
  /** What was said last; a fault that stays is said once. */
  #problem: string | undefined;

  constructor(place: PodFilePlace, log: Logger) {
    this.#place = place;
    this.#log = log;
  }

  /** @param text undefined: the file goes */
  set(text: string | undefined): void {
    this.#wanted = { text };
    this.settle();
  }

  /** Makes the file so where it is not. A file that is right is left: whoever watches it is not woken for nothing. */
  settle(): void {
    if (this.#wanted === undefined) return;
    const { text } = this.#wanted;
    const { path: file, remedy } = this.#place;
    try {
      if (this.#place.read() !== text) {
        if (text === undefined) this.#place.remove();
        else this.#place.write(text);
        this.#log.info({ file }, text === undefined ? 'pod network removed' : 'pod network written');
      }
      this.#problem = undefined;
    } catch (error) {
      // The disk's fault, and no reason to stop routing.
      if (!(error instanceof Error && 'code' in error)) throw error;
      const reason = error instanceof PodFileError ? error.message : `${error.message}; ${remedy}`;
      if (reason === this.#problem) return;
      this.#problem = reason;
      this.#log.error({ file, reason }, 'pod network cannot be written; routing goes on');
    }
  }
}
