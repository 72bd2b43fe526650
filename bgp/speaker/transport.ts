/**
 * The transport port: reliable byte streams between two addresses.
 *
 * Owns: what the speaker needs of TCP and nothing more, so that a test can run speakers over memory. Implemented by
 * `tcp.ts`. Must not know: BGP.
 */
import type { IpAddress, Prefix } from '../net/index.js';
import type { KernelDrops } from './kernel-drops.js';

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
  /** The device that a link-local `remote` is reached by. */
  readonly zone?: string;
  /** The device of the link that both ends are on, where they are on one. */
  readonly device?: string;
  /** The connected prefix of ours that both ends are on, where there is one (RFC 4271 section 5.1.3). */
  readonly sharedSubnet?: Prefix;
  /** Must be called once, before the next turn of the event loop. */
  attach(handlers: StreamHandlers): void;
  /** @returns false when the buffer is full; the bytes are taken all the same, and `onDrain` follows. */
  write(bytes: Uint8Array): boolean;
  /**
   * Applies the limits to a connection that was accepted.
   * @returns the reason in words not to use it: it came from too far away, or the machine refused
   */
  limitHops(options: HopOptions): string | undefined;
  /** Signs and checks with another key from now on; the connection must have had one (RFC 4808). */
  changePassword(password: string): void;
  /** Bytes written that have not left this process: a peer that reads nothing lets them grow. */
  readonly pendingBytes: number;
  /** Sends what was written, then closes; gives up on a peer that does not read after a few seconds. */
  end(): void;
  /** Closes at once; what was written may be lost. */
  destroy(): void;
}

/** How far the two ends of a connection may be apart. */
export interface HopOptions {
  /** The TTL (IPv6: hop limit) of what we send, 1 to 255; absent: the machine's default. */
  readonly ttl?: number;
  /** What arrives with a lower TTL is dropped (RFC 5082), 1 to 255. */
  readonly minTtl?: number;
}

export interface DialOptions extends HopOptions {
  readonly remote: IpAddress;
  readonly port: number;
  /** The device that a link-local `remote` is reached by. */
  readonly zone?: string;
  /** The key of TCP-MD5 (RFC 2385), 1 to 80 octets. */
  readonly password?: string;
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
  /**
   * From now on connections from these addresses must be signed with the key (TCP-MD5, RFC 2385), or, where it is
   * undefined, must not be signed. The longest prefix decides. Connections that are up keep theirs.
   * @throws TcpOptionError where the machine refuses
   */
  setPassword(peers: Prefix, password: string | undefined): void;
  /**
   * From now on `limitHops` works on connections that are accepted, and peers with TTL security take our answers.
   * @throws TcpOptionError where the machine refuses
   */
  requireHops(): void;
  close(): Promise<void>;
}

export interface Transport {
  /** @throws the system's error (code EADDRINUSE, EACCES, EADDRNOTAVAIL ...) where it cannot listen. */
  listen(options: ListenOptions, onStream: (stream: ByteStream) => void): Promise<Listener>;
  /** @returns a function that abandons the attempt; after it no handler is called. */
  dial(options: DialOptions, handlers: DialHandlers): () => void;
  /** What was dropped on this machine so far without telling anyone; undefined where that is not known. */
  drops(): KernelDrops | undefined;
}
