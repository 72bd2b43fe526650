/**
 * The transport port: reliable byte streams between two addresses.
 *
 * Owns: what the speaker needs of TCP and nothing more, so that a test can run speakers over memory. Implemented by
 * `tcp.ts`. Must not know: BGP.
 */
import type { IpAddress, Prefix } from '../net/index.js';

/** What a stream tells its owner. `onClose` comes exactly once, and nothing after it. */
export interface StreamHandlers {
  onData(chunk: Uint8Array): void;
  /** Everything written has left this process; comes after a `write` that returned false. */
  onDrain(): void;
  /** `reason`: one clause in words, such as "connection reset by peer". */
  onClose(reason: string): void;
}

/** One connected byte stream. */
export interface ByteStream {
  readonly local: IpAddress;
  readonly remote: IpAddress;
  readonly remotePort: number;
  /** The connected prefix of ours that both ends are on, where there is one (RFC 4271 section 5.1.3). */
  readonly sharedSubnet?: Prefix;
  /** Must be called once, before the next turn of the event loop. */
  attach(handlers: StreamHandlers): void;
  /** @returns false when the buffer is full; the bytes are taken all the same, and `onDrain` follows. */
  write(bytes: Uint8Array): boolean;
  /** Sends what was written, then closes; gives up on a peer that does not read after a few seconds. */
  end(): void;
  /** Closes at once; what was written may be lost. */
  destroy(): void;
}

export interface DialOptions {
  readonly remote: IpAddress;
  readonly port: number;
  /** The local address to dial from; absent: the kernel's choice. */
  readonly source?: IpAddress;
  readonly timeoutMs: number;
}

/** Exactly one of the two comes, unless the attempt is cancelled. */
export interface DialHandlers {
  onConnected(stream: ByteStream): void;
  onFailed(reason: string): void;
}

export interface ListenOptions {
  /** Absent: every address of the machine. */
  readonly address?: IpAddress;
  readonly port: number;
}

export interface Listener {
  /** The port that is listened on; differs from the one asked for where that was 0. */
  readonly port: number;
  close(): Promise<void>;
}

export interface Transport {
  /** @throws the system's error (code EADDRINUSE, EACCES, EADDRNOTAVAIL ...) where it cannot listen. */
  listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener>;
  /** @returns a function that abandons the attempt; after it no handler is called. */
  dial(options: DialOptions, handlers: DialHandlers): () => void;
}
